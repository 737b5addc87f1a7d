"""The pixel index of one block: which of its pixels belong to which parcels.

An index is built once, for a block of a grid, a set of parcels and a pixel rule, and
serves every date and band. Parcels that lie in one block are finished there; of those
that straddle blocks the block only knows its own pixels, and one owner finishes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from cbmcube.zonal._coverage import PixelRule, PixelWeights, pixel_weights


@dataclass(frozen=True, slots=True)
class Lattice:
    """The pixel lattice of a grid: everything an index needs to know of it."""

    shape: tuple[int, int]
    """Rows and columns."""
    affine: tuple[float, float, float, float, float, float]
    """From (column, row) to ground coordinates of the CRS."""

    def to_pixels(self, geometries: NDArray[Any]) -> NDArray[Any]:
        """Transform ground coordinates to columns and upward rows."""
        inverse = ~Affine(*self.affine)

        def transform(ground: NDArray[np.float64]) -> NDArray[np.float64]:
            x, y = ground[:, 0], ground[:, 1]
            column = inverse.a * x + inverse.b * y + inverse.c
            row = inverse.d * x + inverse.e * y + inverse.f
            return np.column_stack([column, -row])

        return np.asarray(shapely.transform(geometries, transform))


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
class ParcelPixels:
    """Pixels of some parcels in one block, parcel by parcel and in raster order."""

    parcel: NDArray[np.int64]
    """Number of each parcel in the result."""
    start: NDArray[np.int64]
    """Where each parcel's pixels start, and the end of the last."""
    cells: NDArray[np.int64]
    """Position of each pixel in the flattened block."""
    order: NDArray[np.int64]
    """Position of each pixel in the flattened grid: the order across blocks."""
    weights: NDArray[np.float64]
    """Weight of each pixel."""
    total: NDArray[np.float64]
    """Weight of all pixels of each parcel, inside the grid or not."""
    n_total: NDArray[np.int64]
    """Number of all pixels of each parcel, inside the grid or not."""


@dataclass(frozen=True, slots=True)
class BlockIndex:
    """The pixel index of one block."""

    inner: ParcelPixels
    """Parcels that no other block holds."""
    straddling: ParcelPixels
    """The block's share of parcels that other blocks hold too."""


@dataclass(frozen=True, slots=True)
class BlockParcels:
    """The parcels that may have pixels in one block, small enough for a task graph."""

    wkb: Sequence[bytes]
    """Geometries in the CRS of the grid."""
    parcel: NDArray[np.int64]
    """Number of each parcel in the result."""
    straddles: NDArray[np.bool_]
    """Whether a parcel may have pixels in another block."""
    buffer: NDArray[np.float64]
    """Distance to widen (or narrow, if negative) each geometry, in units of the CRS."""


def build_index(
    parcels: BlockParcels, block: Block, lattice: Lattice, rule: PixelRule
) -> BlockIndex:
    """Build the index of one block; parcels are seen whole, whatever the block cuts off."""
    geometries = shapely.from_wkb(np.array(parcels.wkb, dtype=object))
    if parcels.buffer.any():
        geometries = shapely.buffer(geometries, parcels.buffer)
    pixels = pixel_weights(lattice.to_pixels(geometries), lattice.shape, rule)
    return BlockIndex(
        inner=_select(pixels, parcels, block, lattice, ~parcels.straddles),
        straddling=_select(pixels, parcels, block, lattice, parcels.straddles),
    )


def _select(
    pixels: PixelWeights,
    parcels: BlockParcels,
    block: Block,
    lattice: Lattice,
    wanted: NDArray[np.bool_],
) -> ParcelPixels:
    count = parcels.parcel.size
    row, column = pixels.row - block.row, pixels.column - block.column
    here = (row >= 0) & (row < block.rows) & (column >= 0) & (column < block.columns)
    here &= wanted[pixels.parcel]
    sizes = np.bincount(pixels.parcel[here], minlength=count)[wanted]
    total = np.bincount(pixels.parcel, weights=pixels.weight, minlength=count).astype(float)
    return ParcelPixels(
        parcel=parcels.parcel[wanted],
        start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        cells=row[here] * block.columns + column[here],
        order=pixels.row[here] * lattice.shape[1] + pixels.column[here],
        weights=pixels.weight[here],
        total=total[wanted],
        n_total=np.bincount(pixels.parcel, minlength=count)[wanted],
    )
