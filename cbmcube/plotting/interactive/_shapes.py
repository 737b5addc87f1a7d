"""Shapes of parcels as a browser's graphics card takes them: one flat array of coordinates."""

from __future__ import annotations

import json
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

GEOGRAPHIC = pyproj.CRS(4326)
_STEPS = 2.0**23
"""Steps to a degree: 13 mm on the ground. Bits beyond are noise, which does not compress."""
_WIDTH = 700
"""Width in pixels that a map in a notebook has, or more."""
_CLOSEST = 17.0
CHUNK = 20_000
"""Shapes in one message; told, as a layer whose table changes keeps what it found at first."""
TILE = 512  # pixels of the whole Earth at zoom 0


def shapes_table(parcels: gpd.GeoDataFrame) -> Any:
    """Return polygons as a GeoArrow table in longitude and latitude.

    Coordinates are converted as one array: shapely objects in between cost most of the time.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and only this needs it

    kind, ground, offsets = shapely.to_ragged_array(parcels.geometry.to_numpy(), include_z=False)
    array = pa.FixedSizeListArray.from_arrays(pa.array(_degrees(ground, parcels.crs).ravel()), 2)
    for offset in offsets:
        array = pa.ListArray.from_arrays(pa.array(offset.astype("int32")), array)
    crs = {"crs": GEOGRAPHIC.to_json_dict(), "crs_type": "projjson"}
    told = {
        "ARROW:extension:name": f"geoarrow.{kind.name.lower()}",
        "ARROW:extension:metadata": json.dumps(crs),
    }
    return pa.Table.from_arrays(
        [array], schema=pa.schema([pa.field("geometry", array.type, metadata=told)])
    )


def _degrees(ground: NDArray[np.float64], crs: pyproj.CRS) -> NDArray[np.float64]:
    convert = pyproj.Transformer.from_crs(crs, GEOGRAPHIC, always_xy=True)
    x, y = convert.transform(ground[:, 0], ground[:, 1])
    return np.round(np.column_stack([x, y]) * _STEPS) / _STEPS


def position_at(parcels: gpd.GeoDataFrame, longitude: float, latitude: float) -> int | None:
    """Return the position of the parcel at a place, or None.

    Layers tell which shape was clicked, too; lonboard 0.16 never tells of the first one.
    """
    place = gpd.GeoSeries.from_xy([longitude], [latitude], crs=GEOGRAPHIC)
    found = parcels.sindex.query(place.to_crs(parcels.crs).iloc[0], predicate="intersects")
    return int(found.min()) if found.size else None


def corners_of(table: Any) -> NDArray[np.float64]:
    """Return the extent of a table of shapes, (2, 2): its corners in degrees."""
    flat = table["geometry"].combine_chunks()
    while flat.type.num_fields:
        flat = flat.flatten()
    points = flat.to_numpy().reshape(-1, 2)
    return np.array([points.min(axis=0), points.max(axis=0)])


def view_of(corners: NDArray[np.float64], *, height: int) -> dict[str, Any]:
    """Return the view that just holds an extent, in a map of a notebook."""
    (west, south), (east, north) = corners
    bottom, top = mercator(np.array([south, north]))
    wide = max((east - west) / 360, 1e-12) * TILE / (0.9 * _WIDTH)
    high = max(top - bottom, 1e-12) * TILE / (0.9 * height)
    middle = np.degrees(np.arctan(np.sinh((top + bottom) * np.pi)))
    zoom = float(np.clip(-np.log2(max(wide, high)), 0, _CLOSEST))
    return {"longitude": float(west + east) / 2, "latitude": float(middle), "zoom": zoom}


def mercator(latitude: Any) -> Any:
    """Return the northing of latitudes, in widths of the whole map."""
    bounded = np.radians(np.clip(latitude, -85, 85))
    return np.arcsinh(np.tan(bounded)) / (2 * np.pi)


def polygon_layer(
    table: Any, rgba: NDArray[np.uint8], *, pickable: bool, visible: bool = True
) -> Any:
    """Return the layer of coloured shapes; those that are pickable have borders."""
    from lonboard import PolygonLayer  # noqa: PLC0415 - an extra

    return PolygonLayer(
        table,
        _rows_per_chunk=CHUNK,
        get_fill_color=rgba,
        get_line_color=[40, 40, 40, 200],
        get_line_width=0.5,
        line_width_min_pixels=0.6,
        pickable=pickable,
        stroked=pickable,
        auto_highlight=pickable,
        visible=visible,
    )
