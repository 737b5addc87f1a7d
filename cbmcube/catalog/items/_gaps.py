"""Acquisitions that the repeat cycle lets expect and that were not found."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cbmcube.catalog.filters import Period
from cbmcube.catalog.items._acquisitions import Acquisition

SLACK = timedelta(hours=12)
"""How far from the cycle an acquisition may lie. Orbits repeat to seconds, but the first item of
a pass may be another one; half a day is far below any repeat cycle."""

_REPEAT_DAYS = {"sentinel-1": 12, "sentinel-2": 10}
"""Repeat cycle of one satellite of the constellation, in days (mission descriptions, ESA)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """An acquisition that was expected and not found."""

    time: datetime
    """When it was expected, UTC, to some minutes."""
    platform: str
    """Satellite."""
    relative_orbit: int
    """Number of the orbit track."""
    orbit_state: str | None
    """``"ascending"`` or ``"descending"``."""
    repeat_days: int
    """The cycle that lets expect it."""


def find_gaps(
    acquisitions: Iterable[Acquisition], period: Period | None, repeat_days: int | None
) -> list[Gap]:
    """Compare what was found with the repeat cycle, track by track.

    Only tracks with two acquisitions or more are judged. Without a period, or towards an open
    end of it, nothing is expected before the first or after the last acquisition.

    Parameters
    ----------
    acquisitions
        What was found, in any order.
    period
        What was searched.
    repeat_days
        Repeat cycle in days; by default that of the constellation.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.catalog import find_gaps, group_acquisitions
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_BS)
    >>> passes = group_acquisitions(items)
    >>> track = [one for one in passes if one.relative_orbit == passes[0].relative_orbit]
    >>> [gap.time.date() for gap in find_gaps(track[:1] + track[2:3], None, 6)]
    [datetime.date(2024, 3, 9)]
    """
    tracks: dict[tuple[str, int, str | None], list[datetime]] = defaultdict(list)
    for one in acquisitions:
        if one.platform and one.relative_orbit is not None:
            tracks[one.platform, one.relative_orbit, one.orbit_state].append(one.time)
    gaps = []
    for (platform, orbit, state), found in tracks.items():
        days = repeat_days or _REPEAT_DAYS.get(platform[:10])
        if days is None or len(found) < 2:
            continue
        times = _expected(sorted(found), timedelta(days=days), period)
        gaps += [Gap(time, platform, orbit, state, days) for time in times]
    return sorted(gaps, key=lambda gap: (gap.time, gap.platform, gap.relative_orbit))


def _expected(
    found: Sequence[datetime], cycle: timedelta, period: Period | None
) -> Iterator[datetime]:
    start = period.start if period else None
    end = period.end if period else None
    time = found[0] - cycle
    while start is not None and time >= start:
        yield time
        time -= cycle
    for here, following in itertools.pairwise(found):
        time = here + cycle
        while time < following - SLACK:
            yield time
            time += cycle
    time = found[-1] + cycle
    while end is not None and time <= end:
        yield time
        time += cycle
