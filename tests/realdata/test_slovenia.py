"""68 dates of real NDVI with a cloud mask, on pixels that are not square."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import rasterstats
import shapely
import xarray as xr
from rasterio.transform import from_bounds

import cbmcube as cbm
from cbmcube.products import Band, Product, Profile
from tests.realdata.conftest import NDVI, Archive, Ground, label, require_equal

pytestmark = pytest.mark.realdata

LAND_USE = {
    0: "no name",
    1: "cultivated",
    2: "forest",
    3: "grassland",
    4: "shrubland",
    8: "artificial",
}
TIMELESS = Product(
    name="TIMELESS",
    title="what does not depend on the date",
    bands=(
        Band(
            name="VALID_COUNT",
            kind="index",
            long_name="clear dates",
            units="1",
            dtype="uint8",
            nodata=255,
        ),
        Band(
            name="LULC",
            kind="classes",
            long_name="land use",
            units="1",
            dtype="uint16",
            nodata=65535,
            classes=LAND_USE,
        ),
    ),
    profiles=(
        Profile(
            name="own",
            collections=("timeless",),
            assets={"VALID_COUNT": "VALID_COUNT", "LULC": "LULC"},
        ),
    ),
    repeat_days=10,
)


@pytest.fixture(scope="module")
def source(realdata):
    """The arrays as published, (time, y, x) or (y, x)."""
    folder = realdata / "slovenia"
    names = ("NDVI", "CLM", "LULC", "MAX_NDVI", "VALID_COUNT")
    return {name: np.load(folder / f"{name}.npy")[..., 0] for name in names}


@pytest.fixture(scope="module")
def times(realdata):
    return pd.to_datetime(json.loads((realdata / "slovenia" / "timestamps.json").read_text()))


@pytest.fixture(scope="module")
def ground(realdata):
    outline = json.loads((realdata / "slovenia" / "bbox.geojson").read_text())
    bounds = shapely.geometry.shape(outline).bounds
    return Ground(32633, from_bounds(*bounds, 100, 101), (101, 100))


@pytest.fixture(scope="module")
def catalogue(source, times, ground, tmp_path_factory):
    archive = Archive(tmp_path_factory.mktemp("slovenia"), ground)
    for number, time in enumerate(times):
        bands = {name: source[name][number] for name in NDVI.band_names}
        archive.add(
            f"ndvi-{number:02d}",
            time,
            bands,
            collection="ndvi",
            nodata={"NDVI": np.nan, "CLM": 255},
        )
    timeless = {
        "VALID_COUNT": source["VALID_COUNT"].astype("uint8"),
        "LULC": source["LULC"],
    }
    nodata = {"VALID_COUNT": 255, "LULC": 65535}
    archive.add("timeless", times[0], timeless, collection="timeless", nodata=nodata)
    return archive.save()


@pytest.fixture(scope="module")
def parcels(realdata):
    return cbm.read_parcels(realdata / "slovenia" / "LULC.gpkg", id="index")


@pytest.fixture(scope="module")
def cube(catalogue, parcels):
    items = cbm.search(cbm.open_catalog(catalogue), NDVI, aoi=parcels)
    return cbm.load(items, NDVI, block=48)


@pytest.fixture(scope="module")
def plain(cube, parcels):
    """Every pixel, clear or not, each with the parcel that holds its centre."""
    return cbm.reduce_parcels(cube, parcels, pixels="centre").compute()


@pytest.fixture(scope="module")
def exact(catalogue, parcels):
    """Clear pixels weighted by their covered share, along the way of several grids."""
    items = cbm.search(cbm.open_catalog(catalogue), NDVI, aoi=parcels, period="2015/2017")
    cubes = cbm.load_native(items, NDVI, block=64)
    assert list(cubes.children) == ["EPSG32633_9.99479x9.99745m"]
    return cbm.reduce_parcels(cbm.mask(cubes, NDVI), parcels).compute()


@pytest.fixture(scope="module")
def centred(cube, parcels):
    return cbm.reduce_parcels(cbm.mask(cube, NDVI), parcels, pixels="centre").compute()


def clear(source):
    return np.where(source["CLM"] == 1, np.float32(np.nan), source["NDVI"])


def test_the_pixels_are_those_of_the_source(cube, source, ground):
    np.testing.assert_array_equal(cube.NDVI.values, source["NDVI"])
    np.testing.assert_array_equal(cube.CLM.values, source["CLM"])
    assert cube.CLM.dtype == np.uint8
    assert cube.NDVI.dtype == np.float32
    west, _, _, north = ground.bounds
    assert float(cube.x[0]) == pytest.approx(west + 9.99479 / 2, abs=1e-5)
    assert float(cube.y[0]) == pytest.approx(north - 9.99745 / 2, abs=1e-5)


def test_every_date_is_a_time_step(exact, times):
    """68, and two on one day stay two."""
    assert exact.sizes["time"] == 68
    assert pd.DatetimeIndex(exact.time.values).equals(times.as_unit("ns"))
    assert exact.sel(time="2015-12-08").sizes["time"] == 2


def test_every_number_equals_exactextract(exact, source, ground, parcels):
    compared = require_equal(exact, "NDVI", clear(source), ground, parcels)
    assert compared > 68 * 88 * 2


def test_numbers_without_the_mask_equal_exactextract(cube, source, ground, parcels):
    stats = cbm.reduce_parcels(cube.isel(time=slice(20, 25)), parcels).compute()
    assert require_equal(stats, "NDVI", source["NDVI"][20:25], ground, parcels) == 5 * 5 * 88


def test_each_pixel_belongs_to_one_parcel(plain):
    """The polygons partition the raster, and seven hold no centre."""
    counts = plain.n_valid.sel(band="NDVI")
    assert (counts.sum("parcel") == 10_100).all()
    assert ((counts == 0).sum("parcel") == 7).all()


def test_clear_pixels_add_up(centred, source):
    expected = (source["CLM"] == 0).sum(axis=(1, 2))
    np.testing.assert_array_equal(centred.n_valid.sel(band="NDVI").sum("parcel"), expected)


def test_clear_dates_of_each_parcel_add_up(centred, source, ground, parcels):
    """VALID_COUNT was counted by others."""
    labels = label(ground, parcels)
    expected = np.bincount(labels.ravel(), weights=source["VALID_COUNT"].ravel(), minlength=88)
    np.testing.assert_array_equal(centred.n_valid.sel(band="NDVI").sum("time"), expected)
    assert int(centred.n_valid.sum()) == 415_167


def test_percentiles_equal_numpy(centred, source, ground, parcels):
    labels, values = label(ground, parcels), clear(source)
    compared = 0
    for parcel in range(88):
        inside = values[:, labels == parcel]
        for date in np.flatnonzero(np.isfinite(inside).any(axis=1)):
            numbers = inside[date][np.isfinite(inside[date])].astype(float)
            expected = np.percentile(numbers, [25, 50, 75])
            mine = centred.NDVI[date, parcel].sel(statistic=["p25", "p50", "p75"]).values
            np.testing.assert_allclose(mine, expected, rtol=1e-6, atol=1e-8)
            compared += 1
    assert compared > 29 * 81


@pytest.mark.parametrize("rule", ["centre", "all_touched"])
def test_gdal_rules_equal_rasterstats(cube, source, ground, parcels, rule):
    """On pixels that are not square; an even number of pixels gives a median between two."""
    dates = [3, 30, 60]
    stats = cbm.reduce_parcels(cube.isel(time=dates), parcels, pixels=rule).compute()
    names = {"count": "count", "mean": "mean", "min": "min", "max": "max", "p50": "median"}
    for position, date in enumerate(dates):
        found = rasterstats.zonal_stats(
            parcels,
            source["NDVI"][date],
            affine=ground.transform,
            nodata=-9999,
            all_touched=rule == "all_touched",
            stats=list(names.values()),
        )
        for ours, theirs in names.items():
            oracle = np.array([row[theirs] for row in found], dtype=float)
            mine = stats.NDVI[position].sel(statistic=ours).values
            np.testing.assert_allclose(mine, oracle, rtol=1e-6, atol=1e-8)


def test_the_largest_of_all_dates_is_the_published_one(plain, source, ground, parcels):
    labels = label(ground, parcels)
    largest = plain.NDVI.sel(statistic="max").max("time").values
    for parcel in range(88):
        published = source["MAX_NDVI"][labels == parcel]
        if published.size:
            assert largest[parcel] == np.float32(published.max())
        else:
            assert np.isnan(largest[parcel])


def test_cloudy_and_clear_dates_have_their_states(exact, source, ground, parcels):
    table = cbm.to_observations(exact)
    assert len(table) == 68 * 88
    cloudy = source["CLM"].mean(axis=(1, 2))
    assert ((cloudy == 1).sum(), (cloudy == 0).sum()) == (20, 29)
    states = table["state"].to_numpy(dtype=str).reshape(68, 88)
    assert (states[cloudy == 1] == "MASKED").all()
    shapes = parcels.geometry
    seen = shapes.intersection(shapely.box(*ground.bounds)).area / shapes.area
    whole = (seen >= 0.95).to_numpy()
    assert (seen > 0).all()
    assert 62 <= whole.sum() < 88
    assert (states[cloudy == 0][:, whole] == "OK").all()
    assert (states[cloudy == 0][:, ~whole] == "PARTIAL").all()
    np.testing.assert_allclose(exact.observed.values, np.tile(seen, (68, 1)), rtol=1e-6)


@pytest.mark.trap("T40")
def test_real_polygons_survive_a_store_and_a_table(exact, tmp_path):
    path = cbm.write_vector_cube(exact, tmp_path / "slovenia.zarr")
    xr.testing.assert_identical(cbm.open_vector_cube(path).compute(), exact)
    table = cbm.to_observations(exact)
    path = cbm.write_observations(table, tmp_path / "slovenia.parquet")
    assert cbm.read_observations(path).equals(table)


def test_cloud_shares_are_those_of_the_mask(plain, source, ground, parcels):
    labels = label(ground, parcels)
    sizes = np.bincount(labels.ravel(), minlength=88)
    shares = plain.CLM_fraction.values
    cut = plain.n_total.sel(band="NDVI").values
    for date in range(68):
        cloudy = np.bincount(labels.ravel(), weights=source["CLM"][date].ravel(), minlength=88)
        np.testing.assert_allclose(shares[date, :, 1] * cut, cloudy, atol=1e-3)
        np.testing.assert_allclose(shares[date].sum(axis=1) * cut, sizes, atol=1e-3)


def test_a_class_band_alone_knows_what_was_seen(cube, parcels, exact):
    """Its 0 means clear, not absent: only the code declared as no data is."""
    stats = cbm.reduce_parcels(cube[["CLM"]], parcels).compute()
    np.testing.assert_array_equal(stats.observed, exact.observed)


@pytest.fixture(scope="module")
def timeless(catalogue, parcels):
    items = cbm.search(cbm.open_catalog(catalogue), TIMELESS)
    return cbm.reduce_parcels(
        cbm.load(items, TIMELESS, block=64), parcels, pixels="centre"
    ).compute()


@pytest.mark.trap("T39")
def test_land_use_counts_are_the_published_ones(timeless):
    counts = (timeless.LULC_fraction * timeless.n_total.sel(band="VALID_COUNT")).sum("parcel")
    expected = {0: 155, 1: 11, 2: 7601, 3: 1777, 4: 358, 8: 198}
    found = {int(code): float(counts.sel({"class": code}).item()) for code in counts["class"]}
    assert found == pytest.approx(expected, abs=0.01)


def test_each_polygon_holds_its_own_land_use_only(timeless, parcels):
    """The codes were burnt from these polygons, by pixel centre."""
    shares = timeless.LULC_fraction.isel(time=0)
    held = timeless.n_valid.sel(band="VALID_COUNT").isel(time=0).values > 0
    assert held.sum() == 81
    own = np.array([sorted(LAND_USE).index(code) for code in parcels["LULC_ID"]])
    alone = shares.values[np.arange(88), own]
    np.testing.assert_allclose(alone[held], shares.values.sum(axis=1)[held], rtol=1e-6)
    assert (alone[held] > 0).all()


def test_valid_counts_add_up_to_the_published_total(timeless):
    numbers = timeless.VALID_COUNT.isel(time=0)
    total = numbers.sel(statistic="mean") * numbers.sel(statistic="count")
    assert float(total.sum()) == pytest.approx(415_167, rel=1e-6)
    assert float(numbers.sel(statistic="min").min()) == 37
    assert float(numbers.sel(statistic="max").max()) == 44
