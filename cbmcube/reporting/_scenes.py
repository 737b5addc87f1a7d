"""Acquisitions of a season by orbit: found, failed, expected and not found, left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cbmcube.catalog import Acquisition, find_gaps, parse_period
from cbmcube.observations import Observations
from cbmcube.observations.season import read_searches

_ARROWS = {"ascending": "↑", "descending": "↓"}
_LEFT_OUT = ["id", "reason", "kept", "acquisition"]
_GAP = ["time", "track", "repeat_days"]


@dataclass(frozen=True)
class Scenes:
    """What a season was made of."""

    acquisitions: pd.DataFrame
    """As `Observations.acquisitions` lists them, with ``track``, ``scenes`` and ``status``."""
    gaps: pd.DataFrame
    """``time, track, repeat_days`` of acquisitions that were expected and not found."""
    left_out: pd.DataFrame
    """``id, reason, kept, acquisition`` of items that were found and not used."""
    asked: tuple[str, ...]
    """What was searched for, in words."""
    searched: bool
    """Whether the store remembers a search."""
    filtered: bool
    """Whether a filter may have left acquisitions out, so that a gap may be none."""
    scenes: int
    """Items of all acquisitions."""


def find_scenes(obs: Observations) -> Scenes:
    """Tell found from lacking, by the plan, its searches and the repeat cycle."""
    table = pd.DataFrame(obs.acquisitions().drop(columns="geometry"))
    table["track"] = [
        track(*one)
        for one in zip(
            table["platform"], table["relative_orbit"], table["orbit_state"], strict=True
        )
    ]
    listed = table["items"].fillna("").astype(str)
    table["scenes"] = [len(names.split()) for names in listed]
    table["status"] = _status(table)
    searches = read_searches(obs.store, obs.snapshot.plan)
    used = {name: a for a, names in zip(table["acquisition"], listed, strict=True)
            for name in names.split()}  # fmt: skip
    return Scenes(
        acquisitions=table,
        gaps=_gaps(table, searches),
        left_out=_left_out(searches, used),
        asked=tuple(dict.fromkeys(str(one.get("asked", "")) for one in searches)),
        searched=bool(searches),
        filtered=any(one.get("filtered") or one.get("capped") for one in searches),
        scenes=len(used),
    )


def track(platform: Any, orbit: Any, state: Any) -> str:
    """Name the track of a satellite.

    Examples
    --------
    >>> track("sentinel-1a", 44, "ascending")
    'sentinel-1a orbit 44 ↑'
    """
    parts = [str(platform) if _told(platform) else "unknown"]
    if _told(orbit):
        parts.append(f"orbit {int(orbit)}")
    if _told(state):
        parts.append(_ARROWS.get(str(state), str(state)))
    return " ".join(parts)


def _told(value: Any) -> bool:
    return value is not None and value is not pd.NA and value != "" and value == value  # noqa: PLR0124  # NaN


def _status(table: pd.DataFrame) -> list[str]:
    """Return the worst that can be said of each acquisition."""
    choices = [table["units"] == 0, table["failed"] > 0, table["done"] < table["units"]]
    masks = [choice.to_numpy(dtype=bool) for choice in choices]
    found = np.select(masks, ["not used", "failed", "pending"], default="complete")
    return [str(one) for one in found]


def _gaps(table: pd.DataFrame, searches: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    passes: Any = table.itertuples()
    found = [
        Acquisition(
            id=str(one.acquisition),
            time=one.time.to_pydatetime(),
            platform=str(one.platform) if _told(one.platform) else None,
            relative_orbit=int(one.relative_orbit) if _told(one.relative_orbit) else None,
            orbit_state=str(one.orbit_state) if _told(one.orbit_state) else None,
            reference_time=None,
            items=(),
        )
        for one in passes
    ]
    known = list(searches)
    periods = [one["period"] for one in known if one.get("period")]
    days = [int(one["repeat_days"]) for one in known if one.get("repeat_days")]
    period = parse_period(periods[-1]) if periods else None
    gaps = find_gaps(found, period, days[-1] if days else None)
    rows = [
        (pd.Timestamp(g.time), track(g.platform, g.relative_orbit, g.orbit_state), g.repeat_days)
        for g in gaps
    ]
    return pd.DataFrame(rows, columns=_GAP)


def _left_out(searches: Iterable[Mapping[str, Any]], used: Mapping[str, str]) -> pd.DataFrame:
    """Return what searches left out and no later one took in, with the acquisition it is of."""
    told = [one for s in searches for one in (*s.get("earlier", ()), *s.get("dropped", ()))]
    unique = {str(one["id"]): one for one in told if str(one["id"]) not in used}
    rows = [
        (name, str(one["reason"]), one.get("kept"), used.get(str(one.get("kept"))))
        for name, one in sorted(unique.items())
    ]
    return pd.DataFrame(rows, columns=_LEFT_OUT)
