"""The whole way on the demo's country, against the source files themselves."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
import shapely
import xarray as xr
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource

import cbmcube as cbm
from cbmcube.indices import add_indices

ORACLE = {"count": "count", "mean": "mean", "std": "stdev", "min": "min", "max": "max"}
OPTICAL, RADAR = ["B02", "B03", "B04", "B08", "B11"], ["VV", "VH"]
BANDS = {"CARD-2A": [*OPTICAL, "SCL"], "CARD-BS": RADAR, "CARD-COH6": RADAR}
PRODUCTS = {product.name: product for product in (cbm.CARD_2A, cbm.CARD_BS, cbm.CARD_COH6)}
MASKED = [0, 1, 3, 8, 9, 10, 11]

pytestmark = pytest.mark.filterwarnings("ignore::cbmcube.warnings.RepairedParcelsWarning")


@pytest.fixture(scope="module")
def parcels(country):
    return cbm.prepare_parcels(cbm.read_parcels(country.parcels, id="field_id", crop="crop"))


@pytest.fixture(scope="module")
def found(country, parcels):
    """Items of each product."""
    catalog = cbm.open_catalog(country.catalogue)
    return {name: cbm.search(catalog, product, aoi=parcels) for name, product in PRODUCTS.items()}


def load_small_blocks(items, name):
    return cbm.load_native(items, PRODUCTS[name], bands=BANDS[name], block=64)


@pytest.fixture(scope="module")
def reduced(found, parcels):
    """Computed vector cubes of each product, from small blocks that many parcels straddle."""
    return {
        name: cbm.reduce_parcels(
            cbm.mask(load_small_blocks(items, name), PRODUCTS[name]), parcels
        ).compute()
        for name, items in found.items()
    }


def read(item, band):
    """Read an asset as stored, with its bounds, straight from the file."""
    with rasterio.open(item.assets[band].get_absolute_href()) as source:
        return source.read(1), source.bounds, source.res[0], source.crs.to_epsg()


def canvas(items, band):
    """Lay the files of one zone side by side with NumPy; what is first stays."""
    parts = [read(item, band) for item in sorted(items, key=lambda item: item.id)]
    west = min(bounds.left for _, bounds, _, _ in parts)
    north = max(bounds.top for _, bounds, _, _ in parts)
    east = max(bounds.right for _, bounds, _, _ in parts)
    south = min(bounds.bottom for _, bounds, _, _ in parts)
    step = parts[0][2]
    dtype = parts[0][0].dtype
    shape = (round((north - south) / step), round((east - west) / step))
    out = np.full(shape, np.nan if dtype.kind == "f" else 0, dtype)
    for values, bounds, _, _ in parts:
        row, column = round((north - bounds.top) / step), round((bounds.left - west) / step)
        place = out[row : row + values.shape[0], column : column + values.shape[1]]
        unset = np.isnan(place) if out.dtype.kind == "f" else place == 0
        place[unset] = values[unset]
    return out, {"xmin": west, "ymin": south, "xmax": east, "ymax": north}


def true_values(items, band, masked):
    """Physical values of one acquisition in one zone, as NumPy makes them from the files."""
    stored, ground = canvas(items, band)
    if stored.dtype.kind == "f":
        return stored.astype(float), ground
    offset = 1000 if items[0].properties["s2:processing_baseline"] > "04" else 0
    values = np.where(stored == 0, np.nan, (stored.astype(float) - offset) / 10_000)
    if masked:
        classes, _ = canvas(items, "SCL")
        factor = stored.shape[0] // classes.shape[0]
        values[np.isin(np.kron(classes, np.ones((factor, factor), classes.dtype)), MASKED)] = np.nan
    return values, ground


def zones_of(items, parcels):
    """Which zone each parcel is read in: most covered, then nearest central meridian."""
    covered = {}
    for epsg in (32632, 32633):
        boxes = [
            shapely.box(*read(item, next(iter(item.assets)))[1])
            for item in items
            if item.properties["proj:code"] == f"EPSG:{epsg}"
        ]
        shapes = parcels.to_crs(epsg).geometry
        covered[epsg] = shapes.intersection(shapely.union_all(boxes)).area / shapes.area
    centre = parcels.to_crs(4326).bounds[["minx", "maxx"]].mean(axis=1)
    both = np.isclose(covered[32632], covered[32633])
    zone = np.where(covered[32632] > covered[32633], 32632, 32633)
    return np.where(both, np.where(centre < 12, 32632, 32633), zone)


@pytest.mark.parametrize(
    ("product", "band"),
    [(product, band) for product, bands in BANDS.items() for band in bands if band != "SCL"],
)
def test_every_mean_equals_exactextract_on_the_source_files(found, reduced, parcels, product, band):
    """Every date and parcel, 1e-6 relative; NaN exactly where nothing is valid."""
    stats, items = reduced[product], {item.id: item for item in found[product]}
    zone = zones_of(list(items.values()), parcels)
    assert {32632, 32633} == set(zone)
    compared = 0
    for date in range(stats.sizes["time"]):
        members = [items[name] for name in stats["items"].values[date].split()]
        for epsg in (32632, 32633):
            here = [item for item in members if item.properties["proj:code"] == f"EPSG:{epsg}"]
            rows = np.flatnonzero(zone == epsg)
            values, ground = true_values(here, band, product == "CARD-2A")
            shapes = parcels.iloc[rows].to_crs(epsg)[["geometry"]]
            oracle = exact_extract(
                NumPyRasterSource(values, **ground), shapes, list(ORACLE.values()), output="pandas"
            )
            for ours, theirs in ORACLE.items():
                mine = stats[band].isel(time=date, parcel=rows).sel(statistic=ours).values
                expected = oracle[theirs].to_numpy(dtype=float)
                # float32 steps of the largest term bound what cancels in a deviation
                atol = 1e-7 if ours == "std" else 1e-9
                np.testing.assert_allclose(mine, expected, rtol=1e-6, atol=atol)
                compared += np.isfinite(expected).sum()
    assert compared > 1000


@pytest.mark.parametrize("product", PRODUCTS)
def test_one_tile_equals_its_file_pixel_by_pixel(found, product):
    """Each band of one tile on its own: the loaded plane is the file, nothing resampled."""
    item = found[product][0]
    cubes = cbm.load_native([item], PRODUCTS[product], bands=BANDS[product], block=100)
    for node in cubes.children.values():
        for band in node.data_vars:
            stored, bounds, step, _ = read(item, band)
            plane = node[band].isel(time=0).values.astype(float)
            expected = stored.astype(float)
            if band != "SCL":
                expected, _ = true_values([item], band, masked=False)
            # One step of float32: the file's integers become reflectance in that type.
            np.testing.assert_allclose(plane, expected, rtol=1.2e-7, atol=0, equal_nan=True)
            assert float(node.x[0]) == bounds.left + step / 2
            assert float(node.y[0]) == bounds.top - step / 2


def test_two_passes_of_one_day_are_two_time_steps(reduced):
    stats = reduced["CARD-BS"]
    days = pd.Series(stats.time.values).dt.floor("D")
    twice = days[days.duplicated(keep=False)]
    assert len(twice)
    states = stats.orbit_state.values[days == twice.iloc[0]]
    assert sorted(states) == ["ascending", "descending"]
    assert stats.indexes["time"].is_monotonic_increasing


def test_the_twin_is_dropped_and_named(country, found):
    twin = country.truth["twin"]
    kept = {item.id for item in found["CARD-2A"]}
    assert twin["kept"] in kept
    assert twin["superseded"] not in kept
    dropped = cbm.report(found["CARD-2A"]).dropped
    assert [(one.id, one.kept) for one in dropped] == [(twin["superseded"], twin["kept"])]
    assert twin["superseded"] in repr(cbm.report(found["CARD-2A"]))


def test_the_missing_acquisition_is_reported(country, found):
    missing = country.truth["missing"]
    (gap,) = cbm.report(found["CARD-BS"]).gaps
    assert abs(gap.time - pd.Timestamp(missing["datetime"])) < pd.Timedelta("1h")
    assert (gap.platform, gap.relative_orbit) == (missing["platform"], missing["relative_orbit"])


def test_each_parcel_appears_once_in_the_users_order(reduced, parcels):
    for stats in reduced.values():
        assert stats.parcel.values.tolist() == parcels.index.tolist()
        assert len(cbm.to_observations(stats)) == (
            stats.sizes["time"] * stats.sizes["parcel"] * stats.sizes["band"]
        )


def test_reflectance_is_continuous_across_the_baseline_change(country, found, parcels):
    """An offset applied wrongly would shift red by 0.1; five days move it far less."""
    cubes = cbm.load_native(found["CARD-2A"], cbm.CARD_2A, bands=["B04", "SCL"])
    stats = cbm.reduce_parcels(cbm.mask(cubes, cbm.CARD_2A), parcels, statistics="mean").compute()
    change = np.datetime64(country.truth["baseline_change"])
    red = stats.B04.squeeze("statistic").to_pandas()
    before = red[red.index < change].ffill().iloc[-1]
    after = red[red.index >= change].bfill().iloc[0]
    assert before.notna().sum() > 20
    assert abs((after - before).median()) < 0.03
    baselines = set(stats.radiometry.values)
    assert len(baselines) == 2
    assert any("offset -0.1" in text for text in baselines)


def test_the_missed_pass_and_clouds_stay_apart(reduced):
    """Not seen, seen but masked, and valid: three states, told apart in every row."""
    table = cbm.to_observations(reduced["CARD-2A"])
    red = table[table["band"] == "B04"]
    assert set(red["state"]) >= {"OK", "MASKED", "NO_DATA"}
    assert (red.loc[red["state"] == "NO_DATA", "observed"] == 0).all()
    assert (red.loc[red["state"] == "MASKED", "n_valid"] == 0).all()
    assert (red.loc[red["state"] == "MASKED", "observed"] > 0).all()


def test_nothing_is_computed_on_the_way(country, parcels, nothing_computes):
    with nothing_computes:
        items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_2A, aoi=parcels)
        cubes = cbm.load_native(items, cbm.CARD_2A, bands=["B04", "B08", "SCL"])
        cubes = cbm.mask(cubes, cbm.CARD_2A)
        stats = cbm.reduce_parcels(add_indices(cubes, "NDVI"), parcels)
    assert all(variable.chunks for variable in stats.data_vars.values())
    assert "NDVI" in stats


def test_class_shares_are_those_of_the_files(found, reduced, parcels):
    stats, items = reduced["CARD-2A"], {item.id: item for item in found["CARD-2A"]}
    rows = np.flatnonzero(zones_of(list(items.values()), parcels) == 32633)
    shapes = parcels.iloc[rows].to_crs(32633)[["geometry"]]
    members = [items[name] for name in stats["items"].values[2].split()]
    here = [item for item in members if item.properties["proj:code"] == "EPSG:32633"]
    classes, ground = canvas(here, "SCL")
    source = NumPyRasterSource(classes, **ground)
    oracle = exact_extract(source, shapes, ["unique", "frac"], output="pandas")
    inside = stats.observed.isel(time=2, parcel=rows).values > 0.999
    for row in np.flatnonzero(inside):
        shares = stats.SCL_fraction.isel(time=2, parcel=rows[row])
        for code, share in zip(oracle["unique"][row], oracle["frac"][row], strict=True):
            assert float(shares.sel({"class": code})) == pytest.approx(share, rel=1e-5)


def test_the_country_is_described_by_valid_items(country):
    collection = pystac.ItemCollection.from_file(str(country.catalogue))
    assert len(collection) == country.n_items
    assert len(json.loads(country.collections.read_text())) == 3


@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_a_frozen_search_gives_the_same_numbers(country, found, reduced, parcels, tmp_path, suffix):
    path = cbm.freeze(found["CARD-BS"], tmp_path / f"bs.{suffix}")
    access = cbm.AccessPolicy(roots=(str(country.folder),))
    again = cbm.search(cbm.open_catalog(path, access=access), cbm.CARD_BS)
    stats = cbm.reduce_parcels(cbm.load_native(again, cbm.CARD_BS), parcels)
    xr.testing.assert_identical(stats.compute(), reduced["CARD-BS"])


def test_user_code_takes_over(reduced, parcels):
    """Plain xarray and geopandas from here on: select, join, group."""
    ndvi_like = reduced["CARD-2A"].B04.sel(statistic="mean").mean("time", skipna=True)
    fields = cbm.to_geodataframe(reduced["CARD-BS"].isel(time=0)).join(parcels[["crop"]])
    assert isinstance(fields, gpd.GeoDataFrame)
    assert isinstance(ndvi_like, xr.DataArray)
    assert fields.groupby("crop")["VV_mean"].mean().gt(0).all()
