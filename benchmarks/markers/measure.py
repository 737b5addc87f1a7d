"""Run tasks on planted seasons of all scenarios."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

import pandas as pd

from benchmarks.markers import tasks as known
from benchmarks.markers.fields import Fields, plant_fields
from benchmarks.markers.meadows import Meadows, plant_meadows
from benchmarks.markers.rates import SCENARIOS
from benchmarks.markers.score import Score, score


@dataclass(frozen=True, slots=True)
class Result:
    """What one task found in one scenario."""

    task: known.Task
    scenario: str
    score: Score
    seconds: float
    events: pd.DataFrame
    truth: pd.DataFrame


def measure(
    chosen: Iterable[known.Task],
    *,
    parcels: int,
    seed: int = 0,
    scenarios: Iterable[str] = tuple(SCENARIOS),
    tell: Callable[[str], None] = print,
) -> Iterator[Result]:
    """Run tasks on every scenario; those of radar alone once, since the sky is nothing to them."""
    season = cache(partial(_season, parcels=parcels, seed=seed))
    scenarios = [*scenarios]
    for task in chosen:
        for scenario in scenarios[:1] if task.radar_only else scenarios:
            planted = season(task.season, scenario)
            begin = time.monotonic()
            events = task.run(planted)
            seconds = time.monotonic() - begin
            truth = task.truth(planted)
            truth = truth[truth["parcel"].isin(events["parcel"])]
            result = Result(task, scenario, score(events, truth), seconds, events, truth)
            if task.radar_only:
                result = replace(result, scenario=known.RADAR)
            one = result.score
            tell(
                f"{task.name} | {result.scenario}: F1 {one.f1:.2f}, precision {one.precision:.2f}, "
                f"recall {one.recall:.2f}, {one.median_error:.1f} days, {seconds:.1f} s"
            )
            yield result


def _season(kind: str, scenario: str, *, parcels: int, seed: int) -> Meadows | Fields:
    if kind == "meadows":
        return plant_meadows(parcels, sky_rates=SCENARIOS[scenario], seed=seed)
    return plant_fields(parcels, sky_rates=SCENARIOS[scenario], seed=seed)
