"""What is written is what is read."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr

import cbmcube as cbm
from cbmcube.exceptions import ReadError
from cbmcube.testing import vector_cube
from tests.zonal.conftest import make_cube


@pytest.fixture
def mixed_stats():
    """A lazy vector cube of polygons, rings, multipolygons and a single-part multipolygon."""
    box = shapely.box(500_100, 5_398_000, 500_200, 5_398_100)
    ring = shapely.Point(501_000, 5_398_000).buffer(90) - shapely.Point(501_000, 5_398_000).buffer(
        30
    )
    pair = shapely.MultiPolygon([box, shapely.box(502_000, 5_398_000, 502_070, 5_398_055)])
    parcels = gpd.GeoDataFrame(
        {"crop": ["maize", None, "rye", "hops"], "area_m2": [1e4, 2e4, 3e4, 4e4]},
        index=[4, 8, 15, 16],
        geometry=[box, ring, pair, shapely.MultiPolygon([box])],
        crs=32632,
    )
    values = np.random.default_rng(0).normal(size=(3, 300, 400)).astype("float32")
    return cbm.reduce_parcels(make_cube(values), parcels)


@pytest.mark.trap("T40")
def test_vector_cube_round_trip_is_identical(mixed_stats, tmp_path):
    path = cbm.write_vector_cube(mixed_stats, tmp_path / "stats.zarr")
    reopened = cbm.open_vector_cube(path)
    assert reopened.B.chunks  # still lazy
    xr.testing.assert_identical(reopened.compute(), mixed_stats.compute())
    assert reopened.xindexes["geometry"].crs == mixed_stats.xindexes["geometry"].crs


def test_a_written_cube_is_replaced_whole(mixed_stats, tmp_path):
    path = cbm.write_vector_cube(mixed_stats, tmp_path / "stats.zarr")
    cbm.write_vector_cube(mixed_stats.isel(time=[0]), path)
    assert cbm.open_vector_cube(path).sizes["time"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["stats.zarr"]


def test_a_failing_computation_leaves_the_old_cube(mixed_stats, tmp_path):
    path = cbm.write_vector_cube(mixed_stats, tmp_path / "stats.zarr")

    def fail(_block):
        raise ReadError("the disk is gone")

    broken = mixed_stats.copy()
    broken["B"] = broken.B.copy(data=broken.B.data.map_blocks(fail, dtype="float32"))
    with pytest.raises(ReadError, match="the disk is gone"):
        cbm.write_vector_cube(broken, path)
    xr.testing.assert_identical(cbm.open_vector_cube(path).compute(), mixed_stats.compute())


@pytest.mark.parametrize("geometry", [False, True])
@pytest.mark.parametrize("product", ["CARD-2A", "CARD-COH6"])
def test_table_round_trip_is_identical(tmp_path, geometry, product):
    table = cbm.to_observations(vector_cube(product), geometry=geometry)
    path = cbm.write_observations(table, tmp_path / "table.parquet")
    reread = cbm.read_observations(path)
    pd.testing.assert_frame_equal(pd.DataFrame(reread), pd.DataFrame(table))
    if geometry:
        assert reread.crs == table.crs
        assert gpd.read_parquet(path).geometry.geom_equals(table.geometry).all()


def test_absent_and_foreign_files_are_refused(tmp_path):
    foreign = tmp_path / "foreign.parquet"
    foreign.write_text("not parquet")
    xr.Dataset({"a": ("x", [1])}).to_zarr(tmp_path / "foreign.zarr", zarr_format=2)
    with pytest.raises(ReadError, match="no observation table"):
        cbm.read_observations(foreign)
    with pytest.raises(ReadError, match="no observation table"):
        cbm.read_observations(tmp_path / "absent.parquet")
    with pytest.raises(ReadError, match="no vector cube"):
        cbm.open_vector_cube(tmp_path / "foreign.zarr")
    with pytest.raises(ReadError, match="no vector cube"):
        cbm.open_vector_cube(tmp_path / "absent.zarr")
