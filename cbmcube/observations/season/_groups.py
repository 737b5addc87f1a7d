"""Parcels that lie together: what one unit of work reads, and the window it is read in."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from cbmcube.cube import CubeGrid, source_bounds
from cbmcube.observations.season._recipe import Recipe
from cbmcube.zonal import Assignment

WINDOW_BYTES = 640 * 2**20
"""Most bytes that the pixels of a window take: with the libraries, a worker stays under 1.5 GiB."""
INDEX_BYTES = 8
"""Bytes in memory for each pixel of a parcel: the index while it is built, and gathered values."""
SMALL_BLOCK = 1024
"""Pixels along each side of the blocks in which a window of few parcels is read."""


@dataclass(frozen=True, slots=True)
class Group:
    """Parcels of one CRS that lie together."""

    number: int
    """Position among the groups."""
    members: NDArray[np.int64]
    """Positions of the parcels, in the user's order."""
    geometries: NDArray[Any]
    """The parcels in the CRS of the grids."""
    crs: CRS
    """CRS of the grids on which the parcels are read."""
    windows: Mapping[str, GeoBox]
    """For each grid of the CRS, the pixels that the parcels may have."""
    digest: str
    """A hash of everything about the parcels that changes a number, and of their ids."""


@dataclass(frozen=True, slots=True)
class _System:
    """The grids of one CRS."""

    crs: CRS
    grids: tuple[CubeGrid, ...]

    def footprint(self) -> Any:
        """Return the ground that the sources of all grids cover."""
        boxes = {bounds for grid in self.grids for bounds in source_bounds(grid)}
        return shapely.union_all(shapely.box(*np.array(sorted(boxes), dtype=float).T))


def group_parcels(
    parcels: gpd.GeoDataFrame,
    grids: Sequence[CubeGrid],
    widen: NDArray[np.float64],
    *,
    most_parcels: int,
    most_pixels: int,
) -> list[Group]:
    """Give each parcel to one CRS, as `reduce_parcels` does, and part those of each CRS.

    Parameters
    ----------
    parcels
        Checked parcels.
    grids
        Native grids of all items.
    widen
        Distance for each parcel by which its geometry is widened; negative narrows it.
    most_parcels, most_pixels
        What a group may hold, and what its window on the finest grid may cover.

    Returns
    -------
    list of Group
        Parcels outside every grid, and those without geometry, are in none.
    """
    systems = _systems(grids)
    assignment = Assignment(parcels, systems)
    groups: list[Group] = []
    for system in systems:
        geometries = assignment.projected[system.crs]
        members = assignment.members(system)
        members = members[~(shapely.is_missing(geometries) | shapely.is_empty(geometries))[members]]
        if not members.size:
            continue
        bounds = shapely.bounds(geometries[members])
        bounds += np.maximum(widen[members], 0.0)[:, None] * (-1, -1, 1, 1)
        finest = min(abs(g.geobox.affine.a * g.geobox.affine.e) for g in system.grids)
        for some in _split(bounds, most_parcels, most_pixels * finest):
            extent = (*bounds[some, :2].min(axis=0), *bounds[some, 2:].max(axis=0))
            here = np.sort(members[some])
            groups.append(
                Group(
                    number=len(groups),
                    members=here,
                    geometries=geometries[here],
                    crs=system.crs,
                    windows=_windows(system.grids, extent),
                    digest=_digest(parcels.index[here], geometries[here], widen[here], system.crs),
                )
            )
    return groups


def _systems(grids: Sequence[CubeGrid]) -> list[_System]:
    """Return grids by CRS, in the order in which `reduce_parcels` sees them."""
    by_crs: dict[CRS, list[CubeGrid]] = {}
    for grid in sorted(grids, key=lambda g: (abs(g.geobox.affine.a * g.geobox.affine.e), g.name)):
        by_crs.setdefault(CRS(grid.geobox.crs), []).append(grid)
    return [_System(crs, tuple(found)) for crs, found in by_crs.items()]


def _split(
    bounds: NDArray[np.float64], most_parcels: int, most_area: float
) -> Iterator[NDArray[np.int64]]:
    """Cut parcels across the longer side of their ground until each part is small enough.

    The cut leaves on each side a whole number of parts, so that parts come out about full.
    """
    waiting = [np.arange(len(bounds))]
    while waiting:
        some = waiting.pop()
        west, south = bounds[some, :2].min(axis=0)
        east, north = bounds[some, 2:].max(axis=0)
        wide, high = east - west, north - south
        by_area = math.ceil(wide * high / most_area)
        parts = min(some.size, max(math.ceil(some.size / most_parcels), by_area))
        if parts <= 1:
            yield some
            continue
        low = 0 if wide >= high else 1
        middle = bounds[some, low] + bounds[some, low + 2]
        order = np.argsort(middle, kind="stable")
        cut = some.size * (parts // 2) // parts
        waiting += [some[order[cut:]], some[order[:cut]]]


def _windows(grids: Sequence[CubeGrid], extent: Sequence[float]) -> dict[str, GeoBox]:
    """Return the pixels of each grid around an extent, on the same ground, inside the grid."""
    coarsest = max(grids, key=lambda grid: abs(grid.geobox.affine.a))
    ground = _cut(coarsest.geobox, extent, margin=1).boundingbox.bbox
    return {grid.name: _cut(grid.geobox, ground, margin=0) for grid in grids}


def _cut(geobox: GeoBox, extent: Sequence[float], *, margin: int) -> GeoBox:
    inverse = ~geobox.affine
    corners = np.array([inverse * corner for corner in (extent[:2], extent[2:])])
    corners = np.round(corners, 6)  # what is meant to be a whole pixel is one
    size = np.array([geobox.shape[1], geobox.shape[0]])
    first = np.clip(np.floor(corners.min(axis=0)) - margin, 0, size - 1).astype(int)
    last = np.clip(np.ceil(corners.max(axis=0)) + margin, first + 1, size).astype(int)
    return geobox[first[1] : last[1], first[0] : last[0]]


def _digest(ids: Any, geometries: NDArray[Any], widen: NDArray[np.float64], crs: CRS) -> str:
    found = hashlib.sha256(f"{crs.to_wkt()}\n".encode())
    found.update("\n".join(map(repr, ids.tolist())).encode())
    found.update(b"".join(shapely.to_wkb(geometries)))  # WKB says itself where it ends
    found.update(widen.astype("<f8").tobytes())
    return found.hexdigest()


def pixel_bytes(recipe: Recipe) -> int:
    """Return the bytes that a pixel of a window takes while a unit is computed.

    All bands, decoded, and indices; one of them again while it is masked or combined, and one while
    it is read; the mask; and the pixel index.
    """
    bands = [1 if recipe.product.band(name).kind == "classes" else 4 for name in recipe.read]
    made = 4 * len(recipe.indices)
    return sum(bands) + made + 2 * max(bands) + (1 if recipe.mask else 0) + INDEX_BYTES


def block_side(windows: Mapping[str, GeoBox], parcels: int) -> int:
    """Return the chunk size at which the finest window is read.

    All of it at once, since each block decodes what its neighbours' edges share with it; or, where
    most small blocks hold no parcel and need not be read, in small blocks.
    """
    rows, columns = max((box.shape for box in windows.values()), key=lambda s: s[0] * s[1])
    small = math.ceil(rows / SMALL_BLOCK) * math.ceil(columns / SMALL_BLOCK)
    return max(rows, columns) if 2 * parcels >= small else SMALL_BLOCK
