"""Both sources compared block by block, so that memory does not grow with parcels and passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from dask.base import compute, is_dask_collection
from dask.delayed import delayed
from numpy.typing import NDArray

from cbmcube.agreement._draw import COLUMNS, cut_ends, drawn, ends
from cbmcube.agreement._layout import CELL, Cuts, Side
from cbmcube.agreement._match import Union
from cbmcube.agreement._moments import FIELDS, merge, moments_of
from cbmcube.agreement._source import Layers
from cbmcube.agreement._states import STATES, join, look

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_Cut = tuple[Mapping[str, Any], _Ints, _Ints]  # what `Side.block` returns


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
    shared = cache(lambda left, right: delayed(classes[left:right]))  # sent once, not per task
    for band, (a, b) in sides.items():
        cuts = Cuts.of((a, b), len(union.table), len(classes))
        first = Side(a, union.steps_a, parcels[0], cuts)
        second = Side(b, union.steps_b, parcels[1], cuts)
        lazy = any(is_dask_collection(array) for array in (*a.values(), *b.values()))
        call = delayed(_compare, pure=False) if lazy else _compare
        for along, across in cuts.blocks():
            columns = cuts.parcels[across : across + 2]
            some = shared(*columns) if lazy else classes[slice(*columns)]
            corner = cuts.passes[along], columns[0]
            block = call(
                first.block(along, across), second.block(along, across), some, corner, tasks[band]
            )
            if lazy:
                work.append((band, block))
            else:
                done[band].append(block)
    for (band, _), block in zip(work, compute(*(call for _, call in work)), strict=True):
        done[band].append(block)
    return {band: _gather(blocks, len(union.table), tasks[band]) for band, blocks in done.items()}


def _compare(a: _Cut, b: _Cut, classes: _Ints, corner: tuple[int, int], task: Task) -> _Block:
    first, state_a, step_a = _joined(a, task)
    second, state_b, step_b = _joined(b, task)
    passes = corner[0] + np.arange(len(first))
    places = corner[1] + np.arange(len(classes))
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
    cell = np.arange(len(classes)) // CELL
    groups = cell * task.classes + classes
    return _Block(
        passes,
        corner[1],
        moments_of(
            first, second, groups, count=task.classes * (int(cell.max()) + 1), limit=task.limit
        ),
        counts.reshape(len(passes), len(STATES), len(STATES)),
        rows(np.flatnonzero(kept)),
        rows(ends(d, task.listed)),
    )


def _joined(side: _Cut, task: Task) -> tuple[Any, Any, Any]:
    """Return value, state and acquisition of each pass and parcel."""
    raw, numbers, parts = side
    rows = np.split(np.arange(len(numbers)), np.cumsum(parts)[:-1])
    value, state, row = join(look(raw, in_db=task.in_db), rows)
    return value, state, np.append(numbers, -1)[row]  # the last one for row -1


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
