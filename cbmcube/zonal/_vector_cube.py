"""The vector cube: names, coordinates and units around the reduced arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import dask.array as da
import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
import xvec
from numpy.typing import NDArray

from cbmcube.zonal._node import Node
from cbmcube.zonal._statistics import StatisticsPlan
from cbmcube.zonal._tasks import Layout

_GRADE = re.compile(r"class_[\d.]+m")
_GRADED = {"long_name": "monitorability, by the whole pixels that the parcel holds"}
_COUNTED = {
    "n_valid": "pixels with a valid value",
    "n_failed": "pixels that could not be read",
}


def vector_cube(
    arrays: Mapping[str, da.Array],
    layout: Layout,
    plan: StatisticsPlan,
    axis: xr.Dataset,
    parcels: gpd.GeoDataFrame,
    nodes: Sequence[Node],
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """Return the vector cube as a Dataset; computes nothing."""
    variables: dict[str, Any] = {
        band: (("time", "parcel", "statistic"), arrays[band], _band_attrs(band, nodes))
        for band in layout.bands
    }
    variables["observed"] = (
        ("time", "parcel"),
        arrays["observed"],
        {"long_name": "share of the parcel with source data before masking", "units": "1"},
    )
    if layout.bands:
        for name in layout.counts:
            variables[name] = (
                ("band", "time", "parcel"),
                arrays[name],
                {"long_name": _COUNTED[name], "units": "1"},
            )
        variables["n_total"] = (
            ("band", "parcel"),
            arrays["n_total"],
            {"long_name": "pixels that the pixel rule selects", "units": "1"},
        )
    for band in layout.classes:
        name = f"{band.name}_fraction"
        long_name = (
            f"share of each class, {_band_attrs(band.name, nodes).get('long_name', band.name)}"
        )
        variables[name] = (
            ("time", "parcel", "class"),
            arrays[name],
            {"long_name": long_name, "units": "1"},
        )
    cube = xr.Dataset(variables, coords=_coords(layout, plan, axis), attrs=dict(attrs))
    return with_parcels(cube, parcels)


def with_parcels(cube: xr.Dataset, parcels: gpd.GeoDataFrame) -> xr.Dataset:
    """Add parcel ids, geometries with their CRS, and what is known of crop, area and class."""
    coords: dict[str, Any] = {
        "parcel": _labels(parcels.index),
        "geometry": ("parcel", plain_geometries(parcels)),
    }
    if "crop" in parcels:
        coords["crop"] = ("parcel", _labels(parcels["crop"].astype("object").fillna("")))
    if "area_m2" in parcels:
        coords["area_m2"] = ("parcel", parcels["area_m2"].to_numpy(dtype=float), {"units": "m2"})
    for name in (str(column) for column in parcels if _GRADE.fullmatch(str(column))):
        coords[name] = ("parcel", _labels(parcels[name].astype("object").fillna("")), _GRADED)
    named = cube.assign_coords(coords)
    named["parcel"].attrs["long_name"] = "parcel"
    return named.set_xindex("geometry", xvec.GeometryIndex, crs=parcels.crs)


def plain_geometries(parcels: gpd.GeoDataFrame) -> NDArray[Any]:
    """Return geometries as CF can store them: a multipolygon of one part is a polygon."""
    geometries = np.array(parcels.geometry.array, dtype=object)
    single = (shapely.get_type_id(geometries) == 6) & (shapely.get_num_geometries(geometries) == 1)
    geometries[single] = shapely.get_geometry(geometries[single], 0)
    return geometries


def _coords(layout: Layout, plan: StatisticsPlan, axis: xr.Dataset) -> dict[str, Any]:
    coords: dict[str, Any] = {str(name): axis[name].variable for name in axis.coords}
    coords["statistic"] = np.array(plan.names, dtype=str)
    if layout.bands:
        coords["band"] = np.array(layout.bands, dtype=str)
    if layout.classes:
        coords["class"] = np.array(layout.codes, dtype="int16")
    return coords


def _labels(values: Any) -> NDArray[Any]:
    """Return ids as integers where they are, else as fixed-width text."""
    array = np.asarray(values)
    return array if array.dtype.kind in "iu" else array.astype(str)


def _band_attrs(band: str, nodes: Sequence[Node]) -> dict[str, Any]:
    """Return what a band is, from the first grid that holds it."""
    for node in nodes:
        if band in node.cube:
            known = node.cube[band].attrs
            told = ("long_name", "units", "formula", "source")
            return {name: known[name] for name in told if name in known}
    return {}
