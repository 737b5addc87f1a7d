"""Repair, measure and classify parcels before they meet images."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.parcels._check import check_parcels
from cbmcube.parcels._pixels import (
    BUFFER_STATUS,
    apply_buffer,
    categorical,
    classes,
    count_whole,
    metric_crs,
    utm_codes,
)
from cbmcube.parcels._shape import (
    CHANGED_SHARE,
    GEOM_STATUS,
    Geometries,
    geometry_hash,
    measuring_crs,
    overlap_fraction,
    present,
    repair,
    shape_index,
    side_ratio,
    to_degrees,
)
from cbmcube.warnings import RepairedParcelsWarning


def prepare_parcels(
    parcels: gpd.GeoDataFrame, *, buffer: float = 0.0, grid_crs: Any = None
) -> gpd.GeoDataFrame:
    """Repair, measure and classify parcels.

    Parameters
    ----------
    parcels
        Polygons or MultiPolygons in any CRS, as `read_parcels` returns them.
    buffer
        Metres by which the polygons are widened, or with a negative number narrowed,
        before pixels are counted. The geometries stay as declared: `reduce_parcels`
        applies the buffer in the CRS of each image. Default 0. Half a pixel inwards
        (-5.0 at 10 m) keeps the surroundings of a parcel out of its statistics.
    grid_crs
        The CRS of the images in which whole pixels are counted, projected and in metres.
        By default the UTM zone of each parcel's centroid.

    Returns
    -------
    geopandas.GeoDataFrame
        A copy with the index ``parcel``, valid two-dimensional geometries in the CRS that
        was given, and these columns, which replace older ones of the same name:

        ``geom_status``
            ``VALID``; ``REPAIRED``; ``REPAIRED_CHANGED``, if the repair changed the area by
            more than 1 %; ``EMPTY``, if there is no geometry.
        ``area_m2``, ``perimeter_m``
            In the equal-area CRS EPSG:3035 if all parcels lie in its area of use
            (35.58 W to 44.83 E, 24.6 N to 84.73 N), else in a Lambert azimuthal equal-area
            projection about the middle of the parcels. 0 for empty geometries.
        ``shape_index``
            P / (2 sqrt(pi A)): circle 1, square 1.128, rectangle of 4:1 1.410.
        ``side_ratio``
            Short by long side of the smallest rectangle around the parcel, 0 to 1.
        ``overlap_frac``
            Area shared with other parcels over the own area. Above 0.1 the declaration
            deserves a look.
        ``buffer_m``
            `buffer`.
        ``buffer_status``
            ``NONE``, if no buffer was asked for or there is no geometry; ``OK``;
            ``EMPTIED``, if nothing is left of the parcel.
        ``n_parts_lost``
            Parts of a MultiPolygon of which the buffer leaves nothing.
        ``n_full_10``, ``n_full_20``
            Whole cells of 10 m and 20 m inside the buffered parcel, on the lattice through
            the origin of the CRS, on which Sentinel-2 and CARD images lie.
        ``class_10m``, ``class_20m``
            ``GOOD`` from 8 whole pixels, ``LIMITED`` from 3, ``POOR`` from 1, else ``NONE``;
            ordered.
        ``geom_hash``
            16 hexadecimal digits, equal for parcels that cover the same ground.

    Raises
    ------
    ParcelsError
        `parcels` cannot be used; see `check_parcels`. Or coordinates do not fit the CRS.
    OptionError
        `buffer` is not a finite number, or `grid_crs` is not projected in metres.

    Warns
    -----
    RepairedParcelsWarning
        Some geometries were repaired or are empty.

    Notes
    -----
    The shape index is the one of Sen4CAP; half of the form P / sqrt(pi A). 8 whole pixels
    are quoted as a recommendation of the Joint Research Centre, 3 are the least that
    Sen4CAP accepts.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import box
    >>> from cbmcube.parcels import prepare_parcels
    >>> field = box(500_000, 5_500_000, 500_100, 5_500_100)
    >>> fields = gpd.GeoDataFrame(geometry=[field], index=["a"], crs="EPSG:32632")
    >>> prepare_parcels(fields, buffer=-5.0)[["n_full_10", "class_10m", "n_full_20"]]
            n_full_10 class_10m  n_full_20
    parcel
    a              64      GOOD          9
    """
    if not np.isfinite(buffer):
        raise OptionError("buffer must be a finite number of metres", given=buffer)
    grid = None if grid_crs is None else metric_crs(grid_crs)
    clean = check_parcels(parcels)
    geometries, status = repair(clean.geometry.to_numpy())
    _warn_of_repairs(status)
    shapes = gpd.GeoSeries(geometries, index=clean.index, crs=clean.crs)
    degrees = to_degrees(shapes)
    codes = utm_codes(degrees) if grid is None else grid
    columns: dict[str, Any] = {
        clean.active_geometry_name: shapes,
        "geom_status": categorical(status, GEOM_STATUS),
        **_measure(shapes, degrees),
        "buffer_m": np.full(len(clean), buffer, np.float64),
        **_count_pixels(shapes, buffer, codes),
        "geom_hash": geometry_hash(geometries),
    }
    return clean.copy().assign(**columns)


def _warn_of_repairs(status: NDArray[np.int8]) -> None:
    counts = dict(zip(GEOM_STATUS, np.bincount(status, minlength=len(GEOM_STATUS)), strict=True))
    repaired = counts["REPAIRED"] + counts["REPAIRED_CHANGED"]
    if not (repaired or counts["EMPTY"]):
        return
    warnings.warn(
        f"of {status.size:,} parcels, {repaired:,} had an invalid geometry that was repaired "
        f"({counts['REPAIRED_CHANGED']:,} changed in area by more than {CHANGED_SHARE:.0%}) and "
        f"{counts['EMPTY']:,} have none; the column geom_status tells which",
        RepairedParcelsWarning,
        stacklevel=3,
    )


def _measure(shapes: gpd.GeoSeries, degrees: Geometries) -> dict[str, Any]:
    metric = shapes.to_crs(measuring_crs(degrees)).to_numpy()
    # A missing geometry covers no ground, as an empty one does.
    there = present(metric)
    area = np.where(there, shapely.area(metric), 0.0)
    perimeter = np.where(there, shapely.length(metric), 0.0)
    return {
        "area_m2": area,
        "perimeter_m": perimeter,
        "shape_index": shape_index(area, perimeter),
        "side_ratio": side_ratio(metric),
        "overlap_frac": overlap_fraction(metric),
    }


def _count_pixels(shapes: gpd.GeoSeries, buffer: float, grids: Any) -> dict[str, Any]:
    """Count whole pixels, in one CRS or in that of each parcel, given by EPSG codes."""
    size = len(shapes)
    full = {10: np.zeros(size, np.int32), 20: np.zeros(size, np.int32)}
    status, lost = np.zeros(size, np.int8), np.zeros(size, np.int32)
    for grid, here in _by_grid(grids, size):
        metric = shapes.iloc[here].to_crs(grid).to_numpy()
        buffered, status[here], lost[here] = apply_buffer(metric, buffer)
        for spacing, counts in full.items():
            counts[here] = count_whole(buffered, float(spacing))
    return {
        "buffer_status": categorical(status, BUFFER_STATUS),
        "n_parts_lost": lost,
        **{f"n_full_{spacing}": counts for spacing, counts in full.items()},
        **{f"class_{spacing}m": classes(counts) for spacing, counts in full.items()},
    }


def _by_grid(grids: Any, size: int) -> Iterator[tuple[Any, NDArray[np.intp]]]:
    if not isinstance(grids, np.ndarray):
        yield grids, np.arange(size)
        return
    for code in np.unique(grids[grids > 0]):
        yield int(code), np.flatnonzero(grids == code)
