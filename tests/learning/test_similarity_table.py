"""The table of similarity: status and reason, ranks, holdings, types."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cbmcube.learning import SIMILARITY_REASONS, SimilarityRule, similarity
from tests.learning.fields import PERIODS, fields, with_crop

COLUMNS = {
    "status": "category",
    "reason": "category",
    "crop": "category",
    "n_peers": "int32",
    "radius_m": "float32",
    "n_holdings": "int32",
    "n_periods": "int32",
    "D": "float32",
    "mean_z": "float32",
    "rank": "int32",
    "n_ranked": "int32",
    "D_pct": "float32",
    "D_t": "float32",
    "p_value": "float32",
    "best_crop": "category",
    "D_best": "float32",
    "margin": "float32",
    "gain": "float32",
    "n_crops": "int32",
    "signal": "category",
    "params_id": "category",
}


def country():
    """One parcel for each reason, and one with all that is rare: declared hemp, undeclared."""
    cube = with_crop(fields(), {"F001": None, "F002": "hemp", "F003": "hemp"})
    values = cube["NDVI"].values
    values[:, 4] = np.nan
    values[5:, 5] = np.nan
    names = np.full(144, "GOOD", dtype=object)
    names[6], names[7] = "POOR", "LIMITED"
    return cube.assign_coords(class_10m=("parcel", names))


def test_one_row_for_each_parcel_with_fixed_columns_and_types():
    cube = fields(side=6)
    table = similarity(cube)
    assert {name: str(kind) for name, kind in table.dtypes.items()} == COLUMNS
    assert [*table.columns] == [*COLUMNS]
    assert table.index.equals(pd.Index(cube["parcel"].values, name="parcel"))
    assert (table["signal"] == "NDVI").all()
    assert (table["params_id"] == SimilarityRule().params_id).all()
    assert table["crop"].cat.categories.tolist() == ["barley", "grass", "maize"]
    assert table["crop"].tolist() == cube["crop"].values.tolist()
    assert table["status"].cat.categories.tolist() == ["OK", "NOT_VALID", "NOT_EXECUTED"]
    assert table["reason"].cat.categories.tolist() == [*SIMILARITY_REASONS]


def test_every_reason():
    table = similarity(country())
    expected = {
        "F001": ("NOT_EXECUTED", "NO_CROP"),
        "F002": ("NOT_VALID", "FEW_PEERS"),
        "F004": ("NOT_EXECUTED", "NO_INPUT"),
        "F005": ("NOT_VALID", "TOO_FEW_OBS"),
        "F006": ("NOT_VALID", "CLASS_POOR"),
    }
    for parcel, pair in expected.items():
        assert tuple(table.loc[parcel, ["status", "reason"]]) == pair
        assert table.loc[parcel, ["D", "D_t", "mean_z", "p_value", "margin", "gain"]].isna().all()
        assert (table.loc[parcel, ["rank", "n_ranked"]] == -1).all()
    others = table.drop(index=[*expected, "F003"])
    assert (others["status"] == "OK").all()
    assert others["reason"].isna().all()
    assert others.drop(columns=["reason"]).notna().all(axis=None)
    assert (table.loc[["F001", "F004", "F005", "F006"], "n_peers"] == -1).all()
    assert table.loc["F002", ["n_peers", "radius_m"]].tolist() == [1, 20_000]


def test_a_rare_or_undeclared_crop_still_gets_a_best_one():
    table = similarity(country())
    assert table.loc["F001", "best_crop"] == "maize"  # F001 lies on the second diagonal
    assert table.loc["F001", "n_crops"] == 3
    assert table.loc[["F002", "F003"], "best_crop"].tolist() == ["grass", "barley"]


def test_enough_peers_of_which_too_few_were_seen_at_once():
    """Each peer has six periods, but never ten of them in the same one."""
    cube = fields(side=6, periods=24)
    values = cube["NDVI"].values
    for k in range(36):
        seen = (np.arange(24) // 6) == k % 4
        values[~seen, k] = np.nan
    row = similarity(cube).loc["F014"]
    assert (row["status"], row["reason"], row["n_peers"]) == ("NOT_VALID", "TOO_FEW_OBS", 11)
    assert row["n_periods"] == 0


def test_ranks_are_among_the_peers_each_with_its_own_peers():
    cube = fields(missing=0.2)
    rule = SimilarityRule(peers=12, min_peers=5)
    table = similarity(cube, rule=rule)
    shapes, crop = cube["geometry"].values, cube["crop"].values
    ids = cube["parcel"].values
    for row in range(0, 144, 7):
        near = sorted(
            (shapes[row].distance(shapes[k]), ids[k])
            for k in range(144)
            if k != row and crop[k] == crop[row]
        )
        theirs = table.loc[[parcel for _, parcel in near[:12]], "D"]
        mine = table["D"].iloc[row]
        found = table.iloc[row]
        assert found["rank"] == 1 + sum(other > mine for other in theirs)
        assert found["n_ranked"] == 13
        assert found["D_pct"] == pytest.approx(100 * np.mean([other < mine for other in theirs]))


def test_equal_ones_share_the_better_rank():
    cube = fields(side=6, noise=0.0)
    table = similarity(cube)
    assert (table["D"] == 0).all()
    assert (table["rank"] == 1).all()
    assert (table["D_pct"] == 0).all()
    assert (table["p_value"] == 1).all()


def test_holdings_of_the_peers_are_counted():
    cube = fields(side=6)
    assert (similarity(cube)["n_holdings"] == -1).all()
    one = cube.assign_coords(holding=("parcel", np.full(36, "big farm")))
    assert (similarity(one)["n_holdings"] == 1).all()
    own = cube.assign_coords(holding=("parcel", np.arange(36)))
    table = similarity(own)
    np.testing.assert_array_equal(table["n_holdings"], table["n_peers"])
    some = np.array([*["a", "b", None] * 12], dtype=object)
    found = similarity(cube.assign_coords(holding=("parcel", some)))["n_holdings"]
    crop = cube["crop"].values
    for row in range(36):
        peers = [k for k in range(36) if k != row and crop[k] == crop[row]]
        assert found.iloc[row] == len({some[k] for k in peers} - {None})


def test_margin_is_the_difference_and_periods_are_counted():
    cube = fields(missing=0.3)
    table = similarity(cube)
    np.testing.assert_allclose(table["margin"], table["D"] - table["D_best"], atol=1e-5)
    seen = np.isfinite(cube["NDVI"].values[..., 0]).sum(axis=0)
    assert (table["n_periods"] <= seen).all()
    assert (table["n_periods"] > 0.8 * seen).all()
    assert table["n_periods"].max() <= PERIODS
