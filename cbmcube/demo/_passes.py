"""When satellites pass: orbits, repeat cycles, and the one acquisition that is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from cbmcube.demo._sizes import Recipe

State = Literal["ascending", "descending"]


@dataclass(frozen=True, slots=True)
class Pass:
    """One passage of one satellite."""

    platform: str
    """Such as ``"sentinel-2a"``."""
    relative_orbit: int
    """Number of the orbit track."""
    absolute_orbit: int
    """Number of the orbit since launch."""
    state: State
    """Direction of flight."""
    time: datetime
    """Start of sensing, UTC."""

    @property
    def seen(self) -> int:
        """Position, from 0, of the day of the year whose state of the fields it sees.

        Work is done during the day: an early pass sees the state of the day before.
        """
        return self.time.timetuple().tm_yday - (2 if self.time.hour < 9 else 1)

    @property
    def stamp(self) -> str:
        """Start of sensing as it stands in names."""
        return f"{self.time:%Y%m%dT%H%M%S}"

    @property
    def track(self) -> str:
        """Direction and relative orbit, such as ``"D168"``."""
        return f"{self.state[0].upper()}{self.relative_orbit:03d}"


@dataclass(frozen=True, slots=True)
class _Track:
    platforms: tuple[str, str]
    relative_orbit: int
    state: State
    first: date
    at: time
    revisit: int
    """Days between passes; the two satellites take turns."""
    orbits: tuple[int, int]
    """Absolute orbit of the first pass of each satellite."""
    cycle: int
    """Orbits of one satellite in one repeat cycle."""

    def passes(self, end: date) -> list[Pass]:
        count = (end - self.first).days // self.revisit + 1
        return [self._number(index) for index in range(count)]

    def _number(self, index: int) -> Pass:
        turn, cycle = index % 2, index // 2
        day = self.first + timedelta(days=self.revisit * index)
        # Start times wander by seconds, so that nobody can rely on equal ones.
        start = datetime.combine(day, self.at, UTC) + timedelta(seconds=(index * 7) % 5)
        return Pass(
            platform=self.platforms[turn],
            relative_orbit=self.relative_orbit,
            absolute_orbit=self.orbits[turn] + self.cycle * cycle,
            state=self.state,
            time=start,
        )


# Absolute orbits obey the published relations to relative orbits: (N + 2) mod 143 + 1 for
# Sentinel-2A, (N - 27) mod 143 + 1 for 2B, (N - 73) mod 175 + 1 for Sentinel-1A and
# (N - 27) mod 175 + 1 for 1B.
_OPTICAL = _Track(
    platforms=("sentinel-2a", "sentinel-2b"),
    relative_orbit=22,
    state="descending",
    first=date(2024, 3, 5),
    at=time(10, 10, 21),
    revisit=5,
    orbits=(45493, 36656),
    cycle=143,
)
_ASCENDING = _Track(
    platforms=("sentinel-1a", "sentinel-1b"),
    relative_orbit=44,
    state="ascending",
    first=date(2024, 3, 3),
    at=time(17, 5, 12),
    revisit=6,
    orbits=(52791, 41895),
    cycle=175,
)
_DESCENDING = _Track(
    platforms=("sentinel-1b", "sentinel-1a"),
    relative_orbit=168,
    state="descending",
    first=date(2024, 3, 3),
    at=time(5, 25, 40),
    revisit=6,
    orbits=(41844, 52915),
    cycle=175,
)


def optical_passes(recipe: Recipe) -> list[Pass]:
    """Return the Sentinel-2 passes of the season, in time."""
    return _OPTICAL.passes(recipe.end)


def radar_tracks(recipe: Recipe) -> list[list[Pass]]:
    """Return the Sentinel-1 passes of the season, in time, by track."""
    return [track.passes(recipe.end) for track in (_ASCENDING, _DESCENDING)]


def missing_pass(recipe: Recipe) -> Pass:
    """Return the pass in the middle of the descending track that was never acquired."""
    passes = _DESCENDING.passes(recipe.end)
    return passes[len(passes) // 2]
