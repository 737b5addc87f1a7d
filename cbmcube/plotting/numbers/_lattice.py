"""Pairs of reflectances counted on a fine lattice, block by block, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from dask.base import compute
from dask.delayed import delayed

_STEPS = 1000
"""Cells from 0 to 1 along each axis; one more at both ends holds what lies beyond."""
_SIDE = _STEPS + 2


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """How many pairs lie in each cell of 0.001 x 0.001."""

    counts: np.ndarray
    """(first, second), with the cells beyond 0 and 1 at both ends."""

    @property
    def total(self) -> int:
        """Number of pairs."""
        return int(self.counts.sum())

    def inside(self, top: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the middles of cells between 0 and `top`, and how many pairs each holds."""
        end = 1 + round(top * _STEPS)
        first, second = np.nonzero(self.counts[1:end, 1:end])
        number = self.counts[1 + first, 1 + second]
        return (first + 0.5) / _STEPS, (second + 0.5) / _STEPS, number

    def quantile(self, share: float) -> float:
        """Return the value below which such a share of both numbers lies, 0 to 1."""
        along = np.cumsum(self.counts.sum(axis=0) + self.counts.sum(axis=1))
        place = int(np.searchsorted(along, share * along[-1]))
        return float(np.clip(place / _STEPS, 0, 1))

    def sample(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Return pairs in the middles of their cells, about `most` of them or all."""
        first, second, number = self.inside(1.0)
        some = np.ceil(number * min(1.0, most / max(1, self.total))).astype(int)
        return np.repeat(first, some), np.repeat(second, some)


def count_pairs(first: xr.DataArray, second: xr.DataArray) -> Lattice:
    """Count pairs of finite values; lazy arrays are computed once and no block is kept."""
    first, second = xr.unify_chunks(first, second)
    parts: Iterable[tuple[np.ndarray, np.ndarray]]
    if first.chunks is None and second.chunks is None:
        parts = map(_cells, _slices(first.to_numpy()), _slices(second.to_numpy()))
    else:
        count: Any = delayed(_cells, pure=True)
        blocks = (one.variable.chunk().data.to_delayed().ravel() for one in (first, second))
        (parts,) = compute([count(a, b) for a, b in zip(*blocks, strict=True)])
    counts = np.zeros(_SIDE * _SIDE, dtype=np.int64)
    for place, number in parts:
        counts[place] += number
    return Lattice(counts.reshape(_SIDE, _SIDE))


def _slices(values: np.ndarray) -> list[np.ndarray]:
    return [*values] if values.ndim > 1 else [values]


def _cells(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells that hold pairs, and how many."""
    known = np.isfinite(first) & np.isfinite(second)
    row, column = (_place(values[known]) for values in (first, second))
    cells, numbers = np.unique(row * _SIDE + column, return_counts=True)
    return cells, numbers


def _place(values: np.ndarray) -> np.ndarray:
    beyond = np.clip(np.floor(values * np.float64(_STEPS)), -1, _STEPS)
    # A value of exactly 1 lies on the edge and is drawn.
    return (beyond - (values == 1) + 1).astype(np.int32)
