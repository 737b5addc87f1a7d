"""Intervals of many parcels: which overlap, what they cover together, and what is left of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OPEN = 2**62
"""End of an interval that is not over: the year 2116 in nanoseconds."""

_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals in any order: integers of one unit, mostly nanoseconds."""

    parcel: _Ints
    """Number of the parcel, from 0."""
    start: _Ints
    end: _Ints

    def take(self, which: NDArray[np.generic]) -> Intervals:
        """Return some of the intervals."""
        return Intervals(self.parcel[which], self.start[which], self.end[which])


def overlaps(a: Intervals, b: Intervals) -> tuple[_Ints, _Ints, _Ints]:
    """Return all pairs of one parcel that overlap, and by how much.

    Intervals that touch do not overlap, nor does one of no length overlap anything. Pairs are in
    order of a, then of the start of b.
    """
    order = np.lexsort((b.end, b.start, b.parcel))
    sorted_b = b.take(order)
    ranks = _Ranks.of(a, b)
    # From the first b that a sorted predecessor may still reach, to the last that begins in time.
    reach = np.maximum.accumulate(ranks.key(sorted_b.parcel, sorted_b.end))
    low = np.searchsorted(reach, ranks.key(a.parcel, a.start), side="right")
    begins = ranks.key(sorted_b.parcel, sorted_b.start)
    high = np.searchsorted(begins, ranks.key(a.parcel, a.end), side="left")
    left, place = _ragged(low, high)
    right = order[place]
    length = np.minimum(a.end[left], b.end[right]) - np.maximum(a.start[left], b.start[right])
    real = length > 0
    return left[real], right[real], length[real]


def union(a: Intervals) -> Intervals:
    """Return disjoint intervals that cover the same time, by parcel and start."""
    a = a.take(np.flatnonzero(a.end > a.start))
    a = a.take(np.lexsort((a.end, a.start, a.parcel)))
    ranks = _Ranks.of(a, a)
    reach = np.maximum.accumulate(ranks.key(a.parcel, a.end))
    begins = ranks.key(a.parcel, a.start)
    fresh = np.ones(len(begins), bool)
    fresh[1:] = begins[1:] > reach[:-1]
    first = np.flatnonzero(fresh)
    end = np.maximum.reduceat(a.end, first) if len(first) else a.end
    return Intervals(a.parcel[first], a.start[first], end)


def without(a: Intervals, b: Intervals) -> tuple[_Ints, _Ints, _Ints]:
    """Return the pieces of each a that no b covers: number of the a, start and end.

    An a of no length stays as it is, unless it lies inside a b.
    """
    cover = union(b)
    ranks = _Ranks.of(a, cover)
    key = ranks.key(a.parcel, a.start)
    low = np.searchsorted(ranks.key(cover.parcel, cover.end), key, side="right")
    high = np.searchsorted(
        ranks.key(cover.parcel, cover.start), ranks.key(a.parcel, a.end), side="left"
    )
    whole = np.flatnonzero(high <= low)
    source, piece = _ragged(low, np.where(high > low, high + 1, low))
    # Piece k of an a lies between cover k - 1 and cover k.
    first, last = piece == low[source], piece == high[source]
    before = np.where(first, 0, piece - 1)
    behind = np.where(last, 0, piece)
    start = np.where(first, a.start[source], np.append(cover.end, 0)[before])
    end = np.where(last, a.end[source], np.append(cover.start, 0)[behind])
    real = end > start
    number = np.concatenate([whole, source[real]])
    begin = np.concatenate([a.start[whole], start[real]])
    finish = np.concatenate([a.end[whole], end[real]])
    order = np.lexsort((begin, number))
    return number[order], begin[order], finish[order]


@dataclass(frozen=True, slots=True)
class _Ranks:
    """Turns parcel and time into one integer, exactly."""

    times: _Ints

    @classmethod
    def of(cls, *some: Intervals) -> _Ranks:
        return cls(np.unique(np.concatenate([x for a in some for x in (a.start, a.end)])))

    def key(self, parcel: _Ints, time: _Ints) -> _Ints:
        return parcel * (len(self.times) + 1) + np.searchsorted(self.times, time)


def _ragged(low: _Ints, high: _Ints) -> tuple[_Ints, _Ints]:
    """Return for each row the numbers from low to high - 1, with the row they belong to."""
    length = np.maximum(high - low, 0)
    row = np.repeat(np.arange(len(low)), length)
    place = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
    return row, low[row] + place
