"""The triangle marker: a signal that falls and comes back, or rises and comes back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.markers._rules import Rule, choose, require
from cbmcube.markers.detecting import Found, Look, Marker, Signals, View, find_events, judge
from cbmcube.markers.generic._corners import corners
from cbmcube.series import Method, Moment, select_bands, smooth, valid_share

_VERSION = "1"

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TriangleRule(Rule):
    """What counts as a drop, or a peak, of a smoothed daily series.

    The defaults are those of the JRC's notebooks for drops of NDVI.

    Examples
    --------
    >>> from cbmcube.markers import TRIANGLE_PRESETS
    >>> TRIANGLE_PRESETS["jrc_coherence_peak"].shape
    'peak'
    """

    variable: str = "NDVI"
    """Band or index."""
    shape: Literal["drop", "peak"] = "drop"
    """A peak is a drop of the signal with its sign turned."""
    min_days: float = 14.0
    """Days from the left maximum to the right one, at least."""
    min_size: float = 0.10
    """From the minimum to the higher of both maxima, at least; in the units of the signal."""
    min_angle: float = 30.0
    """Degrees of both angles at the base, at least, in the triangle drawn one wide and one high."""
    lowest: int = 10
    """How many minima of a season are looked at: the lowest, the earlier of equals."""
    merge_passes: int = 2
    """How often neighbours that share a maximum are compared."""
    merge_angle: float = 135.0
    """Neighbours with a smaller angle at the maximum between them are one."""
    method: Method = "butterworth"
    """How the series is smoothed, see :func:`cbmcube.series.smooth`."""
    min_share: float = 0.5
    """Observations with a smaller share of valid pixels are left out."""
    min_obs: int = 3
    """Parcels with fewer valid observations are not judged."""
    max_gap_days: float = 30.0
    """Series are parted where nothing was seen for longer, and no event may be missed there."""
    marker: str = "triangle"
    """Name that the event table gives the marker."""

    def __post_init__(self) -> None:
        require(self.shape in ("drop", "peak"), "a triangle is a drop or a peak", self.shape)
        require(self.method in get_args(Method), "this smoothing is not known", self.method)
        require(self.lowest > 0, "at least one minimum must be looked at", self.lowest)
        require(self.min_size > 0, "the size of a triangle is a positive number", self.min_size)


TRIANGLE_PRESETS: Mapping[str, TriangleRule] = {
    "jrc_ndvi_drop": TriangleRule(),
    "jrc_coherence_peak": TriangleRule(variable="VV", shape="peak", min_size=0.08),
}
"""Published rules: drops of NDVI and peaks of coherence, as in the JRC's CbM notebooks; the
JRC takes peaks of the root of VV² + VH², which a user can add to the cube as a band."""


def triangles(
    stats: xr.Dataset,
    rule: TriangleRule | str | None = None,
    *,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    crops: Collection[object] | None = None,
) -> pd.DataFrame:
    """Find drops, or peaks, of the smoothed daily series of parcels.

    A triangle goes from the maximum before a minimum to the one after it, or to the end of the
    series where there is none. Its dates are those of the smoothed series: a zero-phase filter
    draws the start earlier and leaves the minimum late, by a week or more. Take the interval for
    what is known, and dates from observation pairs (`mowing`) where you can. Computes a lazy cube
    once.

    Parameters
    ----------
    stats
        A vector cube with the statistic `mean`; of radar products, with a single relative orbit.
    rule
        What to look for: a rule, the name of one of :data:`TRIANGLE_PRESETS`, or the first of
        them for ``None``.
    window
        First and last moment to look at (UTC); by default from the first to the last acquisition.
        The series is smoothed first and cut then.
    as_of
        Look with the knowledge of this moment: later acquisitions are left out, also of the
        smoothing, and events whose minimum is less than 30 days before it are provisional.
    crops
        Values of the coordinate `crop`; other parcels are ``NOT_RELEVANT``. All by default.

    Returns
    -------
    pandas.DataFrame
        An event table (see :data:`cbmcube.markers.EVENT_COLUMNS`): ``start_date`` and
        ``end_date`` are the maxima, ``main_date`` the minimum, to the day; ``magnitude`` is from
        it to the higher maximum. Where the filter has no value because no stretch is long enough,
        the parcel is ``NOT_VALID``, ``TOO_SHORT``.

    Raises
    ------
    UnknownBandError, UnknownStatisticError
        If the cube lacks the band, or the mean.
    OptionError
        If orbits of a radar product are mixed, or the window is empty.

    Notes
    -----
    After the markers of the JRC's CbM notebooks (signal_marker_processing), with these changes:
    plateaus count once, at their middle, where a strict comparison misses them; the filter is
    computed in second-order sections; series are parted at long gaps instead of being interpolated
    over them; in one pass of merging each triangle is merged at most once.

    Examples
    --------
    >>> from cbmcube.markers import triangles
    >>> from cbmcube.testing import vector_cube
    >>> events = triangles(vector_cube(seed=2), "jrc_ndvi_drop")
    >>> events.loc[events["parcel"] == "P1", "main_date"].dt.month.tolist()
    [5, 7, 8]
    """
    rule = choose(rule, TRIANGLE_PRESETS)
    name = select_bands(stats, rule.variable)[0]
    seen = stats.assign({name: stats[name].where(valid_share(stats, name) >= rule.min_share)})
    daily = smooth(seen, name, method=rule.method, max_days=rule.max_gap_days, as_of=as_of)
    smoothed = daily[[name]].expand_dims(statistic=["mean"], axis=-1)
    return find_events(
        {
            "signal": View(stats, Look(name, min_share=rule.min_share)),
            "daily": View(smoothed, Look(name)),
        },
        partial(_detect, rule=rule),
        marker=Marker(rule.marker, _VERSION, rule),
        window=window,
        as_of=as_of,
        crops=crops,
    )


def _detect(signals: Signals, rule: TriangleRule) -> Found:
    daily = signals["daily"]
    values = daily.value if rule.shape == "drop" else -daily.value
    parcel, left, low, right = corners(
        values, lowest=rule.lowest, passes=rule.merge_passes, limit=rule.merge_angle
    )
    good = _is_large(values, daily.day, (parcel, left, low, right), rule)
    parcel, left, low, right = (part[good] for part in (parcel, left, low, right))
    heights = {
        "value_start": daily.value[left, parcel],
        "value_main": daily.value[low, parcel],
        "value_end": daily.value[right, parcel],
    }
    columns = heights | {
        "start_date": daily.day[left],
        "main_date": daily.day[low],
        "end_date": daily.day[right],
        "magnitude": np.maximum(values[left, parcel], values[right, parcel]) - values[low, parcel],
    }
    found = judge(
        signals["signal"], parcel, columns, min_obs=rule.min_obs, max_gap_days=rule.max_gap_days
    )
    return found.because(daily.number() == 0, "TOO_SHORT")


def _is_large(
    values: _Floats,
    day: _Floats,
    corners: tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]],
    rule: TriangleRule,
) -> NDArray[np.bool_]:
    """Tell which triangles are long, high and steep enough."""
    parcel, left, low, right = corners
    width = day[right] - day[left]
    bottom = values[low, parcel]
    sides = (values[left, parcel] - bottom, values[right, parcel] - bottom)
    size = np.maximum(*sides)
    steep = np.ones(len(parcel), bool)
    for side, run in zip(sides, (day[low] - day[left], day[right] - day[low]), strict=True):
        steep &= np.degrees(np.arctan2(side / size, run / width)) >= rule.min_angle
    return (width >= rule.min_days) & (size >= rule.min_size) & steep
