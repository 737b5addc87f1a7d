"""What differs between two stores."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cbmcube.observations.store import compact, create_store, diff
from tests.observations.store.units import RECIPE, commit, info_of, key_of, put_plan, rows_of


@pytest.fixture
def two(ram):
    return [create_store(ram / name, RECIPE) for name in "ab"]


def publish(store, *names, **tables):
    for name in names:
        commit(store, name, table=tables.get(name, rows_of(name)))
    return store.publish(plan=put_plan(store, list(names)), keys=map(key_of, names))


def changed(name, column, values):
    table = rows_of(name)
    return table.set_column(table.column_names.index(column), column, values)


def records(frame):
    return frame.drop(columns=["key", "acquisition", "group"]).to_dict("records")


def test_equal_stores_differ_in_nothing(two):
    """Also where one is packed and the other is not."""
    for store in two:
        publish(store, "a", "b")
    compact(two[1])
    found = diff(*two)
    assert found.empty
    assert found.columns.tolist()[:4] == ["key", "acquisition", "group", "difference"]


def test_units_of_one_store_only(two):
    publish(two[0], "a", "b", "c")
    publish(two[1], "b", "d")
    found = diff(*two).set_index("key")["difference"].to_dict()
    assert found == {key_of("a"): "only in a", key_of("c"): "only in a", key_of("d"): "only in b"}


def test_numbers_that_differ_are_measured(two):
    mean = rows_of("a")["mean"].to_pylist()
    mean[1], mean[4] = mean[1] + 0.5, mean[4] - 0.25
    publish(two[0], "a")
    publish(two[1], "a", a=changed("a", "mean", pa.array(mean, pa.float32())))
    (record,) = records(diff(*two))
    assert record == {"difference": "values", "column": "mean", "rows": 2, "largest": 0.5}


def test_missing_numbers_and_text(two):
    valid = pa.array([None, 1, 2, 3, 4, 9], pa.int32())
    band = ["VV", "VH", "HH", None, "VV", "VH"]
    table = changed("a", "n_valid", valid)
    table = table.set_column(table.column_names.index("band"), "band", [band])
    publish(two[0], "a")
    publish(two[1], "a", a=table)
    band_found, valid_found = records(diff(*two))
    assert (band_found["column"], band_found["rows"]) == ("band", 2)
    assert np.isnan(band_found["largest"])
    assert (valid_found["column"], valid_found["rows"], valid_found["largest"]) == ("n_valid", 2, 4)


def test_the_sign_of_zero_and_large_numbers_count(two):
    """They are different bits, so they must not be called equal."""
    numbers = [pa.array(v) for v in ([0.0, 1.0], [-0.0, 1.0])]
    large = [pa.array(v) for v in ([2**60, 5], [2**60 + 1, 5])]
    for store, number, whole in zip(two, numbers, large, strict=True):
        publish(store, "a", a=pa.table({"number": number, "whole": whole}))
    assert [(r["column"], r["rows"], r["largest"]) for r in records(diff(*two))] == [
        ("number", 1, 0),
        ("whole", 1, 1),
    ]


def test_other_columns_and_other_rows(two):
    publish(two[0], "a", "b")
    publish(two[1], "a", "b", a=rows_of("a").drop_columns(["count"]), b=rows_of("b").slice(2))
    found = diff(*two).set_index("difference")
    assert found.loc["schema", "column"] == "count: float"
    assert found.loc["rows", "rows"] == 2


def test_failures(two):
    publish(two[0], "a")
    commit(two[1], "a", status="corrupt", reason="torn")
    two[1].publish(plan=put_plan(two[1], ["a"]), keys=[key_of("a")])
    status, rows = records(diff(*two))
    assert (status["difference"], status["column"]) == ("status", "ok, corrupt")
    assert (rows["difference"], rows["rows"]) == ("rows", 6)


def test_units_with_other_keys_are_paired_by_acquisition_and_group(two):
    """An item was reprocessed: another key, the same place and time."""
    publish(two[0], "a")
    made = two[1].commit(key_of("new"), rows_of("b"), status="ok", info=info_of("a"))
    two[1].publish(plan=put_plan(two[1], ["new"]), keys=[made.key])
    found = diff(*two)
    assert set(found["difference"]) == {"values"}
    assert set(found["column"]) == {"mean", "items"}
    assert set(found["key"]) == {key_of("a")}


def test_two_snapshots_of_one_store(two):
    store = two[0]
    publish(store, "a")
    publish(store, "a", "b")
    assert diff(store, store, snapshots=(1, 2))["difference"].tolist() == ["only in b"]
    assert diff(store, store).empty
