"""States of observations against those of observation tables, and parts against a plain rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cbmcube as cbm
from cbmcube import _states
from cbmcube.agreement import STATES
from cbmcube.agreement._states import FULLY_OBSERVED, MISSING, OK, READ_FAILED, join, look
from cbmcube.testing import vector_cube


def test_the_states_are_those_of_tables_and_two_more():
    assert STATES[:5] == _states.STATES
    assert STATES[5:] == ("NO_VALUE", "MISSING")
    assert FULLY_OBSERVED == _states.FULLY_OBSERVED


def test_states_are_those_that_a_table_has():
    cube = vector_cube("CARD-2A", parcels=8, bands=["NDVI"])
    seen = np.argwhere(cube["n_valid"].values[0] > 0)[0]
    cube["observed"][tuple(seen)] = 0.5
    cube["n_failed"] = cube["n_valid"] * 0
    cube["n_failed"][0, 5, 2] = 1
    raw = {name: cube[name].values[0] for name in ("n_valid", "n_failed")}
    raw |= {"observed": cube["observed"].values}
    raw |= {"value": cube["NDVI"].sel(statistic="mean").values}
    looks = look(raw, in_db=False)
    table = cbm.to_observations(cube)
    states = np.array(STATES)[looks["state"]]
    assert states.ravel().tolist() == table["state"].tolist()
    assert set(states.ravel()) == {"OK", "PARTIAL", "MASKED", "NO_DATA", "READ_FAILED"}
    has = np.isin(states, ["OK", "PARTIAL"])
    assert (np.isfinite(looks["value"]) == has).all()


def test_without_counts_a_value_is_all_that_is_known():
    looks = look({"value": np.array([[1.0, np.nan, np.inf]])}, in_db=False)
    assert np.array(STATES)[looks["state"]].tolist() == [["OK", "NO_VALUE", "NO_VALUE"]]


def test_db_needs_positive_numbers():
    looks = look({"value": np.array([[0.1, 0.0, -1.0]], "float32")}, in_db=True)
    assert looks["value"][0, 0] == pytest.approx(-10, abs=1e-6)
    assert np.array(STATES)[looks["state"]].tolist() == [["OK", "NO_VALUE", "NO_VALUE"]]


def test_a_stated_state_goes_before_counts():
    raw = {"value": np.array([[1.0, 1.0]]), "state": np.array([[READ_FAILED, -1]])}
    looks = look(raw, in_db=False)
    assert looks["state"].tolist() == [[READ_FAILED, OK]]
    assert np.isnan(looks["value"][0, 0])  # such numbers are not final


def one(n_valid, observed, value, failed):
    shape = (len(n_valid), 1)
    return look(
        {
            "value": np.reshape(value, shape).astype("float32"),
            "n_valid": np.reshape(n_valid, shape),
            "observed": np.reshape(observed, shape),
            "n_failed": np.reshape(failed, shape),
        },
        in_db=False,
    )


def test_of_two_tiles_the_one_with_most_pixels_counts():
    """30 and 70 of the pixels: the value of the 70, and no mean of both."""
    value, state, step = join(one([30, 70], [1, 1], [0.2, 0.4], [0, 0]), [np.array([0, 1])])
    assert value[0, 0] == np.float32(0.4)
    assert (STATES[state[0, 0]], step[0, 0]) == ("OK", 1)


def test_of_equal_tiles_the_smaller_item_id_counts():
    for order in ([0, 1], [1, 0]):
        _, _, step = join(one([7, 7], [1, 1], [0.2, 0.4], [0, 0]), [np.array(order)])
        assert step[0, 0] == order[0]


def test_a_tile_that_could_not_be_read_goes_before_one_without_data():
    looks = one([0, 0], [0, 0], [np.nan, np.nan], [0, 3])
    _, state, _ = join(looks, [np.array([0, 1])])
    assert STATES[state[0, 0]] == "READ_FAILED"


def test_a_row_that_is_not_there_says_less_than_any_other():
    """Two tiles of a table: one has no row of the parcel, the other did not see it."""
    raw = {
        "value": np.full((2, 1), np.nan),
        "state": np.array([[MISSING], [STATES.index("NO_DATA")]]),
        "observed": np.array([[np.nan], [0.0]]),
    }
    _, state, _ = join(look(raw, in_db=False), [np.array([0, 1])])
    assert STATES[state[0, 0]] == "NO_DATA"


def test_a_pass_that_the_source_lacks_is_missing():
    looks = one([7], [1], [0.2], [0])
    none = np.zeros(0, dtype="int64")
    value, state, step = join(looks, [none, np.array([0]), none])
    assert state[:, 0].tolist() == [MISSING, OK, MISSING]
    assert step[:, 0].tolist() == [-1, 0, -1]
    assert np.isnan(value[[0, 2]]).all()
    empty = {name: array[:0] for name, array in looks.items()}
    assert (join(empty, [none])[1] == MISSING).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0])), min_size=1))
def test_parts_against_a_plain_search(parts):
    n_valid, observed = zip(*parts, strict=True)
    value = [float(number) if n and seen else np.nan for number, (n, seen) in enumerate(parts)]
    looks = one(n_valid, observed, value, [0] * len(parts))
    _, _, step = join(looks, [np.arange(len(parts))])
    best = max(range(len(parts)), key=lambda k: (n_valid[k], observed[k], -k))
    assert step[0, 0] == best
