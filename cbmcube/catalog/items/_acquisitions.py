"""Which items were taken together: one satellite, one track, one pass."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import pystac
import shapely
from shapely.geometry import shape

from cbmcube.catalog.items._identity import Identity, identify, item_time

T = TypeVar("T")

PASS_GAP = timedelta(minutes=30)
"""Items of one satellite further apart than this belong to different passes.

An orbit of Sentinel-1 or Sentinel-2 lasts 98 to 101 minutes, so two passes never meet, and one
pass over land is never interrupted that long inside one search.
"""


ONE_LOOK = timedelta(minutes=1)
"""Items that show the same ground this far apart in time are two looks at it.

Slices and tiles of one look carry times within seconds; the same ground seen again in the same
pass means that an item does not name its true satellite or track.
"""

SAME_GROUND = 0.5
"""Common over joint area of two footprints from which they show the same ground.

Neighbouring tiles of Sentinel-2 share a fifth of their ground at most, slices of Sentinel-1 less.
"""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """The items that one satellite took in one pass: one step of a cube's time."""

    id: str
    """Readable and unique, such as ``"sentinel-2a_R022_descending_20240305T101021"``."""
    time: datetime
    """Earliest time of its items, UTC."""
    platform: str | None
    """Satellite, such as ``"sentinel-2a"``."""
    relative_orbit: int | None
    """Number of the orbit track."""
    orbit_state: str | None
    """``"ascending"`` or ``"descending"``."""
    reference_time: datetime | None
    """Earlier date of an interferometric pair; ``None`` for other products."""
    items: tuple[pystac.Item, ...]
    """Its items, by time and id."""


def group_acquisitions(items: Iterable[pystac.Item]) -> list[Acquisition]:
    """Group items into acquisitions: one satellite, one track, one pass.

    Items belong together if they share platform, relative orbit and orbit state, and if no
    gap of 30 minutes or more lies between neighbours in time. An orbit lasts at least
    98 minutes, so passes never meet, and a pass over midnight stays one. Interferometric pairs
    must also share their reference pass. Items of different datatakes, and items that show the
    same ground at times a minute or more apart, are never one acquisition: what an item does
    not say about its track cannot make another one disappear. Items of one datatake are one
    acquisition even if they state different orbit states.

    Parameters
    ----------
    items
        STAC items, in any order.

    Returns
    -------
    list of Acquisition
        Sorted by time, then id.

    Raises
    ------
    BadItemError
        If an item states no time.

    Examples
    --------
    >>> from datetime import datetime
    >>> import pystac
    >>> facts = {"platform": "sentinel-1a", "sat:relative_orbit": 44}
    >>> north = pystac.Item("north", None, None, datetime(2024, 3, 5, 17, 10, 25), facts)
    >>> south = pystac.Item("south", None, None, datetime(2024, 3, 5, 17, 10, 0), facts)
    >>> [found] = group_acquisitions([north, south])
    >>> found.id, [item.id for item in found.items]
    ('sentinel-1a_R044_20240305T171000', ['south', 'north'])
    """
    tracks: dict[tuple[object, ...], list[_Seen]] = defaultdict(list)
    for seen in _of_one_direction([_Seen(i, item_time(i), identify(i)) for i in items]):
        who = seen.identity
        pair = who.reference_time is not None
        tracks[who.platform, who.relative_orbit, who.orbit_state, pair].append(seen)
    passes = (one for track in tracks.values() for one in _split(track, lambda seen: seen.time))
    pairs = (
        pair
        for one in passes
        for pair in _split(one, lambda seen: seen.identity.reference_time or seen.time)
    )
    looks = (look for pair in pairs for look in _looks(pair))
    return sorted(map(_acquisition, looks), key=lambda found: (found.time, found.id))


@dataclass(frozen=True, slots=True)
class _Seen:
    item: pystac.Item
    time: datetime
    identity: Identity


def _of_one_direction(everything: Sequence[_Seen]) -> list[_Seen]:
    """Give the items of one datatake the direction that most of them state.

    A datatake of Sentinel-2 never turns, yet two halves of one tile were found to state
    different directions. Between as many, it is descending, as nearly all of its images are.
    """
    votes: dict[tuple[object, ...], Counter[str]] = defaultdict(Counter)
    for seen in everything:
        if seen.identity.orbit_state:
            votes[_datatake(seen)][seen.identity.orbit_state] += 1
    return [_with_direction(seen, votes[_datatake(seen)]) for seen in everything]


def _datatake(seen: _Seen) -> tuple[object, ...]:
    who = seen.identity
    return who.platform, who.relative_orbit, who.datatake_time


def _with_direction(seen: _Seen, votes: Counter[str]) -> _Seen:
    if seen.identity.datatake_time is None or not votes:
        return seen
    state = max(votes, key=lambda name: (votes[name], name))
    return replace(seen, identity=replace(seen.identity, orbit_state=state))


def _split(values: Sequence[T], time: Callable[[T], datetime]) -> list[list[T]]:
    """Cut `values` wherever their sorted times leave a gap of `PASS_GAP` or more."""
    groups: list[list[T]] = []
    for value in sorted(values, key=time):
        if groups and time(value) - time(groups[-1][-1]) < PASS_GAP:
            groups[-1].append(value)
        else:
            groups.append([value])
    return groups


def _looks(group: Sequence[_Seen]) -> list[list[_Seen]]:
    """Part the items of one pass where the same ground is seen again."""
    looks: list[list[_Seen]] = []
    for seen in sorted(group, key=lambda seen: (seen.time, seen.item.id)):
        fitting = (look for look in looks if not any(_again(seen, other) for other in look))
        look = next(fitting, None)
        if look is None:
            looks.append([seen])
        else:
            look.append(seen)
    return looks


def _again(one: _Seen, other: _Seen) -> bool:
    """Return whether two items of a pass are two looks."""
    takes = (one.identity.datatake_time, other.identity.datatake_time)
    if takes[0] and takes[1] and abs(takes[0] - takes[1]) >= ONE_LOOK:
        return True
    if abs(one.time - other.time) < ONE_LOOK:
        return False
    if one.identity.tile and other.identity.tile:
        return one.identity.tile == other.identity.tile
    return _common_share(one.item, other.item) >= SAME_GROUND


def _common_share(one: pystac.Item, other: pystac.Item) -> float:
    """Return the common over the joint area of two footprints, 0 where one is not stated."""
    outlines = [shape(item.geometry) for item in (one, other) if item.geometry]
    if len(outlines) < 2:
        return 0.0
    first, second = map(shapely.make_valid, outlines)
    joint = shapely.union(first, second).area
    return shapely.intersection(first, second).area / joint if joint else float(first == second)


def _acquisition(group: Sequence[_Seen]) -> Acquisition:
    ordered = sorted(group, key=lambda seen: (seen.time, seen.item.id))
    who = ordered[0].identity
    time = ordered[0].time
    references = [s.identity.reference_time for s in ordered if s.identity.reference_time]
    reference = min(references, default=None)
    parts = [
        who.platform or "unknown",
        None if who.relative_orbit is None else f"R{who.relative_orbit:03d}",
        who.orbit_state,
        f"{time:%Y%m%dT%H%M%S}",
        None if reference is None else f"from{reference:%Y%m%dT%H%M%S}",
    ]
    return Acquisition(
        id="_".join(part for part in parts if part),
        time=time,
        platform=who.platform,
        relative_orbit=who.relative_orbit,
        orbit_state=who.orbit_state,
        reference_time=reference,
        items=tuple(seen.item for seen in ordered),
    )
