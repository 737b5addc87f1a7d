"""A vector cube aggregated to 5, 7 or 10 days, orbits of radar apart."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube.exceptions import OptionError
from cbmcube.series._blocks import in_whole_series, whole_series
from cbmcube.series._cube import (
    band_names,
    coords_beside_time,
    is_radar,
    orbit_table,
    select_statistics,
    statistic_names,
)
from cbmcube.series._periods import Periods, periods_of
from cbmcube.series._pool import POOLED, Groups, count_seen, pool, sum_up
from cbmcube.series._window import Moment, up_to

_BAND_DIMS = ("time", "parcel", "statistic")


@dataclass(frozen=True, slots=True)
class _Layout:
    """The new time axis, and the entry of it that each acquisition falls into."""

    periods: Periods
    groups: Groups
    series: pd.DataFrame  # what is kept apart: one row per orbit, or one row without columns


def composite(
    stats: xr.Dataset,
    period: str = "5D",
    *,
    anchor: str | np.datetime64 | None = None,
    weights: Literal["count"] | None = "count",
    by_orbit: bool | None = None,
    as_of: Moment | None = None,
) -> xr.Dataset:
    """Aggregate a vector cube to periods, as if their pixels had been reduced together.

    Parameters
    ----------
    stats
        A vector cube with the statistic `mean`, and `count` if it is the weight. On Dask
        arrays the result is lazy and complete series of some parcels are one task.
    period
        ``"5D"``, ``"7D"`` or another number of days from the anchor; ``"7D-iso"`` for weeks
        from Monday; ``"10D"`` for dekads: days 1 to 10, 11 to 20 and 21 to the month's end.
        Periods include their left edge and not their right one (UTC).
    anchor
        A day on which a period starts, usually the first of the season; by default the day
        of the first acquisition.
    weights
        ``"count"`` weighs acquisitions by their valid pixels, so that a partly cloudy one
        counts less; ``None`` gives all the same weight, as the unweighted averages of the
        JRC's notebooks do.
    by_orbit
        Whether relative orbits stay apart. By default they do for radar (CARD-BS, CARD-COH6),
        where the viewing direction changes the number, and are mixed for optical data. Pairs
        of images with different temporal baselines stay apart too.
    as_of
        Composite with the knowledge of this moment: acquisitions after it are left out.

    Returns
    -------
    xarray.Dataset
        A vector cube with one entry for each period, or each period and orbit, from the first
        to the last acquisition; `time` is the left edge and repeats when there are several
        orbits. New: ``period_days``, ``first_time`` and ``last_time`` (time) and ``n_obs``
        (band, time, parcel), the acquisitions with a valid pixel. An entry without one has
        NaN and ``n_obs`` 0. Of the statistics, count, mean, std, min and max remain, since
        percentiles cannot be pooled. ``n_valid`` and ``n_total`` become sums over the
        acquisitions of the entry; ``observed`` and class shares become averages.

    Raises
    ------
    OptionError
        If the period, the anchor or the weights are not known.
    UnknownStatisticError
        If the cube lacks the mean, or the count where it is the weight.

    Notes
    -----
    With counts c, means m and standard deviations s, the mean is sum(c m) / sum(c) and the
    population variance is sum(c (s^2 + (m - mean)^2)) / sum(c), which is exact. Backscatter
    is averaged in linear power, as it is in the cube.

    Examples
    --------
    >>> from cbmcube.series import composite
    >>> from cbmcube.testing import vector_cube
    >>> weekly = composite(vector_cube("CARD-BS", days=28), "7D")
    >>> weekly.sizes["time"]  # four weeks of two orbits
    8
    >>> list(weekly["relative_orbit"].values[:4])
    [np.int64(15), np.int64(139), np.int64(15), np.int64(139)]
    """
    stats = up_to(stats, as_of)
    _check(stats, weights)
    stats = in_whole_series(stats)
    layout = _layout(stats, period, anchor, apart=is_radar(stats) if by_orbit is None else by_orbit)
    kept = tuple(name for name in statistic_names(stats) if name in POOLED)
    result = xr.Dataset(attrs={**stats.attrs, "composite": _describe(layout, period, weights)})
    ordered = stats.sel(statistic=[*kept])
    for name in band_names(stats):
        result[name] = _pooled(ordered[name], layout, kept, by_count=weights == "count")
    result["n_obs"] = _observations(ordered, layout, kept)
    for name, array in _companions(stats, layout).items():
        result[name] = array
    return _with_coords(result, stats, layout, kept)


def _check(stats: xr.Dataset, weights: object) -> None:
    band_names(stats)
    if weights not in ("count", None):
        raise OptionError(
            "these weights are not known",
            given=repr(weights),
            allowed="'count' or None",
            hint="None gives every acquisition the same weight",
        )
    select_statistics(stats, ["mean", "count"] if weights else "mean")
    if not stats.sizes["time"]:
        raise OptionError(
            "the vector cube has no acquisition to aggregate",
            hint="widen the period of the search",
        )


def _layout(
    stats: xr.Dataset, period: str, anchor: str | np.datetime64 | None, *, apart: bool
) -> _Layout:
    times = stats["time"].to_numpy()
    periods = periods_of(times, period, anchor)
    table = orbit_table(stats) if apart else pd.DataFrame(index=range(len(times)))
    if table.empty:
        return _Layout(periods, Groups(periods.number(times), len(periods.days)), table.head(1))
    grouped = table.groupby([*table.columns], sort=True)
    series = table.drop_duplicates().sort_values([*table.columns]).reset_index(drop=True)
    code = periods.number(times) * len(series) + grouped.ngroup().to_numpy()
    return _Layout(periods, Groups(code, len(periods.days) * len(series)), series)


def _pooled(
    array: xr.DataArray, layout: _Layout, kept: tuple[str, ...], *, by_count: bool
) -> xr.Variable:
    function = partial(pool, groups=layout.groups, statistics=kept, by_count=by_count)
    ordered = array.transpose(*_BAND_DIMS)
    shape = (layout.groups.size, len(kept))
    data = whole_series(function, [ordered], shape=shape, dtype="float32")
    return xr.Variable(_BAND_DIMS, data, array.attrs)


def _observations(stats: xr.Dataset, layout: _Layout, kept: tuple[str, ...]) -> xr.DataArray:
    function = partial(count_seen, groups=layout.groups, statistics=kept)
    layers = [
        whole_series(
            function,
            [stats[name].transpose(*_BAND_DIMS)],
            shape=(layout.groups.size,),
            dtype="uint16",
        )
        for name in band_names(stats)
    ]
    attrs = {"long_name": "acquisitions with a valid pixel", "units": "1"}
    each = [xr.DataArray(layer, dims=("time", "parcel")) for layer in layers]
    return xr.concat(each, "band").assign_attrs(attrs)


def _companions(stats: xr.Dataset, layout: _Layout) -> Mapping[str, xr.DataArray]:
    """Aggregate what stands beside the bands: pixel numbers and shares."""
    result: dict[str, xr.DataArray] = {}
    times = xr.DataArray(layout.groups.acquisitions(), dims="time")
    if "n_valid" in stats:
        result["n_valid"] = _of_bands(_summed(stats["n_valid"], layout), stats)
    if "n_total" in stats:
        total = stats["n_total"]  # on time too, where cubes with other totals were put together
        each = _summed(total, layout) if "time" in total.dims else total.variable * times.variable
        result["n_total"] = _of_bands(xr.DataArray(each), stats)
    shares = [str(name) for name in stats.data_vars if str(name).endswith("_fraction")]
    for name in (*(["observed"] if "observed" in stats else []), *shares):
        known: xr.DataArray = stats[name].notnull()  # noqa: PD004 - xarray prefers it
        weight = known * stats["observed"] if name in shares and "observed" in stats else known
        part = _summed(stats[name].fillna(0) * weight, layout)
        whole = _summed(weight.astype("float32"), layout)
        share = part / whole.where(whole > 0)
        share = share.fillna(0) if name == "observed" else share
        result[name] = share.astype("float32").assign_attrs(stats[name].attrs)
    return result


def _of_bands(numbers: xr.DataArray, stats: xr.Dataset) -> xr.DataArray:
    """Put numbers of pixels into the order of the bands, -1 of one that has none."""
    counted = numbers.astype("int64").assign_coords(band=stats["band"])
    whole = counted.reindex(band=band_names(stats), fill_value=-1)
    return whole.transpose("band", "time", "parcel")


def _summed(array: xr.DataArray, layout: _Layout) -> xr.DataArray:
    dims = ("time", "parcel", *(name for name in array.dims if name not in ("time", "parcel")))
    ordered = array.transpose(*dims)
    shape = (layout.groups.size, *ordered.shape[2:])
    function = partial(sum_up, groups=layout.groups)
    data = whole_series(function, [ordered], shape=shape, dtype="float64")
    return xr.DataArray(data, dims=dims)


def _with_coords(
    result: xr.Dataset, stats: xr.Dataset, layout: _Layout, kept: tuple[str, ...]
) -> xr.Dataset:
    """Add the new time axis, and every coordinate of `stats` that does not lie on time."""
    times = stats["time"].to_numpy()
    entries = pd.Series(times).groupby(layout.groups.code)
    rows = pd.RangeIndex(layout.groups.size)
    each = len(layout.series)
    new: dict[Hashable, object] = {
        "time": ("time", np.repeat(layout.periods.start, each), stats["time"].attrs),
        "period_days": ("time", np.repeat(layout.periods.days, each), {"long_name": "days"}),
        "first_time": ("time", entries.min().reindex(rows).to_numpy()),
        "last_time": ("time", entries.max().reindex(rows).to_numpy()),
        "statistic": [*kept],
        "band": band_names(stats),
    }
    for name in layout.series.columns:
        repeated = np.tile(layout.series[name].to_numpy(), len(layout.periods.days))
        new[name] = ("time", repeated, stats[name].attrs if name in stats else {})
    return result.assign_coords(new).assign_coords(coords_beside_time(stats))


def _describe(layout: _Layout, period: str, weights: str | None) -> str:
    apart = " and ".join(map(str, layout.series.columns)) or "nothing"
    return f"{period} from {layout.periods.edges[0]}, weights={weights}, kept apart: {apart}"
