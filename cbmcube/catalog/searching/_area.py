"""The area of a search: what the server is asked for, and what is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
import shapely.geometry

from cbmcube.catalog.filters import Json, as_geojson
from cbmcube.catalog.searching._outline import outlines
from cbmcube.exceptions import MissingCRSError, OptionError

_SAMPLE = 256
"""Parts tried first: where most parts lie inside a footprint, one of them settles it."""


@dataclass(frozen=True, slots=True)
class Area:
    """An area in longitude and latitude."""

    outlines: tuple[shapely.Geometry, ...]
    """What a server is asked for, one search each: the area, or simpler shapes that contain it."""
    parts: Sequence[shapely.Geometry]
    """The true area, in parts."""
    tree: shapely.STRtree
    """Index of `parts`."""

    def meets(self, footprint: shapely.Geometry) -> bool:
        """Tell whether a footprint shares a point with the true area."""
        shapely.prepare(footprint)
        step = max(1, len(self.parts) // _SAMPLE)
        if shapely.intersects(footprint, self.parts[::step]).any():
            return True
        return bool(self.tree.query(footprint, predicate="intersects").size)

    def asks_for(self, footprint: shapely.Geometry) -> bool:
        """Tell whether a footprint shares a point with what a server is asked for."""
        return any(shapely.intersects(outline, footprint) for outline in self.outlines)

    def conditions(self) -> tuple[Json, ...]:
        """Write each outline as CQL2-JSON."""
        where = {"property": "geometry"}
        return tuple(
            {"op": "s_intersects", "args": [where, as_geojson(outline)]}
            for outline in self.outlines
        )

    def __str__(self) -> str:
        sides = shapely.total_bounds(self.outlines)
        return "area within " + " ".join(f"{side:.5g}" for side in sides)


def parse_area(given: Any) -> Area:
    """Read an area: box, geometry, GeoJSON, or parcels in any CRS.

    Raises
    ------
    MissingCRSError
        If parcels state no CRS.
    OptionError
        If it cannot be read, is empty, or is not in longitude and latitude.
    """
    parts = np.atleast_1d(np.asarray(_parts(given), dtype=object))
    parts = parts[~(shapely.is_missing(parts) | shapely.is_empty(parts))]
    if not parts.size:
        raise OptionError(
            "the area of the search is empty", given=_short(given), hint="pass at least one shape"
        )
    if shapely.has_z(parts).any():
        parts = shapely.force_2d(parts)
    _check_degrees(shapely.total_bounds(parts), given)
    invalid = ~shapely.is_valid(parts)
    if invalid.any():
        parts = parts.copy()
        parts[invalid] = shapely.make_valid(parts[invalid])
    found = outlines(parts)
    shapely.prepare(np.asarray(found))
    return Area(found, parts, shapely.STRtree(parts))


def _parts(given: Any) -> Any:
    if isinstance(given, (gpd.GeoDataFrame, gpd.GeoSeries)):
        if given.crs is None:
            raise MissingCRSError(
                "the area of the search states no coordinate reference system",
                given=f"{type(given).__name__} of {len(given)} shapes",
                hint="set it with .set_crs(…) if you know it",
            )
        return given.geometry.to_crs(4326).to_numpy()
    if isinstance(given, shapely.Geometry):
        return [given]
    if isinstance(given, Mapping):
        return _geojson(given)
    try:
        west, south, east, north = (float(side) for side in given)
    except (TypeError, ValueError) as error:
        raise _unreadable(given) from error
    if not (west < east and south < north):
        raise OptionError(
            "the box of the search has no extent",
            given=_short(given),
            allowed="(west, south, east, north) in degrees, with west < east and south < north",
            hint="search twice for a box across the antimeridian",
        )
    return [shapely.box(west, south, east, north)]


def _geojson(given: Mapping[str, Any]) -> list[shapely.Geometry]:
    try:
        if given.get("type") == "FeatureCollection":
            return [one for feature in given["features"] for one in _geojson(feature)]
        if given.get("type") == "Feature":
            given = given["geometry"]
        return [shapely.geometry.shape(dict(given))]
    except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
        raise _unreadable(given) from error


def _check_degrees(bounds: Any, given: Any) -> None:
    west, south, east, north = bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise OptionError(
            "the area of the search is not in longitude and latitude",
            given=_short(given),
            allowed="longitude -180 to 180, latitude -90 to 90",
            hint="pass a GeoDataFrame or GeoSeries with its CRS: it is transformed",
        )


def _unreadable(given: Any) -> OptionError:
    return OptionError(
        "the area of the search cannot be read",
        given=_short(given),
        allowed="(west, south, east, north) in degrees, a shapely geometry, GeoJSON, a "
        "GeoDataFrame or GeoSeries",
    )


def _short(given: Any) -> str:
    return f"{type(given).__name__}: {str(given)[:120]}"
