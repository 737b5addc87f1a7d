"""From scores to the tables of a page, between marks that stay where they are."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby

from benchmarks.markers.measure import Result
from benchmarks.markers.rates import SCENARIOS, TARGET
from benchmarks.markers.score import LONGEST_DAYS, TOLERANCE_DAYS, reliability
from benchmarks.markers.tasks import RADAR

F1, DAYS = 0.85, 5.0
"""Target of mowing by both missions in the scenario `TARGET`: at least, and at most."""
TARGET_TASK = "fuse:careful, radar sensitive"

_EDGES = (0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 1.0)
_P_EDGES = (0.0, 1e-6, 1e-5, 1e-4, 1e-3)
_OF_CONFIDENCE = {
    "mowing:guarded": ("confidence", _EDGES),
    TARGET_TASK: ("confidence", _EDGES),
    "mowing_coherence:pooled": ("p_value", _P_EDGES),
}


def replace_between(text: str, name: str, lines: Iterable[str]) -> str:
    """Return a page with other lines between the marks of this name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        message = f"the page has no marks {begin} and {end}"
        raise ValueError(message)
    return "\n".join([before + begin, "", *lines, "", end + after])


def render(results: Sequence[Result], *, parcels: int, seed: int) -> list[str]:
    """Return all tables as Markdown."""
    lines = paragraph(
        f"{parcels:,} parcels of each kind, seed {seed}; a found event may be",
        f"{TOLERANCE_DAYS:.0f} days off, or contain the true date in an interval of at most",
        f"{LONGEST_DAYS:.0f} days.",
    )
    lines += ["", *target(results)]
    for title, kind in (("Grassland", "meadows"), ("Arable land", "fields")):
        some = [one for one in results if one.task.season == kind]
        if some:
            lines += ["", f"### {title}: F1 under five skies", "", *_by_scenario(some)]
            lines += ["", f"### {title}: {TARGET}", "", *_in_detail(some)]
    calibrated = [one for one in results if one.task.name in _OF_CONFIDENCE and _is_hard(one)]
    if calibrated:
        lines += ["", "### What confidence is worth", "", *_calibration(calibrated)]
    return lines


def target(results: Sequence[Result]) -> list[str]:
    """Return a sentence on the target of mowing, if it was measured."""
    found = [one for one in results if one.task.name == TARGET_TASK and one.scenario == TARGET]
    if not found:
        return ["The target was not measured."]
    score = found[0].score
    kept = score.f1 >= F1 and score.median_error <= DAYS
    return paragraph(
        f"Target: mowing by both missions, {TARGET}: F1 at least {F1} and a median date error",
        f"of at most {DAYS:.0f} days. Measured: {score.f1:.2f} and {score.median_error:.1f} days:",
        "kept." if kept else "**missed**.",
    )


def _is_hard(result: Result) -> bool:
    return result.scenario in (TARGET, RADAR)


def _by_scenario(results: Sequence[Result]) -> list[str]:
    rows = []
    for name, group in groupby(results, key=lambda one: one.task.name):
        same = [*group]
        f1 = {one.scenario: _number(one.score.f1, 2) for one in same}
        cells = [f1.get(scenario, f1.get(RADAR, "")) for scenario in SCENARIOS]
        rows.append([*_named(name), *cells])
    return table(["marker", "preset", *SCENARIOS], rows)


def _in_detail(results: Sequence[Result]) -> list[str]:
    rows = []
    for one in results:
        if not _is_hard(one):
            continue
        score = one.score
        rate, low, high = score.false_alarms
        dates = (f"{_number(score.median_error, 1)}, {_number(score.error_90, 1)}",)
        alarms = f"{100 * rate:.1f} ({100 * low:.1f} to {100 * high:.1f})"
        inside = "" if one.task.dated_by_begin else _percent(score.contained)
        rows.append(
            [
                *_named(one.task.name),
                one.task.finds,
                f"{score.planted:,}",
                _number(score.precision, 2),
                _number(score.recall, 2),
                _number(score.f1, 2),
                *dates,
                _number(score.bias, 1),
                inside,
                alarms,
                _percent(score.blind / score.parcels),
                _percent(score.missed_blind / score.planted),
            ]
        )
    head = [
        "marker",
        "preset",
        "finds",
        "planted",
        "precision",
        "recall",
        "F1",
        "date error: median, 90 %",
        "bias",
        "truth inside, %",
        "false alarms, %",
        "not looked at, %",
        "planted there, %",
    ]
    return table(head, rows, text=3)


def _calibration(results: Sequence[Result]) -> list[str]:
    rows = []
    for one in results:
        column, edges = _OF_CONFIDENCE[one.task.name]
        found = reliability(one.events, one.truth, edges=edges, column=column)
        for line in found[found["events"] > 0].itertuples():
            low, high = line[1], line[2]
            span = f"{low:g} to {high:g}"
            share = f"{line.planted:.2f} ({line.low:.2f} to {line.high:.2f})"
            rows.append([*_named(one.task.name), column, span, f"{line.events:,}", share])
    head = ["marker", "preset", "number", "class", "events", "share that was planted"]
    return table(head, rows, text=4)


def _named(name: str) -> list[str]:
    marker, preset = name.split(":")
    return [f"`{marker}`", preset]


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.0f}"


def paragraph(*parts: str) -> list[str]:
    """Return a text as lines."""
    return textwrap.wrap(" ".join(parts), 95, break_long_words=False, break_on_hyphens=False)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, text: int = 2) -> list[str]:
    """Return rows as Markdown; the first columns are text, the others numbers."""
    marks = ["---"] * text + ["---:"] * (len(head) - text)
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)]
