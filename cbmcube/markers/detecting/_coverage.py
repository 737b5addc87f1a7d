"""How densely a parcel was observed: observations and gaps inside any interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbmcube.markers.detecting._signal import Signal

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Observations of some parcels and the gaps between them; both ends of the window count."""

    day: _Floats
    """Begin of the window, each acquisition, end of the window."""
    counted: _Ints
    """(time + 2, parcel): valid observations before each of these days."""
    lost: _Floats
    """(time + 2, parcel): days in gaps before the last valid observation up to each day."""
    last: _Floats
    """(time + 2, parcel): day of that observation, 0 before the first."""
    after: _Floats
    """(time + 2, parcel): day of the next valid observation from each day on."""
    gap: float
    """Times between observations that are longer than these days are gaps."""

    @classmethod
    def of(cls, signal: Signal, gap: float) -> Coverage:
        """Look at the valid observations of a signal."""
        edge = np.ones((1, signal.parcels), bool)
        here = np.vstack([edge, signal.valid, edge])
        day = np.concatenate([[0.0], signal.day, [signal.end]])
        known = np.where(here, day[:, None], -np.inf)
        last = np.maximum.accumulate(known, axis=0)
        after = np.minimum.accumulate(np.where(here, day[:, None], np.inf)[::-1], axis=0)[::-1]
        step = np.diff(last, axis=0, prepend=0.0)
        lost = np.cumsum(np.where(step > gap, step, 0.0), axis=0)
        inner = np.vstack([~edge, signal.valid, ~edge])
        counted = np.cumsum(inner, axis=0) - inner
        return cls(day, counted, lost, last, after, gap)

    def count(self, parcel: _Ints, start: _Floats, end: _Floats) -> _Ints:
        """Count the valid observations from start to end, both included."""
        low = np.searchsorted(self.day, start, side="left")
        high = np.searchsorted(self.day, end, side="right")
        # The count at the right edge is that before the day after, hence the last row is repeated.
        padded = np.vstack([self.counted, self.counted[-1:]])
        return padded[high, parcel] - padded[low, parcel]

    def overlap(self, parcel: _Ints, start: _Floats, end: _Floats) -> _Floats:
        """Return the days from start to end that lie in gaps."""
        return self._lost_before(parcel, end) - self._lost_before(parcel, start)

    def longest(self) -> _Floats:
        """Return each parcel's longest time without valid observation."""
        return np.diff(self.last, axis=0).max(axis=0)

    def _lost_before(self, parcel: _Ints, when: _Floats) -> _Floats:
        """Return the days in gaps before a moment, a gap under way up to the moment."""
        when = np.clip(when, self.day[0], self.day[-1])
        row = np.searchsorted(self.day, when, side="right") - 1
        last = self.last[row, parcel]
        following = np.minimum(row + 1, len(self.day) - 1)
        inside = self.after[following, parcel] - last > self.gap
        return np.asarray(self.lost[row, parcel] + np.where(inside, when - last, 0.0))
