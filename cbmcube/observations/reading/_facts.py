"""What plan and commits tell of acquisitions, so that parts need not be read for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.observations.reading._plan import PlanView
from cbmcube.observations.reading._units import Units

OF_UNIT = ("time", "acquisition", "platform", "relative_orbit", "orbit_state",
           "reference_time", "items")  # fmt: skip
"""Columns that are the same in all rows of a unit."""

STEP_FACTS = (*OF_UNIT[2:], "radiometry")
"""Coordinates along time, besides time and acquisition."""

_IN_PLAN = {name: name for name in OF_UNIT[2:6]} | {"items": "listed"}
_ABSENT = object()


@dataclass(frozen=True)
class Facts:
    """Facts of units, from the plan where it tells them, else from commits."""

    plan: PlanView
    units: Units

    def column(self, name: str, chosen: NDArray[np.int64]) -> list[Any] | None:
        """Return a column's value for each unit, ``None`` if only the parts know it."""
        if name == "time":
            return list(self.units.time[chosen])
        if name == "acquisition":
            return list(self.units.acquisition[chosen])
        found = [self._tell(name, int(unit)) for unit in chosen]
        # Rows of a unit that has no file are made up: what is not told of it is not known.
        needed = self.units.has_rows[chosen]
        if any(one is _ABSENT and need for one, need in zip(found, needed, strict=True)):
            return None
        return [None if one is _ABSENT else one for one in found]

    def steps(self, chosen: NDArray[np.int64]) -> Steps:
        """Return the time steps of some units, with the facts that the units of a step share."""
        step = self.units.step[chosen]
        numbers, first = np.unique(step, return_index=True)
        told: dict[str, list[Any]] = {}
        for name in STEP_FACTS:
            values: list[Any] = [_ABSENT] * len(numbers)
            for place, unit in zip(np.searchsorted(numbers, step), chosen, strict=True):
                if values[place] is _ABSENT or values[place] is None:
                    values[place] = self._tell(name, int(unit))
            empty = not len(numbers) and self._in_plan(name)
            if empty or any(value is not _ABSENT for value in values):
                told[name] = [None if value is _ABSENT else value for value in values]
        firsts = chosen[first]
        if "items" not in told:
            names = [str(name) for name in self.units.acquisition[firsts]]
            listed = self.plan.listed(names)
            told["items"] = [listed.get(name) for name in names]
        return Steps(numbers, self.units.time[firsts], self.units.acquisition[firsts], told)

    def _in_plan(self, name: str) -> bool:
        """Return whether the plan tells a fact of any acquisition."""
        field = _IN_PLAN.get(name, name)
        return any(one.get(field) is not None for one in self.plan.acquisitions)

    def _tell(self, name: str, unit: int) -> Any:
        known = self.plan.by_acquisition.get(str(self.units.acquisition[unit]), {})
        value = known.get(_IN_PLAN.get(name, name), _ABSENT)
        if value is _ABSENT:
            value = self.units.info(unit).get(name, _ABSENT)
        if value is _ABSENT or (isinstance(value, list) and name == "items"):
            return _ABSENT  # the list in a commit is of the items that were read
        if value == "" or (name == "relative_orbit" and value == -1):
            return None
        if name == "reference_time" and value is not None:
            return np.datetime64(utc(value).replace(tzinfo=None), "us")
        return value


@dataclass(frozen=True, slots=True)
class Steps:
    """The time axis of a selection."""

    number: NDArray[np.int64]
    """Number of each step in `Units.step`, ascending."""
    time: NDArray[np.datetime64]
    acquisition: NDArray[np.object_]
    facts: Mapping[str, list[Any]]
    """One value for each step, by name; `STEP_FACTS` says which there can be."""

    def __len__(self) -> int:
        return len(self.number)


def utc(text: str) -> datetime:
    """Read an ISO time; one without a zone is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
