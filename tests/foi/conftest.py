"""Class rasters and fields with known contents, and a plain loop that judges them."""

from __future__ import annotations

from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import odc.geo.xr
import scipy.ndimage
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

WEST, NORTH = 500_000, 5_400_000
NORTH_UP = Affine(10, 0, WEST, 0, -10, NORTH)


def make_raster(codes, *, affine=NORTH_UP, crs="EPSG:32632", chunks=None, **attrs):
    """Wrap codes (y, x) into a class raster; chunked if `chunks` says how."""
    codes = np.asarray(codes)
    coords = odc.geo.xr.xr_coords(GeoBox(codes.shape, affine, crs), always_yx=True)
    raster = xr.DataArray(codes, dims=("y", "x"), coords=coords, attrs=attrs)
    return raster if chunks is None else raster.chunk(chunks)


def make_parcels(geometries, crs=32632):
    index = [f"P{number:05d}" for number in range(len(geometries))]
    return gpd.GeoDataFrame(index=index, geometry=list(geometries), crs=crs)


def pixel_box(top, left, bottom, right):
    """Return the ground of rows `top` to `bottom` and columns `left` to `right`, ends left out."""
    return shapely.box(WEST + 10 * left, NORTH - 10 * bottom, WEST + 10 * right, NORTH - 10 * top)


def whole(codes):
    """Return one parcel that covers a raster of these codes."""
    return make_parcels([pixel_box(0, 0, *np.shape(codes))])


def patches(shape, seed=0, *, classes=4, size=6, noise=0.15):
    """Draw patches of classes with single pixels of others between."""
    rng = np.random.default_rng(seed)
    rows, columns = shape[0] // size + 1, shape[1] // size + 1
    coarse = rng.integers(0, classes, (rows, columns), dtype="uint8")
    fine = np.repeat(np.repeat(coarse, size, axis=0), size, axis=1)[: shape[0], : shape[1]]
    other = rng.integers(0, classes, shape, dtype="uint8")
    return np.where(rng.random(shape) < noise, other, fine)


class Expected(NamedTuple):
    """What the plain loop finds of one parcel."""

    n_observed: int
    n_inside: int
    counts: dict[int, int]
    clusters: list[tuple[int, int]]


def plainly(codes, geometry, *, neighbours=8, larger_than=20, buffer=-10.0) -> Expected:
    """Judge a parcel within a raster: centres by shapely, clusters by scipy."""
    codes = np.asarray(codes)
    rows, columns = np.indices(codes.shape)
    x, y = WEST + 10 * columns + 5, NORTH - 10 * rows - 5
    mine = shapely.contains_xy(geometry, x, y)
    inside = shapely.contains_xy(shapely.buffer(geometry, buffer), x, y)
    structure: Any = np.ones((3, 3)) if neighbours == 8 else None
    found = []
    for code in np.unique(codes[inside]):
        labels, number = scipy.ndimage.label((codes == code) & inside, structure)
        sizes = np.bincount(labels.ravel(), minlength=number + 1)[1:]
        found += [(int(code), int(px)) for px in sizes if px > larger_than]
    counts = {
        int(c): int(n) for c, n in zip(*np.unique(codes[mine], return_counts=True), strict=True)
    }
    found.sort(key=lambda pair: (-pair[1], pair[0]))
    return Expected(int(mine.sum()), int(inside.sum()), counts, found)


def clusters_of(table, parcel=0):
    return [tuple(pair) for pair in table["clusters"].iloc[parcel]]
