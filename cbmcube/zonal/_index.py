"""The pixel index of one block: which of its pixels belong to which parcels.

An index is built once, for a block of a grid, a set of parcels and a pixel rule, and
serves every date and band. Parcels that lie in one block are finished there; of those
that straddle blocks the block only knows its own pixels, and one owner finishes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from cbmcube.zonal._coverage import PixelRule, PixelWeights, pixel_weights
from cbmcube.zonal._kernels import Pixels
from cbmcube.zonal._parcels import BlockParcels


@dataclass(frozen=True, slots=True)
class Lattice:
    """The pixel lattice of a grid: everything an index needs to know of it."""

    shape: tuple[int, int]
    """Rows and columns."""
    affine: tuple[float, float, float, float, float, float]
    """From (column, row) to ground coordinates of the CRS."""

    def to_pixels(self, geometries: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Transform ground coordinates to columns and upward rows, each geometry near zero.

        Returns
        -------
        array of geometries
            In pixels, from the corner of the pixel in which the extent of each begins.
        int64 array (geometry, 2)
            Row and column of that pixel, from the first of the grid.

        Notes
        -----
        Two grids that lie on one lattice give the same geometries, bit for bit, wherever they
        begin: whole pixels are split off, and to subtract them rounds nothing.
        """
        ground, owner = shapely.get_coordinates(geometries, return_index=True)
        x, y = ground.T
        a, b, c, d, e, f = self.affine
        inverse = ~Affine(*self.affine)
        straight = b == d == 0.0  # as all grids of the products; a quotient is rounded once
        column = x / a if straight else inverse.a * x + inverse.b * y
        row = y / e if straight else inverse.d * x + inverse.e * y
        origin = (f / e, c / a) if straight else (-inverse.f, -inverse.c)
        place = np.stack([row, column], axis=1)
        grid, shift = _whole_and_rest(np.array(origin))
        place -= shift
        first = np.full((len(geometries), 2), np.inf)
        np.minimum.at(first, owner, place)
        first = np.floor(np.where(np.isfinite(first), first, 0.0))
        place -= first[owner]
        local = geometries.copy()
        shapely.set_coordinates(local, place[:, ::-1] * (1, -1))
        return local, first.astype(np.int64) - grid


_PIECE = 2048  # parcels whose pixels are in memory one by one, some 60 bytes each

_GRAIN = 2.0**30
"""Parts of a pixel in which the place of a lattice is counted: nanometres."""


def _whole_and_rest(origin: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Split the place of a grid into whole pixels and a rest that roundings do not reach."""
    grains = np.round((origin - np.floor(origin)) * _GRAIN)
    whole = np.floor(origin) + (grains == _GRAIN)
    return whole.astype(np.int64), (grains % _GRAIN) / _GRAIN


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of pixels: one chunk of a cube."""

    row: int
    """First row in the grid."""
    column: int
    """First column in the grid."""
    rows: int
    """Number of rows."""
    columns: int
    """Number of columns."""


@dataclass(frozen=True, slots=True)
class InnerPixels:
    """Pixels of parcels that lie in one block: runs of whole pixels, and edge pixels."""

    parcel: NDArray[np.int64]
    """Number of each parcel in the result."""
    total: NDArray[np.float64]
    """Weight of all pixels of each parcel, inside the grid or not."""
    n_total: NDArray[np.int32]
    """Number of all pixels of each parcel, inside the grid or not."""
    run_start: NDArray[np.int64]
    """Where each parcel's runs start, and the end of the last."""
    run_cell: NDArray[np.int32]
    """First pixel of each run, in the flattened block."""
    run_length: NDArray[np.int32]
    """Pixels of each run, all of weight 1."""
    edge_start: NDArray[np.int64]
    """Where each parcel's edge pixels start, and the end of the last."""
    edge_cell: NDArray[np.int32]
    """Each edge pixel, in the flattened block."""
    edge_weight: NDArray[np.float32]
    """Weight of each edge pixel, below 1."""

    @property
    def size(self) -> NDArray[np.int64]:
        """Number of pixels of each parcel in the block."""
        ends = np.append(0, np.cumsum(self.run_length, dtype=np.int64))[self.run_start]
        return np.diff(ends) + np.diff(self.edge_start)

    @property
    def layout(self) -> Pixels:
        """The pixels, in the order in which the kernels take them."""
        return (
            self.run_start,
            self.run_cell,
            self.run_length,
            self.edge_start,
            self.edge_cell,
            self.edge_weight,
        )


@dataclass(frozen=True, slots=True)
class StraddlingPixels:
    """A block's share of the pixels of parcels that other blocks hold too."""

    parcel: NDArray[np.int64]
    """Number of each parcel in the result."""
    total: NDArray[np.float64]
    """Weight of all pixels of each parcel, in all blocks and outside the grid."""
    n_total: NDArray[np.int32]
    """Number of all pixels of each parcel, in all blocks and outside the grid."""
    owner: NDArray[np.int32]
    """Position in `parcel` of the parcel of each pixel."""
    cell: NDArray[np.int32]
    """Each pixel, in the flattened block."""
    order: NDArray[np.int64]
    """Each pixel in the flattened grid: the order across blocks."""
    weight: NDArray[np.float32]
    """Weight of each pixel."""


@dataclass(frozen=True, slots=True)
class BlockIndex:
    """The pixel index of one block."""

    inner: InnerPixels
    """Parcels that no other block holds."""
    straddling: StraddlingPixels
    """The block's share of parcels that other blocks hold too."""


def build_index(
    parcels: BlockParcels, block: Block, lattice: Lattice, rule: PixelRule
) -> BlockIndex:
    """Build the index of one block; parcels are seen whole, whatever the block cuts off."""
    # Where a ring starts and which way it runs must not move a coverage by a rounding.
    geometries = shapely.normalize(parcels.geometries)
    if parcels.buffer.any():
        geometries = shapely.buffer(geometries, parcels.buffer)
    local, first = lattice.to_pixels(geometries)
    cuts = range(_PIECE, len(local), _PIECE)
    pieces = [
        _build_piece(parcels, some, local[some], first[some], block, lattice, rule)
        for some in np.split(np.arange(len(local)), cuts)
    ]
    return BlockIndex(
        inner=_join_inner([piece.inner for piece in pieces]),
        straddling=_join_straddling([piece.straddling for piece in pieces]),
    )


def _build_piece(
    parcels: BlockParcels,
    some: NDArray[np.int64],
    local: NDArray[Any],
    first: NDArray[np.int64],
    block: Block,
    lattice: Lattice,
    rule: PixelRule,
) -> BlockIndex:
    """Build the index of some of the parcels of a block."""
    numbers, straddles = parcels.parcel[some], parcels.straddles[some]
    pixels = pixel_weights(local, rule).moved(first)
    count = numbers.size
    total = np.bincount(pixels.parcel, weights=pixels.weight, minlength=count).astype(float)
    n_total = np.bincount(pixels.parcel, minlength=count).astype(np.int32)
    here = pixels.where(_inside(pixels, block))
    return BlockIndex(
        inner=_inner(here, block, numbers, ~straddles, total, n_total),
        straddling=_straddling(here, block, lattice, numbers, straddles, total, n_total),
    )


def _join_inner(pieces: Sequence[InnerPixels]) -> InnerPixels:
    """Put the parcels of pieces one after the other."""
    joined = _join(pieces)
    for name in ("run_start", "edge_start"):
        sizes = np.concatenate([np.diff(getattr(piece, name)) for piece in pieces])
        joined[name] = np.append(0, np.cumsum(sizes))
    return InnerPixels(**joined)


def _join_straddling(pieces: Sequence[StraddlingPixels]) -> StraddlingPixels:
    """Put the parcels of pieces one after the other."""
    joined = _join(pieces)
    before = np.cumsum([0, *(piece.parcel.size for piece in pieces)])
    owners = [piece.owner + first for piece, first in zip(pieces, before, strict=False)]
    return StraddlingPixels(**joined | {"owner": np.concatenate(owners).astype(np.int32)})


def _join(pieces: Sequence[Any]) -> dict[str, NDArray[Any]]:
    names = [field.name for field in fields(pieces[0])]
    return {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in names}


def _inside(pixels: PixelWeights, block: Block) -> NDArray[np.bool_]:
    row, column = pixels.row - block.row, pixels.column - block.column
    inside = (row >= 0) & (row < block.rows) & (column >= 0) & (column < block.columns)
    return np.asarray(inside)


def _cells(pixels: PixelWeights, block: Block) -> NDArray[np.int32]:
    cells = (pixels.row - block.row) * block.columns + (pixels.column - block.column)
    return cells.astype(np.int32)


def _inner(
    here: PixelWeights,
    block: Block,
    numbers: NDArray[np.int64],
    wanted: NDArray[np.bool_],
    total: NDArray[np.float64],
    n_total: NDArray[np.int32],
) -> InnerPixels:
    position = np.cumsum(wanted) - 1
    mine = here.where(wanted[here.parcel])
    whole, edge = mine.where(mine.weight == 1.0), mine.where(mine.weight != 1.0)
    size = int(wanted.sum())
    first, length = _runs(whole)
    return InnerPixels(
        parcel=numbers[wanted],
        total=total[wanted],
        n_total=n_total[wanted],
        run_start=_starts(position[whole.parcel[first]], size),
        run_cell=_cells(whole, block)[first],
        run_length=length,
        edge_start=_starts(position[edge.parcel], size),
        edge_cell=_cells(edge, block),
        edge_weight=edge.weight,
    )


def _runs(pixels: PixelWeights) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the first pixel and the length of each run along a row of one parcel."""
    breaks = np.diff(pixels.parcel, prepend=-1) != 0
    breaks |= np.diff(pixels.row, prepend=0) != 0
    breaks |= np.diff(pixels.column, prepend=0) != 1
    breaks[:1] = True
    first = np.flatnonzero(breaks)
    return first, np.diff(first, append=pixels.parcel.size).astype(np.int32)


def _starts(owner: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.searchsorted(owner, np.arange(size + 1)).astype(np.int64)


def _straddling(
    here: PixelWeights,
    block: Block,
    lattice: Lattice,
    numbers: NDArray[np.int64],
    wanted: NDArray[np.bool_],
    total: NDArray[np.float64],
    n_total: NDArray[np.int32],
) -> StraddlingPixels:
    mine = here.where(wanted[here.parcel])
    return StraddlingPixels(
        parcel=numbers[wanted],
        total=total[wanted],
        n_total=n_total[wanted],
        owner=(np.cumsum(wanted) - 1)[mine.parcel].astype(np.int32),
        cell=_cells(mine, block),
        order=mine.row.astype(np.int64) * lattice.shape[1] + mine.column,
        weight=mine.weight,
    )
