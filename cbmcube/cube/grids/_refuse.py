"""Items whose grid cannot be true: slant radar scenes, and rasters far from their footprint."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pystac
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from cbmcube.cube.grids._grid import geobox_bounds
from cbmcube.cube.grids._projection import item_crs
from cbmcube.exceptions import BadItemError, NoGridError, UnprojectedProductError

FOOTPRINT_MARGIN = 0.5
"""Degrees by which a raster may miss the footprint of its item: footprints are simplified, and
longitudes stretch towards the poles."""

_SLANT = frozenset({"GRD", "SLC"})
_POINTS = 21
"""Points along each side of a grid when its extent in degrees is found."""


def require_projected(item: pystac.Item) -> None:
    """Refuse radar scenes that were never put on a map grid.

    Some catalogues invent one from the bounding box of such a scene. Scenes of product
    type GRD or SLC with a projected CRS were put on a grid by their provider.

    Raises
    ------
    UnprojectedProductError
        If ``sar:product_type`` is GRD or SLC and no projected CRS is stated.
    """
    kind = str(item.properties.get("sar:product_type") or item.properties.get("product:type"))
    if kind.upper() not in _SLANT:
        return
    stated = {crs for key in (None, *item.assets) if (crs := item_crs(item, key))}
    if not any(CRS(crs).projected for crs in stated):
        raise UnprojectedProductError(
            f"item {item.id!r} is a radar scene in slant geometry, without a map grid",
            given=f"product type {kind}, {', '.join(sorted(stated)) or 'no CRS'}",
            allowed="products on a map grid: CARD-BS, SIG0, terrain-corrected backscatter (RTC)",
            hint="search a collection of one of these instead",
        )


def require_footprint(item: pystac.Item, key: str, geobox: GeoBox) -> None:
    """Refuse a grid that lies wholly away from where the item says it lies.

    Raises
    ------
    NoGridError
        If grid and footprint are more than `FOOTPRINT_MARGIN` degrees apart.
    BadItemError
        If the footprint holds numbers that are not finite.
    """
    outline = _footprint(item)
    if outline is None:
        return
    if not all(map(math.isfinite, outline)):
        raise BadItemError(
            f"item {item.id!r}: its footprint is not made of finite numbers",
            given=outline,
            hint="leave this item out, or mend it",
        )
    box = _degrees(geobox)
    if box is None or not _apart(box, outline):
        return
    raise NoGridError(
        f"item {item.id!r}, asset {key!r}: the grid lies away from the item's footprint",
        given=f"grid {_text(box)}; footprint {_text(outline)}",
        allowed=f"at most {FOOTPRINT_MARGIN:g} degrees between them",
        hint="correct the projection metadata or the geometry of the item",
    )


def _apart(box: tuple[float, ...], outline: tuple[float, ...]) -> bool:
    margin = FOOTPRINT_MARGIN
    if box[1] - margin > outline[3] or outline[1] - margin > box[3]:
        return True
    # Longitudes repeat every 360 degrees, and rasters at 180 degrees are written either way.
    turns = (-360.0, 0.0, 360.0)
    return all(
        box[0] + turn - margin > outline[2] or outline[0] - margin > box[2] + turn for turn in turns
    )


def _footprint(item: pystac.Item) -> tuple[float, ...] | None:
    """Return west, south, east and north of the item's geometry, degrees."""
    geometry = item.geometry or {}
    try:
        points = np.array(list(_points(geometry.get("coordinates") or ())), dtype=float)
    except (TypeError, ValueError, IndexError) as error:
        raise BadItemError(
            f"item {item.id!r}: its footprint is no geometry",
            given=str(geometry)[:200],
            hint="leave this item out, or mend it",
        ) from error
    if not points.size:
        return None
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def _points(coordinates: Any) -> Iterator[tuple[float, float]]:
    if coordinates and not isinstance(coordinates[0], list | tuple):
        yield float(coordinates[0]), float(coordinates[1])
        return
    for part in coordinates:
        yield from _points(part)


@lru_cache(maxsize=4096)
def _degrees(geobox: GeoBox) -> tuple[float, ...] | None:
    """Return the extent of a grid in degrees, ``None`` where a corner has no place on Earth.

    A grid across 180 degrees east has its west above its east turned by 360 degrees.
    """
    west, south, east, north = geobox_bounds(geobox)
    xs, ys = np.linspace(west, east, _POINTS), np.linspace(south, north, _POINTS)
    x = np.concatenate([xs, xs, np.full(_POINTS, west), np.full(_POINTS, east)])
    y = np.concatenate([np.full(_POINTS, south), np.full(_POINTS, north), ys, ys])
    longitude, latitude = _to_degrees(CRS(geobox.crs).to_wkt()).transform(x, y)
    if not (np.isfinite(longitude).all() and np.isfinite(latitude).all()):
        return None
    if np.ptp(longitude) > 180:
        longitude = longitude % 360
    return (
        float(longitude.min()),
        float(latitude.min()),
        float(longitude.max()),
        float(latitude.max()),
    )


@lru_cache(maxsize=64)
def _to_degrees(wkt: str) -> Transformer:
    return Transformer.from_crs(wkt, "EPSG:4326", always_xy=True)


def _text(bounds: tuple[float, ...]) -> str:
    west, south, east, north = bounds
    return f"{west:.3f} to {east:.3f} E, {south:.3f} to {north:.3f} N"
