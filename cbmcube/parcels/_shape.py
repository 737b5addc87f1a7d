"""Validity, size and shape of parcels, on whole arrays of geometries."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from cbmcube.exceptions import ParcelsError
from cbmcube.parcels._check import some

Geometries = NDArray[Any]
"""Array of shapely geometries; missing ones are None."""

GEOM_STATUS = ("VALID", "REPAIRED", "REPAIRED_CHANGED", "EMPTY")
_VALID, _REPAIRED, _CHANGED, _EMPTY = range(4)

CHANGED_SHARE = 0.01
"""A repair that changes the area by more than this share is reported as a change."""

EUROPE = (-35.58, 24.6, 44.83, 84.73)
"""West, south, east and north of EPSG:3035, as the EPSG register gives its area of use."""

_PAIRS_AT_ONCE = 200_000

_FARTHEST = {True: 1e3, False: 1e9}
"""No degree is beyond the first and no coordinate of a map, in any unit, beyond the second."""


def present(geometries: Geometries) -> NDArray[np.bool_]:
    """Return which geometries are neither missing nor empty."""
    return ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))


def absurd(geometries: Geometries, *, geographic: bool) -> NDArray[np.bool_]:
    """Return which geometries have coordinates that are infinite, no numbers, or absurd."""
    points, owner = shapely.get_coordinates(geometries, return_index=True)
    # Also false for NaN.
    sound = (np.abs(points) <= _FARTHEST[geographic]).all(axis=1)
    wild = np.zeros(geometries.shape, np.bool_)
    wild[owner[~sound]] = True
    return wild


def count_types(geometries: Geometries) -> dict[str, int]:
    """Count geometries by type; missing and empty ones are counted as ``empty``."""
    there = present(geometries)
    kinds, counts = np.unique(shapely.get_type_id(geometries[there]), return_counts=True)
    found = {shapely.GeometryType(k).name: int(n) for k, n in zip(kinds, counts, strict=True)}
    return {**found, "empty": int((~there).sum())}


def keep_polygons(geometries: Geometries) -> tuple[Geometries, int]:
    """Reduce each geometry collection that has polygons to them; return how many there were.

    Collections without a polygon stay, to be refused with lines and points.
    """
    collections = np.flatnonzero(
        shapely.get_type_id(geometries) == shapely.GeometryType.GEOMETRYCOLLECTION
    )
    parts, owner = geometries[collections], np.arange(collections.size)
    # A collection may hold collections and MultiPolygons, which hold polygons.
    while (shapely.get_type_id(parts) > shapely.GeometryType.POLYGON).any():
        parts, inner = shapely.get_parts(parts, return_index=True)
        owner = owner[inner]
    polygons = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    reduced = np.unique(owner[polygons])
    kept = geometries.copy()
    if reduced.size:
        position = np.searchsorted(reduced, owner[polygons])
        kept[collections[reduced]] = shapely.multipolygons(parts[polygons], indices=position)
    return kept, int(reduced.size)


def duplicate_of(hashes: NDArray[np.object_], there: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the position of the first parcel with the same geometry; -1 if it is the first."""
    _, first, group = np.unique(hashes.astype(str), return_index=True, return_inverse=True)
    original = first[group]
    repeated = there & (original != np.arange(hashes.size))
    return np.where(repeated, original, -1)


def repair(geometries: Geometries) -> tuple[Geometries, NDArray[np.int8]]:
    """Make polygons valid and two-dimensional; return them and positions in `GEOM_STATUS`.

    Rings are mended one by one and then combined, which keeps both lobes of a bow-tie and
    the common area of overlapping parts. Lines and points that remain are left out.
    """
    flat = shapely.force_2d(geometries)
    status = np.full(flat.shape, _VALID, np.int8)
    broken = np.flatnonzero(present(flat) & ~shapely.is_valid(flat))
    if broken.size:
        before = shapely.area(flat[broken])
        flat[broken] = shapely.make_valid(flat[broken], method="structure", keep_collapsed=False)
        after = shapely.area(flat[broken])
        # NaN, from coordinates that are no numbers, is a change as well.
        small = np.abs(after - before) <= CHANGED_SHARE * np.maximum(after, before)
        status[broken] = np.where(small, _REPAIRED, _CHANGED)
    status[~present(flat)] = _EMPTY
    return flat, status


def to_degrees(parcels: gpd.GeoSeries) -> Geometries:
    """Return geometries in longitude and latitude, or refuse coordinates that have none."""
    degrees = parcels.to_crs("OGC:CRS84").to_numpy()
    bounds = np.abs(shapely.bounds(degrees))
    outside = ~(bounds <= (360.0, 90.0, 360.0, 90.0)).all(axis=1) & present(degrees)
    if outside.any():
        raise ParcelsError(
            f"the coordinates of {outside.sum():,} parcels do not fit the coordinate reference "
            "system of the parcels",
            given=f"{parcels.crs.to_string()}; parcels {some(parcels.index[outside])}",
            hint="state the CRS that the coordinates are in: "
            "parcels.set_crs('EPSG:...', allow_override=True)",
        )
    return degrees


def measuring_crs(degrees: Geometries) -> CRS:
    """Return the equal-area CRS in which to measure geometries that are given in degrees."""
    west, south, east, north = shapely.total_bounds(degrees)
    inside = west >= EUROPE[0] and south >= EUROPE[1] and east <= EUROPE[2] and north <= EUROPE[3]
    # Without any geometry the bounds are NaN, and nothing is measured.
    if inside or np.isnan(west):
        return CRS("EPSG:3035")
    middle = f"+lat_0={(south + north) / 2:.6f} +lon_0={(west + east) / 2:.6f}"
    return CRS(f"+proj=laea {middle} +datum=WGS84 +units=m +no_defs")


def shape_index(area: NDArray[np.float64], perimeter: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return P / (2 sqrt(pi A)): 1 for a circle, 1.128 for a square; NaN without area."""
    with np.errstate(divide="ignore", invalid="ignore"):
        index = perimeter / (2.0 * np.sqrt(np.pi * area))
    return np.where(area > 0.0, index, np.nan).astype(np.float32)


def side_ratio(geometries: Geometries) -> NDArray[np.float32]:
    """Return short by long side of the smallest rectangle around each polygon."""
    ratio = np.full(geometries.shape, np.nan, np.float32)
    rectangles = shapely.oriented_envelope(_near_origin(shapely.convex_hull(geometries)))
    # A polygon without width has a line around it, and no ratio.
    flat = np.flatnonzero(shapely.get_num_coordinates(rectangles) == 5)
    if flat.size:
        corners = shapely.get_coordinates(rectangles[flat]).reshape(-1, 5, 2)
        sides = np.linalg.norm(np.diff(corners[:, :3], axis=1), axis=2)
        ratio[flat] = sides.min(axis=1) / sides.max(axis=1)
    return ratio


def _near_origin(geometries: Geometries) -> Geometries:
    """Shift each geometry next to the origin.

    Sides of a few metres lose digits that count where coordinates are in the millions.
    """
    points, owner = shapely.get_coordinates(geometries, return_index=True)
    corner = shapely.bounds(geometries)[:, :2]
    return np.asarray(shapely.set_coordinates(geometries.copy(), points - corner[owner]))


def overlap_fraction(geometries: Geometries) -> NDArray[np.float32]:
    """Return the summed area shared with each other polygon over the own area.

    Where several others cover the same ground the share can exceed 1.
    """
    area = shapely.area(geometries)
    shared = np.zeros(geometries.shape, np.float64)
    left, right = shapely.STRtree(geometries).query(geometries, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    for start in range(0, left.size, _PAIRS_AT_ONCE):
        one, other = left[start : start + _PAIRS_AT_ONCE], right[start : start + _PAIRS_AT_ONCE]
        common = shapely.area(shapely.intersection(geometries[one], geometries[other]))
        shared += np.bincount(one, common, shared.size) + np.bincount(other, common, shared.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(area > 0.0, shared / area, np.nan).astype(np.float32)


def geometry_hash(geometries: Geometries) -> NDArray[np.object_]:
    """Return 16 hexadecimal digits that depend on the ground a polygon covers.

    The order of parts, the first vertex of a ring and its direction do not matter.
    """
    normal = shapely.to_wkb(shapely.normalize(geometries), output_dimension=2, byte_order=1)
    # Digests have no vectorised form; this takes about a microsecond a parcel.
    digests = [blake2b(wkb or b"", digest_size=8).hexdigest() for wkb in normal]
    return np.array(digests, dtype=object)
