"""The catch crop marker: whether a cover stood through its period, and when it was lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.markers._rules import choose
from cbmcube.markers.arable._catch_crop_weeks import CatchCropRule, Cover, cover, slope_lost
from cbmcube.markers.arable._declared import STATES, season_views
from cbmcube.markers.arable._weeks import Weeks, ratio, weekly_signals
from cbmcube.markers.detecting import Found, Marker, Signals, find_events, judge
from cbmcube.series import Moment

_VERSION = "1"
_NAMES = ("vegetation_start", "period_begin", "period_end")
_DAYS = 7.0
_NEVER_BRIGHT = 100.0  # dB; thresholds of the season, which bright dates distort, are not used here

CATCH_CROP_PRESETS: Mapping[str, CatchCropRule] = {"sen4cap": CatchCropRule()}
"""Sen4CAP's default configuration."""

_Flags = NDArray[np.bool_]
_Ints = NDArray[np.int64]


def catch_crop(
    ndvi: xr.Dataset,
    backscatter: xr.Dataset,
    coherence: xr.Dataset,
    declared: pd.DataFrame | Mapping[str, Moment],
    rule: CatchCropRule | str | None = None,
    *,
    as_of: Moment | None = None,
    crops: Collection[object] | None = None,
) -> pd.DataFrame:
    """Follow a catch crop through its period of eight weeks, week by week.

    The period starts in the last week of the allowed time in which NDVI, VV - VH and coherence
    all show that the field was emptied, or else in the last allowed week. Computes lazy cubes once.

    Parameters
    ----------
    ndvi, backscatter, coherence
        Vector cubes, as for `harvest`.
    declared
        A table by parcel, or one date for all, with ``vegetation_start`` of the main crop, and
        ``period_begin`` and ``period_end``, the first and last day on which the period may start
        (UTC). To start at a harvest that was found, pass its date as both. Parcels without are
        ``NOT_RELEVANT``.
    rule
        Limits: a rule, the name of one of :data:`CATCH_CROP_PRESETS`, or the first of them.
    as_of
        Look with the knowledge of this moment: later acquisitions are left out.
    crops
        Values of the coordinate `crop` of `ndvi`; other parcels are ``NOT_RELEVANT``.

    Returns
    -------
    pandas.DataFrame
        An event table of losses: a row for each week of the period in which a condition M8, M9
        or M10 fails, or one row for a parcel without loss. Behind its columns, with the states
        ``TRUE``, ``FALSE``, ``NA`` (not seen) and ``NR`` (no main crop, or the period has not
        begun): ``m6`` presence in any week, ``m7`` growth in all weeks from day 21 on, ``m8``,
        ``m9`` and ``m10`` no loss in any week; and ``period_start``, Monday of its first week.
        No rating is made of them.

    Raises
    ------
    OptionError
        If declared dates are missing, or cubes hold other parcels.

    Notes
    -----
    The conditions are those of Sen4CAP's catch crop analysis; its ratings are not reproduced.
    Coherence is compared as in `harvest`. Weeks that were not observed never count as a loss;
    whether anybody looked is said by ``NA`` and by ``n_obs_window``.

    Examples
    --------
    >>> from cbmcube.markers import catch_crop
    >>> from cbmcube.testing import vector_cube
    >>> products = ("CARD-2A", "CARD-BS", "CARD-COH6")
    >>> dates = {
    ...     "vegetation_start": "2024-03-01",
    ...     "period_begin": "2024-06-01",
    ...     "period_end": "2024-06-08",
    ... }
    >>> events = catch_crop(*(vector_cube(name) for name in products), dates)
    >>> events.groupby("parcel")["m6"].first().to_list()
    ['TRUE', 'TRUE', 'NR', 'TRUE']
    """
    rule = choose(rule, CATCH_CROP_PRESETS)
    share = rule.min_share
    return find_events(
        season_views(ndvi, backscatter, coherence, declared, _NAMES, min_share=share),
        partial(_detect, rule=rule),
        marker=Marker("catch_crop_loss", _VERSION, rule),
        as_of=as_of,
        crops=crops,
    )


def _detect(signals: Signals, rule: CatchCropRule) -> Found:
    signal = signals["ndvi"]
    weeks = Weeks.of(signal.begin, signal.end)
    weekly = weekly_signals(signals, weeks, _NEVER_BRIGHT)
    lost = slope_lost(ratio(signals["vv"], signals["vh"]), weeks, rule)
    stands = cover(weekly["ndvi"], weekly["coherence"], weekly["jump"], lost, rule)
    grown, first, last = (weeks.from_dates(signal.coords[name]) for name in _NAMES)
    start = _start(stands, first, last)
    week = np.arange(len(weeks.monday))[:, None]
    period = (week >= start) & (week < start + rule.days // 7)
    before = (week >= grown) & (week < start)
    main_crop = (before & (weekly["ndvi"] > rule.main_crop)).any(axis=0)
    relevant = main_crop & period.any(axis=0)
    loss = period & relevant & ~(stands.optical & stands.ratio & stands.coherence)
    found, parcel = np.nonzero(loss)
    monday = weeks.start()[found]
    columns = {
        "start_date": monday,
        "main_date": monday + 3.0,
        "end_date": monday + 6.0,
        "value_main": weekly["ndvi"][found, parcel],
    }
    events = judge(signal, parcel, columns, min_obs=1, max_gap_days=rule.days)
    undeclared = np.any([np.isnat(signal.coords[name]) for name in _NAMES], axis=0)
    notes = _states(stands, weekly, period, week - start, relevant, rule)
    inside = np.clip(start, 0, len(weeks.monday) - 1)
    known = weeks.monday[inside].astype("datetime64[ns]")
    notes["period_start"] = np.where(relevant, known, np.datetime64("NaT", "ns"))
    return replace(events.because(~relevant | undeclared, "NOT_RELEVANT"), notes=notes)


def _start(stands: Cover, first: _Ints, last: _Ints) -> _Ints:
    """Return the week in which the period starts."""
    week = np.arange(len(stands.optical))[:, None]
    allowed = (week >= first) & (week <= last)
    emptied = allowed & ~stands.optical & ~stands.ratio & ~stands.coherence
    latest = len(emptied) - 1 - emptied[::-1].argmax(axis=0)
    return np.where(emptied.any(axis=0), latest, last)


def _states(
    stands: Cover,
    weekly: Mapping[str, Any],
    period: _Flags,
    since: _Ints,
    relevant: _Flags,
    rule: CatchCropRule,
) -> dict[str, Any]:
    seen = np.isfinite(weekly["ndvi"])
    grown = period & (since * _DAYS >= rule.settle_days)
    presence = (stands.presence & period).any(axis=0)
    looked = (seen & grown).any(axis=0)
    radar = period & np.isfinite(weekly["ratio"])
    pairs = period & np.isfinite(weekly["coherence"])
    told = {
        "m6": (presence, presence | looked),
        "m7": (~(grown & seen & ~stands.growth).any(axis=0), looked),
        "m8": (~(period & ~stands.optical).any(axis=0), (seen & period).any(axis=0)),
        "m9": (~(period & ~stands.ratio).any(axis=0), radar.sum(axis=0) >= 3),
        "m10": (~(period & ~stands.coherence).any(axis=0), pairs.any(axis=0)),
    }
    result = {}
    for name, (held, known) in told.items():
        state = np.where(relevant, np.where(known, np.where(held, 0, 1), 2), 3)
        result[name] = pd.Categorical.from_codes(state, pd.Index(STATES))
    return result
