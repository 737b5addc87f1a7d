"""Mowing of grassland from pairs of Sentinel-2 observations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube.markers._rules import choose
from cbmcube.markers.detecting import (
    Found,
    Look,
    Marker,
    Observed,
    Signals,
    View,
    find_events,
    judge,
    one_a_day,
    reason_code,
)
from cbmcube.markers.events import earlier_by, select_apart
from cbmcube.markers.mowing._mowing_rule import MOWING_PRESETS, MowingRule
from cbmcube.series import Moment

_VERSION = "1"


def mowing(
    stats: xr.Dataset,
    rule: MowingRule | str | None = None,
    *,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    crops: Collection[object] | None = None,
) -> pd.DataFrame:
    """Find when grassland was mown: a sudden loss of green that does not come back at once.

    Looks at three observations in a row, before (a), low (b) and next (c). There is an event if
    ``a - b > drop``, ``a > low``, ``b < high``, and the rise from b to c is slower than `rebound`.
    It lies after a and not after b, and is known when c is. A lazy cube is computed once.

    Parameters
    ----------
    stats
        A vector cube with the index, NDVI by default; prepare parcels with ``buffer=-5.0``.
    rule
        A `MowingRule`, the name of one of :data:`MOWING_PRESETS`, or ``None`` for its first.
    window
        First and last moment to look at (UTC), both included, such as 1 April to 31 October; by
        default from the first to the last acquisition.
    as_of
        Look with the knowledge of this moment: later acquisitions are left out, and events of
        the last 30 days before it are provisional.
    crops
        Values of the coordinate `crop` that are grassland; other parcels are ``NOT_RELEVANT``. All
        by default, which finds the harvest of arable land as well.

    Returns
    -------
    pandas.DataFrame
        An event table (see :data:`EVENT_COLUMNS`). ``start_date`` is a, at most `max_days` before
        b; ``main_date`` and ``end_date`` are b; ``before_date`` is a. ``value_end`` is c.
        ``score`` is ``(a - b - drop) / b`` and ``confidence`` ``1 - exp(-score) / 2``, of kind
        ``score_exp``: it ranks events and is no probability. Events that are ``NOT_VALID`` because
        they are ``UNCONFIRMED`` may be clouds, as `MowingRule.growth` says; `fuse` can
        confirm them. A parcel without event has one row, as in `threshold_runs`.

    Raises
    ------
    UnknownBandError, UnknownStatisticError
        If the cube lacks the index, or the statistic.
    OptionError
        If there is no such rule, or the window is empty.

    See Also
    --------
    mowing_hull : The distance to what the season would have been.
    fuse : Both missions together.

    Notes
    -----
    Several observations of one day count as their mean. The last observation never is an event,
    because there is no next one.

    References
    ----------
    Rule and presets: Sen4CAP (github.com/Sen4CAP/Sen4CAP, GrasslandMowing). There a cloud that was
    not masked counts as mowing whenever the next observation comes 8 days later or more; here an
    event that is undone faster than grass grows is ``UNCONFIRMED``. Not taken over: the reference
    curve of many parcels, which is off in Sen4CAP, too.

    Examples
    --------
    >>> from cbmcube.markers import mowing
    >>> from cbmcube.testing import vector_cube
    >>> events = mowing(vector_cube(parcels=2), crops=["grassland"])
    >>> events[["parcel", "status", "n_events"]].drop_duplicates().to_numpy().tolist()
    [['P0', 'NOT_EXECUTED', 0], ['P1', 'OK', 3]]
    """
    rule = choose(rule, MOWING_PRESETS)
    return find_events(
        {"signal": View(stats, Look(rule.variable, rule.statistic, rule.min_share))},
        partial(_detect, rule=rule),
        marker=Marker("mowing", _VERSION, rule),
        window=window,
        as_of=as_of,
        crops=crops,
    )


def _detect(signals: Signals, rule: MowingRule) -> Found:
    signal = signals["signal"]
    sound = np.where(signal.value >= rule.min_value, signal.value, np.nan)
    signal = one_a_day(replace(signal, value=sound))
    seen = Observed.of(signal.value, signal.day)
    before = earlier_by(seen.parcel, seen.day, rule.min_pair_days)
    b = np.flatnonzero((before >= 0) & ~seen.last)
    a, c = before[b], b + 1
    loss = seen.value[a] - seen.value[b]
    wait, rise = seen.day[c] - seen.day[b], seen.value[c] - seen.value[b]
    excess = loss - rule.drop
    is_event = (excess > 0) & (rise < rule.rebound * wait)
    is_event &= (seen.value[a] > rule.low) & (seen.value[b] < rule.high)
    a, b, c = a[is_event], b[is_event], c[is_event]
    loss, excess = loss[is_event], excess[is_event]
    doubtful = (rise > rule.growth * wait)[is_event] & (rise[is_event] > rule.back * loss)
    score = excess / seen.value[b]
    start = np.maximum(seen.day[a], seen.day[b] - rule.max_days)
    keep = select_apart(
        seen.parcel[b],
        start,
        seen.day[b],
        worst=[doubtful, -score],
        apart=rule.apart_days,
        most=rule.max_events,
    )
    columns = {
        "start_date": start,
        "main_date": seen.day[b],
        "end_date": seen.day[b],
        "before_date": seen.day[a],
        "value_start": seen.value[a],
        "value_main": seen.value[b],
        "value_end": seen.value[c],
        "magnitude": loss,
        "score": score,
        "confidence": np.minimum(1 - 0.5 * np.exp(-score), 0.999),
        "confidence_kind": np.full(len(b), "score_exp"),
        "reason": np.where(doubtful, reason_code("UNCONFIRMED"), -1).astype(np.int8),
    }
    columns = {name: values[keep] for name, values in columns.items()}
    parcel = seen.parcel[b][keep]
    return judge(signal, parcel, columns, min_obs=rule.min_obs, max_gap_days=rule.max_gap_days)
