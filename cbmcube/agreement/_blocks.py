"""Both sources compared block by block, so that memory does not grow with parcels and passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import dask
import numpy as np
from numpy.typing import NDArray

from cbmcube.agreement._draw import COLUMNS, cut_ends, drawn, ends
from cbmcube.agreement._match import Union
from cbmcube.agreement._moments import FIELDS, merge, moments_of
from cbmcube.agreement._source import Layers
from cbmcube.agreement._states import STATES, join, look

CELL = 16_384
"""Parcels whose moments are made at once. Blocks are whole cells, so that the numbers are the same
to the last bit however a cube is chunked."""

_BLOCK = 1_000_000  # pairs at work at once, of some 200 bytes each
_SMALL = 500_000  # less than so many are not worth a block of their own

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Task:
    """What the comparison of one band needs to know."""

    kind: str
    """Kind of its numbers."""
    units: str
    """Units of the differences."""
    limit: float
    """Tolerance of the differences."""
    in_db: bool
    """Whether values are compared as 10 log10."""
    parcels: int
    """Number of the common parcels."""
    classes: int
    """Number of their classes."""
    share: float
    """Share of pairs that are kept as they are."""
    listed: int
    """Pairs kept at each end of the differences."""
    seed: int
    """Seed of the draw."""


class Tally(NamedTuple):
    """What is known of one band after all blocks."""

    moments: _Floats
    """(pass, class, field)."""
    states: _Ints
    """Observations by state in `a` and in `b`, (pass, state, state)."""
    pairs: _Floats
    """Drawn pairs, rows of `COLUMNS`."""
    ends: _Floats
    """Pairs with the lowest and highest differences, rows of `COLUMNS`."""


class _Block(NamedTuple):
    passes: _Ints
    first_parcel: int
    moments: _Floats  # (pass, cell * class, field)
    states: _Ints
    pairs: _Floats
    ends: _Floats


def tallies(
    sides: Mapping[str, tuple[Layers, Layers]],
    union: Union,
    parcels: tuple[_Ints, _Ints],
    classes: _Ints,
    tasks: Mapping[str, Task],
) -> dict[str, Tally]:
    """Compare all bands; lazy arrays are computed here, once, in a single Dask computation.

    Parameters
    ----------
    sides
        Arrays of each band in both sources.
    union
        All passes.
    parcels
        Positions of the common parcels in both sources.
    classes
        Class of each common parcel, from 0.
    tasks
        What to do for each band.
    """
    done: dict[str, list[_Block]] = {band: [] for band in sides}
    work: list[tuple[str, Any]] = []
    shared = cache(lambda left, right: dask.delayed(classes[left:right]))  # sent once, not per task
    for band, (a, b) in sides.items():
        lazy = any(dask.is_dask_collection(array) for array in (*a.values(), *b.values()))
        for passes, columns in _grid(a, b, union, len(classes)):
            first = _cut(a, union.steps_a, passes, parcels[0][slice(*columns)])
            second = _cut(b, union.steps_b, passes, parcels[1][slice(*columns)])
            if lazy:
                call = dask.delayed(_compare, pure=False)
                call = call(*first, *second, shared(*columns), passes[0], columns[0], tasks[band])
                work.append((band, call))
            else:
                some = classes[slice(*columns)]
                block = _compare(*first, *second, some, passes[0], columns[0], tasks[band])
                done[band].append(block)
    for (band, _), block in zip(work, dask.compute(*(call for _, call in work)), strict=True):
        done[band].append(block)
    return {band: _gather(blocks, len(union.table), tasks[band]) for band, blocks in done.items()}


def _grid(a: Layers, b: Layers, union: Union, parcels: int) -> Iterator[tuple[_Range, _Range]]:
    """Cut passes and parcels into blocks: as many passes at once as chunks hold."""
    chunks = [getattr(side["value"], "chunks", None) for side in (a, b)]
    deep = max((max(axes[0], default=1) for axes in chunks if axes), default=1)
    passes = max(1, min(max(deep, _SMALL // max(parcels, 1)), _BLOCK // min(CELL, max(parcels, 1))))
    wide = max(1, _BLOCK // passes // CELL) * CELL
    cuts = [*range(0, parcels, wide), parcels]
    for first, last in pairwise([*range(0, len(union.table), passes), len(union.table)]):
        for left, right in pairwise(cuts):
            yield (first, last), (left, right)


def _cut(
    layers: Layers, steps: tuple[_Ints, ...], passes: _Range, places: _Ints
) -> tuple[dict[str, Any], tuple[_Ints, ...]]:
    """Return the arrays of some passes and parcels, and the acquisitions of each pass in them."""
    own = steps[slice(*passes)]
    rows = np.unique(np.concatenate([np.zeros(0, dtype="int64"), *own]))
    along = _slice(places)
    return {name: array[_slice(rows)][:, along] for name, array in layers.items()}, tuple(
        np.stack([np.searchsorted(rows, some), some]) for some in own
    )


def _slice(places: _Ints) -> Any:
    """Return a slice where places follow each other, which copies nothing."""
    if len(places) and (np.diff(places) == 1).all():
        return slice(int(places[0]), int(places[-1]) + 1)
    return places


def _compare(
    a: Mapping[str, Any],
    steps_a: tuple[_Ints, ...],
    b: Mapping[str, Any],
    steps_b: tuple[_Ints, ...],
    classes: _Ints,
    first_pass: int,
    first_parcel: int,
    task: Task,
) -> _Block:
    passes = np.arange(first_pass, first_pass + len(steps_a))
    places = np.arange(first_parcel, first_parcel + len(classes))
    first, state_a, step_a = _joined(a, steps_a, task)
    second, state_b, step_b = _joined(b, steps_b, task)
    d = second - first
    codes = state_a * len(STATES) + state_b
    kinds = len(STATES) ** 2
    codes = codes + kinds * np.arange(len(passes))[:, None]
    counts = np.bincount(codes.ravel().astype("int64"), minlength=kinds * len(passes))

    def rows(chosen: _Ints) -> _Floats:
        row, column = np.unravel_index(chosen, d.shape)
        where = (passes[row], places[column], step_a[row, column], step_b[row, column])
        return np.stack([*where, first[row, column], second[row, column]], axis=1)

    kept = np.isfinite(d)
    kept &= drawn(passes, places, of=task.parcels, share=task.share, seed=task.seed)
    cell = (places - places[:1]) // CELL
    groups = cell * task.classes + classes
    return _Block(
        passes,
        first_parcel,
        moments_of(
            first, second, groups, count=task.classes * (int(cell.max()) + 1), limit=task.limit
        ),
        counts.reshape(len(passes), len(STATES), len(STATES)),
        rows(np.flatnonzero(kept)),
        rows(ends(d, task.listed)),
    )


def _joined(side: Mapping[str, Any], steps: tuple[_Ints, ...], task: Task) -> tuple[Any, Any, Any]:
    """Return value, state and acquisition of each pass and parcel."""
    value, state, row = join(look(side, in_db=task.in_db), [some[0] for some in steps])
    rows, numbers = np.concatenate(steps, axis=1) if steps else np.zeros((2, 0), dtype="int64")
    number_of = np.full(len(side["value"]) + 1, -1)  # the last one for row -1
    number_of[rows] = numbers
    return value, state, number_of[row]


def _gather(blocks: list[_Block], passes: int, task: Task) -> Tally:
    states = np.zeros((passes, len(STATES), len(STATES)), dtype="int64")
    rows, groups = [np.zeros((0, len(FIELDS)))], [np.zeros(0, dtype="int64")]
    for block in sorted(blocks, key=lambda block: (block.first_parcel, block.passes[0])):
        states[block.passes] += block.states
        width = block.moments.shape[1]
        own = block.passes[:, None] * task.classes + np.arange(width)[None, :] % task.classes
        rows.append(block.moments.reshape(-1, len(FIELDS)))
        groups.append(own.ravel())
    moments = merge(np.concatenate(rows), np.concatenate(groups), passes * task.classes)
    none = np.zeros((0, len(COLUMNS)))
    pairs = np.concatenate([none, *(block.pairs for block in blocks)])
    return Tally(
        moments.reshape(passes, task.classes, len(FIELDS)),
        states,
        pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))],
        cut_ends(np.concatenate([none, *(block.ends for block in blocks)]), task.listed),
    )
