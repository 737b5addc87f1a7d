"""Observation tables laid out as cubes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import cbmcube as cbm
from cbmcube.agreement import STATES
from cbmcube.agreement._table import table_to_cube
from cbmcube.exceptions import OptionError, UnknownStatisticError
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def cube():
    return vector_cube("CARD-COH6", parcels=[11, 5, 7], days=40)


@pytest.fixture(scope="module")
def table(cube):
    return cbm.to_observations(cube)


def test_a_table_becomes_the_cube_it_was_made_of(cube, table):
    found = table_to_cube(table.sample(frac=1, random_state=3), "p50")
    assert found["parcel"].values.tolist() == [5, 7, 11]
    ordered = cube.sortby("parcel")
    for band in ("VV", "VH"):
        expected = ordered[band].sel(statistic=["p50"]).values
        np.testing.assert_array_equal(found[band].values.astype("float32"), expected)
        number = found["band"].values.tolist().index(band)
        np.testing.assert_array_equal(found["n_valid"][number], ordered["n_valid"].sel(band=band))
    np.testing.assert_array_equal(found["observed"][0], ordered["observed"])
    for name in ("acquisition", "platform", "relative_orbit", "orbit_state", "items"):
        assert found[name].values.tolist() == cube[name].values.tolist()
    assert (found["time"] - found["reference_time"] == np.timedelta64(6, "D")).all()


def test_a_row_that_is_not_there_is_missing(table):
    found = table_to_cube(table.drop(index=[0]), "mean")
    assert (found["state"] == STATES.index("MISSING")).sum() == 1
    where = {"band": table["band"][0], "parcel": table["parcel"][0], "time": found["time"][0]}
    assert found["state"].sel(where) == STATES.index("MISSING")


def test_the_row_with_most_pixels_counts_and_shuffling_changes_nothing():
    facts = {"parcel": "p", "time": pd.Timestamp("2024-05-01"), "band": "NDVI"}
    rows = pd.DataFrame(
        [
            facts | {"mean": 0.1, "n_valid": 30, "observed": 1.0, "items": "a"},
            facts | {"mean": 0.2, "n_valid": 70, "observed": 0.5, "items": "b"},
            facts | {"mean": 0.3, "n_valid": 70, "observed": 0.7, "items": "d"},
            facts | {"mean": 0.4, "n_valid": 70, "observed": 0.7, "items": "c"},
        ]
    )
    for seed in range(8):
        found = table_to_cube(rows.sample(frac=1, random_state=seed), "mean")
        assert found["NDVI"].item() == 0.4
    once = table_to_cube(rows.iloc[[3]], "mean")
    xr_twice = table_to_cube(pd.concat([rows.iloc[[3]]] * 2), "mean")
    assert once.identical(xr_twice)


def test_the_least_that_a_table_needs():
    rows = pd.DataFrame(
        {
            "parcel": pd.array(["x", "y"], dtype="string"),
            "time": ["2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00Z"],
            "band": ["NDVI", "NDVI"],
            "median": [0.1, None],
        }
    )
    found = table_to_cube(rows, "median")
    assert found.sizes == {"time": 1, "parcel": 2, "statistic": 1, "band": 1}
    assert "observed" not in found
    assert found["relative_orbit"].item() == -1


def test_facts_of_the_whole_table_are_kept():
    rows = pd.DataFrame({"parcel": [1], "time": ["2024-05-01"], "band": ["a"], "mean": [1.0]})
    rows.attrs["pixels"] = "centre"
    assert table_to_cube(rows, "mean").attrs == {"pixels": "centre"}


def test_other_tables_are_refused(table):
    with pytest.raises(OptionError, match="no observation table"):
        table_to_cube(table.drop(columns="band"), "mean")
    with pytest.raises(UnknownStatisticError, match="p99"):
        table_to_cube(table, "p99")
    with pytest.raises(OptionError, match="FOGGY"):
        table_to_cube(table.assign(state="FOGGY"), "mean")
