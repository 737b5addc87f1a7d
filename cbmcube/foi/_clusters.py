"""Clusters of one class among the pixels of a parcel, compiled; from runs of equal pixels.

Pixels are taken as runs: neighbours along a row that have one class. A parcel has several times
fewer runs than pixels, and all that joins a run to others lies in the row above it, and, where
a border between blocks cuts it, beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube._compiled import compiled

RunArrays = tuple[
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int16],
]


@dataclass(frozen=True, slots=True)
class Runs:
    """Neighbouring pixels along a row that have one class, by parcel, row and column."""

    parcel: NDArray[np.int32]
    """Number of the parcel."""
    row: NDArray[np.int32]
    """Row in the grid."""
    first: NDArray[np.int32]
    """First column in the grid."""
    last: NDArray[np.int32]
    """Last column in the grid."""
    kind: NDArray[np.int16]
    """Position of the class."""

    @classmethod
    def join(cls, parts: list[Runs]) -> Runs:
        """Bring the runs of several blocks into one order."""
        whole = [
            np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)
        ]
        order = np.lexsort((whole[2], whole[1], whole[0]))
        return cls(*(array[order] for array in whole))


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of more than some pixels."""

    parcel: NDArray[np.int32]
    """Number of the parcel."""
    kind: NDArray[np.int16]
    """Position of the class."""
    px: NDArray[np.int64]
    """Number of pixels."""


def find_clusters(runs: Runs, *, neighbours: int, larger_than: int) -> Clusters:
    """Join runs of one parcel and class that touch; return what has enough pixels."""
    px = _cluster_sizes(runs.parcel, runs.row, runs.first, runs.last, runs.kind, neighbours == 8)
    large = np.flatnonzero(px > larger_than)
    return Clusters(runs.parcel[large], runs.kind[large], px[large])


def pixel_runs(
    parcel: NDArray[np.int32],
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    kind: NDArray[np.int16],
) -> Runs:
    """Return the runs of pixels that are sorted by parcel, row and column; -1 is no class."""
    some = kind >= 0
    parcel, row, column, kind = parcel[some], row[some], column[some], kind[some]
    breaks = (np.diff(parcel, prepend=-1) != 0) | (np.diff(row, prepend=-1) != 0)
    breaks |= (np.diff(column, prepend=-2) != 1) | (np.diff(kind, prepend=np.int16(-1)) != 0)
    first = np.flatnonzero(breaks)
    last = np.append(first[1:], parcel.size)[: first.size] - 1
    return Runs(parcel[first], row[first], column[first], column[last], kind[first])


@compiled
def class_runs(
    plane: NDArray[np.int16],
    place: tuple[int, int, int],
    parcels: NDArray[np.int32],
    run_start: NDArray[np.int64],
    run_cell: NDArray[np.int32],
    run_length: NDArray[np.int32],
) -> RunArrays:
    """Cut runs of pixels, whatever their class, into runs of one class.

    Parameters
    ----------
    plane
        Position of the class of each pixel of a block, flattened; negative for none.
    place
        Row and column of the block in the grid, and its number of columns.
    parcels, run_start, run_cell, run_length
        Numbers of the parcels, where their runs start, first pixel and length of each run.
    """
    n = 0
    for r in range(run_start[0], run_start[-1]):
        before = np.int16(-1)
        for cell in range(run_cell[r], run_cell[r] + run_length[r]):
            n += plane[cell] >= 0 and plane[cell] != before
            before = plane[cell]
    parcel, row = np.empty(n, np.int32), np.empty(n, np.int32)
    first, last = np.empty(n, np.int32), np.empty(n, np.int32)
    kind = np.empty(n, np.int16)
    top, left, columns = place
    n = -1
    for i in range(parcels.size):
        for r in range(run_start[i], run_start[i + 1]):
            before = np.int16(-1)
            column = left + run_cell[r] % columns
            for cell in range(run_cell[r], run_cell[r] + run_length[r]):
                here = plane[cell]
                if here >= 0 and here != before:
                    n += 1
                    parcel[n], row[n] = parcels[i], top + run_cell[r] // columns
                    first[n], kind[n] = column, here
                if here >= 0:
                    last[n] = column
                before = here
                column += 1
    return parcel, row, first, last, kind


@compiled
def count_kinds(
    plane: NDArray[np.int16],
    run_start: NDArray[np.int64],
    run_cell: NDArray[np.int32],
    run_length: NDArray[np.int32],
    kinds: int,
) -> NDArray[np.int32]:
    """Count a parcel's pixels without data, of no class, and of each class (parcel, kind)."""
    counts = np.zeros((run_start.size - 1, kinds + 2), np.int32)
    for i in range(run_start.size - 1):
        for r in range(run_start[i], run_start[i + 1]):
            for cell in range(run_cell[r], run_cell[r] + run_length[r]):
                counts[i, plane[cell] + 2] += 1
    return counts


@compiled
def mark_runs(
    size: int, run_cell: NDArray[np.int32], run_length: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Return which pixels of a block lie in a run."""
    marked = np.zeros(size, np.bool_)
    for r in range(run_cell.size):
        marked[run_cell[r] : run_cell[r] + run_length[r]] = True
    return marked


@compiled
def _root(parent: NDArray[np.int64], run: int) -> int:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@compiled
def _unite(parent: NDArray[np.int64], one: int, other: int) -> None:
    one, other = _root(parent, one), _root(parent, other)
    parent[max(one, other)] = min(one, other)


@compiled
def _cluster_sizes(
    parcel: NDArray[np.int32],
    row: NDArray[np.int32],
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    kind: NDArray[np.int16],
    corners: Any,
) -> NDArray[np.int64]:
    """Return the pixels of each cluster at the first of its runs, 0 at all others."""
    reach = 1 if corners else 0
    parent = np.arange(parcel.size)
    here = above = end = 0  # where this row starts; what of the row above may still touch
    for j in range(parcel.size):
        if j == 0 or parcel[j] != parcel[j - 1] or row[j] != row[j - 1]:
            follows = j > 0 and parcel[j] == parcel[j - 1] and row[j] == row[j - 1] + 1
            above, end, here = (here if follows else j), j, j
        elif kind[j] == kind[j - 1] and first[j] == last[j - 1] + 1:
            _unite(parent, j - 1, j)
        while above < end and last[above] + reach < first[j]:
            above += 1
        touching = above
        while touching < end and first[touching] <= last[j] + reach:
            if kind[touching] == kind[j]:
                _unite(parent, touching, j)
            touching += 1
    px = np.zeros(parcel.size, np.int64)
    for j in range(parcel.size):
        px[_root(parent, j)] += last[j] - first[j] + 1
    return px
