"""Which marker is run with which rules on which season, and what it should find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from benchmarks.markers.fields import Fields
from benchmarks.markers.meadows import Meadows
from benchmarks.markers.score import merge_weeks
from cbmcube import markers

RADAR = "radar alone"
"""Scenario of markers that do not look at Sentinel-2."""

Run = Callable[[Any], pd.DataFrame]
Truth = Callable[[Any], pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Task:
    """A marker with a rule."""

    marker: str
    """Name of the function, or of both that are joined."""
    preset: str
    season: str
    """``"meadows"`` or ``"fields"``."""
    run: Run
    """From a season to an event table of all its parcels."""
    truth: Truth
    """From a season to `parcel` and `date` of what should be found."""
    finds: str
    """What should be found, in words."""
    radar_only: bool = False
    dated_by_begin: bool = False
    """Whether what is found are states, of which only the begin is compared."""

    @property
    def name(self) -> str:
        """Name on the command line."""
        return f"{self.marker}:{self.preset}"


def tasks() -> list[Task]:
    """Return all tasks, in the order of the page."""
    return [*_mowing(), *_arable()]


def _mowing() -> Iterator[Task]:
    one = partial(Task, season="meadows", truth=_cuts, finds="cuts of grass")
    presets = (
        "guarded",
        "sen4cap",
        "sen4cap_older",
        "czechia",
        "lithuania",
        "netherlands",
        "spain",
    )
    for preset in presets:
        yield one("mowing", preset, run=partial(_optical, markers.mowing, preset))
    for preset in markers.HULL_PRESETS:
        yield one("mowing_hull", preset, run=partial(_optical, markers.mowing_hull, preset))
    yield one("triangles", "jrc_ndvi_drop", run=partial(_optical, markers.triangles, None))
    for preset in markers.COHERENCE_PRESETS:
        run = partial(_coherence, preset)
        yield one("mowing_coherence", preset, run=run, radar_only=True)
    for radar in ("pooled", "sensitive"):
        yield one(
            "fuse", f"careful, radar {radar}", run=partial(fused, "guarded", radar, "careful")
        )
    yield one("fuse", "sen4cap", run=partial(fused, "sen4cap", "sen4cap", "sen4cap"))


def _arable() -> Iterator[Task]:
    one = partial(Task, season="fields")
    for preset in markers.HARVEST_PRESETS:
        run = partial(_harvest, preset)
        yield one("harvest", preset, run=run, truth=_dated("harvest"), finds="harvests")
    yield one(
        "catch_crop",
        "sen4cap",
        run=_catch_crop,
        truth=_dated("loss"),
        finds="losses of catch crops in their eight weeks",
    )
    yield one(
        "ploughing",
        "default",
        run=partial(_ploughing, with_radar=False),
        truth=_dated("ploughing", "sowing", "loss"),
        finds="tillage, dated by the begin of bare soil",
        dated_by_begin=True,
    )
    yield one(
        "ploughing",
        "default, with coherence",
        run=partial(_ploughing, with_radar=True),
        truth=_dated("ploughing", "sowing", "loss"),
        finds="tillage, dated by the begin of bare soil",
        dated_by_begin=True,
    )
    yield one(
        "threshold_runs",
        "NDVI below 0.3",
        run=_below,
        truth=_dated("harvest"),
        finds="harvests, dated by the begin of the run",
        dated_by_begin=True,
    )
    yield one(
        "class_runs",
        "bare leads",
        run=_bare_leads,
        truth=_dated("harvest"),
        finds="harvests, dated by the begin of the run",
        dated_by_begin=True,
    )


def _cuts(season: Meadows) -> pd.DataFrame:
    return season.truth


def _dated(*columns: str) -> Truth:
    return partial(_dates_of, columns=columns)


def _dates_of(season: Fields, columns: tuple[str, ...]) -> pd.DataFrame:
    dates = season.work[[*columns]].reset_index().melt("parcel", value_name="date")
    dates = dates.dropna(subset="date").sort_values(["parcel", "date"], ignore_index=True)
    return dates[["parcel", "date"]]


def _optical(marker: Callable[..., pd.DataFrame], rule: Any, season: Meadows) -> pd.DataFrame:
    return marker(season.optical, rule)


def _coherence(rule: Any, season: Meadows) -> pd.DataFrame:
    return markers.mowing_coherence(season.coherence, rule)


def fused(optical: str, radar: Any, rule: str, season: Meadows) -> pd.DataFrame:
    """Find cuts with both missions."""
    return markers.fuse(
        markers.mowing(season.optical, optical),
        markers.mowing_coherence(season.coherence, radar),
        rule,
    )


def _harvest(preset: str, season: Fields) -> pd.DataFrame:
    return markers.harvest(
        season.optical, season.backscatter, season.coherence, season.work, preset
    )


def _catch_crop(season: Fields) -> pd.DataFrame:
    """Look at the parcels that declared a catch crop, each loss counted once."""
    declared = season.work.assign(
        period_begin=season.work["period"], period_end=season.work["period"]
    )
    declared = declared[declared["period"].notna()]
    kept = season.optical.indexes["parcel"].isin(declared.index)
    ndvi, backscatter, coherence = (
        stats.isel(parcel=kept) for stats in (season.optical, season.backscatter, season.coherence)
    )
    return merge_weeks(markers.catch_crop(ndvi, backscatter, coherence, declared))


def _ploughing(season: Fields, *, with_radar: bool) -> pd.DataFrame:
    events = markers.ploughing(
        season.optical,
        coherence=season.coherence if with_radar else None,
        window=("2024-06-15", "2024-12-09"),
    )
    return _at(events, "bare_from_date")


def _below(season: Fields) -> pd.DataFrame:
    rule = markers.ThresholdRule("NDVI", 0.3, min_days=10.0)
    events = markers.threshold_runs(season.optical, rule, window=("2024-06-15", "2024-12-09"))
    return _at(events, "start_date")


def _bare_leads(season: Fields) -> pd.DataFrame:
    rule = markers.ClassRunRule("SCL", code=5)
    events = markers.class_runs(season.optical, rule, window=("2024-06-15", "2024-12-09"))
    return _at(events, "start_date")


def _at(events: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return states as events at their begin; those under way at the window's begin have none."""
    when = events[column]
    return events.assign(start_date=when, main_date=when, end_date=when)
