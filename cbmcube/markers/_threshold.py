"""The threshold marker: when a signal was below, or above, a level."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.markers._events import make_events
from cbmcube.markers._runs import Observed, Runs, find_runs
from cbmcube.series import (
    Moment,
    is_radar,
    orbit_table,
    refuse_mixed_orbits,
    select_bands,
    select_statistics,
    time_window,
    valid_share,
)

_VERSION = "1"
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class ThresholdRule:
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

    @property
    def params_id(self) -> str:
        """A hash of all fields: equal rules have equal ids, on every machine."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def threshold_runs(
    stats: xr.Dataset,
    rule: ThresholdRule,
    *,
    window: tuple[Moment, Moment] | None = None,
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
    select_bands(stats, rule.variable)
    select_statistics(stats, rule.statistic)
    refuse_mixed_orbits(stats)
    begin, end = time_window(stats, window)
    chosen = stats.sortby("time")
    within = (chosen["time"] >= begin) & (chosen["time"] <= end)
    chosen = chosen.isel(time=np.flatnonzero(within.to_numpy()))
    wanted = [name for name in ("n_valid", "n_total", "observed") if name in chosen]
    chosen = chosen[[rule.variable, *wanted]].compute()
    days = (chosen["time"].to_numpy() - begin) / _DAY
    seen = Observed.of(_signal(chosen, rule), days)
    runs = find_runs(seen, rule.level, below=rule.side == "below", gap=rule.max_gap_days)
    keep = runs.until - runs.start >= rule.min_days
    judged = seen.number() >= rule.min_obs
    keep &= judged[runs.parcel]
    longest = seen.longest_gap(0.0, float((end - begin) / _DAY))
    events = _event_columns(runs, keep, begin, rule)
    others = _other_columns(seen, chosen, runs.parcel[keep], longest, rule)
    number = np.concatenate([runs.parcel[keep], others.pop("number")])
    columns = {name: np.concatenate([events[name], others[name]]) for name in events}
    return make_events(
        columns
        | _constant_columns(stats, rule, len(number))
        | {
            "parcel": stats.indexes["parcel"].to_numpy()[number],
            "n_obs_window": seen.number()[number],
            "max_gap_days": longest[number],
        }
    )


def _signal(stats: xr.Dataset, rule: ThresholdRule) -> NDArray[np.float64]:
    values = stats[rule.variable].sel(statistic=rule.statistic).transpose("time", "parcel")
    share = valid_share(stats, rule.variable).transpose("time", "parcel").to_numpy()
    return np.where(share >= rule.min_share, values.to_numpy().astype("float64"), np.nan)


def _event_columns(
    runs: Runs, keep: NDArray[np.bool_], begin: np.datetime64, rule: ThresholdRule
) -> dict[str, NDArray[np.generic]]:
    low = np.minimum(runs.value_start, runs.value_end)
    high = np.maximum(runs.value_start, runs.value_end)
    depth = high - runs.value_main if rule.side == "below" else runs.value_main - low
    sizes = np.bincount(runs.parcel[keep]) if keep.any() else np.zeros(1, dtype=int)
    columns = {
        "start_date": _dates(runs.start, begin),
        "main_date": _dates(runs.main, begin),
        "end_date": _dates(runs.end, begin),
        "before_date": _dates(runs.before, begin),
        "value_start": runs.value_start,
        "value_main": runs.value_main,
        "value_end": runs.value_end,
        "magnitude": depth,
        "n_obs": runs.n_obs,
        "gap_overlap_days": runs.gap_days,
        "open": np.isnan(runs.end),
        "provisional": np.isnan(runs.end),
        "status": np.full(len(keep), "OK", dtype=object),
        "reason": np.full(len(keep), None, dtype=object),
    }
    chosen: dict[str, NDArray[np.generic]] = {name: c[keep] for name, c in columns.items()}
    return chosen | {"n_events": sizes[runs.parcel[keep]]}


def _other_columns(
    seen: Observed,
    stats: xr.Dataset,
    with_event: NDArray[np.int64],
    longest: NDArray[np.float64],
    rule: ThresholdRule,
) -> dict[str, NDArray[np.generic]]:
    """Describe the parcels without event: none seen, or no way to see one."""
    number = np.setdiff1d(np.arange(seen.parcels), with_event)
    reason = np.full(seen.parcels, None, dtype=object)
    reason[longest > rule.max_gap_days] = "GAP"
    reason[seen.number() < rule.min_obs] = "TOO_FEW_OBS"
    if "observed" in stats:
        reason[~(stats["observed"] > 0).any("time").to_numpy()] = "NO_INPUT"
    reason = reason[number]
    executed = np.where(reason == "NO_INPUT", "NOT_EXECUTED", "NOT_VALID")
    never, unknown = np.full(len(number), np.datetime64("NaT", "ns")), np.full(len(number), np.nan)
    dates = dict.fromkeys(("start_date", "main_date", "end_date", "before_date"), never)
    names = ("value_start", "value_main", "value_end", "magnitude", "gap_overlap_days")
    none = np.zeros(len(number), dtype="int64")
    return {
        **dates,
        **dict.fromkeys(names, unknown),
        "n_obs": none,
        "n_events": none,
        "open": none.astype(bool),
        "provisional": none.astype(bool),
        "status": np.where(reason == None, "OK", executed),  # noqa: E711 - element by element
        "reason": reason,
        "number": number,
    }


def _constant_columns(stats: xr.Dataset, rule: ThresholdRule, rows: int) -> dict[str, list[object]]:
    texts = {
        "marker": rule.marker,
        "marker_version": _VERSION,
        "params_id": rule.params_id,
        "sources": [_source(stats)],
    }
    return {name: [value] * rows for name, value in texts.items()}


def _source(stats: xr.Dataset) -> str:
    if is_radar(stats):
        orbits = orbit_table(stats)
        return f"S1:{orbits['relative_orbit'].iloc[0]}" if "relative_orbit" in orbits else "S1"
    return "S2" if stats.attrs.get("product") == "CARD-2A" else str(stats.attrs.get("product", ""))


def _dates(days: NDArray[np.float64], begin: np.datetime64) -> NDArray[np.datetime64]:
    """Return days after `begin` as dates, NaN as NaT."""
    known = np.isfinite(days)
    after = np.round(np.where(known, days, 0.0) * _DAY.astype("timedelta64[ns]").astype(float))
    dates = begin + after.astype("int64").astype("timedelta64[ns]")
    return np.asarray(np.where(known, dates, np.datetime64("NaT", "ns")))
