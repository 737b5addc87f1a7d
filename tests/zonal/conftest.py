"""Cubes and parcels with known contents."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import odc.geo.xr
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox


def make_cube(values, *, affine=None, crs="EPSG:32632", chunks=None, name="B"):
    """Wrap an array (time, y, x) into a cube, as load would."""
    values = np.asarray(values)
    affine = affine or Affine(10, 0, 500_000, 0, -10, 5_400_000)
    coords = odc.geo.xr.xr_coords(GeoBox(values.shape[1:], affine, crs))
    times = np.datetime64("2024-03-01T10:10", "ns") + np.arange(len(values)) * np.timedelta64(
        5, "D"
    )
    array = xr.DataArray(values, dims=("time", "y", "x"), coords={**coords, "time": times})
    return array.to_dataset(name=name).chunk(chunks or {"time": 1, "y": 64, "x": 80})


def make_parcels(geometries, crs=32632):
    index = [f"P{number:05d}" for number in range(len(geometries))]
    return gpd.GeoDataFrame(index=index, geometry=list(geometries), crs=crs)


def random_polygons(count, *, bounds, seed=0, largest=300.0):
    """Stars, slivers, rings and pairs of every size from less than a pixel up."""
    rng = np.random.default_rng(seed)
    west, south, east, north = bounds
    shapes = []
    for kind in rng.integers(0, 5, count):
        x, y = rng.uniform(west, east), rng.uniform(south, north)
        size = largest ** rng.uniform(0.1, 1.0)
        corners = rng.integers(3, 12)
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        radii = size * rng.uniform(0.3, 1.0, corners)
        star = shapely.Polygon(
            np.column_stack([x + radii * np.cos(angles), y + radii * np.sin(angles)])
        )
        if kind == 0:
            shape = shapely.box(x, y, x + size, y + 0.7)
        elif kind == 1:
            shape = (
                shapely.Point(x, y).buffer(size).difference(shapely.Point(x, y).buffer(size / 2))
            )
        elif kind == 2:
            shape = shapely.union(
                star.buffer(0), shapely.box(x + 2 * size, y, x + 2.5 * size, y + size)
            )
        else:
            shape = star
        shapes.append(shapely.make_valid(shape).buffer(0))
    return [shape for shape in shapes if not shape.is_empty and shape.area > 1e-6]


@pytest.fixture(scope="module")
def noise():
    """Three dates of 300 x 400 pixels, with NaN holes in the third."""
    values = np.random.default_rng(1).normal(5, 2, (3, 300, 400)).astype("float32")
    values[2, 100:160, 50:300] = np.nan
    return values


@pytest.fixture(scope="module")
def bounds():
    """The ground that `noise` covers, and a little more on every side."""
    return (499_900, 5_396_900, 504_100, 5_400_100)
