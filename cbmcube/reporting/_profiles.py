"""Sample profiles: the parcel that was seen best, the one in the middle, the one seen worst."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cbmcube.exceptions import OptionError
from cbmcube.observations import Observations
from cbmcube.observations.reading import Coverage
from cbmcube.plotting import profile
from cbmcube.reporting._svg import to_svg
from cbmcube.warnings import UnfinishedSeasonWarning

MOST = 12
"""Profiles on a page: each is some hundred kilobytes of drawing."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A parcel that is shown, and why."""

    parcel: object
    why: str


def choose(coverage: Coverage) -> list[Sample]:
    """Return the parcels seen best, middling and worst; each once, the first of equals."""
    inside = np.flatnonzero(~coverage.outside & (coverage.planned - coverage.pending > 0))
    order = inside[np.argsort(-coverage.usable[inside], kind="stable")]
    if not len(order):
        return []
    lowest = coverage.usable[order[-1]]
    worst = order[np.argmax(coverage.usable[order] == lowest)]
    why = {int(order[len(order) // 2]): "typical"}
    why |= {int(worst): "worst covered", int(order[0]): "best covered"}
    shown = sorted(why.items(), key=lambda pair: pair[1])  # best, typical, worst
    return [Sample(coverage.ids[place].as_py(), words) for place, words in shown]


def named(parcels: Iterable[object] | str) -> list[Sample]:
    """Return parcels that the user chose."""
    ids = [parcels] if isinstance(parcels, str | int) else list(parcels)
    if len(ids) > MOST:
        raise OptionError(
            "a page shows few profiles",
            given=f"{len(ids)} parcels",
            allowed=f"at most {MOST}",
            hint="draw others with cbmcube.plotting.profile(obs.cube(parcel), parcel)",
        )
    return [Sample(one, "chosen") for one in dict.fromkeys(ids)]


def draw(obs: Observations, samples: list[Sample]) -> list[tuple[Sample, str]]:
    """Draw the season of each; only their rows are read."""
    if not samples:
        return []
    with warnings.catch_warnings():
        # The page says how many units are pending.
        warnings.simplefilter("ignore", UnfinishedSeasonWarning)
        cube = obs.cube([one.parcel for one in samples]).load()
    if not cube.sizes["time"]:
        return []
    drawings = []
    for number, one in enumerate(samples):
        alt = f"Season of parcel {one.parcel}, {one.why}: {cube.sizes['time']} acquisitions."
        figure = profile(cube, one.parcel)
        drawings.append((one, to_svg(figure, name=f"profile{number}", alt=alt)))
    return drawings
