"""The threshold marker: when a signal was below, or above, a level."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube.exceptions import OptionError
from cbmcube.markers._rules import Rule
from cbmcube.markers.detecting import (
    Found,
    Look,
    Marker,
    Observed,
    Signals,
    View,
    find_events,
    find_runs,
    judge,
)
from cbmcube.series import Moment

_VERSION = "1"


@dataclass(frozen=True, slots=True)
class ThresholdRule(Rule):
    """What the threshold marker looks for. Defaults are starting values, not validated ones.

    Examples
    --------
    >>> from cbmcube.markers import ThresholdRule
    >>> rule = ThresholdRule("NDVI", 0.3)
    >>> rule.params_id == ThresholdRule("NDVI", 0.3, side="below").params_id
    True
    """

    variable: str
    """Band or index."""
    level: float
    """Level, in the units of the cube: backscatter is linear power."""
    side: Literal["below", "above"] = "below"
    """Side of the level on which an event lies; a value equal to the level is on neither."""
    statistic: str = "mean"
    """Statistic of the band."""
    marker: str = "threshold"
    """Name that the event table gives the marker."""
    min_days: float = 0.0
    """Shorter runs are no event; an open one counts up to its last observation."""
    min_obs: int = 3
    """Parcels with fewer valid observations are not judged."""
    min_share: float = 0.5
    """Observations with a smaller share of valid pixels are left out."""
    max_gap_days: float = 30.0
    """Without an event, a longer time unobserved means that one may have been missed."""

    def __post_init__(self) -> None:
        if self.side not in ("below", "above"):
            raise OptionError(
                "the side of a threshold is not known",
                given=repr(self.side),
                allowed="'below' or 'above'",
                hint="an event is a run of observations on that side of the level",
            )
        if not np.isfinite(self.level):
            raise OptionError(
                "the level of a threshold must be a number",
                given=repr(self.level),
                allowed="a finite number",
                hint="give it in the units of the vector cube",
            )


def threshold_runs(
    stats: xr.Dataset,
    rule: ThresholdRule,
    *,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    crops: Collection[object] | None = None,
) -> pd.DataFrame:
    """Find when a parcel's signal was below or above a level.

    An event is a run of neighbouring observations on the rule's side of the level. It begins
    and ends where straight lines between observations cross the level; one that is under way
    at the end of the series is `open`, has no end and is `provisional`.

    Parameters
    ----------
    stats
        A vector cube; of radar products, with a single relative orbit. A lazy one is computed
        once.
    rule
        What to look for.
    window
        First and last moment to look at (UTC), both included; by default from the first to
        the last acquisition.
    as_of
        Look with the knowledge of this moment: later acquisitions are left out, and events of
        the last 30 days before it are provisional.
    crops
        Values of the coordinate `crop`; other parcels are ``NOT_RELEVANT``. All by default.

    Returns
    -------
    pandas.DataFrame
        An event table (see :data:`cbmcube.markers.EVENT_COLUMNS`). A parcel without event has
        one row: ``OK`` if none was seen; ``NOT_VALID`` because of ``TOO_FEW_OBS``, or of a
        ``GAP`` in which one could have been missed; ``NOT_EXECUTED`` for ``NO_INPUT`` if the
        parcel was never observed.

    Raises
    ------
    UnknownBandError, UnknownStatisticError
        If the cube lacks the band, or the statistic.
    OptionError
        If orbits of a radar product are mixed, or the window is empty.

    Examples
    --------
    >>> from cbmcube.markers import ThresholdRule, threshold_runs
    >>> from cbmcube.testing import vector_cube
    >>> events = threshold_runs(vector_cube(), ThresholdRule("NDVI", 0.3, min_days=20))
    >>> events[["parcel", "open", "n_events"]].iloc[:2].to_numpy().tolist()
    [['P0', True, 1], ['P1', False, 0]]
    """
    look = Look(rule.variable, rule.statistic, rule.min_share)
    return find_events(
        {"signal": View(stats, look)},
        partial(detect_runs, rule=rule),
        marker=Marker(rule.marker, _VERSION, rule),
        window=window,
        as_of=as_of,
        crops=crops,
    )


def detect_runs(signals: Signals, rule: ThresholdRule) -> Found:
    """Find the runs of the signal called ``signal``."""
    signal = signals["signal"]
    seen = Observed.of(signal.value, signal.day)
    runs = find_runs(seen, rule.level, below=rule.side == "below")
    runs = runs.where(runs.until - runs.start >= rule.min_days)
    low = np.minimum(runs.value_start, runs.value_end)
    high = np.maximum(runs.value_start, runs.value_end)
    columns = {
        "start_date": runs.start,
        "main_date": runs.main,
        "end_date": runs.end,
        "before_date": runs.before,
        "value_start": runs.value_start,
        "value_main": runs.value_main,
        "value_end": runs.value_end,
        "magnitude": high - runs.value_main if rule.side == "below" else runs.value_main - low,
        "n_obs": runs.n_obs,
    }
    return judge(signal, runs.parcel, columns, min_obs=rule.min_obs, max_gap_days=rule.max_gap_days)
