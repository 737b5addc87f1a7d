"""Model cards say what is needed to repeat and to judge."""

from __future__ import annotations

import pandas as pd
import pytest

from cbmcube.learning import CropRule, cross_validate, model_card
from tests.learning.farmland import SHARES, farmland

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def result():
    return cross_validate(*farmland(120), rule=CropRule(trees=5), seed=3)


def test_the_card_has_every_section_and_number(result):
    importance = pd.DataFrame(
        {"importance": [0.25], "std": [0.01], "columns": [6]}, index=pd.Index(["a|b"], name="group")
    )
    card = model_card(
        result, title="Crops", data="Somewhere, 2024.", importance=importance, limits=["No maize."]
    )
    headings = [line[3:] for line in card.splitlines() if line.startswith("## ")]
    assert headings == [
        "Data", "Features", "Folds", "Scores", "Importance", "Doubts", "Limits", "Repeat"
    ]  # fmt: skip
    for part in (
        "Somewhere, 2024.", "120 labelled parcels", "12 columns", "`NDVI_2024-03-01`", "`repeated`",
        f"{result.balanced_accuracy:.3f}", "| a\\|b | 0.250 | 0.010 | 6 |", "- No maize.",
        result.params_id, "seed: 3", result.estimator, result.versions["scikit-learn"],
    ):  # fmt: skip
        assert part in card, part
    for name, row in result.scores.iterrows():
        assert f"| {name} | {row['parcels']:.0f} | " in card
    assert set(SHARES) == set(result.scores.index)


def test_without_importance_there_is_no_section(result):
    card = model_card(result, title="Crops", data="x")
    assert "## Importance" not in card
    assert card == model_card(result, title="Crops", data="x")
