"""Mowing of grassland from the distance to the hull of the season."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.markers._rules import choose
from cbmcube.markers.detecting import (
    Found,
    Look,
    Marker,
    Signal,
    Signals,
    View,
    dates_of,
    find_events,
    judge,
    one_a_day,
    reason_code,
)
from cbmcube.markers.mowing._hull_rule import HULL_PRESETS, HullRule
from cbmcube.series import Moment

_VERSION = "1"

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]
_Ints = NDArray[np.int64]


def mowing_hull(
    stats: xr.Dataset,
    rule: HullRule | str | None = None,
    *,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    crops: Collection[object] | None = None,
) -> pd.DataFrame:
    """Find when grassland was mown: a loss far below what the season would have been.

    The season without cuts is the hull: straight lines from the first observation over up to two
    early peaks, the highest, and up to two late ones, to the last observation. An event is a loss
    from one observation to the next by more than the series' standard deviation, to a place that
    lies below the hull by more than its mean distance. A lazy cube is computed once.

    Parameters
    ----------
    stats
        A vector cube with the index, NDVI by default.
    rule
        A `HullRule`, the name of one of :data:`HULL_PRESETS`, or ``None`` for its first.
    window
        First and last moment to look at (UTC), both included, inside one year; by default from
        the first to the last acquisition.
    as_of
        Look with the knowledge of this moment. Hull and standard deviation are those of the season
        up to then, so that events can come and go later on.
    crops
        Values of the coordinate `crop` that are grassland; other parcels are ``NOT_RELEVANT``.

    Returns
    -------
    pandas.DataFrame
        An event table (see :data:`EVENT_COLUMNS`). ``start_date`` and ``before_date`` are the
        observation before the loss; ``main_date`` and ``end_date`` the one after it; ``score`` is
        the distance to the hull. There is no confidence. The last observation never is an
        event, because the hull ends there. Of parcels without event, those without observation
        between `peak_from_doy` and `peak_before_doy` are ``NOT_VALID`` for ``NO_REFERENCE``.

    Raises
    ------
    UnknownBandError, UnknownStatisticError
        If the cube lacks the index, or the statistic.
    OptionError
        If there is no such rule, or the window is empty, or it reaches into a second year.

    References
    ----------
    Schwieder et al. (2022), Remote Sens. Environ. 269, 112795, and its code (FORCE, force-udf).
    There 100 random thresholds around the standard deviation are drawn, and 40 must be passed; here
    is the limit of many draws, so that the same data always give the same events. A late peak that
    does not exist is left out of the hull, where the source inserts a date out of order.

    Examples
    --------
    >>> from cbmcube.markers import mowing_hull
    >>> from cbmcube.testing import vector_cube
    >>> events = mowing_hull(vector_cube(parcels=2), crops=["grassland"])
    >>> events["status"].drop_duplicates().tolist()
    ['NOT_EXECUTED', 'OK']
    """
    rule = choose(rule, HULL_PRESETS)
    return find_events(
        {"signal": View(stats, Look(rule.variable, rule.statistic, rule.min_share))},
        partial(_detect, rule=rule),
        marker=Marker("mowing_hull", _VERSION, rule),
        window=window,
        as_of=as_of,
        crops=crops,
    )


def _detect(signals: Signals, rule: HullRule) -> Found:
    signal = signals["signal"]
    doy = _days_of_year(signal, rule)
    inside = ((doy >= rule.first_doy) & (doy <= rule.last_doy))[:, None]
    with np.errstate(invalid="ignore"):  # NaN is on neither side
        inside = inside & (signal.value > 0) & (signal.value < 1)
    signal = one_a_day(replace(signal, value=np.where(inside, signal.value, np.nan)))
    peak = (doy >= rule.peak_from_doy) & (doy < rule.peak_before_doy)
    steps = _Steps.of(signal)
    distance = np.abs(_hull(signal, peak, rule.apart_days) - signal.value)
    loss = _losses(signal, steps, distance, rule) & (doy <= rule.last_event_doy)[:, None]
    parcel, row = np.nonzero(_one_by_one(loss, steps, signal.day, rule.apart_days).T)
    before = steps.before[row, parcel]
    columns = {
        "start_date": signal.day[before],
        "main_date": signal.day[row],
        "end_date": signal.day[row],
        "before_date": signal.day[before],
        "value_start": signal.value[before, parcel],
        "value_main": signal.value[row, parcel],
        "value_end": signal.value[row, parcel],
        "magnitude": -steps.change[row, parcel],
        "score": distance[row, parcel],
    }
    found = judge(signal, parcel, columns, min_obs=rule.min_obs, max_gap_days=rule.max_gap_days)
    reason = found.reason.copy()
    blind = ~np.any(signal.valid & peak[:, None], axis=0) & np.isin(
        reason, [-1, reason_code("GAP")]
    )
    reason[blind] = reason_code("NO_REFERENCE")
    return replace(found, reason=reason)


def _days_of_year(signal: Signal, rule: HullRule) -> _Ints:
    """Return the day of the year of each time, 1 January = 1."""
    dates = dates_of(signal)
    years = dates.astype("datetime64[Y]")
    doy = (dates - years.astype("datetime64[D]")).astype("int64") + 1
    used = np.unique(years[(doy >= rule.first_doy) & (doy <= rule.last_doy)])
    if len(used) > 1:
        raise OptionError(
            "a hull spans one season, and the window reaches into several",
            given=f"{used[0]} to {used[-1]}",
            hint='give a window inside one year: window=("2024-03-01", "2024-11-01")',
        )
    return doy


@dataclass(frozen=True, slots=True)
class _Steps:
    """From each valid observation to its neighbours; arrays are (time, parcel)."""

    before: _Ints
    """Row of the previous valid observation; 0 where there is none."""
    change: _Floats
    """Change since then, NaN where there is none."""
    rise: _Floats
    """Change to the next one, NaN where there is none."""
    wait: _Floats
    """Days to the next one, NaN where there is none."""

    @classmethod
    def of(cls, signal: Signal) -> _Steps:
        rows = np.arange(len(signal.day))[:, None]
        last = np.maximum.accumulate(np.where(signal.valid, rows, -1), axis=0)
        before = np.full(signal.value.shape, -1)
        before[1:] = last[:-1]
        has = signal.valid & (before >= 0)
        before = np.where(has, before, 0)
        previous = np.take_along_axis(signal.value, before, axis=0) if len(rows) else signal.value
        change = np.where(has, signal.value - previous, np.nan)
        rise, wait = np.full(change.shape, np.nan), np.full(change.shape, np.nan)
        row, parcel = np.nonzero(has)
        rise[before[row, parcel], parcel] = change[row, parcel]
        wait[before[row, parcel], parcel] = signal.day[row] - signal.day[before[row, parcel]]
        return cls(before, change, rise, wait)


def _hull(signal: Signal, peak: _Flags, apart: float) -> _Floats:
    """Return what the season would have been at each time; NaN without highest peak."""
    if not len(signal.day):
        return signal.value
    day = signal.day[:, None]
    rows = np.arange(len(day))[:, None]
    first = np.argmax(signal.valid, axis=0)
    last = len(day) - 1 - np.argmax(signal.valid[::-1], axis=0)
    middle, known = _highest(signal, np.broadcast_to(peak[:, None], signal.value.shape))
    nodes = [middle]
    for sign, edge in ((-1, first), (1, last)):
        node, there = middle, known
        for _ in range(2):
            beyond = sign * (day - signal.day[node]) > apart
            found, there = _highest(signal, beyond & there)
            node = np.where(there, found, edge)
            nodes.insert(0 if sign < 0 else len(nodes), node)
        nodes.insert(0 if sign < 0 else len(nodes), edge)
    hull = np.full(signal.value.shape, np.nan)
    for left, right in pairwise(nodes):
        low, high = (np.take_along_axis(signal.value, n[None], axis=0) for n in (left, right))
        length = signal.day[right] - signal.day[left]
        share = (day - signal.day[left]) / np.where(length > 0, length, 1.0)
        here = (rows >= left) & (rows <= right) & (length > 0) & known
        hull = np.where(here, low + (high - low) * share, hull)
    return hull


def _highest(signal: Signal, among: _Flags) -> tuple[_Ints, _Flags]:
    """Return the row of each parcel's highest valid observation, the first of equals."""
    some = among & signal.valid
    return np.where(some, signal.value, -np.inf).argmax(axis=0), np.any(some, axis=0)


def _losses(signal: Signal, steps: _Steps, distance: _Floats, rule: HullRule) -> _Flags:
    """Say which losses are large, lead far below the hull, and are no cloud."""
    number = np.maximum(signal.number(), 1)
    mean = np.nansum(signal.value, axis=0) / number
    spread = np.sqrt(np.nansum((signal.value - mean) ** 2, axis=0) / number)
    far = np.nansum(distance, axis=0) / number
    with np.errstate(invalid="ignore"):  # NaN is no loss, and no cloud
        loss = (distance > far) & (steps.change < rule.shift - spread)
        loss &= steps.change <= -rule.least_drop
        return loss & ~((steps.wait <= rule.cloud_days) & (steps.rise > rule.cloud_rise))


def _one_by_one(loss: _Flags, steps: _Steps, day: _Floats, apart: float) -> _Flags:
    """Leave out losses too soon after the last event, or without a rise in between."""
    last = np.full(loss.shape[1], -np.inf)
    risen = np.ones(loss.shape[1], bool)
    kept = np.zeros(loss.shape, bool)
    for row in range(len(loss)):
        risen |= np.nan_to_num(steps.change[row]) > 0
        kept[row] = loss[row] & risen & (day[row] - last > apart)
        last = np.where(kept[row], day[row], last)
        risen &= ~kept[row]
    return kept
