"""What one block of the raster tells of the parcels that meet it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from cbmcube.foi._clusters import (
    Clusters,
    Runs,
    class_runs,
    count_kinds,
    find_clusters,
    mark_runs,
    pixel_runs,
)
from cbmcube.foi._raster import BAND, Legend
from cbmcube.foi._rule import FoiRule
from cbmcube.zonal import (
    Block,
    BlockIndex,
    BlockParcels,
    Lattice,
    Node,
    block_parcels,
    cached_index,
)

_PIECE = 4_000_000
"""Pixels of parcels that are cut into runs at once; in a checkerboard, 18 bytes for each."""


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """What the pixels of one block add to the numbers of its parcels."""

    classes: NDArray[np.int64]
    """Codes of the classes in this block."""
    parcel: NDArray[np.int64]
    """Number of each parcel in the result."""
    n_total: NDArray[np.int32]
    """Pixels of each parcel, in this block or not, under the buffer for shares."""
    counts: NDArray[np.int32]
    """Pixels in this block without data, of no class, and of each class (parcel, 2 + class)."""
    n_inside: NDArray[np.int64]
    """Pixels in this block with data, under the buffer for clusters."""
    clusters: Clusters
    """Large clusters of the parcels that no other block holds."""
    runs: Runs
    """Runs of the parcels that other blocks hold too."""


def block_tasks(
    node: Node,
    geometries: NDArray[Any],
    members: NDArray[np.int64],
    legend: Legend,
    rule: FoiRule,
) -> Iterator[Delayed]:
    """Yield the task of each block that parcels meet; blocks without parcels are never read."""
    chunks = node.cube[BAND].data.to_delayed(optimize_graph=True)
    narrowed = np.full(len(geometries), rule.shares_buffer_m)
    for i, j, block, parcels in block_parcels(node, geometries, members, narrowed):
        yield delayed(read_block, pure=False)(
            chunks[0, i, j], parcels, block, node.lattice, legend, rule
        )


def read_block(
    chunk: NDArray[Any],
    parcels: BlockParcels,
    block: Block,
    lattice: Lattice,
    legend: Legend,
    rule: FoiRule,
) -> BlockFacts:
    """Count the classes of each parcel in a block (1, y, x), and find its clusters."""
    index = cached_index(parcels, block, lattice, "centre")
    inside = index
    if rule.buffer_m != rule.shares_buffer_m:
        buffer = np.full(parcels.parcel.size, rule.buffer_m)
        narrowed = BlockParcels(parcels.geometries, parcels.parcel, parcels.straddles, buffer)
        inside = cached_index(narrowed, block, lattice, "centre")
    codes = chunk.reshape(-1)
    classes = legend.find(_codes_within(codes, index) if legend.classes is None else codes)
    plane = legend.place(codes, classes)
    counts = _count(plane, index, classes.size)
    return BlockFacts(
        classes=classes,
        parcel=np.concatenate([index.inner.parcel, index.straddling.parcel]),
        n_total=np.concatenate([index.inner.n_total, index.straddling.n_total]),
        counts=counts,
        n_inside=_count(plane, inside, classes.size)[:, 1:].sum(axis=1),
        clusters=_find_inner(plane, inside, block, rule),
        runs=_cut_straddling(plane, inside, lattice),
    )


def _codes_within(codes: NDArray[Any], index: BlockIndex) -> NDArray[Any]:
    marked = mark_runs(codes.size, index.inner.run_cell, index.inner.run_length)
    marked[index.straddling.cell] = True
    return codes[marked]


def _count(plane: NDArray[np.int16], index: BlockIndex, kinds: int) -> NDArray[np.int32]:
    """Count kinds of pixels, first of the parcels that lie in the block and then of the others."""
    pixels, others = index.inner, index.straddling
    inner = count_kinds(plane, pixels.run_start, pixels.run_cell, pixels.run_length, kinds)
    width = kinds + 2
    which = others.owner.astype(np.int64) * width + plane[others.cell] + 2
    rest = np.bincount(which, minlength=others.parcel.size * width).reshape(-1, width)
    return np.concatenate([inner, rest.astype(np.int32)])


def _find_inner(
    plane: NDArray[np.int16], index: BlockIndex, block: Block, rule: FoiRule
) -> Clusters:
    """Find the large clusters of parcels that lie in the block, some parcels at a time."""
    pixels = index.inner
    place = (block.row, block.column, block.columns)
    pieces = []
    for some in _pieces(np.cumsum(pixels.size)):
        runs = class_runs(
            plane,
            place,
            pixels.parcel[some].astype(np.int32),
            pixels.run_start[some.start : some.stop + 1],
            pixels.run_cell,
            pixels.run_length,
        )
        pieces.append(
            find_clusters(Runs(*runs), neighbours=rule.neighbours, larger_than=rule.cluster_px)
        )
    return join_clusters(pieces)


def _pieces(ends: NDArray[np.int64]) -> Iterator[slice]:
    """Cut parcels into pieces of some `_PIECE` pixels, of one parcel at least."""
    last = int(ends[-1]) if ends.size else 0
    cuts = np.searchsorted(ends, np.arange(_PIECE, last, _PIECE))
    edges = np.unique(np.concatenate([[0], cuts, [ends.size]]))
    for first, stop in pairwise(edges):
        yield slice(int(first), int(stop))


def _cut_straddling(plane: NDArray[np.int16], index: BlockIndex, lattice: Lattice) -> Runs:
    pixels = index.straddling
    row, column = np.divmod(pixels.order, lattice.shape[1])
    return pixel_runs(
        pixels.parcel[pixels.owner].astype(np.int32),
        row.astype(np.int32),
        column.astype(np.int32),
        plane[pixels.cell],
    )


def join_clusters(parts: list[Clusters]) -> Clusters:
    """Put clusters one after the other."""
    if not parts:
        return Clusters(np.empty(0, np.int32), np.empty(0, np.int16), np.empty(0, np.int64))
    return Clusters(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("parcel", "kind", "px"))
    )
