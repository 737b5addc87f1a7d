"""Where a parcel lies in a pixel cube: its outline, and the grids that see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import odc.geo.xr  # noqa: F401  # makes .odc known
import pandas as pd
import shapely
import xarray as xr
from odc.geo.crs import CRS
from odc.geo.geom import Geometry

from cbmcube.exceptions import Error, MissingCRSError, NoOverlapError, OptionError, ParcelsError

_ROW = 'pass one row with its CRS: parcels.loc[["F0001"]]'


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The polygon of one parcel and what is known of it."""

    shape: Any
    """The polygon, a shapely geometry."""
    crs: CRS
    """The CRS of its coordinates."""
    about: Mapping[str, object]
    """Its `parcel` (the id), and other columns of its row."""

    def to(self, crs: CRS) -> Any:
        """Return the polygon in another CRS."""
        return gpd.GeoSeries([self.shape], crs=self.crs.proj).to_crs(crs.proj).iloc[0]


def read_outline(parcel: gpd.GeoDataFrame | gpd.GeoSeries | Geometry) -> Outline:
    """Return the outline of one parcel.

    Raises
    ------
    MissingCRSError
        If the geometry has no CRS, as a plain row ``parcels.loc["F0001"]`` has none.
    OptionError
        If it is not one parcel.
    ParcelsError
        If it has no geometry.
    """
    if isinstance(parcel, Geometry):
        rows, about = gpd.GeoSeries([parcel.geom], crs=_proj(parcel.crs)), {}
    elif isinstance(parcel, gpd.GeoDataFrame | gpd.GeoSeries):
        rows = parcel.geometry
        about = _about(parcel) if len(parcel) == 1 else {}
    else:
        raise _unusable(parcel)
    if len(rows) != 1:
        raise OptionError("a calendar shows one parcel", given=f"{len(rows)} parcels", hint=_ROW)
    if rows.crs is None:
        raise MissingCRSError(
            "the parcel has no coordinate reference system",
            hint="state the one its coordinates are in: parcels.set_crs('EPSG:...')",
        )
    if rows.iloc[0] is None or rows.iloc[0].is_empty:
        raise ParcelsError("the parcel has no geometry", given=str(about.get("parcel", "")))
    return Outline(rows.iloc[0], CRS(rows.crs), about)


def _unusable(parcel: object) -> Error:
    if isinstance(parcel, pd.Series) or shapely.is_geometry(parcel):
        return MissingCRSError("nothing says in which CRS this parcel lies", hint=_ROW)
    return OptionError(
        "the calendar needs the geometry of a parcel",
        given=repr(parcel),
        allowed="a GeoDataFrame or GeoSeries with one row, or an odc.geo Geometry",
        hint=_ROW,
    )


def _proj(crs: CRS | None) -> Any:
    return None if crs is None else crs.proj


def _about(parcel: gpd.GeoDataFrame | gpd.GeoSeries) -> dict[str, object]:
    about: dict[str, object] = {"parcel": parcel.index[0]}
    if isinstance(parcel, gpd.GeoDataFrame):
        about |= {str(name): value for name, value in parcel.iloc[0].items()}
    return about


def grids_of(cube: xr.Dataset | xr.DataTree, outline: Outline) -> list[xr.Dataset]:
    """Return the grids of the CRS that sees most of a parcel, the finest first.

    Of CRSs that see the same share, the one made for the parcel's longitude is taken, as the
    reduction does.

    Raises
    ------
    MissingCRSError
        If a cube has no CRS.
    OptionError
        If there is no pixel cube.
    NoOverlapError
        If no grid covers a part of the parcel.
    """
    grids: dict[CRS, list[xr.Dataset]] = {}
    for name, grid in _datasets(cube).items():
        grids.setdefault(_crs(name, grid), []).append(grid)
    shares = {crs: _seen_share(outline.to(crs), found) for crs, found in grids.items()}
    best = min(grids, key=lambda crs: (-round(shares[crs], 9), _off_middle(outline, crs)))
    if shares[best] == 0:
        raise NoOverlapError(
            "the parcel lies outside the cube",
            given=f"parcel {outline.about.get('parcel', '')}".strip(),
            allowed=", ".join(str(crs) for crs in grids),
            hint="search and load with the parcel as area of interest",
        )
    return sorted(grids[best], key=pixel_size)


def _datasets(cube: xr.Dataset | xr.DataTree) -> dict[str, xr.Dataset]:
    if isinstance(cube, xr.DataTree):
        nodes = {node.path.strip("/") or "/": node.to_dataset() for node in cube.subtree}
    else:
        nodes = {"cube": cube}
    found = {
        name: node
        for name, node in nodes.items()
        if any({"y", "x"} <= {*band.dims} for band in getattr(node, "data_vars", {}).values())
    }
    if not found:
        raise OptionError(
            "there is no pixel cube to take chips from",
            given=type(cube).__name__,
            allowed="a Dataset or DataTree with variables on time, y and x",
            hint="pass what load or load_native returned, not what reduce_parcels did",
        )
    return found


def _crs(name: str, grid: xr.Dataset) -> CRS:
    if grid.odc.crs is None:
        raise MissingCRSError(
            "a cube has no coordinate reference system",
            given=name,
            hint="state it with cube.odc.assign_crs('EPSG:...')",
        )
    return CRS(grid.odc.crs)


def pixel_size(grid: xr.Dataset) -> float:
    """Return the side of a pixel in units of the CRS."""
    return abs(float(grid.odc.geobox.resolution.x))


def _seen_share(shape: Any, grids: list[xr.Dataset]) -> float:
    """Return the share of a parcel on the ground that sources cover; by contact if it has none."""
    boxes: list[Any] = []
    for grid in grids:
        # Grids of one CRS span the same ground; only the sources tell what was seen.
        stated = np.asarray(grid.attrs.get("source_bounds", ()), dtype=float).reshape(-1, 4)
        bounds = stated if len(stated) else np.array([grid.odc.geobox.boundingbox.bbox])
        boxes.extend(shapely.box(*bounds.T))
    ground = shapely.union_all(boxes)
    shape = shapely.make_valid(shape)
    if shape.area == 0:
        return float(ground.intersects(shape))
    return float(ground.intersection(shape).area / shape.area)


def _off_middle(outline: Outline, crs: CRS) -> float:
    area = crs.proj.area_of_use
    if area is None:
        return 0.0
    middle: float = outline.to(CRS("EPSG:4326")).centroid.x
    return abs(middle - (area.west + area.east) / 2)
