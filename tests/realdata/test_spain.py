"""One real field in one season: the published means and pixel counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from affine import Affine

import cbmcube as cbm
from cbmcube.indices import add_indices
from tests.realdata.conftest import NDVI, Archive, Ground, require_equal

pytestmark = pytest.mark.realdata

GROUND = Ground(32630, Affine(10, 0, 344_130, 0, -10, 4_626_620), (57, 56))
CUT = [195, 208, 1773, 2137]
"""Pixels of the dates that see only a part of the field."""


@pytest.fixture(scope="module")
def source(realdata):
    """The bands as published, (time, y, x), NaN where there is nothing."""
    with xr.open_dataset(realdata / "spain" / "raw_s2_ndvi_field.nc") as stored:
        assert stored.x.values[0] == 344_135
        assert stored.y.values[0] == 4_626_615
        return stored.load()


@pytest.fixture(scope="module")
def series(realdata):
    """The published field means of NDVI, by date."""
    table = pd.read_csv(realdata / "spain" / "mogpr_input.csv", parse_dates=["date"])
    return table.set_index(table["date"].dt.tz_localize(None))["NDVI"].dropna()


@pytest.fixture(scope="module")
def field(realdata):
    """A bare GeoJSON polygon in degrees: one parcel, named by the number of its row."""
    return cbm.read_parcels(realdata / "spain" / "field.geojson", id="fid")


@pytest.fixture(scope="module")
def catalogue(source, tmp_path_factory):
    archive = Archive(tmp_path_factory.mktemp("spain"), GROUND)
    for number, time in enumerate(source.t.values):
        planes = {
            str(name): source[name].values[number] for name in source.data_vars if name != "crs"
        }
        archive.add(
            f"ndvi-{number:02d}",
            time,
            {
                "NDVI": planes["NDVI"],
                "CLM": np.nan_to_num(planes["CLM"]).astype("uint8"),
            },
            collection="ndvi",
            nodata={"NDVI": np.nan, "CLM": 255},
        )
        archive.add(
            f"S2-{number:02d}",
            time,
            {
                "B04": np.nan_to_num(planes["B04"]).astype("uint16"),
                "B08": np.nan_to_num(planes["B08"]).astype("uint16"),
                "SCL": np.nan_to_num(planes["SCL"]).astype("uint8"),
            },
            collection="CARD-2A",
            nodata={"B04": 0, "B08": 0, "SCL": 0},
            properties={"s2:processing_baseline": "02.11"},
        )
    return archive.save()


@pytest.fixture(scope="module")
def index_cube(catalogue, field):
    items = cbm.search(cbm.open_catalog(catalogue), NDVI, aoi=field)
    return cbm.load(items, NDVI, block=20)


@pytest.fixture(scope="module")
def plain(index_cube, field):
    return cbm.reduce_parcels(index_cube, field, pixels="centre").compute().isel(parcel=0)


def test_a_bare_polygon_is_one_parcel(field):
    assert len(field) == 1
    assert field.crs == "EPSG:4326"
    assert field.to_crs(32630).area.item() / 1e4 == pytest.approx(23.24, abs=0.03)


def test_field_means_are_the_published_ones(plain, series):
    assert plain.sizes["time"] == 33
    assert (plain.time.values == series.index.values.astype("datetime64[ns]")).all()
    # float32 steps of numbers up to 1 lie within 6e-8 of the published column's own 7e-8
    np.testing.assert_allclose(plain.NDVI.sel(statistic="mean"), series, rtol=0, atol=1.3e-7)


def test_pixel_counts_are_the_published_ones(plain, index_cube, field):
    counts = plain.n_valid.sel(band="NDVI").values
    assert sorted(counts)[:4] == CUT
    assert (np.sort(counts)[4:] == 2322).all()
    assert plain.n_total.item() == 2322
    touched = cbm.reduce_parcels(index_cube, field, pixels="all_touched")
    assert touched.n_total.compute().item() == 2436


def test_exact_numbers_equal_exactextract(index_cube, field, source):
    stats = cbm.reduce_parcels(index_cube, field).compute()
    assert require_equal(stats, "NDVI", source.NDVI.values, GROUND, field) == 33 * 5


def test_a_date_that_saw_a_part_of_the_field_is_partial(plain, index_cube, field):
    stats = cbm.reduce_parcels(index_cube, field, pixels="centre")
    table = cbm.to_observations(stats)
    seen = plain.n_valid.sel(band="NDVI").values / 2322
    np.testing.assert_allclose(table["observed"].to_numpy(dtype=float), seen, rtol=1e-6)
    assert table["state"].tolist() == ["OK" if share >= 0.95 else "PARTIAL" for share in seen]
    assert (table["state"] == "PARTIAL").sum() == 4


def test_masked_means_equal_numpy(index_cube, field, source, plain):
    """The cloud mask empties one date almost wholly and takes seven pixels of another."""
    stats = cbm.reduce_parcels(cbm.mask(index_cube, NDVI), field, pixels="centre").compute()
    kept = np.where(source.CLM.values == 1, np.nan, source.NDVI.values.astype(float))
    counts = np.isfinite(kept).sum(axis=(1, 2))
    np.testing.assert_array_equal(stats.n_valid.squeeze().values, counts)
    lost = plain.n_valid.sel(band="NDVI").values - counts
    assert sorted(lost[lost > 0]) == [7, 2315]
    np.testing.assert_allclose(
        stats.NDVI.sel(statistic="mean").squeeze().values, np.nanmean(kept, axis=(1, 2)), rtol=1e-6
    )
    np.testing.assert_allclose(stats.observed.squeeze(), plain.observed, rtol=0)


def test_the_index_of_reduced_reflectance_is_the_published_one(catalogue, field, series):
    """From digital numbers through CARD-2A, the index pixel by pixel."""
    items = cbm.search(cbm.open_catalog(catalogue), cbm.CARD_2A, aoi=field)
    cube = cbm.load(items, cbm.CARD_2A, bands=["B04", "B08", "SCL"], block=30)
    stats = cbm.reduce_parcels(add_indices(cube, "NDVI"), field, pixels="centre")
    stats = stats.compute().isel(parcel=0)
    np.testing.assert_allclose(stats.NDVI.sel(statistic="mean"), series, rtol=0, atol=2e-7)
    shares = stats.SCL_fraction * stats.n_total.sel(band="NDVI")
    found = {int(c): round(float(shares.sel({"class": c}).sum())) for c in stats["class"]}
    assert {c: n for c, n in found.items() if n and c} == {2: 8, 4: 16_796, 5: 54_815, 7: 32}


def test_the_index_of_the_published_bands_is_the_published_index(source):
    """Bit by bit in all 71,651 cells, and missing in the same ones."""
    cube = source[["B04", "B08"]].rename(t="time").chunk({"time": 4, "y": 20, "x": 30})
    found = add_indices(cube, "NDVI").NDVI.values
    np.testing.assert_array_equal(found, source.NDVI.values)
    assert np.isfinite(found).sum() == 71_651
