"""The ledger of a vector cube against the states of the observation table, and its own two."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import cbmcube as cbm
from cbmcube.exceptions import UnknownBandError
from cbmcube.series import LEDGER, deduplicate, states
from cbmcube.testing import vector_cube


def spoiled():
    """A cube in which every state of the table occurs."""
    stats = vector_cube("CARD-2A", parcels=8, days=120)
    stats["observed"][3:9, 1] = 0.949
    stats["observed"][9:12, 1] = 0.95
    failed = np.zeros(stats["n_valid"].shape, "int32")
    failed[1, 5:8, 4] = 2
    return stats.assign(n_failed=(("band", "time", "parcel"), failed))


def names(found):
    return np.array(LEDGER)[found.transpose("time", "parcel").values]


@pytest.mark.parametrize("band", ["B04", "B08"])
def test_the_states_are_those_of_the_observation_table(band):
    stats = spoiled()
    table = cbm.to_observations(stats)
    rows = table[table["band"] == band]
    shape = (stats.sizes["time"], stats.sizes["parcel"])
    expected = rows["state"].to_numpy(dtype=str).reshape(shape)
    np.testing.assert_array_equal(names(states(stats, band)), expected)
    wanted = {"OK", "PARTIAL", "MASKED", "NO_DATA"} | ({"READ_FAILED"} if band == "B08" else set())
    assert {*expected.ravel().tolist()} == wanted


def test_what_nobody_reduced_is_not_read():
    stats = spoiled()
    stats["n_valid"][:, 2, 3] = -1
    stats["observed"][4, 5] = np.nan
    found = names(states(stats))
    assert found[2, 3] == found[4, 5] == "NOT_READ"
    assert (found == "NOT_READ").sum() == 2


def test_a_copy_that_another_one_replaces_is_a_duplicate():
    """Cut in two; of what was seen once nothing is dropped."""
    stats = vector_cube("CARD-2A", parcels=3, days=2)
    left, right = stats.copy(deep=True), stats.copy(deep=True)
    left["n_valid"][:], right["n_valid"][:] = [9, 3, 7], [4, 8, 0]
    left["observed"][:], right["observed"][:] = [1.0, 0.4, 1.0], [1.0, 0.6, 0.0]
    both = xr.concat([left, right], "time", data_vars="minimal")
    assert names(states(both, "B08")).tolist() == [
        ["OK", "DUPLICATE", "OK"],
        ["DUPLICATE", "PARTIAL", "NO_DATA"],
    ]
    assert names(states(deduplicate(both), "B08")).tolist() == [["OK", "PARTIAL", "OK"]]


def test_the_ledger_and_the_deduplicated_cube_tell_one_story():
    rng = np.random.default_rng(2)
    parts = []
    for _ in range(3):
        part = vector_cube("CARD-2A", parcels=6, days=40)
        part["observed"][:] = rng.choice([0, 0.5, 1], part["observed"].shape)
        some = rng.integers(0, 4, part["n_valid"].shape)
        part["n_valid"][:] = np.where(part["observed"] > 0, some, 0)
        parts.append(part)
    stats = xr.concat(parts, "time", data_vars="minimal")
    single = deduplicate(stats)
    dropped = (states(stats, "B04") == LEDGER.index("DUPLICATE")).groupby("time").sum()
    seen = (stats["observed"] > 0).groupby("time").sum().values
    np.testing.assert_array_equal(dropped.values, np.maximum(seen - 1, 0))
    np.testing.assert_array_equal(dropped.values, single["n_dup"])
    left = names(states(single, "B04"))
    assert {*left.ravel().tolist()} == {"OK", "PARTIAL", "MASKED", "NO_DATA"}


def test_a_cube_without_what_was_seen_knows_numbers_only():
    stats = vector_cube("CARD-2A", parcels=4, days=60)
    bare = stats[["NDVI"]].sel(statistic=["mean"])
    expected = np.where(np.isfinite(bare["NDVI"].values[..., 0]), "OK", "MASKED")
    np.testing.assert_array_equal(names(states(bare)), expected)


def test_attributes_spell_the_codes_out():
    found = states(vector_cube("CARD-BS", days=20), "VH")
    assert found.dtype == "uint8"
    assert found.dims == ("time", "parcel")
    assert found.attrs["flag_meanings"].split() == list(LEDGER)
    assert found.attrs["flag_values"].tolist() == list(range(7))
    with pytest.raises(UnknownBandError):
        states(vector_cube(days=20), "B99")


def test_lazy_gives_the_same_and_stays_lazy(nothing_computes, monkeypatch):
    def twice(*, lazy):
        return xr.concat([vector_cube(days=60, lazy=lazy)] * 2, "time", data_vars="minimal")

    whole = states(twice(lazy=False), "NDVI")
    monkeypatch.setattr("cbmcube.series._blocks._TASK", 48 * 8)
    with nothing_computes:
        lazy = states(twice(lazy=True), "NDVI")
    assert len(lazy.chunks[1]) > 1
    xr.testing.assert_identical(lazy.compute(), whole)


def test_what_a_day_did_not_know_changes_nothing():
    stats = xr.concat([vector_cube(days=90)] * 2, "time", data_vars="minimal")
    later = stats["time"].to_numpy() > np.datetime64("2024-04-10")
    changed = stats.copy(deep=True)
    changed["n_valid"][:, later] = 3
    cut = states(stats.isel(time=~later), "NDVI")
    for some in (stats, changed):
        xr.testing.assert_identical(states(some, "NDVI", as_of="2024-04-10"), cut)
