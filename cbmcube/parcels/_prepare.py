"""Repair, measure and classify parcels before they meet images."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from cbmcube.exceptions import OptionError
from cbmcube.parcels._check import check_parcels
from cbmcube.parcels._pixels import categorical, count_pixels, metric_crs, utm_codes
from cbmcube.parcels._report import find_problems, remember
from cbmcube.parcels._shape import (
    CHANGED_SHARE,
    GEOM_STATUS,
    Geometries,
    duplicate_of,
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

HALF_PIXEL = "half_pixel"

_COUNTED = re.compile(r"n_full_[\d.]+|class_[\d.]+m")


def prepare_parcels(
    parcels: gpd.GeoDataFrame,
    *,
    buffer: float | Literal["half_pixel"] = 0.0,
    grid_crs: Any = None,
    resolutions: Sequence[float] = (10.0, 20.0),
) -> gpd.GeoDataFrame:
    """Repair, measure and classify parcels.

    Parameters
    ----------
    parcels
        Polygons or MultiPolygons in any CRS, as `read_parcels` returns them.
    buffer
        Metres by which the polygons are widened, or with a negative number narrowed,
        before pixels are counted. The geometries stay as declared: `reduce_parcels`
        applies the buffer in the CRS of each image. Default 0. ``"half_pixel"`` narrows by half
        of each resolution, which keeps the surroundings of a parcel out of its statistics:
        whole pixels of 10 m are counted after -5 m, of 20 m after -10 m. ``buffer_m``, which
        `reduce_parcels` reads, is then half of the finest, so give the resolution of the
        images if there is only one: ``resolutions=[20]``.
    grid_crs
        The CRS of the images in which whole pixels are counted, projected and in metres.
        By default the UTM zone of each parcel's centroid.
    resolutions
        Sides of the pixels to count, metres. Default 10 and 20.

    Returns
    -------
    geopandas.GeoDataFrame
        A copy with the index ``parcel``, valid two-dimensional geometries in the CRS that
        was given, and these columns, which replace older ones of the same name:

        ``geom_status``
            ``VALID``; ``REPAIRED``; ``REPAIRED_CHANGED``, if the repair changed the area by
            more than 1 %; ``EMPTY``, if there is no geometry, or only one of infinite
            coordinates.
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
        ``duplicate_of``
            The id of the first parcel that has the same geometry; missing for parcels that
            are the first or the only one.
        ``buffer_m``
            Metres of the buffer; for ``"half_pixel"`` half of the finest resolution.
        ``buffer_status``
            ``NONE``, if no buffer was asked for or there is no geometry; ``OK``;
            ``EMPTIED``, if ``buffer_m`` leaves nothing of the parcel.
        ``n_parts_lost``
            Parts of a MultiPolygon of which ``buffer_m`` leaves nothing.
        ``n_full_10``, ``n_full_20``, …
            Whole cells of 10 m and 20 m inside the buffered parcel, on the lattice through
            the origin of the CRS, on which Sentinel-2 and CARD images lie.
        ``class_10m``, ``class_20m``, …
            ``GOOD`` from 8 whole pixels, ``LIMITED`` from 3, ``POOR`` from 1, else ``NONE``;
            ordered.
        ``geom_hash``
            16 hexadecimal digits, equal for parcels that have the same geometry.

        `parcels_report` counts and lists what was repaired or deserves a look.

    Raises
    ------
    ParcelsError
        `parcels` cannot be used; see `check_parcels`. Or coordinates do not fit the CRS.
    OptionError
        `buffer` is not a finite number, `grid_crs` is not projected in metres, or a resolution
        is not above 0.

    Warns
    -----
    RepairedParcelsWarning
        Some geometries were repaired or are empty.

    Notes
    -----
    The shape index is the one of Sen4CAP [1]_; half of the form P / sqrt(pi A) in use at the
    Joint Research Centre [2]_. Half a pixel inwards, at least 3 whole pixels and the limit of a
    tenth for overlaps are rules of Sen4CAP as well; 8 whole pixels are quoted as a
    recommendation of the Joint Research Centre.

    References
    ----------
    .. [1] Sen4CAP, scripts/data-preparation.py, https://github.com/Sen4CAP/Sen4CAP
    .. [2] https://github.com/ec-jrc/cbm

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
    spacings = _spacings(resolutions)
    distances = _distances(buffer, spacings)
    grid = None if grid_crs is None else metric_crs(grid_crs)
    clean = check_parcels(parcels)
    geometries, status = repair(clean.geometry.to_numpy())
    _warn_of_repairs(status)
    shapes = gpd.GeoSeries(geometries, index=clean.index, crs=clean.crs)
    measuring, codes = _locate(shapes)
    applied = distances[min(spacings)]
    hashes = geometry_hash(geometries)
    columns: dict[str, Any] = {
        clean.active_geometry_name: shapes,
        "geom_status": categorical(status, GEOM_STATUS),
        **_measure(shapes, measuring),
        "duplicate_of": _ids_of(clean.index, duplicate_of(hashes, present(geometries))),
        "buffer_m": np.full(len(clean), applied, np.float64),
        **count_pixels(shapes, applied, distances, codes if grid is None else grid),
        "geom_hash": hashes,
    }
    stale = [name for name in clean if _COUNTED.fullmatch(str(name)) and name not in columns]
    ready = clean.drop(columns=stale).copy().assign(**columns)
    return remember(ready, "prepared", _facts(ready, measuring, buffer))


def _spacings(resolutions: Sequence[float]) -> list[float]:
    found = [float(one) for one in resolutions]
    if not found or not all(np.isfinite(one) and one > 0.0 for one in found):
        raise OptionError(
            "resolutions must be sides of pixels in metres, above 0",
            given=resolutions,
            hint="resolutions=(10, 20) counts pixels of Sentinel-2",
        )
    return found


def _distances(buffer: float | str, spacings: Sequence[float]) -> dict[float, float]:
    """Return the buffer of each resolution, metres."""
    if buffer == HALF_PIXEL:
        return {spacing: -spacing / 2.0 for spacing in spacings}
    if isinstance(buffer, str) or not np.isfinite(buffer):
        raise OptionError(
            "buffer must be a finite number of metres",
            given=repr(buffer),
            allowed=f"a number, or {HALF_PIXEL!r}",
        )
    return dict.fromkeys(spacings, float(buffer))


def _locate(shapes: gpd.GeoSeries) -> tuple[CRS, NDArray[np.int32]]:
    """Return the CRS to measure in and the UTM zone of each parcel."""
    degrees = to_degrees(shapes)
    return measuring_crs(degrees), utm_codes(degrees)


def _ids_of(ids: pd.Index[Any], positions: NDArray[np.intp]) -> Any:
    """Return the id at each position, missing where it is -1, in a type that allows that."""
    kind = {"i": "Int64", "u": "UInt64"}.get(ids.dtype.kind)
    found = pd.Series(ids, dtype=kind) if kind else pd.Series(ids)
    return found.take(positions).mask(positions < 0).array


def _facts(parcels: gpd.GeoDataFrame, measuring: CRS, buffer: float | str) -> dict[str, Any]:
    """Return what was done as plain JSON."""
    status = parcels["geom_status"].value_counts(sort=False)
    grades = [name for name in parcels if str(name).startswith("class_")]
    return {
        "prepared": f"{len(parcels):,} parcels",
        "geometry": {str(name): int(n) for name, n in status.items()},
        "measured_in": measuring.to_string(),
        "buffer": buffer if isinstance(buffer, str) else f"{float(buffer):g} m",
        **{
            str(name): {str(k): int(n) for k, n in parcels[name].value_counts(sort=False).items()}
            for name in grades
        },
        "noticed": {name: len(ids) for name, ids in find_problems(parcels).items()},
    }


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


def _measure(shapes: gpd.GeoSeries, measuring: CRS) -> dict[str, Any]:
    metric: Geometries = shapes.to_crs(measuring).to_numpy()
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
