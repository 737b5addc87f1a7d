"""The harvest marker: the week in which both Sentinels see that a field was emptied."""

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
from cbmcube.markers.arable._declared import STATES, season_views
from cbmcube.markers.arable._harvest_weeks import Conditions, HarvestRule, Weekly, conditions
from cbmcube.markers.arable._weeks import Weeks, weekly_signals
from cbmcube.markers.detecting import (
    Found,
    Marker,
    Signal,
    Signals,
    find_events,
    judge,
    reason_code,
)
from cbmcube.series import Moment

_VERSION = "1"
_NAMES = ("vegetation_start", "harvest_begin", "harvest_end")
_WEEKS_BEFORE = 5  # before a harvest, in which missing weeks are counted

HARVEST_PRESETS: Mapping[str, HarvestRule] = {
    "default": HarvestRule(),
    "sen4cap": HarvestRule(coherence_season_min=0.0),
}
"""Ours, and Sen4CAP's default configuration."""

_Flags = NDArray[np.bool_]


def harvest(
    ndvi: xr.Dataset,
    backscatter: xr.Dataset,
    coherence: xr.Dataset,
    declared: pd.DataFrame | Mapping[str, Moment],
    rule: HarvestRule | str | None = None,
    *,
    as_of: Moment | None = None,
    crops: Collection[object] | None = None,
) -> pd.DataFrame:
    """Find the week in which arable parcels were harvested.

    Weeks begin on Monday. Five conditions must hold in one week of the harvest window: vegetation
    was seen (M1), NDVI came down (M2), VV - VH rose (M3) and is high (M4), coherence rose or is
    high (M5). Computes lazy cubes once.

    Parameters
    ----------
    ndvi
        A vector cube with the band ``NDVI``.
    backscatter
        A vector cube of CARD-BS with ``VV`` and ``VH`` in linear power. Orbits may be mixed: their
        differences of VV - VH are brought to one level by their medians.
    coherence
        A vector cube of CARD-COH6 with ``VV``. Orbits may be mixed: a rise is taken within each.
    declared
        A table by parcel, or one date for all, with ``vegetation_start``, ``harvest_begin`` and
        ``harvest_end`` (UTC). Parcels without are ``NOT_RELEVANT``.
    rule
        Limits: a rule, the name of one of :data:`HARVEST_PRESETS`, or the first of them.
    as_of
        Look with the knowledge of this moment: later acquisitions are left out. Since limits depend
        on the season so far, a harvest that was found can move or vanish later; it is `provisional`
        for 30 days.
    crops
        Values of the coordinate `crop` of `ndvi`; other parcels are ``NOT_RELEVANT``.

    Returns
    -------
    pandas.DataFrame
        An event table; an event is a week, from Monday to Sunday, with its Thursday as
        ``main_date``. Behind its columns: ``m1`` … ``m5`` with :data:`STATES`, whether the
        condition held in the harvest week, or without one in any week of the window; ``s1_week``,
        Monday of the week in which all conditions but M2 hold first; ``gap_weeks_season``,
        ``gap_weeks_window`` and ``gap_weeks_before``, weeks without backscatter or without
        coherence in the season, in the harvest window and in the five weeks before the harvest.
        Without harvest, a parcel whose window has too many of them, or no NDVI, is ``NOT_VALID``
        because of ``GAP``; one with less than four weeks of backscatter is ``TOO_SHORT``.

    Raises
    ------
    OptionError
        If declared dates are missing, or cubes hold other parcels.

    Notes
    -----
    The conditions are those of Sen4CAP's agricultural practices (harvest only), with these changes:
    a rise of coherence is taken within one orbit and over up to 1.5 temporal baselines, where
    Sen4CAP loses it if pairs are more than six days apart; the mean of three weeks before, which M3
    compares with, must lie within 35 days; M5 asks for a season that reaches a coherence of 0.5
    before high coherence counts; a harvest is found anew in each run instead of being frozen. A
    winter crop that ripens satisfies M2 for weeks, so that radar decides on the date.

    Examples
    --------
    >>> from cbmcube.markers import harvest
    >>> from cbmcube.testing import vector_cube
    >>> dates = {
    ...     "vegetation_start": "2024-03-01",
    ...     "harvest_begin": "2024-07-15",
    ...     "harvest_end": "2024-09-15",
    ... }
    >>> products = ("CARD-2A", "CARD-BS", "CARD-COH6")
    >>> events = harvest(*(vector_cube(name) for name in products), dates)
    >>> events.loc[events["parcel"] == "P0", "main_date"].dt.date.tolist()
    [datetime.date(2024, 8, 8)]
    """
    rule = choose(rule, HARVEST_PRESETS)
    share = rule.min_share
    return find_events(
        season_views(ndvi, backscatter, coherence, declared, _NAMES, min_share=share),
        partial(_detect, rule=rule),
        marker=Marker("harvest", _VERSION, rule),
        as_of=as_of,
        crops=crops,
    )


def _detect(signals: Signals, rule: HarvestRule) -> Found:
    signal = signals["ndvi"]
    weeks = Weeks.of(signal.begin, signal.end)
    start, first, last = (weeks.from_dates(signal.coords[name]) for name in _NAMES)
    weekly = Weekly(
        **weekly_signals(signals, weeks, rule.bright_vv), start=start, first=first, last=last
    )
    met = conditions(weekly, rule)
    week = np.arange(len(weeks.monday))[:, None]
    window = (week >= first) & (week <= last)
    all_met = np.logical_and.reduce(met.each()) & window
    without_optical = met.vegetation & met.ratio & met.level & met.coherence & window
    parcel = np.flatnonzero(all_met.any(axis=0))
    found = all_met.argmax(axis=0)[parcel]
    events = _judged(signal, weeks, weekly, parcel, found)
    notes = _states(met, weekly, window, all_met)
    notes["s1_week"] = _monday(weeks, without_optical)
    notes |= _gaps(weekly, window, all_met)
    lost = notes["gap_weeks_window"] > rule.max_gap_share * np.maximum(window.sum(axis=0), 1)
    lost |= ~(window & np.isfinite(weekly.ndvi)).any(axis=0)
    unjudged = np.isfinite(weekly.ratio).sum(axis=0) < rule.min_weeks
    undeclared = np.any([np.isnat(signal.coords[name]) for name in _NAMES], axis=0)
    return replace(
        events.because(lost, "GAP")
        .because(unjudged, "TOO_SHORT")
        .because(undeclared, "NOT_RELEVANT"),
        notes=notes,
    )


def _judged(
    signal: Signal, weeks: Weeks, weekly: Weekly, parcel: NDArray[Any], week: NDArray[Any]
) -> Found:
    monday = weeks.start()[week]
    columns = {
        "start_date": monday,
        "main_date": monday + 3.0,
        "end_date": monday + 6.0,
        "value_main": weekly.ndvi[week, parcel],
        "reason": np.full(len(parcel), -1, np.int8),
    }
    # What is a gap here is counted in weeks of the window, below.
    found = judge(signal, parcel, columns, min_obs=1, max_gap_days=30.0)
    calm = np.where(found.reason == reason_code("GAP"), np.int8(-1), found.reason)
    return replace(found, reason=calm)


def _states(met: Conditions, weekly: Weekly, window: _Flags, all_met: _Flags) -> dict[str, Any]:
    """Say of each condition whether it held, did not, was not seen, or does not matter."""
    harvested = all_met.any(axis=0)
    green = met.vegetation.any(axis=0)
    seen = (weekly.ndvi, weekly.ndvi, weekly.ratio, weekly.ratio, weekly.coherence)
    result = {}
    for number, (flags, signal) in enumerate(zip(met.each(), seen, strict=True), start=1):
        held = harvested | (flags & window).any(axis=0)
        looked = (window & np.isfinite(signal)).any(axis=0)
        state = np.where(held, 0, np.where(looked, 1, 2))
        if number == 1:
            state = np.where(green, 0, np.where(np.isfinite(signal).any(axis=0), 1, 2))
        else:
            state = np.where(green, state, 3)
        result[f"m{number}"] = pd.Categorical.from_codes(state, pd.Index(STATES))
    return result


def _monday(weeks: Weeks, flags: _Flags) -> NDArray[np.datetime64]:
    first = weeks.monday[flags.argmax(axis=0)].astype("datetime64[ns]")
    return np.where(flags.any(axis=0), first, np.datetime64("NaT", "ns"))


def _gaps(weekly: Weekly, window: _Flags, all_met: _Flags) -> dict[str, Any]:
    missing = ~(np.isfinite(weekly.ratio) & np.isfinite(weekly.coherence))
    week = np.arange(len(missing))[:, None]
    at = np.where(all_met.any(axis=0), all_met.argmax(axis=0), -1)
    before = (week >= at - _WEEKS_BEFORE) & (week < at)
    parts = {"season": missing, "window": missing & window, "before": missing & before}
    return {f"gap_weeks_{name}": flags.sum(axis=0) for name, flags in parts.items()}
