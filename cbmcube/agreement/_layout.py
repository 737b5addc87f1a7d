"""Both sources cut into the same blocks of passes and parcels, lazy or in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
from dask.base import is_dask_collection
from numpy.typing import NDArray

from cbmcube.agreement._source import Layers

CELL = 16_384
"""Parcels whose moments are made at once. Blocks are whole cells, so that the numbers are the same
to the last bit however a cube is chunked."""

_BLOCK = 1_000_000  # pairs at work at once, of some 200 bytes each
_SMALL = 500_000  # less than so many are not worth a block of their own

_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where passes and parcels are cut."""

    passes: tuple[int, ...]
    parcels: tuple[int, ...]

    @classmethod
    def of(cls, sides: Sequence[Layers], passes: int, parcels: int) -> Cuts:
        """Cut so that blocks are of one size, and as many passes deep as chunks."""
        chunks = [getattr(side["value"], "chunks", None) for side in sides]
        deep = max((max(axes[0], default=1) for axes in chunks if axes), default=1)
        wanted = max(deep, _SMALL // parcels)
        step = max(1, min(wanted, _BLOCK // min(CELL, parcels)))
        wide = max(1, _BLOCK // step // CELL) * CELL
        return cls((*range(0, passes, step), passes), (*range(0, parcels, wide), parcels))

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Return the number of each block along passes and along parcels."""
        return product(range(len(self.passes) - 1), range(len(self.parcels) - 1))


class Side:
    """The arrays of one band in one source, in blocks.

    Parameters
    ----------
    layers
        Arrays on (time, parcel).
    steps
        Acquisitions of each pass.
    places
        Positions of the common parcels.
    cuts
        Where to cut.
    """

    def __init__(self, layers: Layers, steps: Sequence[_Ints], places: _Ints, cuts: Cuts) -> None:
        self._cuts = cuts
        self._places = places
        self._rows = np.concatenate([np.zeros(0, dtype="int64"), *steps])
        self._parts = np.array([len(some) for some in steps], dtype="int64")
        ends = np.concatenate([[0], np.cumsum(self._parts)])
        self._ends = [int(ends[cut]) for cut in cuts.passes]
        self._layers = {
            name: self._chunked(array) if is_dask_collection(array) else array
            for name, array in layers.items()
        }

    def _chunked(self, array: Any) -> NDArray[np.object_]:
        """Return a lazy array as one delayed array for each block."""
        if not (len(self._rows) == array.shape[0] and _follow(self._rows)):
            array = array[self._rows]
        if not (len(self._places) == array.shape[1] and _follow(self._places)):
            array = array[:, self._places]
        chunks = [
            tuple(size for size in np.diff(cuts).tolist() if size)
            for cuts in (self._ends, self._cuts.parcels)
        ]
        if not chunks[0]:
            return np.zeros((0, 0), dtype=object)
        # Optimised array by array, shared chunks would be computed once for each.
        return np.asarray(array.rechunk(chunks).to_delayed(optimize_graph=False))

    def block(self, along: int, across: int) -> tuple[dict[str, Any], _Ints, _Ints]:
        """Return the arrays of a block, its acquisitions, and how many each pass has."""
        first, last = self._ends[along : along + 2]
        left, right = self._cuts.parcels[across : across + 2]
        number = sum(a < b for a, b in pairwise(self._ends[: along + 1]))  # no empty chunks
        rows = self._rows[first:last]
        arrays = {}
        for name, array in self._layers.items():
            if array.dtype == object:
                none = np.zeros((0, right - left))
                arrays[name] = array[number, across] if len(rows) else none
            else:
                arrays[name] = array[_slice(rows)][:, _slice(self._places[left:right])]
        return arrays, rows, self._parts[slice(*self._cuts.passes[along : along + 2])]


def _follow(places: _Ints) -> bool:
    return bool((np.diff(places) == 1).all())


def _slice(places: _Ints) -> Any:
    """Return a slice where places follow each other, which copies nothing."""
    if len(places) and _follow(places):
        return slice(int(places[0]), int(places[-1]) + 1)
    return places
