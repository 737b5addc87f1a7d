"""How many whole pixels parcels hold, and what that allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray
from pyproj import CRS

from cbmcube.exceptions import OptionError
from cbmcube.parcels._shape import Geometries, present
from cbmcube.parcels._source import PolygonSource
from cbmcube.parcels._whole import whole_cells

CLASSES = ("NONE", "POOR", "LIMITED", "GOOD")
"""Monitorability classes, from no whole pixel to enough of them."""

_LEAST = (1, 3, 8)
"""Whole pixels from which a parcel is POOR, LIMITED and GOOD.

8 whole Sentinel-2 pixels are quoted as the least of a recommendation of the Joint Research
Centre; 3 are the least that Sen4CAP accepts.
"""

_WHOLE = 1.0 - 1e-6
# Coverage comes in single precision: a cell short of 1 cm2 in 100 m2 counts as whole.
_COUNT = f"count(min_coverage_frac={_WHOLE},coverage_weight=none)"

_AT_ONCE = 50_000

BUFFER_STATUS = ("NONE", "OK", "EMPTIED")


def metric_crs(crs: Any) -> CRS:
    """Return a projected CRS in metres, or refuse the one given."""
    found = CRS.from_user_input(crs)
    metres = all(axis.unit_conversion_factor == 1.0 for axis in found.axis_info[:2])
    if not (found.is_projected and metres):
        raise OptionError(
            "grid_crs must be a projected coordinate reference system in metres",
            given=found.to_string(),
            hint="use the CRS of the images, such as 'EPSG:32632'",
        )
    return found


def utm_codes(degrees: Geometries) -> NDArray[np.int32]:
    """Return the EPSG code of the UTM zone of each centroid, given in degrees; 0 if empty.

    South-west Norway belongs to zone 32, as in the tiles of Sentinel-2.
    """
    found = present(degrees)
    middle = shapely.centroid(degrees[found])
    lon, lat = shapely.get_x(middle), shapely.get_y(middle)
    zone = np.clip(np.floor((lon + 180.0) / 6.0).astype(np.int32) + 1, 1, 60)
    zone[(lat >= 56.0) & (lat < 64.0) & (lon >= 3.0) & (lon < 12.0)] = 32
    codes = np.zeros(degrees.shape, np.int32)
    codes[found] = np.where(lat >= 0.0, 32600, 32700) + zone
    return codes


def count_whole(geometries: Geometries, spacing: float) -> NDArray[np.int32]:
    """Count the cells wholly inside each polygon, on the lattice through the origin.

    Parameters
    ----------
    geometries
        Valid polygons in metres.
    spacing
        Side of a cell, metres.
    """
    counts = np.zeros(geometries.shape, np.int32)
    kept = np.flatnonzero(present(geometries))
    if not kept.size:
        return counts
    counts[kept], doubtful = whole_cells(geometries[kept], spacing)
    doubted = kept[doubtful]
    if doubted.size:
        counts[doubted] = _count_exactly(geometries[doubted], spacing)
    return counts


def _count_exactly(geometries: Geometries, spacing: float) -> NDArray[np.int32]:
    """Count whole cells as exactextract sees them, to which all counts agree."""
    west, south, east, north = shapely.total_bounds(geometries)
    first = np.floor(np.array([west, south]) / spacing)
    last = np.floor(np.array([east, north]) / spacing) + 1.0
    columns, rows = (last - first).astype(int)
    # One stored byte stands for the whole lattice.
    lattice = NumPyRasterSource(
        np.broadcast_to(np.zeros(1, np.uint8), (rows, columns)),
        xmin=first[0] * spacing,
        ymin=first[1] * spacing,
        xmax=last[0] * spacing,
        ymax=last[1] * spacing,
    )
    found = exact_extract(
        lattice,
        PolygonSource(geometries),
        [_COUNT],
        output="pandas",
        strategy="feature-sequential",
    )
    return found.iloc[:, 0].to_numpy().astype(np.int32)


def classes(counts: NDArray[np.int32]) -> pd.Categorical[str]:
    """Return the monitorability class of each count, as an ordered categorical."""
    return categorical(np.searchsorted(_LEAST, counts, side="right"), CLASSES, ordered=True)


def categorical(
    codes: NDArray[Any], names: tuple[str, ...], *, ordered: bool = False
) -> pd.Categorical[str]:
    """Name codes."""
    positions: NDArray[np.integer[Any]] = codes.astype(np.int8)
    return pd.Categorical.from_codes(positions, categories=pd.Index(names), ordered=ordered)


def apply_buffer(
    geometries: Geometries, distance: float
) -> tuple[Geometries, NDArray[np.int8], NDArray[np.int32]]:
    """Buffer polygons that are in metres.

    Returns
    -------
    geometries, status, lost
        The buffered polygons; positions in `BUFFER_STATUS`; how many parts of each
        polygon left nothing.
    """
    status = np.zeros(geometries.shape, np.int8)
    lost = np.zeros(geometries.shape, np.int32)
    if distance == 0.0:
        return geometries, status, lost
    buffered = shapely.buffer(geometries, distance)
    there = present(geometries)
    status[there] = np.where(present(buffered)[there], 1, 2)
    if distance < 0.0:
        parts, owner = shapely.get_parts(geometries, return_index=True)
        gone = shapely.is_empty(shapely.buffer(parts, distance))
        lost += np.bincount(owner[gone], minlength=lost.size).astype(np.int32)
    return buffered, status, lost


def count_pixels(
    shapes: gpd.GeoSeries, applied: float, distances: Mapping[float, float], grids: Any
) -> dict[str, Any]:
    """Count whole pixels, in one CRS or in that of each parcel, given by EPSG codes.

    Parameters
    ----------
    shapes
        Valid polygons.
    applied
        Metres of the buffer whose effect is reported.
    distances
        For each resolution in metres, the buffer after which its pixels are counted.
    grids
        A CRS, or the EPSG code of each parcel, 0 if it has no geometry.

    Returns
    -------
    dict
        Columns ``buffer_status``, ``n_parts_lost`` and, for each resolution, a count and a class.
    """
    size = len(shapes)
    full = {spacing: np.zeros(size, np.int32) for spacing in distances}
    status, lost = np.zeros(size, np.int8), np.zeros(size, np.int32)
    for grid, here in _by_grid(grids, size):
        metric = shapes.iloc[here].to_crs(grid).to_numpy()
        buffered, status[here], lost[here] = apply_buffer(metric, applied)
        for spacing, distance in distances.items():
            narrowed = buffered if distance == applied else shapely.buffer(metric, distance)
            full[spacing][here] = count_whole(narrowed, spacing)
    return {
        "buffer_status": categorical(status, BUFFER_STATUS),
        "n_parts_lost": lost,
        **{f"n_full_{spacing:g}": counts for spacing, counts in full.items()},
        **{f"class_{spacing:g}m": classes(counts) for spacing, counts in full.items()},
    }


def _by_grid(grids: Any, size: int) -> Iterator[tuple[Any, NDArray[np.intp]]]:
    """Return parcels of one grid, few enough that their copies take little memory."""
    if isinstance(grids, np.ndarray):
        groups = [
            (int(code), np.flatnonzero(grids == code)) for code in np.unique(grids[grids > 0])
        ]
    else:
        groups = [(grids, np.arange(size))]
    for grid, here in groups:
        for start in range(0, here.size, _AT_ONCE):
            yield grid, here[start : start + _AT_ONCE]
