"""One entry for each acquisition, where a vector cube holds some more than once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cbmcube.series._blocks import whole_series
from cbmcube.series._copies import Copies, item_ids
from cbmcube.series._cube import band_names, statistic_names
from cbmcube.series._window import Moment, up_to

_Choice = dict[str | None, xr.DataArray]
"""The copies to keep, of each band, and of what is no band's (None)."""


def deduplicate(stats: xr.Dataset, *, as_of: Moment | None = None) -> xr.Dataset:
    """Keep one copy of each acquisition, for each parcel the one that saw most of it.

    An acquisition comes more than once when archives are put together, when a parcel lies in tiles
    of two zones, or when it was processed again. Copies are of one constellation, day (UTC) and
    relative orbit; pairs of images also have to be equally far apart in time.

    Parameters
    ----------
    stats
        A vector cube, such as ``xr.concat([one, other], "time")``. On Dask arrays the result is
        lazy, and complete series of some parcels are one task. ``processing_baseline`` and
        ``created`` on `time` are used where they are there; else the baseline is that of ids such
        as ``S2A_..._N0510_...``.
    as_of
        Choose with the knowledge of this moment: what was acquired or available later is left out.

    Returns
    -------
    xarray.Dataset
        A vector cube with one entry for each acquisition, in order of time. For each parcel and
        band it holds the copy with most valid pixels; of equals, the one with the larger share
        ``observed``, the higher processing baseline, the later ``created``, and the smallest item
        id. Copies are never averaged, since tiles of two zones repeat the same ground. What has no
        band, such as class shares, is of the copy with most valid pixels in all bands. New:
        ``n_dup`` (time, parcel; uint8), how many other copies saw the parcel, and ``source`` (band,
        time, parcel; int32), the position in ``source_items`` of the items of the copy. ``time`` is
        that of the earliest copy, ``created`` that of the latest.

    Raises
    ------
    OptionError
        If `stats` is no vector cube.

    See Also
    --------
    states : Which observations a copy replaces.

    Notes
    -----
    Sen4CAP keeps the highest number of pixels for each date, type and parcel too. The ties are
    this library's own, so that the order of the input is of no matter.

    Examples
    --------
    >>> import xarray as xr
    >>> from cbmcube.series import deduplicate
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(days=20)
    >>> twice = xr.concat([stats, stats], "time", data_vars="minimal")
    >>> found = deduplicate(twice)
    >>> twice.sizes["time"], found.sizes["time"], int(found["n_dup"].max())
    (16, 8, 1)
    """
    bands = band_names(stats)
    stats = up_to(stats, as_of)
    copies = Copies.of(stats)
    chosen = _choices(stats, bands, copies)
    result = stats.isel(time=copies.best)
    if copies.number.max(initial=1) > 1:
        for name, array in stats.data_vars.items():
            if {"time", "parcel"} <= {*array.dims}:
                result[name] = _taken(array, result[name], chosen)
    result["n_dup"] = _number(stats, bands, copies)
    if "source" not in stats:
        result = _with_source(result, item_ids(stats), {band: chosen[band] for band in bands})
    return result.assign_coords(_times(stats, copies))


def chosen_copies(stats: xr.Dataset, copies: Copies, band: str) -> xr.DataArray:
    """Return the positions on `time` of the copies to keep, (time, parcel), of one band."""
    return _choices(stats, [band], copies)[band]


def _choices(stats: xr.Dataset, bands: list[str], copies: Copies) -> _Choice:
    def choose(n_valid: xr.DataArray, band: str) -> xr.DataArray:
        arrays = [n_valid, seen_share(stats, bands), stats[band]]
        arrays = [one.transpose("time", "parcel", ...) for one in arrays]
        shape = (len(copies.number),)
        return xr.DataArray(
            whole_series(copies.choose, arrays, shape=shape, dtype="int32"),
            dims=("time", "parcel"),
        )

    counts = {band: valid_pixels(stats, band) for band in bands}
    chosen: _Choice = {band: choose(counts[band], band) for band in bands}
    chosen[None] = choose(_total(counts), bands[0])
    return chosen


def _total(counts: Mapping[str, xr.DataArray]) -> xr.DataArray:
    return xr.concat([*counts.values()], "band").sum("band")


def valid_pixels(stats: xr.Dataset, band: str) -> xr.DataArray:
    """Return the valid pixels (time, parcel) as far as they are known: all that tells copies."""
    if "n_valid" in stats and band in stats["band"].to_numpy():
        return stats["n_valid"].sel(band=band, drop=True)
    names = statistic_names(stats)
    if "count" in names:
        return stats[band].sel(statistic="count", drop=True)
    return stats[band].isel(statistic=0, drop=True).notnull().astype("int32")


def seen_share(stats: xr.Dataset, bands: list[str]) -> xr.DataArray:
    """Return the share of each parcel with source data; without it, 1 where a pixel is valid."""
    if "observed" in stats:
        return stats["observed"]
    return xr.DataArray(_total({band: valid_pixels(stats, band) for band in bands}) > 0)


def _with_source(
    result: xr.Dataset, ids: NDArray[np.str_], chosen: Mapping[str, xr.DataArray]
) -> xr.Dataset:
    """Say of each number where it comes from."""
    names, code = np.unique(ids, return_inverse=True)
    small = code.astype("int32")
    layers = [xr.apply_ufunc(small.__getitem__, one, dask="parallelized", output_dtypes=["int32"])
              for one in chosen.values()]  # fmt: skip
    source = xr.concat(layers, "band").assign_attrs(
        long_name="position in source_items of the items that the numbers are of"
    )
    labels = {"band": [*chosen], "source_items": ("source_item", names)}
    return result.assign_coords(labels).assign(source=source)


def _taken(array: xr.DataArray, like: xr.DataArray, chosen: _Choice) -> xr.DataArray:
    """Return the chosen copies of one variable."""

    def of(name: object) -> xr.DataArray:
        return chosen[str(name) if name in chosen else None]

    if "band" not in array.dims:
        return _take(array, like, of(array.name))
    names = array["band"].to_numpy()
    each = [_take(array.sel(band=[one]), like.sel(band=[one]), of(one)) for one in names]
    return xr.concat(each, "band").transpose(*array.dims)


def _take(array: xr.DataArray, like: xr.DataArray, chosen: xr.DataArray) -> xr.DataArray:
    ordered = array.variable.transpose("time", "parcel", ...)
    rest = ordered.shape[2:]
    take = partial(_along_time, width=len(rest))
    data = whole_series(
        take,
        [xr.DataArray(ordered), chosen],
        shape=(chosen.sizes["time"], *rest),
        dtype=str(array.dtype),
    )
    taken = xr.Variable(ordered.dims, data, array.attrs).transpose(*array.dims)
    return like.copy(data=taken.data)


def _along_time(values: NDArray[Any], chosen: NDArray[np.int32], *, width: int) -> NDArray[Any]:
    index = chosen.reshape(*chosen.shape, *(1,) * width)
    return np.take_along_axis(values, index, axis=0)


def _number(stats: xr.Dataset, bands: list[str], copies: Copies) -> xr.DataArray:
    def count(observed: NDArray[Any], before: NDArray[Any]) -> NDArray[np.uint8]:
        each = np.where(observed > 0, before.astype("int64") + 1, 0)
        return np.clip(copies.sum(each) - 1, 0, 255).astype("uint8")

    seen = seen_share(stats, bands).transpose("time", "parcel")
    before = stats["n_dup"] if "n_dup" in stats else xr.zeros_like(seen, dtype="uint8")
    data = whole_series(
        count,
        [seen, before.transpose("time", "parcel")],
        shape=(len(copies.number),),
        dtype="uint8",
    )
    attrs = {"long_name": "other copies of the acquisition that saw the parcel", "units": "1"}
    return xr.DataArray(data, dims=("time", "parcel"), attrs=attrs)


def _times(stats: xr.Dataset, copies: Copies) -> dict[Hashable, Any]:
    """Return when each acquisition was first seen, and when its last copy became available."""
    times = stats["time"].to_numpy().astype("datetime64[ns]")
    new: dict[Hashable, Any] = {"time": ("time", copies.earliest(times), stats["time"].attrs)}
    if "created" in stats.coords and stats["created"].dims == ("time",):
        new["created"] = "time", copies.latest(stats["created"].to_numpy()), stats["created"].attrs
    return new
