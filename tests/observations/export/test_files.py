"""What is exported to files is what was in the store, for readers that know nothing of it."""

from __future__ import annotations

import gc

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr

import cbmcube as cbm
from cbmcube.observations.export import to_parquet, to_zarr
from cbmcube.observations.reading import Observations, _assemble, _blocks, open_observations
from cbmcube.testing import vector_cube
from tests.observations.reading.conftest import unfinished
from tests.observations.reading.stores import make_store

KEYS = ["time", "parcel", "band"]


def ordered(table):
    return table.sort_values(KEYS, ignore_index=True)


@pytest.mark.parametrize("compacted", [False, True])
def test_parquet_holds_every_row(holed, tmp_path, compacted):
    with unfinished():
        path = to_parquet(holed.open(compacted=compacted), tmp_path / "all.parquet")
    table = cbm.read_observations(path)
    pd.testing.assert_frame_equal(ordered(table), ordered(holed.table))


def test_a_selection_of_parquet(whole, tmp_path):
    path = to_parquet(whole.open(), tmp_path / "some.parquet", parcels=["P1", "P2"], states="OK",
                      bands=["NDVI"], period="2024-03")  # fmt: skip
    some = whole.table.query("parcel in ['P1', 'P2'] and state == 'OK' and band == 'NDVI'")
    some = some[some["time"].astype("datetime64[us, UTC]") < pd.Timestamp("2024-04-01", tz="UTC")]
    pd.testing.assert_frame_equal(ordered(cbm.read_observations(path)), ordered(some))


def test_geoparquet_is_read_by_geopandas_and_duckdb(whole, tmp_path):
    path = to_parquet(whole.open(), tmp_path / "all.parquet", geometry=True)
    table = gpd.read_parquet(path)
    assert table.crs == "EPSG:32632"
    assert len(table) == len(whole.table)
    shapes = dict(zip(whole.stats.parcel.values, whole.stats.geometry.values, strict=True))
    assert all(shapes[p].equals(g) for p, g in zip(table["parcel"], table.geometry, strict=True))
    assert np.allclose(table.total_bounds, gpd.GeoSeries(table.geometry).total_bounds)
    duckdb = pytest.importorskip("duckdb")
    counted = duckdb.connect().execute(
        f"SELECT count(*), count(DISTINCT parcel) FROM read_parquet('{path}')"  # noqa: S608
    )
    assert counted.fetchall() == [(len(whole.table), whole.table["parcel"].nunique())]


def test_a_file_is_replaced_whole_or_stays(whole, tmp_path, monkeypatch):
    path = to_parquet(whole.open(), tmp_path / "all.parquet", parcels="P1")
    before = path.read_bytes()

    def fail(*_args, **_options):
        yield whole.open().to_arrow("P2")
        raise OSError("the disk is gone")

    monkeypatch.setattr(Observations, "batches", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        to_parquet(whole.open(), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["all.parquet"]


def test_zarr_is_the_cube(whole, tmp_path):
    path = to_zarr(whole.open(), tmp_path / "all.zarr", parcels=["P1", "P3"])
    got = cbm.open_vector_cube(path).compute()
    xr.testing.assert_identical(got, whole.open().cube(["P1", "P3"]).compute())
    plain = xr.open_zarr(path)  # by the CF conventions, without this library
    assert plain["NDVI"].dims == ("time", "parcel", "statistic")
    np.testing.assert_array_equal(
        plain["NDVI"].values, whole.stats["NDVI"].sel(parcel=["P1", "P3"]).values
    )
    assert plain["spatial_ref"].attrs["crs_wkt"]


def test_zarr_reads_each_date_once(whole, tmp_path, monkeypatch):
    from cbmcube.observations.reading import _cube

    read = []
    plain = _blocks.read_block

    def note(source, selection, axes, span):
        read.append(span)
        return plain(source, selection, axes, span)

    monkeypatch.setattr(_cube, "BLOCK_ROWS", 1)
    monkeypatch.setattr(_cube, "read_block", note)
    to_zarr(whole.open(), tmp_path / "all.zarr")
    assert len(read) == whole.stats.sizes["time"] == len({span.start for span in read})


def test_memory_stays_flat_while_rows_stream(tmp_path, monkeypatch):
    """Ten times the dates hold no more of Arrow's memory when a piece is written."""
    held = []
    plain = pq.ParquetWriter.write_table

    def note(writer, table, *rest, **options):
        if held:  # the stores of the test are written with it, too
            held[-1].append(pa.total_allocated_bytes())
        return plain(writer, table, *rest, **options)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", note)
    monkeypatch.setattr(_assemble, "STREAM_ROWS", 600)
    stores = []
    for days in (12, 90):
        stats = vector_cube("CARD-BS", parcels=300, days=days).compute()
        stores.append(make_store(tmp_path / f"s{days}", stats, [range(150), range(150, 300)]))
    for store in stores:
        held.append([])
        found = open_observations(store)
        found.schema  # noqa: B018  # read before memory is counted
        gc.collect()
        before = pa.total_allocated_bytes()
        to_parquet(found, tmp_path / "out.parquet")
        held[-1] = [size - before for size in held[-1]]
    few, many = held
    assert len(many) > 5 * len(few)
    assert max(many) < 1.5 * max(few)
