"""The ploughing marker: a parcel that turns bare, and green again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.markers._rules import Rule, choose, require
from cbmcube.markers.arable._weeks import change
from cbmcube.markers.detecting import (
    Found,
    Look,
    Marker,
    Observed,
    Signal,
    Signals,
    View,
    find_events,
    judge,
)
from cbmcube.series import Moment

_VERSION = "1"

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PloughingRule(Rule):
    """When a parcel counts as bare. Starting values, not validated on field data.

    Examples
    --------
    >>> from cbmcube.markers import PloughingRule
    >>> PloughingRule().up
    0.6
    """

    variable: str = "bare"
    """Band with the share, or mean probability, of bare soil."""
    up: float = 0.6
    """A parcel turns bare above it."""
    down: float = 0.4
    """And is bare no more at or below it."""
    min_bare_obs: int = 2
    """Observations above `up` that an event needs."""
    coherence: str = "VV"
    """Band of the coherence that may confirm an event with a single one."""
    coherence_rise: float = 0.15
    """By how much coherence must rise for that, to the previous pair of its orbit."""
    min_share: float = 0.5
    """Observations with a smaller share of valid pixels are left out."""
    min_obs: int = 3
    """Parcels with fewer valid observations are not judged."""
    max_gap_days: float = 30.0
    """Without an event, a longer time unobserved means that one may have been missed."""

    def __post_init__(self) -> None:
        require(0 <= self.down < self.up <= 1, "0 <= down < up <= 1 must hold", self)
        require(self.min_bare_obs > 0, "an event needs an observation", self.min_bare_obs)


PLOUGHING_PRESETS: Mapping[str, PloughingRule] = {"default": PloughingRule()}
"""The rule of this library; no other that was published states its limits."""


def ploughing(
    stats: xr.Dataset,
    rule: PloughingRule | str | None = None,
    *,
    coherence: xr.Dataset | None = None,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    crops: Collection[object] | None = None,
) -> pd.DataFrame:
    """Find when parcels turned bare, and when they were bare no more.

    A parcel that is bare need not be ploughed: stubble, drought and melted snow look alike.
    Computes lazy cubes once.

    Parameters
    ----------
    stats
        A vector cube with the band ``bare``, as :func:`cbmcube.indices.add_bare_soil` adds it
        before the reduction.
    rule
        Limits: a rule, the name of one of :data:`PLOUGHING_PRESETS`, or the first of them.
    coherence
        A vector cube of CARD-COH6 of the same parcels: an event that was seen bare on one date only
        counts if coherence rose in its interval. Orbits may be mixed.
    window, as_of, crops
        As for `threshold_runs`.

    Returns
    -------
    pandas.DataFrame
        An event table. ``start_date`` is the last observation at or below `down`, or the first of
        the series; ``main_date`` the largest value; ``end_date`` the first observation at or below
        `down` after it, NaT for an event that is `open`. Behind the columns of the table:
        ``bare_from_date`` and ``bare_to_date``, where straight lines between observations cross
        `up` upwards for the first time and `down` downwards; the first observation and NaT for
        events that begin and end with the series.

    Raises
    ------
    UnknownBandError, UnknownStatisticError
        If a cube lacks the band, or the mean.
    OptionError
        If the cubes hold other parcels, or the window is empty.

    Notes
    -----
    Sinergise's area monitoring describes the same five points for a sharp rise of its
    pseudo-probability of bare soil, without stating limits; the limits here are this library's.

    Examples
    --------
    >>> from cbmcube.markers import ploughing
    >>> from cbmcube.testing import vector_cube
    >>> cube = vector_cube()
    >>> bare = cube.assign(bare=(1 - cube["NDVI"] / 0.5).clip(0, 1))
    >>> events = ploughing(bare)
    >>> events.loc[events["parcel"] == "P0", "open"].tolist()
    [True]
    """
    rule = choose(rule, PLOUGHING_PRESETS)
    views = {"bare": View(stats, Look(rule.variable, min_share=rule.min_share))}
    if coherence is not None:
        look = Look(rule.coherence, min_share=rule.min_share, mixed_orbits=True)
        views["coherence"] = View(coherence, look)
    return find_events(
        views,
        partial(_detect, rule=rule),
        marker=Marker("ploughing", _VERSION, rule),
        window=window,
        as_of=as_of,
        crops=crops,
    )


def _detect(signals: Signals, rule: PloughingRule) -> Found:
    signal = signals["bare"]
    seen = Observed.of(signal.value, signal.day)
    inside = _hysteresis(seen, rule)
    starts = inside & (seen.first | ~np.roll(inside, 1))
    first = np.flatnonzero(starts)
    last = np.flatnonzero(inside & (seen.last | ~np.roll(inside, -1)))
    low = seen.value <= rule.down
    before = _latest(low | seen.first)[first]
    still = seen.last[last]
    after = np.where(still, last, last + 1)
    peak = _peaks(seen, inside, starts)
    parcel, begin = seen.parcel[first], seen.day[before]
    enough = _confirmed(seen, inside, starts, rule)
    enough |= _coherent(signals.get("coherence"), parcel, begin, seen.day[after], rule)
    columns = {
        "start_date": begin,
        "main_date": seen.day[peak],
        "end_date": np.where(still, np.nan, seen.day[after]),
        "before_date": np.where(low[before], begin, np.nan),
        "value_start": seen.value[before],
        "value_main": seen.value[peak],
        "value_end": np.where(still, np.nan, seen.value[after]),
        "magnitude": seen.value[peak] - np.minimum(seen.value[before], seen.value[after]),
        "bare_from_date": _crossing(
            seen, np.where(seen.first[first], first, first - 1), first, rule.up
        ),
        "bare_to_date": np.where(still, np.nan, _crossing(seen, last, after, rule.down)),
    }
    kept = {name: values[enough] for name, values in columns.items()}
    return judge(signal, parcel[enough], kept, min_obs=rule.min_obs, max_gap_days=rule.max_gap_days)


def _hysteresis(seen: Observed, rule: PloughingRule) -> _Flags:
    """Tell which observations lie in an event: from one above `up` to the last above `down`."""
    above, below = seen.value > rule.up, seen.value <= rule.down
    # What lies between the limits goes on as the last observation that does not.
    return np.asarray(above[_latest(above | below | seen.first)])


def _latest(flags: _Flags) -> _Ints:
    """Return the position of the last flag up to each observation."""
    return np.maximum.accumulate(np.where(flags, np.arange(len(flags)), 0))


def _crossing(seen: Observed, left: _Ints, right: _Ints, level: float) -> _Floats:
    """Return when the line between two observations meets a level; the second if it does not."""
    low, high = seen.value[left], seen.value[right]
    share = np.divide(level - low, high - low, out=np.ones(len(low)), where=high != low)
    crosses = (share >= 0) & (share <= 1)
    share = np.where(crosses, share, 1.0)
    return np.asarray(seen.day[left] + share * (seen.day[right] - seen.day[left]))


def _peaks(seen: Observed, inside: _Flags, starts: _Flags) -> _Ints:
    """Return the position of the largest observation of each event, the earliest of equals."""
    where = np.flatnonzero(inside)
    run = np.cumsum(starts)[where] - 1
    order = np.lexsort((seen.day[where], -seen.value[where], run))
    _, first = np.unique(run[order], return_index=True)
    return where[order][first]


def _confirmed(seen: Observed, inside: _Flags, starts: _Flags, rule: PloughingRule) -> _Flags:
    bare = inside & (seen.value > rule.up)
    run = np.cumsum(starts)[bare] - 1
    number = np.bincount(run, minlength=int(starts.sum()))
    return np.asarray(number >= rule.min_bare_obs)


def _coherent(
    coherence: Signal | None, parcel: _Ints, start: _Floats, end: _Floats, rule: PloughingRule
) -> _Flags:
    """Tell for each event whether coherence rose between its start and its end."""
    if coherence is None or not len(parcel):
        return np.zeros(len(parcel), bool)
    rises = np.nan_to_num(change(coherence).value) >= rule.coherence_rise
    counted = np.vstack([np.zeros((1, rises.shape[1]), np.int64), np.cumsum(rises, axis=0)])
    low = np.searchsorted(coherence.day, start, side="left")
    high = np.searchsorted(coherence.day, end, side="right")
    return np.asarray(counted[high, parcel] > counted[low, parcel])
