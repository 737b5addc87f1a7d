"""A year of real Sentinel-1 and Sentinel-2 composites as CARD-BS and CARD-2A items."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
import xarray as xr
from affine import Affine

import cbmcube as cbm
from cbmcube.exceptions import BadItemError
from tests.realdata.conftest import Archive, Ground, require_equal

pytestmark = pytest.mark.realdata

OPTICAL = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12"]
RADAR = ["VV", "VH"]
MISSING = [1, 2]  # December 2020 and January 2021
GROUND = Ground(32631, Affine(10, 0, 664_000, 0, -10, 5_612_120), (100, 100))


@pytest.fixture(scope="module")
def source(realdata):
    """Digital numbers (time, y, x) as stored, 65535 where there is none."""
    with xr.open_dataset(realdata / "belgium" / "worldcereal_preprocessed_inputs.nc") as stored:
        assert stored.x.values[0] == 664_005
        assert stored.y.values[0] == 5_612_115
        return stored.load()


@pytest.fixture(scope="module")
def reflectance(source):
    """Reflectance of each optical band, float64 (time, y, x)."""
    stored = {band: source[f"S2-L2A-{band}"].values for band in OPTICAL}
    return {band: np.where(dn == 65535, np.nan, dn / 10_000) for band, dn in stored.items()}


@pytest.fixture(scope="module")
def power(source):
    """Linear backscatter, float64 (time, y, x): 20 log10(DN) - 83 is in decibels."""
    stored = {band: source[f"S1-SIGMA0-{band}"].values.astype(float) for band in RADAR}
    return {band: dn**2 * 10**-8.3 for band, dn in stored.items()}


@pytest.fixture(scope="module")
def catalogue(source, power, tmp_path_factory):
    archive = Archive(tmp_path_factory.mktemp("belgium"), GROUND)
    for month, time in enumerate(source.t.values):
        archive.add(
            f"S2-{month:02d}",
            time,
            {band: source[f"S2-L2A-{band}"].values[month] for band in OPTICAL},
            collection="CARD-2A",
            nodata=dict.fromkeys(OPTICAL, 65535),
            properties={"s2:processing_baseline": "03.01"},
        )
        archive.add(
            f"S1-{month:02d}",
            time,
            {band: power[band][month].astype("float32") for band in RADAR},
            collection="CARD-BS",
            nodata=dict.fromkeys(RADAR, np.nan),
            properties={"sat:orbit_state": "descending"},
        )
    return archive.save()


@pytest.fixture(scope="module")
def parcels():
    """40 cells that fill the scene and 60 m around it, each a little different in size."""
    west, south, east, north = GROUND.bounds
    frame = shapely.box(west - 60, south - 60, east + 60, north + 60)
    rng = np.random.default_rng(2021)
    seeds = shapely.points(rng.uniform(west, east, 40), rng.uniform(south, north, 40))
    cells = shapely.voronoi_polygons(shapely.multipoints(seeds), extend_to=frame)
    shapes = shapely.intersection(shapely.get_parts(cells), frame)
    return gpd.GeoDataFrame(index=[f"cell-{n:02d}" for n in range(40)], geometry=shapes, crs=32631)


def reduce_all(catalogue, parcels, product, bands, **options):
    items = cbm.search(cbm.open_catalog(catalogue), product, aoi=parcels)
    return cbm.reduce_parcels(cbm.load(items, product, bands=bands, **options), parcels).compute()


@pytest.fixture(scope="module")
def optical(catalogue, parcels):
    return reduce_all(catalogue, parcels, cbm.CARD_2A, OPTICAL, block=32)


@pytest.fixture(scope="module")
def radar(catalogue, parcels):
    return reduce_all(catalogue, parcels, cbm.CARD_BS, RADAR, block=32)


def test_the_declared_nodata_wins_over_the_products(catalogue, source, reflectance):
    """65535 becomes NaN; the 0 that CARD-2A calls no data is a dark pixel here."""
    items = cbm.search(cbm.open_catalog(catalogue), cbm.CARD_2A)
    cube = cbm.load(items, cbm.CARD_2A, bands=OPTICAL, block=48)
    zeros = 0
    for band in OPTICAL:
        np.testing.assert_allclose(cube[band].values, reflectance[band], rtol=1.2e-7)
        dark = source[f"S2-L2A-{band}"].values == 0
        assert (cube[band].values[dark] == 0).all()
        zeros += int(dark.sum())
    assert zeros == 8


def test_an_item_that_states_no_nodata_among_others_that_do_is_refused(catalogue):
    """With the usual 0, 65535 would be a reflectance of 6.5535 in this item alone."""
    items = cbm.search(cbm.open_catalog(catalogue), cbm.CARD_2A)
    del items.items[1].assets["B04"].extra_fields["nodata"]
    with pytest.raises(BadItemError, match=r"B04(.|\n)*S2-00: 65535; S2-01: none"):
        cbm.load(items, cbm.CARD_2A, bands="B04")


def test_each_item_is_read_by_the_nodata_it_states(catalogue, source):
    """Item 1 says 0: its zeros are gaps and its 65535 a number; the others stay as they are."""
    items = cbm.search(cbm.open_catalog(catalogue), cbm.CARD_2A)
    items.items[1].assets["B04"].extra_fields["nodata"] = 0
    cube = cbm.load(items, cbm.CARD_2A, bands="B04").B04
    numbers = source["S2-L2A-B04"].values
    where = [ids.split() == ["S2-01"] for ids in cube["items"].values].index(True)
    np.testing.assert_array_equal(np.isnan(cube.values[where]), numbers[where] == 0)
    others = np.arange(len(numbers)) != where
    np.testing.assert_array_equal(np.isnan(cube.values[others]), numbers[others] == 65535)


@pytest.mark.parametrize("container", ["raster:bands", "bands"])
def test_nodata_counts_in_older_spellings(catalogue, reflectance, container):
    items = cbm.search(cbm.open_catalog(catalogue), cbm.CARD_2A)
    for item in items:
        fields = item.assets["B04"].extra_fields
        fields[container] = [{"nodata": fields.pop("nodata")}]
    cube = cbm.load(items, cbm.CARD_2A, bands="B04")
    np.testing.assert_allclose(cube.B04.values, reflectance["B04"], rtol=1.2e-7)


@pytest.mark.parametrize("band", OPTICAL)
def test_optical_numbers_equal_exactextract(optical, reflectance, parcels, band):
    assert require_equal(optical, band, reflectance[band], GROUND, parcels) == (
        10 * 40 * 5 + 2 * 40  # ten months of five statistics; counts of 0 in two
    )


@pytest.mark.parametrize("band", RADAR)
def test_radar_numbers_equal_exactextract(radar, power, parcels, band):
    stored = power[band].astype("float32")
    assert require_equal(radar, band, stored, GROUND, parcels) == 12 * 40 * 5


def test_the_parcels_share_out_every_pixel(optical, radar):
    """They partition the ground: weights add up to the 10,000 pixels of the scene."""
    for stats, band in ((radar, "VV"), (radar, "VH"), (optical, "B08")):
        counts = stats[band].sel(statistic="count").sum("parcel").values
        there = [month for month in range(12) if band != "B08" or month not in MISSING]
        np.testing.assert_allclose(counts[there], 10_000, rtol=1e-6)


def test_two_months_were_not_seen(optical, parcels):
    table = cbm.to_observations(optical)
    assert len(table) == 12 * 40 * 9
    states = table["state"].to_numpy(dtype=str).reshape(12, 40 * 9)
    assert (states[MISSING] == "NO_DATA").all()
    assert (optical.observed.values[MISSING] == 0).all()
    shapes = parcels.geometry
    share = (shapes.intersection(shapely.box(*GROUND.bounds)).area / shapes.area).to_numpy()
    expected = np.repeat(np.where(share < 0.95, "PARTIAL", "OK"), 9)
    assert set(expected) == {"OK", "PARTIAL"}
    for month in set(range(12)) - set(MISSING):
        assert states[month].tolist() == expected.tolist()
        np.testing.assert_allclose(optical.observed.values[month], share, rtol=1e-6)
    unseen = table[table["state"] == "NO_DATA"]
    assert (unseen[["count", "n_valid"]] == 0).all(axis=None)
    assert unseen[["mean", "std", "min", "max", "p50"]].isna().all(axis=None)


def test_radar_saw_every_month(radar):
    table = cbm.to_observations(radar)
    assert len(table) == 12 * 40 * 2
    assert set(table["state"]) == {"OK", "PARTIAL"}
    assert (table["n_valid"] <= table["n_total"]).all()


@pytest.mark.parametrize(("band", "decibels"), [("VV", -8.92), ("VH", -15.72)])
@pytest.mark.trap("T41")
def test_backscatter_is_averaged_in_power(catalogue, power, band, decibels):
    """The published mean; averaging decibels would give another number."""
    scene = gpd.GeoDataFrame(
        index=["scene"], geometry=[shapely.box(*GROUND.bounds)], crs="EPSG:32631"
    )
    stats = reduce_all(catalogue, scene, cbm.CARD_BS, RADAR)
    numbers = stats[band].isel(parcel=0)
    assert (numbers.sel(statistic="count") == 10_000).all()
    found = 10 * np.log10(numbers.sel(statistic="mean").mean("time").item())
    assert found == pytest.approx(decibels, abs=0.005)
    assert abs((10 * np.log10(power[band])).mean() - found) > 0.5


@pytest.mark.parametrize("block", [41, 2048])
def test_blocks_never_change_a_bit(catalogue, parcels, optical, radar, block):
    for product, bands, expected in (
        (cbm.CARD_2A, OPTICAL, optical),
        (cbm.CARD_BS, RADAR, radar),
    ):
        found = reduce_all(catalogue, parcels, product, bands, block=block)
        xr.testing.assert_identical(found, expected)
