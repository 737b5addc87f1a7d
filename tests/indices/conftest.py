"""Cubes of reflectance on one grid, and trees of two grids that nest."""

from __future__ import annotations

import numpy as np
import odc.geo.xr
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

WEST, NORTH = 500_000, 5_400_000


def make_cube(bands, *, step=10, origin=(WEST, NORTH), crs="EPSG:32632", chunks=None, days=None):
    """Wrap arrays (time, y, x), by band, into a lazy cube as load would."""
    shape = np.shape(next(iter(bands.values())))
    affine = Affine(step, 0, origin[0], 0, -step, origin[1])
    start = np.datetime64("2024-03-01T10:10", "ns")
    days = np.arange(shape[0]) * 5 if days is None else np.asarray(days)
    coords = {
        **odc.geo.xr.xr_coords(GeoBox(shape[1:], affine, crs)),
        "time": start + days * np.timedelta64(1, "D"),
    }
    cube = xr.Dataset(
        {name: (("time", "y", "x"), np.asarray(values)) for name, values in bands.items()},
        coords=coords,
    )
    return cube.chunk(chunks or {"time": 1})


def reflectance(rng, shape, low=0.01, high=0.6):
    return rng.uniform(low, high, shape).astype("float32")


def blocks_of_four(values):
    """Mean of each 2 x 2 pixels, by a plain loop."""
    dates, rows, columns = values.shape
    out = np.empty((dates, rows // 2, columns // 2))
    for t in range(dates):
        for i in range(rows // 2):
            for j in range(columns // 2):
                four = values[t, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].astype(float)
                out[t, i, j] = sum(four.ravel()) / 4
    return out


@pytest.fixture
def tree():
    """B02, B04 and B08 at 10 m, B05, B07 and B11 at 20 m, in two zones; two dates."""
    nodes = {}
    for number, crs in enumerate(("EPSG:32632", "EPSG:32633")):
        rng = np.random.default_rng(number)
        fine = {name: reflectance(rng, (2, 24, 32)) for name in ("B02", "B04", "B08")}
        coarse = {name: reflectance(rng, (2, 12, 16)) for name in ("B05", "B07", "B11")}
        nodes[f"/{crs[5:]}_10m"] = make_cube(fine, crs=crs, chunks={"time": 1, "y": 8, "x": 16})
        nodes[f"/{crs[5:]}_20m"] = make_cube(
            coarse, step=20, crs=crs, chunks={"time": 1, "y": 4, "x": 8}
        )
    return xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs={"product": "CARD-2A"}), **nodes}, name="cubes"
    )


@pytest.fixture
def cube_maker():
    """Make lazy cubes from arrays, see `make_cube`."""
    return make_cube


@pytest.fixture
def square():
    """A parcel of 100 m side at the corner of the cubes."""
    import geopandas as gpd

    box = shapely.box(WEST, NORTH - 100, WEST + 100, NORTH)
    return gpd.GeoDataFrame(index=["P1"], geometry=[box], crs=32632)
