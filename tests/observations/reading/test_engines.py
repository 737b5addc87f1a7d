"""Dask, pyarrow and DuckDB see the same rows."""

from __future__ import annotations

import sys

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from cbmcube.observations.reading import open_observations
from cbmcube.observations.store import compact
from cbmcube.testing import vector_cube
from tests.observations.reading.conftest import unfinished
from tests.observations.reading.stores import expected_table, make_store, publish

KEYS = ["time", "parcel", "band"]


def ordered(table):
    return table.sort_values(KEYS, ignore_index=True)


@pytest.mark.parametrize("compacted", [False, True])
def test_dask_reads_what_pandas_reads(holed, compacted):
    pytest.importorskip("dask.dataframe")
    with unfinished():
        frame = holed.open(compacted=compacted).to_dask(bands=["NDVI", "B04"], rows=20)
        assert frame.npartitions > 3
        got = frame.compute(scheduler="synchronous")
    expected = holed.table[holed.table["band"] != "B08"].reset_index(drop=True)
    got = got.astype(dict(expected.dtypes))
    pd.testing.assert_frame_equal(ordered(got), ordered(expected))


def test_a_dask_table_of_nothing_has_its_columns(whole):
    pytest.importorskip("dask.dataframe")
    frame = whole.open().to_dask(period="2030", columns=["parcel", "mean"])
    assert frame.compute().columns.tolist() == ["parcel", "mean"]


@pytest.mark.parametrize("compacted", [False, True])
def test_the_dataset_holds_the_rows_of_files(whole, compacted):
    data = whole.open(compacted=compacted).dataset()
    got = data.to_table().to_pandas(types_mapper=pd.ArrowDtype)
    pd.testing.assert_frame_equal(ordered(got), ordered(whole.table))
    name = str(whole.stats.acquisition.values[4])
    one = data.scanner(filter=ds.field("acquisition") == name)
    assert one.count_rows() == int((whole.table["acquisition"] == name).sum())
    assert one.to_table()["acquisition"].unique().to_pylist() == [name]
    fragments = list(data.get_fragments(filter=ds.field("acquisition") == name))
    assert len(fragments) == 2  # others are not even opened


@pytest.mark.parametrize("rows", [3000, 9000])
def test_units_of_several_row_groups_stay_apart(tmp_path, rows):
    stats = vector_cube("CARD-BS", parcels=rows // 2, days=12).compute()
    store = make_store(tmp_path / "s", stats, [range(rows // 2)], {(1, 0): "nodata"})
    plain = open_observations(store)
    compact(store, acquisitions=2)
    packed = open_observations(store)
    assert packed.snapshot.number == 2
    for data in (plain.dataset(), packed.dataset()):
        assert data.count_rows() == rows * (stats.sizes["time"] - 1)
    one = plain.table(["P0", f"P{rows // 2 - 1}"])
    pd.testing.assert_frame_equal(packed.table(["P0", f"P{rows // 2 - 1}"]), one)


@pytest.mark.parametrize("together", [2, 8])
def test_rows_that_were_replaced_are_not_in_the_dataset(tmp_path, together):
    """A file of several units outlives one of them; other engines must not see its rows."""
    stats = vector_cube("CARD-BS", parcels=4, days=20).compute()
    store = make_store(tmp_path / "s", stats, [[0, 1], [2, 3]])
    compact(store, acquisitions=together)
    stats["VV"][1] *= 2  # the images of a date were processed anew
    publish(store, stats, [[0, 1], [2, 3]])
    observations = open_observations(store)
    data = observations.dataset()
    assert data.count_rows() == len(observations)
    got = data.to_table().to_pandas(types_mapper=pd.ArrowDtype)
    expected = expected_table(stats, [[0, 1], [2, 3]])
    pd.testing.assert_frame_equal(ordered(got), ordered(expected))
    pd.testing.assert_frame_equal(observations.table(), expected)


@pytest.mark.parametrize("compacted", [False, True])
def test_duckdb_sees_rows_of_units_without_files_too(holed, compacted):
    pytest.importorskip("duckdb")
    relation = holed.open(compacted=compacted).duckdb()
    assert relation.columns == holed.table.columns.tolist()
    got = relation.to_arrow_table() if hasattr(relation, "to_arrow_table") else relation.arrow()
    got = pa.table(got).cast(holed.open().schema).to_pandas(types_mapper=pd.ArrowDtype)
    pd.testing.assert_frame_equal(ordered(got), ordered(holed.table))
    means = (
        relation.filter("band = 'NDVI' AND state = 'OK'").aggregate("avg(mean)").fetchall()[0][0]
    )
    some = holed.table[(holed.table["band"] == "NDVI") & (holed.table["state"] == "OK")]
    assert means == pytest.approx(float(some["mean"].astype("float64").mean()), rel=1e-6)


@pytest.mark.parametrize(
    ("module", "call", "says"),
    [
        ("duckdb", lambda o: o.duckdb(), "pip install duckdb"),
        ("dask.dataframe", lambda o: o.to_dask(), "pip install 'dask"),
    ],
)
def test_what_is_not_installed_is_named(whole, monkeypatch, module, call, says):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=says):
        call(whole.open())
