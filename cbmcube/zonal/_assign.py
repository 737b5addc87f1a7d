"""Which grid a parcel is read on, and which blocks of that grid it meets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.crs import CRS

from cbmcube.zonal._index import Block
from cbmcube.zonal._node import Node
from cbmcube.zonal._parcels import BlockParcels

_STRIPE = 64
"""Rows of pixels within which parcels are taken from left to right: what lies close together
is read together, and the order does not depend on the user's."""


class Ground(Protocol):
    """Something that lies in a CRS and covers ground, such as a node of a cube."""

    @property
    def crs(self) -> CRS:
        """The CRS."""

    def footprint(self) -> Any:
        """Return the ground that is covered, as a geometry in the CRS."""


class Assignment:
    """Parcels, each given to one CRS of the cube, with geometries in that CRS.

    Attributes
    ----------
    choice : int64 array (parcel,)
        Position in `projected` of the CRS in which a parcel is read, -1 for none.
    projected : dict
        For each CRS, the geometries of all parcels in it.
    """

    __slots__ = ("choice", "projected")

    def __init__(self, parcels: gpd.GeoDataFrame, nodes: Sequence[Ground]) -> None:
        grounds = _footprints(nodes)
        self.projected: dict[CRS, NDArray[Any]] = {
            crs: np.asarray(parcels.geometry.to_crs(crs.proj).array, dtype=object)
            for crs in grounds
        }
        names = list(grounds)
        shares = np.stack(
            [_covered_share(self.projected[crs], grounds[crs]) for crs in names], axis=1
        )
        distances = _meridian_distances(parcels, names)
        # The largest share wins; between equals the CRS made for that longitude.
        best = np.lexsort((np.round(distances, 9), -np.round(shares, 9)), axis=1)[:, 0]
        self.choice = np.where(shares[np.arange(len(parcels)), best] > 0, best, -1)

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Parcels that no grid covers."""
        return np.asarray(self.choice < 0)

    def members(self, node: Ground) -> NDArray[np.int64]:
        """Return the numbers of the parcels that are read on this node's grid."""
        return np.flatnonzero(self.choice == list(self.projected).index(node.crs))


def _footprints(nodes: Sequence[Ground]) -> dict[CRS, Any]:
    grounds: dict[CRS, Any] = {}
    for node in nodes:
        crs = node.crs
        ground = node.footprint()
        grounds[crs] = shapely.union(grounds[crs], ground) if crs in grounds else ground
    return grounds


def _covered_share(geometries: NDArray[Any], ground: Any) -> NDArray[np.float64]:
    """Return which share of each geometry lies on `ground`; degenerate ones by contact."""
    shapely.prepare(ground)
    share = shapely.contains(ground, geometries).astype(float)
    partly = np.flatnonzero(share == 0)
    partly = partly[shapely.intersects(ground, geometries[partly])]
    # Invalid ones have no area to speak of, and are refused before anything is computed.
    valid = shapely.is_valid(geometries[partly])
    share[partly[~valid]] = 1.0
    partly = partly[valid]
    area = shapely.area(geometries[partly])
    common = shapely.area(shapely.intersection(geometries[partly], ground))
    share[partly] = np.divide(common, area, out=np.zeros_like(area), where=area > 0)
    return share


def _meridian_distances(parcels: gpd.GeoDataFrame, systems: Sequence[CRS]) -> NDArray[np.float64]:
    """Return how far, in degrees, parcels lie from the middle of each CRS's area of use."""
    distances = np.zeros((len(parcels), len(systems)))
    if len(systems) == 1:  # nothing to choose between
        return distances
    bounds = parcels.geometry.to_crs("EPSG:4326").bounds
    middle = ((bounds["minx"] + bounds["maxx"]) / 2).to_numpy()
    for number, crs in enumerate(systems):
        area = crs.proj.area_of_use
        if area is not None:
            distances[:, number] = np.abs(middle - (area.west + area.east) / 2)
    return np.nan_to_num(distances)


def block_parcels(
    node: Node, geometries: NDArray[Any], numbers: NDArray[np.int64], buffer: NDArray[np.float64]
) -> Iterator[tuple[int, int, Block, BlockParcels]]:
    """Yield every block of a node that parcels may meet, with those parcels.

    Parameters
    ----------
    node
        The grid and its chunks.
    geometries, buffer
        All parcels, in the CRS of the grid.
    numbers
        The parcels that are read on this grid.
    """
    numbers = numbers[
        ~(shapely.is_empty(geometries[numbers]) | shapely.is_missing(geometries[numbers]))
    ]
    window = _pixel_windows(node, geometries[numbers], np.maximum(buffer[numbers], 0.0))
    near = np.lexsort((window[:, 2], window[:, 0] // _STRIPE))
    numbers, window = numbers[near], window[near]
    _, rows, columns = node.chunks
    first_i, last_i = _chunk_range(window[:, 0], window[:, 1], rows)
    first_j, last_j = _chunk_range(window[:, 2], window[:, 3], columns)
    straddles = (first_i != last_i) | (first_j != last_j)
    blocks = {(i, j): block for i, j, block in node.blocks()}
    for (i, j), here in _members(first_i, last_i, first_j, last_j, len(columns)):
        yield (
            i,
            j,
            blocks[i, j],
            BlockParcels(
                geometries=geometries[numbers[here]],
                parcel=numbers[here],
                straddles=straddles[here],
                buffer=buffer[numbers[here]],
            ),
        )


def _members(
    first_i: NDArray[np.int64],
    last_i: NDArray[np.int64],
    first_j: NDArray[np.int64],
    last_j: NDArray[np.int64],
    columns: int,
) -> Iterator[tuple[tuple[int, int], NDArray[np.int64]]]:
    """Yield each block that the ranges of blocks meet, with the positions of those ranges."""
    high, wide = np.maximum(last_i - first_i + 1, 0), np.maximum(last_j - first_j + 1, 0)
    size = high * wide
    owner = np.repeat(np.arange(size.size), size)
    within = np.arange(owner.size) - np.repeat(np.cumsum(size) - size, size)
    i = first_i[owner] + within // wide[owner]
    block = i * columns + first_j[owner] + within % wide[owner]
    if not owner.size:
        return
    order = np.argsort(block, kind="stable")
    met, starts = np.unique(block[order], return_index=True)
    for number, here in zip(met, np.split(owner[order], starts[1:]), strict=True):
        yield divmod(int(number), columns), here


def _pixel_windows(
    node: Node, geometries: NDArray[Any], widen: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return first and last row and column of each parcel, one pixel on the safe side."""
    bounds = shapely.bounds(geometries)
    bounds += np.stack([-widen, -widen, widen, widen], axis=1)
    inverse = ~node.geobox.affine
    columns = bounds[:, [0, 2]] * inverse.a + inverse.c
    rows = bounds[:, [1, 3]] * inverse.e + inverse.f
    return np.stack(
        [
            np.floor(rows.min(axis=1)) - 1,
            np.floor(rows.max(axis=1)) + 1,
            np.floor(columns.min(axis=1)) - 1,
            np.floor(columns.max(axis=1)) + 1,
        ],
        axis=1,
    )


def _chunk_range(
    first: NDArray[np.float64], last: NDArray[np.float64], sizes: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and last chunk that each pixel interval meets; none if outside."""
    ends = np.cumsum(sizes)
    lower = np.searchsorted(ends, first, side="right")
    upper = np.minimum(np.searchsorted(ends, last, side="right"), len(sizes) - 1)
    upper[last < 0] = -1
    return lower, upper
