"""How a cube is cut into blocks, and which blocks a source meets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pystac
from numpy.typing import NDArray
from odc.geo import geom
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox, GeoboxTiles

from cbmcube.cube.grids._grid import LATTICE_TOLERANCE
from cbmcube.cube.grids._sources import CubeGrid, Source
from cbmcube.exceptions import NoGridError, OptionError, TooLargeError

DEFAULT_BLOCK = 2048
"""Pixels along each side of a block of the finest grid of a CRS.

A multiple of the usual 256 and 512 pixel COG blocks, large enough that few parcels
straddle blocks and that the scheduler's share of the time is small.
"""
MANY_BLOCKS = 4096
"""Blocks of a band from which on one block holds several dates.

A season of a small country then has a few thousand tasks for each band, which are planned
in seconds; below it one date in a block keeps memory small.
"""
BLOCK_BYTES = 512 * 2**20
"""Most bytes that the blocks of all bands of one place take, at which dates stop growing.

Four of them, with the copy that a mask makes, fit into the 8 GB that workers commonly have.
"""
EDGE = 2
"""Source pixels added around a source that is warped: interpolation reaches beyond its edge."""
MOST_BLOCKS = 2**20
"""Most blocks of one band: a graph of more cannot be built or scheduled in useful time."""


@dataclass(frozen=True, slots=True)
class BlockSize:
    """Size of the blocks of one grid."""

    dates: int
    """Time steps."""
    side: int
    """Rows and columns, pixels of the grid."""


def block_sizes(grids: Sequence[CubeGrid], steps: Sequence[int], block: object) -> list[BlockSize]:
    """Return the block size of each grid; those of one CRS cover the same ground and dates.

    Parameters
    ----------
    grids
        The grids.
    steps
        Number of time steps of each grid.
    block
        Pixels along each side of a block of the finest grid of a CRS.

    Raises
    ------
    OptionError
        If `block` is not a positive whole number.
    TooLargeError
        If a band would be cut into more than `MOST_BLOCKS` blocks.
    """
    if not isinstance(block, int) or block < 1:
        raise OptionError("block must be a number of pixels", given=block, allowed="1 or more")
    systems = [CRS(grid.geobox.crs) for grid in grids]
    sides = []
    for grid, crs in zip(grids, systems, strict=True):
        mates = [g for g, other in zip(grids, systems, strict=True) if other == crs]
        finest = min(abs(mate.geobox.affine.a) for mate in mates)
        sides.append(max(1, math.floor(block * finest / abs(grid.geobox.affine.a) + 1e-6)))
    sizes = []
    for place, crs in enumerate(systems):
        mates_at = [n for n, other in enumerate(systems) if other == crs]
        places = max(_places(grids[n].geobox, sides[n]) for n in mates_at)
        planned = max(steps[n] for n in mates_at)
        date_bytes = sum(_date_bytes(grids[n], sides[n]) for n in mates_at)
        dates = _dates(places, planned, date_bytes)
        _require_blocks(grids[place], places * -(-planned // dates))
        sizes.append(BlockSize(dates, sides[place]))
    return sizes


def _dates(places: int, steps: int, date_bytes: int) -> int:
    """Return how many dates a block holds: one, until there would be `MANY_BLOCKS`."""
    wanted = -(-places * steps // MANY_BLOCKS)
    affordable = BLOCK_BYTES // date_bytes
    return max(1, min(wanted, affordable, steps))


def _date_bytes(grid: CubeGrid, side: int) -> int:
    rows, columns = grid.geobox.shape
    item_bytes = sum(1 if band.kind == "classes" else 4 for band in grid.bands)
    return min(side, rows) * min(side, columns) * item_bytes


def _places(geobox: GeoBox, side: int) -> int:
    rows, columns = geobox.shape
    return -(-rows // side) * -(-columns // side)


def _require_blocks(grid: CubeGrid, blocks: int) -> None:
    if blocks > MOST_BLOCKS:
        raise TooLargeError(
            f"grid {grid.name} would be cut into too many blocks",
            given=f"{blocks:,} blocks for each band",
            allowed=f"{MOST_BLOCKS:,}",
            hint="narrow the search in time or area, or pass a larger block=",
        )


class Blocks:
    """The blocks of a grid, asked again and again for sources of a few distinct grids."""

    __slots__ = ("_found", "_geobox", "_tiles")

    def __init__(self, geobox: GeoBox, side: int) -> None:
        self._geobox = geobox
        self._tiles = GeoboxTiles(geobox, (side, side))
        self._found: dict[GeoBox | str, tuple[tuple[int, int], ...]] = {}

    @property
    def tiles(self) -> GeoboxTiles:
        """The blocks as odc-loader takes them."""
        return self._tiles

    def met_by(self, source: Source) -> tuple[tuple[int, int], ...]:
        """Return row and column of every block that a source may have pixels in."""
        if source.geobox is None:
            name = source.item.id
            if name not in self._found:
                self._found[name] = tuple(self._tiles.tiles(_outline(source.item)))
            return self._found[name]
        if source.geobox not in self._found:
            self._found[source.geobox] = tuple(self._meet(source.geobox))
        return self._found[source.geobox]

    def _meet(self, source: GeoBox) -> Iterator[tuple[int, int]]:
        base = self._geobox
        if CRS(source.crs) != CRS(base.crs):
            yield from self._tiles.tiles(source.footprint(CRS(base.crs), buffer=EDGE))
            return
        # By pixel, not by geometry: exact, and without a test for each block.
        to_pixels = ~base.affine * source.affine
        rows, columns = source.shape
        corners = np.array([to_pixels * corner for corner in ((0, 0), (columns, rows))])
        side_y, side_x = self._tiles.chunk_shape((0, 0)).yx
        across = _overlapped(corners[:, 0], base.shape[1], side_x)
        for row in _overlapped(corners[:, 1], base.shape[0], side_y):
            for column in across:
                yield row, column


def _overlapped(ends: NDArray[np.float64], pixels: int, side: int) -> range:
    """Return the numbers of the blocks that an interval of pixels meets."""
    start, stop = max(ends.min() + LATTICE_TOLERANCE, 0.0), min(ends.max(), pixels)
    stop -= LATTICE_TOLERANCE
    return range(int(start // side), math.ceil(stop / side)) if start < stop else range(0)


def _outline(item: pystac.Item) -> geom.Geometry:
    if item.geometry is None:
        raise NoGridError(
            f"item {item.id!r} says neither which grid nor which ground its assets cover",
            allowed="projection metadata, or a geometry",
            hint="leave this item out, or pass read_headers=True",
        )
    return geom.Geometry(item.geometry, "EPSG:4326")
