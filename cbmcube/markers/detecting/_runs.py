"""Runs of a signal beyond a level, for all parcels at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Observed:
    """The valid observations of all parcels, parcel after parcel, each in order of time."""

    parcel: _Ints
    """Number of the parcel of each observation."""
    day: _Floats
    """Time of each observation in days."""
    value: _Floats
    """The signal."""
    parcels: int
    """Number of parcels; some may have no observation."""

    @classmethod
    def of(cls, values: _Floats, days: _Floats) -> Observed:
        """Take the finite values out of a (time, parcel) array whose times rise."""
        by_parcel = values.T
        parcel, time = np.nonzero(np.isfinite(by_parcel))
        return cls(parcel, days[time], by_parcel[parcel, time], len(by_parcel))

    @property
    def first(self) -> _Flags:
        """Whether an observation is its parcel's first."""
        return np.diff(self.parcel, prepend=-1) != 0

    @property
    def last(self) -> _Flags:
        """Whether an observation is its parcel's last."""
        return np.diff(self.parcel, append=self.parcels) != 0


@dataclass(frozen=True, slots=True)
class Runs:
    """Neighbouring observations beyond a level; times in days, NaN where there is none."""

    parcel: _Ints
    start: _Floats
    """When the level is crossed, or the first observation if the run begins with the series."""
    main: _Floats
    """The most extreme observation, the earliest of equals."""
    end: _Floats
    """When the level is crossed back; NaN if the series ends inside the run."""
    before: _Floats
    """The last observation before the run."""
    until: _Floats
    """`end`, or the last observation of an open run."""
    value_start: _Floats
    value_main: _Floats
    value_end: _Floats
    n_obs: _Ints

    def where(self, keep: _Flags) -> Runs:
        """Return some of the runs."""
        return Runs(*(getattr(self, name)[keep] for name in self.__slots__))


def find_runs(seen: Observed, level: float, *, below: bool) -> Runs:
    """Find all runs strictly below, or above, a level."""
    inside = seen.value < level if below else seen.value > level
    starts = inside & (seen.first | ~np.roll(inside, 1))
    ends = inside & (seen.last | ~np.roll(inside, -1))
    i, e = np.flatnonzero(starts), np.flatnonzero(ends)
    fresh, still = seen.first[i], seen.last[e]
    previous, following = np.where(fresh, i, i - 1), np.where(still, e, e + 1)
    entry = _crossing(seen, previous, i, level)
    leave = _crossing(seen, e, following, level)
    peak = _extreme(seen, inside, starts, below=below)
    return Runs(
        parcel=seen.parcel[i],
        start=entry,
        main=seen.day[peak],
        end=np.where(still, np.nan, leave),
        before=np.where(fresh, np.nan, seen.day[previous]),
        until=leave,
        value_start=np.where(fresh, seen.value[i], level),
        value_main=seen.value[peak],
        value_end=np.where(still, seen.value[e], level),
        n_obs=e - i + 1,
    )


def _crossing(seen: Observed, left: _Ints, right: _Ints, level: float) -> _Floats:
    """Return when the line between two observations meets the level.

    Where both are one observation, that is its own time.
    """
    rise = seen.value[right] - seen.value[left]
    share = np.divide(level - seen.value[left], rise, out=np.zeros(len(rise)), where=rise != 0)
    return np.asarray(seen.day[left] + share * (seen.day[right] - seen.day[left]))


def _extreme(seen: Observed, inside: _Flags, starts: _Flags, *, below: bool) -> _Ints:
    """Return the position of the most extreme observation of each run."""
    where = np.flatnonzero(inside)
    run = np.cumsum(starts)[where] - 1
    depth = seen.value[where] if below else -seen.value[where]
    order = np.lexsort((seen.day[where], depth, run))
    _, first = np.unique(run[order], return_index=True)
    return where[order][first]
