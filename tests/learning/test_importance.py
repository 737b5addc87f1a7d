"""Importance of features that are known to matter or not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cbmcube.exceptions import OptionError
from cbmcube.learning import CropRule, crop_features, permutation_importance
from cbmcube.learning._importance import _group
from cbmcube.testing import vector_cube
from tests.learning.farmland import farmland

pytest.importorskip("sklearn")
QUICK = CropRule(trees=10)


def few_folds(n=200, **options):
    features, labels, folds = farmland(n, **options)
    return features, labels, folds[["block", "fold_1"]]


def test_noise_matters_less_than_what_tells_crops_apart():
    features, labels, folds = few_folds()
    rng = np.random.default_rng(0)
    radar = features.filter(like="VH").columns
    features = features.assign(**{name: rng.normal(size=len(labels)) for name in radar})
    found = permutation_importance(features, labels, folds, rule=QUICK, permutations=3)
    assert found.index.tolist() == ["NDVI", "VH_dB"]
    assert found.loc["NDVI", "importance"] > 0.4
    assert abs(found.loc["VH_dB", "importance"]) < 0.08
    assert found["columns"].tolist() == [6, 6]


def test_all_features_shuffled_leave_a_guess():
    """The loss is then the balanced accuracy less that of one class in four."""
    features, labels, folds = few_folds(noise=0.3)
    every = permutation_importance(
        features, labels, folds, by=dict.fromkeys(features.columns, "all"), rule=QUICK
    )
    assert every.loc["all", "importance"] == pytest.approx(1 - 1 / 4, abs=0.08)
    assert every.loc["all", "columns"] == 12


def test_groups():
    features, labels, folds = few_folds(80)
    options = {"rule": CropRule(trees=3), "permutations": 1}
    by_date = permutation_importance(
        features.assign(NDVI_max=features.max(axis=1)), labels, folds, by="date", **options
    )
    dates = pd.date_range("2024-03-01", periods=6, freq="10D").strftime("%Y-%m-%d")
    assert set(by_date.index) == {*dates, "season"}
    single = permutation_importance(features, labels, folds, by="feature", **options)
    assert set(single.index) == set(features.columns)
    assert (np.diff(single["importance"]) <= 0).all()


@pytest.mark.parametrize("product", ["CARD-2A", "CARD-BS", "CARD-COH6"])
def test_every_column_of_the_library_has_a_band(product):
    columns = crop_features(vector_cube(product, days=20)).columns
    expected = {
        "CARD-2A": {"B04", "B08", "NDVI"},
        "CARD-BS": {"VV_dB", "VH_dB", "VH_VV_dB"},
        "CARD-COH6": {"VV", "VH"},
    }
    assert {_group(name, "band") for name in columns} == expected[product]


def test_the_same_seed_gives_the_same_numbers():
    land = few_folds(80)
    options = {"rule": CropRule(trees=3), "permutations": 2}
    first, second = (permutation_importance(*land, **options) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_wrong_options():
    land = few_folds(40)
    with pytest.raises(OptionError, match="'date'"):
        permutation_importance(*land, by="month", rule=QUICK)
    with pytest.raises(OptionError, match="NDVI_2024-03-11"):
        permutation_importance(*land, by={"NDVI_2024-03-01": "x"}, rule=QUICK)
    with pytest.raises(OptionError, match="at least once"):
        permutation_importance(*land, permutations=0, rule=QUICK)
