"""Unusual grids, values and geometries: defined, and equal to an independent engine."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import xarray as xr
from affine import Affine
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st

import cbmcube as cbm
from tests.zonal.conftest import make_cube, make_parcels, random_polygons

INNER = (500_300, 5_397_300, 503_700, 5_399_700)


@pytest.mark.parametrize("seed", range(4))
def test_inside_takes_the_pixels_that_shapely_says_are_covered(noise, seed):
    shapes = random_polygons(12, bounds=INNER, seed=seed)
    stats = cbm.reduce_parcels(make_cube(noise), make_parcels(shapes), pixels="inside").compute()
    columns, rows = np.meshgrid(np.arange(400), np.arange(300))
    x, y = 500_000 + 10 * columns, 5_400_000 - 10 * rows
    pixels = shapely.box(x, y - 10, x + 10, y)
    covered = np.stack([shapely.covers(shape, pixels) for shape in shapes])
    np.testing.assert_array_equal(stats.n_total.isel(band=0), covered.sum(axis=(1, 2)))
    expected = [noise[0][mask].mean(dtype=float) if mask.any() else np.nan for mask in covered]
    found = stats.B.sel(statistic="mean").isel(time=0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_pixels_need_not_be_square(noise):
    """12.5 m wide and 7.25 m high, as exactextract sees the same lattice."""
    affine = Affine(12.5, 0, 500_000, 0, -7.25, 5_400_000)
    ground = {"xmin": 500_000, "xmax": 505_000, "ymin": 5_400_000 - 300 * 7.25, "ymax": 5_400_000}
    bounds = (500_300, ground["ymin"] + 300, 504_700, 5_399_700)
    parcels = make_parcels(random_polygons(300, bounds=bounds, seed=3))
    stats = cbm.reduce_parcels(make_cube(noise, affine=affine), parcels).compute()
    source = NumPyRasterSource(noise[0].astype(float), **ground)
    found = exact_extract(source, parcels, ["count", "mean", "stdev"], output="pandas")
    for name, column in (("count", "count"), ("mean", "mean"), ("std", "stdev")):
        mine = stats.B.isel(time=0).sel(statistic=name)
        np.testing.assert_allclose(mine, found[column], rtol=1e-6, atol=1e-7)


def test_infinite_pixels_count_nowhere(noise):
    holes = noise.copy()
    holes[0, 100:120, 100:120] = np.inf
    holes[0, 120:130, 100:120] = -np.inf
    gaps = np.where(np.isfinite(holes), holes, np.nan)
    parcels = make_parcels([shapely.Point(501_150, 5_398_850).buffer(333)])
    found = cbm.reduce_parcels(make_cube(holes), parcels).compute()
    xr.testing.assert_identical(found, cbm.reduce_parcels(make_cube(gaps), parcels).compute())
    assert 0 < found.observed.values[0] < 1


def test_what_could_not_be_read_is_counted_apart(noise):
    """A whole parcel, a part of one, and one that straddles blocks; the others stay as they are."""
    failed = noise[:1].copy()
    failed[0, 128:192, 80:160] = -np.inf
    x, y = 500_000 + 10 * 80, 5_400_000 - 10 * 128
    parcels = make_parcels(
        [
            shapely.box(x + 100, y - 200, x + 200, y - 100),
            shapely.box(x - 50, y - 200, x + 50, y - 100),
            shapely.box(x - 500, y - 200, x - 400, y - 100),
        ]
    )
    cube = make_cube(failed)
    assert "n_failed" not in cbm.reduce_parcels(cube, parcels)
    cube.attrs["on_error"] = "record"
    stats = cbm.reduce_parcels(cube, parcels).compute()
    assert stats.n_failed.values.ravel().tolist() == [100, 50, 0]
    assert stats.n_valid.values.ravel().tolist() == [0, 50, 100]
    assert stats.B.sel(statistic="count").values.ravel().tolist() == [0, 50, 100]


@settings(max_examples=10, deadline=None)
@given(bands=st.sets(st.sampled_from("ABCD"), min_size=1))
def test_other_bands_change_no_bit(noise, bands):
    parcels = make_parcels(random_polygons(40, bounds=INNER, seed=23))
    layers = {name: make_cube(noise * (k + 1), name=name) for k, name in enumerate("ABCD")}
    layers["B"]["B"] = layers["B"].B.where(layers["B"].B > 3)
    every = cbm.reduce_parcels(xr.merge(layers.values(), compat="equals"), parcels).compute()
    some = cbm.reduce_parcels(
        xr.merge([layers[n] for n in sorted(bands)], compat="equals"), parcels
    ).compute()
    for name in bands:
        np.testing.assert_array_equal(some[name], every[name])
    np.testing.assert_array_equal(some.n_valid, every.n_valid.sel(band=some.band))


@settings(max_examples=10, deadline=None)
@given(first=st.integers(0, 10))
def test_the_first_vertex_of_a_ring_changes_no_bit(noise, first):
    shapes = [
        shape
        for shape in random_polygons(80, bounds=INNER, seed=29)
        if shape.geom_type == "Polygon"
    ]
    turned = []
    for shape in shapes:
        ring = np.asarray(shape.exterior.coords)[:-1]
        holes = [hole.coords for hole in shape.interiors]
        turned.append(shapely.Polygon(np.roll(ring, first, axis=0), holes))
    cube = make_cube(noise)
    expected = cbm.reduce_parcels(cube, make_parcels(shapes)).compute()
    found = cbm.reduce_parcels(cube, make_parcels(turned)).compute()
    np.testing.assert_array_equal(found.B, expected.B)
    np.testing.assert_array_equal(found.n_total, expected.n_total)


def test_degrees_and_metres_meet_in_the_grids_crs(noise):
    """Parcels in degrees, a grid in metres: the parcels are projected, as geopandas does it."""
    parcels = make_parcels(random_polygons(60, bounds=INNER, seed=31))
    degrees = parcels.to_crs("EPSG:4326")
    found = cbm.reduce_parcels(make_cube(noise), degrees).compute()
    back = cbm.reduce_parcels(make_cube(noise), degrees.to_crs(32632)).compute()
    np.testing.assert_array_equal(found.B, back.B)
    direct = cbm.reduce_parcels(make_cube(noise), parcels).compute()
    counts = {"statistic": "count"}
    np.testing.assert_allclose(found.B.sel(counts), direct.B.sel(counts), rtol=1e-3, atol=1e-3)


@pytest.mark.trap("T38")
@pytest.mark.realdata
def test_real_parcels_in_a_national_crs_meet_a_utm_grid(realdata):
    """Belgian parcels (EPSG:31370) on EPSG:32631: projected, never taken as they are."""
    parcels = cbm.read_parcels(realdata / "parcels" / "BE-VLG.gpkg.zip", id="REF_ID")
    ground = parcels.to_crs("EPSG:32631")
    west, south, east, north = ground.total_bounds
    field = ground.iloc[[0]]
    x, y = field.centroid.x.item(), field.centroid.y.item()
    affine = Affine(10, 0, np.floor(x / 10) * 10 - 2000, 0, -10, np.ceil(y / 10) * 10 + 1500)
    values = np.random.default_rng(6).normal(5, 2, (1, 300, 400)).astype("float32")
    near = parcels[ground.within(shapely.box(x - 1900, y - 1400, x + 1900, y + 1400))]
    assert len(near) > 0
    assert west < x < east
    assert south < y < north
    stats = cbm.reduce_parcels(make_cube(values, affine=affine, crs="EPSG:32631"), near).compute()
    source = NumPyRasterSource(
        values[0].astype(float),
        xmin=affine.c,
        xmax=affine.c + 4000,
        ymin=affine.f - 3000,
        ymax=affine.f,
    )
    expected = exact_extract(source, near.to_crs("EPSG:32631"), ["count", "mean"], output="pandas")
    for name in ("count", "mean"):
        found = stats.B.isel(time=0).sel(statistic=name)
        np.testing.assert_allclose(found, expected[name], rtol=1e-6)
