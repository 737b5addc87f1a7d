"""What a reader asks for, checked: which units, which parcels of each group, which bands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube._states import STATES
from cbmcube.catalog import parse_period
from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.observations.reading._plan import PlanView
from cbmcube.observations.reading._units import Units


@dataclass(frozen=True)
class Members:
    """The chosen parcels of one group, in the order of the group's parts."""

    position: NDArray[np.int64]
    """Their rows in the group's file, ascending."""
    rank: NDArray[np.int64]
    """Their places in the user's order."""
    whole: bool
    """Whether these are all parcels of the group."""


@dataclass(frozen=True)
class Selection:
    """What is to be read; nothing of it needs a part."""

    units: NDArray[np.int64]
    """Chosen units, by time, acquisition and group."""
    ranks: NDArray[np.int64]
    """Chosen parcels, by their places in the user's order, ascending."""
    members: Mapping[int, Members]
    """The chosen parcels of each group that has any."""
    bands: tuple[str, ...] | None
    """Chosen bands, ``None`` for all."""
    states: frozenset[str] | None
    """Chosen states, ``None`` for all."""

    def of(self, units: NDArray[np.int64]) -> Selection:
        """Return the same for some of the units."""
        return replace(self, units=units)


def select(
    plan: PlanView,
    units: Units,
    known_bands: Sequence[str] | None,
    *,
    parcels: Any = None,
    period: Any = None,
    acquisitions: Iterable[str] | str | None = None,
    bands: Iterable[str] | str | None = None,
    states: Iterable[str] | str | None = None,
) -> Selection:
    """Check a request and find the units it concerns; `known_bands` is needed for `bands`."""
    ranks = plan.ranks(parcels)
    members = _members(plan, ranks)
    chosen = np.ones(len(units), dtype=bool)
    if ranks is not None:
        chosen &= np.isin(units.group, list(members))
    if period is not None:
        chosen &= in_period(units.time, period)
    if acquisitions is not None:
        known = {one["acquisition"] for one in plan.acquisitions}
        chosen &= np.isin(units.acquisition, _checked("acquisition", acquisitions, sorted(known)))
    return Selection(
        units=np.flatnonzero(chosen),
        ranks=np.arange(len(plan.placed[0])) if ranks is None else ranks,
        members=members,
        bands=None if bands is None else checked_bands(bands, known_bands or ()),
        states=None if states is None else frozenset(_checked("state", states, STATES)),
    )


def in_period(times: NDArray[np.datetime64], period: Any) -> NDArray[np.bool_]:
    """Return which times lie in a period, as `search` reads periods."""
    span = parse_period(period)
    chosen = np.ones(len(times), dtype=bool)
    if span.start is not None:
        chosen &= times >= np.datetime64(span.start.replace(tzinfo=None), "us")
    if span.end is not None:
        chosen &= times <= np.datetime64(span.end.replace(tzinfo=None), "us")
    return chosen


def checked_bands(bands: Iterable[str] | str, known: Sequence[str]) -> tuple[str, ...]:
    """Return the chosen bands in the order of the store."""
    wanted = named(bands)
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise UnknownBandError(
            "the store has no such band" if unknown else "no band was asked for",
            given=", ".join(map(repr, unknown)) or "an empty list",
            allowed=", ".join(known),
            hint="shares of classes are columns of every row, not bands",
        )
    return tuple(name for name in known if name in wanted)


def checked_columns(columns: Iterable[str] | str | None, known: Sequence[str]) -> tuple[str, ...]:
    """Return the chosen columns in the order in which they were named; all for ``None``."""
    if columns is None:
        return tuple(known)
    return tuple(dict.fromkeys(_checked("column", columns, known)))


def named(given: Iterable[str] | str) -> list[str]:
    """Return names as a list, also where one stands alone."""
    return [given] if isinstance(given, str) else list(given)


def _checked(what: str, given: Iterable[str] | str, known: Sequence[str]) -> list[str]:
    wanted = named(given)
    unknown = [one for one in wanted if one not in set(known)]
    if unknown:
        some = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
        raise OptionError(
            f"the store has no such {what}",
            given=", ".join(map(repr, unknown[:5])),
            allowed=some or "none",
            hint=f"leave {what}s=None for all",
        )
    return wanted


def _members(plan: PlanView, ranks: NDArray[np.int64] | None) -> dict[int, Members]:
    """Return the chosen parcels by group."""
    group, position = plan.placed
    ranks = np.arange(len(group)) if ranks is None else ranks
    order = ranks[np.lexsort((position[ranks], group[ranks]))]
    numbers, first = np.unique(group[order], return_index=True)
    found: dict[int, Members] = {}
    ends = [*first[1:].tolist(), len(order)]
    for number, start, end in zip(numbers, first, ends, strict=False):
        mine = order[start:end]
        if number >= 0:  # parcels outside every grid have no rows
            whole = len(mine) == int(plan.groups[number]["count"])
            found[int(number)] = Members(position[mine], mine, whole)
    return found
