"""Radar indices: combined from parcel means in linear power, after the reduction."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError, UnknownBandError, UnknownStatisticError
from cbmcube.indices._formula import evaluate, parse_formula
from cbmcube.indices._index import Index
from cbmcube.indices._table import choose_indices

_DIMS = ("time", "parcel", "statistic")


def radar_indices(stats: xr.Dataset, indices: Iterable[str | Index] | str | Index) -> xr.Dataset:
    """Add radar indices to a vector cube, computed from its parcel means in linear power.

    Speckle makes the ratio of single pixels heavy-tailed, so that its mean says little; the
    ratio of parcel means is that of the energy that came back. A lazy cube stays lazy.

    Parameters
    ----------
    stats
        A vector cube of CARD-BS with the statistic ``mean``; composites too. To have an index
        of a period, composite first: an average of ratios is no ratio of averages.
    indices
        Names (see `list_indices`), or your own ``Index(..., computed="means")``.

    Returns
    -------
    xarray.Dataset
        The cube with one more band for each index, dims ``(time, parcel, statistic)``,
        float32. Of the statistics only ``mean``, the index, and ``count``, the smaller one of
        its bands, are defined; spread and percentiles of an index do not follow from those of
        its bands and are NaN. ``n_valid`` and what else lies along ``band`` are the smaller
        ones too (``n_failed``: the larger). Where an index has no value, its count and
        ``n_valid`` are 0.

    Raises
    ------
    UnknownBandError, UnknownStatisticError
        If VV or VH, or the mean, is missing.
    OptionError
        If an index is not known or is computed from pixels, if its name is taken, or if the
        cube holds coherence or decibels.

    Notes
    -----
    No value where a denominator is nearer to 0 than 1e-6, outside the bounds of the index,
    or, in dB, where a ratio is not positive: a mean of backscatter can be, after the removal
    of thermal noise.

    Examples
    --------
    >>> from cbmcube.indices import radar_indices
    >>> from cbmcube.testing import vector_cube
    >>> stats = radar_indices(vector_cube("CARD-BS", days=12), ["RVI4", "VH_VV_dB"])
    >>> stats.band.values.tolist()
    ['VV', 'VH', 'RVI4', 'VH_VV_dB']
    >>> stats.VH_VV_dB.units
    'dB'
    """
    chosen = choose_indices(indices, of_means=True)
    for index in chosen:
        _require(stats, index)
        stats = _with_index(stats, index)
    return stats


def _require(stats: xr.Dataset, index: Index) -> None:
    missing = [name for name in index.bands if name not in stats or {*stats[name].dims} != {*_DIMS}]
    if missing:
        raise UnknownBandError(
            f"{index.name} needs bands that the vector cube does not hold",
            given=", ".join(missing),
            allowed=", ".join(str(n) for n, a in stats.data_vars.items() if {*a.dims} == {*_DIMS}),
            hint=f"reduce {' and '.join(index.bands)} together",
        )
    if "mean" not in stats["statistic"].values:
        raise UnknownStatisticError(
            "the vector cube lacks the mean",
            given=", ".join(map(str, stats["statistic"].values)),
            hint='reduce_parcels(..., statistics=("count", "mean"))',
        )
    units = {str(stats[name].attrs.get("units", "1")) for name in index.bands}
    if stats.attrs.get("product") == "CARD-COH6" or any("dB" in unit for unit in units):
        raise OptionError(
            f"{index.name} is an index of backscatter in linear power",
            given=f"{stats.attrs.get('product', 'no product')} in {', '.join(sorted(units))}",
            allowed="CARD-BS, as it is reduced",
            hint="coherence has no such index; decibels are converted back by 10 ** (dB / 10)",
        )
    if index.name in stats.variables:
        raise OptionError(
            f"the vector cube holds {index.name} already",
            given=index.name,
            allowed="a name that is free",
            hint="drop it first",
        )


def _with_index(stats: xr.Dataset, index: Index) -> xr.Dataset:
    # Variables instead of arrays: aligning coordinates could compute lazy ones.
    names = [str(name) for name in stats["statistic"].values]
    mean, count = names.index("mean"), names.index("count") if "count" in names else None
    bands = [stats[name].variable.transpose(*_DIMS) for name in index.bands]
    table = xr.apply_ufunc(
        _index_of_means,
        *(band.chunk({"statistic": -1}) if band.chunks else band for band in bands),
        kwargs={"index": index, "mean": mean, "count": count},
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    table.attrs = index.attributes()
    known = table.isel(statistic=mean).notnull()
    fresh = {
        name: _with_band(array, index, known)
        for name, array in stats.data_vars.items()
        if "band" in array.dims
    }
    if not fresh:
        return stats.assign({index.name: table})
    # Taken off together: the coordinate of the bands grows with all that lies along it.
    rest = stats.drop_dims("band").assign({index.name: table})
    grown = xr.Dataset(
        {
            name: fresh[name] if name in fresh else rest[name].variable
            for name in _order(stats, index)
        }
    )
    names = [*map(str, stats["band"].values), index.name]
    return grown.assign_coords(rest.coords).assign_coords(band=names).assign_attrs(stats.attrs)


def _order(stats: xr.Dataset, index: Index) -> list[Hashable]:
    """Return the variables with the index behind the last band."""
    names = list(stats.data_vars)
    last = max(n for n, name in enumerate(names) if {*stats[name].dims} == {*_DIMS})
    return [*names[: last + 1], index.name, *names[last + 1 :]]


def _index_of_means(
    *bands: NDArray[Any], index: Index, mean: int, count: int | None
) -> NDArray[np.float32]:
    """Return the statistics of an index, (time, parcel, statistic), from those of its bands."""
    means = {
        name: band[..., mean].astype(np.float64)
        for name, band in zip(index.bands, bands, strict=True)
    }
    value, unsafe = evaluate(parse_formula(index.formula), means)
    good = np.isfinite(value)
    if unsafe is not None:
        good &= ~unsafe
    if index.limits is not None:
        good &= (value >= index.limits[0]) & (value <= index.limits[1])
    if index.decibels:
        good &= value > 0
        value = 10 * np.log10(np.where(good, value, 1.0))
    out = np.full(bands[0].shape, np.nan, np.float32)
    out[..., mean] = np.where(good, value, np.nan)
    if count is not None:
        counts = np.minimum.reduce([band[..., count] for band in bands])
        out[..., count] = np.where(good, counts, 0)
    return out


def _with_band(array: xr.DataArray, index: Index, known: xr.Variable) -> xr.Variable:
    """Return what lies along `band` with one more entry, the last."""
    bare = xr.DataArray(array.variable)
    labels = [str(name) for name in array["band"].values]
    parts = [bare.isel(band=labels.index(name)) for name in index.bands]
    one = np.maximum if array.name == "n_failed" else np.minimum
    own = parts[0]
    for part in parts[1:]:
        own = xr.apply_ufunc(one, own, part, dask="allowed")
    if array.name == "n_valid":
        own = own.where(xr.DataArray(known), 0)
    grown = xr.concat([bare, own.astype(array.dtype)], "band").transpose(*array.dims)
    return grown.assign_attrs(array.attrs).variable
