"""Tables of parts of a season against pandas on all pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import cbmcube as cbm
from cbmcube.agreement import STATES, compare
from cbmcube.exceptions import OptionError
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def sides():
    ours, theirs = vector_cube(parcels=9, days=90), vector_cube(parcels=9, days=90, seed=3)
    late = theirs.assign_coords(time=theirs["time"] + np.timedelta64(7, "m"))
    return ours.isel(time=slice(4, None)), late.isel(time=slice(0, -2))


@pytest.fixture(scope="module")
def result(sides):
    return compare(*sides)


def plain(group):
    d = group["d"]
    few = len(d) < 3
    return pd.Series(
        {
            "n": len(d),
            "bias": np.nan if few else d.mean(),
            "rmse": np.nan if few else np.sqrt((d**2).mean()),
            "lower": np.nan if few else d.mean() - 1.96 * d.std(),
            "slope": np.nan if few else np.polyfit(group["a"], group["b"], 1)[0],
        }
    )


@pytest.mark.parametrize(
    "keys",
    [
        (),
        ("time",),
        ("date",),
        ("month",),
        ("relative_orbit",),
        ("platform",),
        ("parcel_class",),
        ("month", "relative_orbit"),
        ("parcel_class", "month"),
    ],
    ids=str,
)
def test_numbers_of_groups_are_those_of_their_pairs(result, keys):
    pairs = result.pairs.assign(
        date=result.pairs["time"].dt.normalize(), month=result.pairs["time"].dt.strftime("%Y-%m")
    )
    groups = pairs.groupby(["band", *keys], observed=True)
    expected = groups[["a", "b", "d"]].apply(plain).reset_index()
    found = result.by(*keys)
    assert found.columns[: len(keys) + 2].tolist() == ["band", *keys, "n"]
    pd.testing.assert_frame_equal(
        found[expected.columns], expected, check_dtype=False, check_categorical=False
    )


def test_whole_bands_are_what_the_bands_say(result):
    for row in result.by().itertuples():
        band = result[row.band]
        assert (row.n, row.bias, row.rmse, row.r) == (band.n, band.bias, band.rmse, band.r)
        assert (row.lower, row.upper) == band.limits


def states(sides):
    """Both tables beside each other: the oracle of states."""
    tables = []
    for cube, late in zip(sides, (0, 7), strict=True):
        table = cbm.to_observations(cube)[["time", "parcel", "band", "relative_orbit", "state"]]
        times = (table["time"].astype("datetime64[us, UTC]") - pd.Timedelta(minutes=late)).dt
        tables.append(table.assign(time=times.tz_localize(None).dt.round("s")))
    keys = ["time", "parcel", "band", "relative_orbit"]
    both = tables[0].merge(tables[1], on=keys, how="outer", suffixes=("_a", "_b"))
    both = both.fillna({"state_a": "MISSING", "state_b": "MISSING"})
    return both.assign(month=both["time"].dt.strftime("%Y-%m"))


def test_the_ledger_is_that_of_both_tables(sides, result):
    keys = ["band", "month", "relative_orbit", "state_a", "state_b"]
    expected = states(sides).groupby(keys, observed=True).size().rename("n").reset_index()
    found = result.ledger.sort_values(keys).reset_index(drop=True)
    expected = expected.sort_values(keys).reset_index(drop=True)
    pd.testing.assert_frame_equal(found[keys].astype(str), expected[keys].astype(str))
    assert found["n"].tolist() == expected["n"].tolist()
    assert {"OK", "MASKED", "NO_DATA", "MISSING"} == {*found["state_a"]} | {*found["state_b"]}
    assert set(found["state_a"]) <= set(STATES)


@pytest.mark.parametrize("keys", [(), ("month",), ("month", "relative_orbit")], ids=str)
def test_availability_is_that_of_both_tables(sides, result, keys):
    table = states(sides)
    has_a, has_b = (table[f"state_{side}"].isin(["OK", "PARTIAL"]) for side in "ab")
    table = table.assign(
        both=has_a & has_b, only_a=has_a & ~has_b, only_b=~has_a & has_b, neither=~has_a & ~has_b
    )
    columns = ["both", "only_a", "only_b", "neither"]
    expected = table.groupby(["band", *keys])[columns].sum().reset_index()
    found = result.availability_by(*keys)
    for column in columns:
        assert found[column].tolist() == expected[column].tolist()
    whole = expected[["both", "only_a", "only_b"]].sum(axis=1)
    np.testing.assert_allclose(found["availability"], expected["both"] / whole)
    assert found.groupby("band")["passes"].sum().unique().tolist() == [len(result.matched)]
    assert found.groupby("band")["passes_only_a"].sum().unique().tolist() == [len(result.only_a)]
    assert found.groupby("band")["passes_only_b"].sum().unique().tolist() == [len(result.only_b)]


def test_unknown_keys_are_refused(result):
    with pytest.raises(OptionError, match="'crop'"):
        result.by("crop")
    with pytest.raises(OptionError, match="'parcel_class'"):
        result.availability_by("month", "parcel_class")
