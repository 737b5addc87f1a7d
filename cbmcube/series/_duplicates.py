"""One entry for each acquisition, where a vector cube holds some more than once."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cbmcube.series._blocks import in_whole_series, whole_series
from cbmcube.series._copies import Copies, item_ids
from cbmcube.series._cube import band_names, statistic_names
from cbmcube.series._window import Moment, up_to

_Choice = dict[str | None, xr.Variable]
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
    stats = in_whole_series(up_to(stats, as_of))
    copies = Copies.of(stats)
    chosen = _choices(stats, bands, copies)
    new = {"n_dup": _number(stats, bands, copies)}
    if copies.number.max(initial=1) > 1:
        each = {str(name): array for name, array in stats.data_vars.items() if name != "n_dup"}
        timed = {name: array for name, array in each.items() if {"time", "parcel"} <= {*array.dims}}
        new |= {name: _taken(array, chosen) for name, array in timed.items()}
    kept = stats.isel(time=copies.best).assign(new).assign_coords(_times(stats, copies))
    return kept if "source" in stats else _with_source(kept, item_ids(stats), chosen)


def chosen_copies(stats: xr.Dataset, copies: Copies, band: str) -> xr.Variable:
    """Return the positions on `time` of the copies to keep, (time, parcel), of one band."""
    return _choose(stats, copies, valid_pixels(stats, band), band)


def _choices(stats: xr.Dataset, bands: list[str], copies: Copies) -> _Choice:
    chosen: _Choice = {band: chosen_copies(stats, copies, band) for band in bands}
    chosen[None] = _choose(stats, copies, _total(stats, bands), bands[0])
    return chosen


def _choose(stats: xr.Dataset, copies: Copies, n_valid: xr.Variable, band: str) -> xr.Variable:
    seen = seen_share(stats) if "observed" in stats else n_valid
    arrays = [one.transpose("time", "parcel", ...) for one in (n_valid, seen, stats[band].variable)]
    shape = (len(copies.number),)
    data = whole_series(copies.choose, arrays, shape=shape, dtype="int32")
    return xr.Variable(("time", "parcel"), data)


def _total(stats: xr.Dataset, bands: list[str]) -> xr.Variable:
    return _stack([valid_pixels(stats, band) for band in bands]).sum("band")


def _stack(layers: list[xr.Variable]) -> xr.Variable:
    return xr.Variable.concat(layers, "band")  # type: ignore[no-untyped-call]


def valid_pixels(stats: xr.Dataset, band: str) -> xr.Variable:
    """Return the valid pixels (time, parcel) as far as they are known: all that tells copies."""
    if "n_valid" in stats and band in stats["band"].to_numpy():
        place = [*stats["band"].to_numpy()].index(band)
        return stats["n_valid"].variable.isel(band=place)
    names, variable = statistic_names(stats), stats[band].variable
    if "count" in names:
        return variable.isel(statistic=names.index("count"))
    return xr.Variable(
        ("time", "parcel"), variable.isel(statistic=0).notnull().astype("int32").data
    )


def seen_share(stats: xr.Dataset) -> xr.Variable:
    """Return the share of each parcel with source data; 1 in a cube that does not tell."""
    if "observed" in stats:
        return stats["observed"].variable
    name = band_names(stats)[0]
    return xr.ones_like(stats[name].variable.isel(statistic=0), dtype="float32")


def _with_source(result: xr.Dataset, ids: NDArray[np.str_], chosen: _Choice) -> xr.Dataset:
    """Say of each number where it comes from."""
    names, code = np.unique(ids, return_inverse=True)
    places = code.astype("int32")

    def look_up(entries: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.asarray(places[entries])

    counted = [*map(str, result["band"].to_numpy())] if "band" in result.dims else [*chosen]
    bands = [name for name in chosen if name in counted and name is not None]
    layers = [
        chosen[name].copy(
            data=whole_series(look_up, [chosen[name]], shape=chosen[name].shape[:1], dtype="int32")
        )
        for name in bands
    ]
    source = _stack(layers)
    source.attrs = {"long_name": "position in source_items of the items that the numbers are of"}
    labels = {"band": bands, "source_items": ("source_item", names)}
    return result.assign_coords(labels).assign(source=source)


def _taken(array: xr.DataArray, chosen: _Choice) -> xr.Variable:
    """Return the chosen copies of one variable."""

    def of(name: object) -> xr.Variable:
        return chosen[str(name) if name in chosen else None]

    variable = array.variable
    if "band" not in array.dims:
        return _take(variable, of(array.name))
    names = array["band"].to_numpy()
    each = [_take(variable.isel(band=k), of(name)) for k, name in enumerate(names)]
    return _stack(each).transpose(*array.dims)


def _take(variable: xr.Variable, chosen: xr.Variable) -> xr.Variable:
    ordered = variable.transpose("time", "parcel", ...)
    rest = ordered.shape[2:]
    data = whole_series(
        partial(_along_time, width=len(rest)),
        [ordered, chosen],
        shape=(chosen.sizes["time"], *rest),
        dtype=str(variable.dtype),
    )
    return xr.Variable(ordered.dims, data, variable.attrs).transpose(*variable.dims)


def _along_time(values: NDArray[Any], chosen: NDArray[np.int32], *, width: int) -> NDArray[Any]:
    index = chosen.reshape(*chosen.shape, *(1,) * width)
    return np.take_along_axis(values, index, axis=0)


def _number(stats: xr.Dataset, bands: list[str], copies: Copies) -> xr.Variable:
    def count(
        valid: NDArray[Any], observed: NDArray[Any], before: NDArray[Any]
    ) -> NDArray[np.uint8]:
        each = np.where((valid > 0) | (observed > 0), before.astype("int64") + 1, 0)
        return np.clip(copies.sum(each) - 1, 0, 255).astype("uint8")

    valid = _total(stats, bands)
    seen = seen_share(stats) if "observed" in stats else valid
    before = stats["n_dup"].variable if "n_dup" in stats else xr.zeros_like(valid, dtype="uint8")
    data = whole_series(
        count,
        [one.transpose("time", "parcel") for one in (valid, seen, before)],
        shape=(len(copies.number),),
        dtype="uint8",
    )
    attrs = {"long_name": "other copies of the acquisition that saw the parcel", "units": "1"}
    return xr.Variable(("time", "parcel"), data, attrs)


def _times(stats: xr.Dataset, copies: Copies) -> dict[Hashable, Any]:
    """Return when each acquisition was first seen, and when its last copy became available."""
    times = stats["time"].to_numpy().astype("datetime64[ns]")
    new: dict[Hashable, Any] = {"time": ("time", copies.earliest(times), stats["time"].attrs)}
    if "created" in stats.coords and stats["created"].dims == ("time",):
        new["created"] = "time", copies.latest(stats["created"].to_numpy()), stats["created"].attrs
    return new
