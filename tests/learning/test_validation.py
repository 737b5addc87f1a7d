"""Judgement of given probabilities against plain loops and scikit-learn."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from cbmcube.learning import CROP_STATES, CropRule
from cbmcube.learning._material import gather
from cbmcube.learning._validation import balanced_accuracy, evaluate
from tests.learning.farmland import farmland

pytest.importorskip("sklearn")


def judged(labels, probability, classes, **rule):
    """Evaluate probabilities (prediction, parcel, class) of parcels in the order of their ids."""
    from sklearn.ensemble import RandomForestClassifier

    index = pd.Index([f"p{k:03d}" for k in range(len(labels))])
    features = pd.DataFrame({"x": np.arange(len(labels), dtype=float)}, index=index)
    folds = pd.DataFrame({"fold_1": np.arange(len(labels)) % 2}, index=index)
    material = gather(features, pd.Series(labels, index=index), folds)
    assert material.classes == classes
    area = np.arange(1.0, len(labels) + 1)
    return evaluate(
        material, np.asarray(probability, dtype=float), model=RandomForestClassifier(),
        rule=CropRule(**rule), area=area, seed=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(0)
    labels = rng.choice(["a", "b", "other"], 200)
    probability = rng.dirichlet([0.4, 0.4, 0.4], size=(3, 200))
    return labels, probability, judged(labels, probability, ["a", "b", "other"])


def test_states_by_hand():
    """Exactly 0.2 and 0.6 accuse; a hair beside does not; nor does a vote that is not unanimous."""
    classes = ["a", "b", "other"]
    rows = [
        ("a", [[0.9, 0.1, 0.0]] * 3, "CONFIRMED"),
        ("a", [[0.2, 0.6, 0.2]] * 3, "OUTLIER"),
        ("a", [[0.21, 0.6, 0.19]] * 3, "UNCERTAIN"),
        ("a", [[0.2, 0.59, 0.21]] * 3, "UNCERTAIN"),
        ("a", [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.4, 0.1]], "UNCERTAIN"),
        ("a", [[0.0, 0.0, 1.0]] * 3, "UNCERTAIN"),
        ("other", [[0.0, 1.0, 0.0]] * 3, "NOT_TARGET"),
        ("other", [[0.0, 0.0, 1.0]] * 3, "NOT_TARGET"),
        ("b", [[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1]], "UNCERTAIN"),
    ]
    labels, probability, states = zip(*rows, strict=True)
    found = judged(labels, np.swapaxes(probability, 0, 1), classes).table
    assert found["state"].tolist() == list(states)
    assert found["outlier"].tolist() == [one == "OUTLIER" for one in states]
    assert set(states) == set(CROP_STATES)


def test_ties_go_to_the_highest_mean_probability_and_then_to_the_first_name():
    probability = [
        [[0.9, 0.1, 0.0], [0.5, 0.5, 0.0], [0.1, 0.8, 0.1]],
        [[0.4, 0.6, 0.0], [0.5, 0.5, 0.0], [0.4, 0.1, 0.5]],
        [[0.3, 0.3, 0.4], [0.5, 0.5, 0.0], [0.5, 0.3, 0.2]],
    ]
    found = judged(["a", "b", "c"], probability, ["a", "b", "c"]).table
    assert found["pred_majority"].tolist() == ["a", "a", "b"]
    assert found.loc["p000", ["pred_1", "pred_2", "pred_3"]].tolist() == ["a", "b", "c"]


def test_the_table_is_that_of_a_loop(many):
    labels, probability, result = many
    names = np.array(["a", "b", "other"])
    for k, (parcel, row) in enumerate(result.table.iterrows()):
        assert parcel == f"p{k:03d}"
        votes = [names[p[k].argmax()] for p in probability]
        mean = dict(zip(names, probability[:, k].mean(axis=0), strict=True))
        count = Counter(votes)
        best = max(names, key=lambda one: (count[one], mean[one]))
        assert row["declared"] == labels[k]
        assert [row[f"pred_{i}"] for i in (1, 2, 3)] == votes
        assert row["pred_majority"] == best
        assert row["prob_declared"] == pytest.approx(mean[labels[k]], abs=1e-6)
        assert row["prob_pred"] == pytest.approx(mean[best], abs=1e-6)


def test_confusion_and_accuracies_are_scikit_learns(many):
    from sklearn import metrics

    labels, probability, result = many
    majority, classes = result.table["pred_majority"], ["a", "b", "other"]
    area = np.arange(1.0, 201)
    expected = metrics.confusion_matrix(labels, majority, labels=classes)
    np.testing.assert_array_equal(result.confusion, expected)
    weighted = metrics.confusion_matrix(labels, majority, labels=classes, sample_weight=area)
    np.testing.assert_allclose(result.confusion_area, weighted)
    for weight, tail in ((None, ""), (area, "_area")):
        user, producer, _, _ = metrics.precision_recall_fscore_support(
            labels, majority, labels=classes, sample_weight=weight
        )
        np.testing.assert_allclose(result.scores[f"user{tail}"], user)
        np.testing.assert_allclose(result.scores[f"producer{tail}"], producer)
    assert result.accuracy == pytest.approx(metrics.accuracy_score(labels, majority))
    assert result.accuracy_area == pytest.approx(
        metrics.accuracy_score(labels, majority, sample_weight=area)
    )
    expected = metrics.balanced_accuracy_score(labels, majority)
    assert result.balanced_accuracy == pytest.approx(expected)
    votes = probability.argmax(axis=2)
    truth = np.array([classes.index(one) for one in labels])
    for vote, row in zip(votes, result.by_prediction.itertuples(), strict=True):
        expected = metrics.balanced_accuracy_score(truth, vote)
        assert row.balanced_accuracy == pytest.approx(expected)
        assert balanced_accuracy(truth, vote) == pytest.approx(expected)
        assert row.accuracy == pytest.approx(metrics.accuracy_score(truth, vote))
    assert result.confusion_area.to_numpy().sum() == pytest.approx(area.sum())


def test_a_class_that_is_never_predicted_has_no_user_accuracy():
    found = judged(["a", "b"], [[[1, 0], [1, 0]]], ["a", "b"]).scores
    assert found["producer"].tolist() == [1.0, 0.0]
    assert found["user"].tolist()[0] == 0.5
    assert np.isnan(found["user"].tolist()[1])


def test_types_and_columns_are_frozen(many):
    table = many[2].table
    assert table.columns.tolist() == [
        "declared", "pred_1", "pred_2", "pred_3", "pred_majority", "prob_declared", "prob_pred",
        "state", "outlier",
    ]  # fmt: skip
    assert table.index.name == "parcel"
    assert table["outlier"].dtype == bool
    assert table["prob_pred"].dtype == np.float32
    assert tuple(table["state"].cat.categories) == CROP_STATES
    assert many[2].scores.columns.tolist() == [
        "parcels", "area_ha", "producer", "user", "producer_area", "user_area"
    ]  # fmt: skip


def test_the_result_says_how_it_was_made(many):
    result = many[2]
    assert {"cbmcube", "scikit-learn", "numpy"} == set(result.versions)
    assert result.folds.index.equals(result.table.index)
    assert len(result.params_id) == 16
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.seed = 3
    text, page = repr(result), result._repr_html_()
    for part in ("200 of 3 classes", "RandomForestClassifier", result.params_id, "UNCERTAIN"):
        assert part in text
        assert part in page
    assert max(map(len, text.splitlines())) < 100


def test_farmland_is_what_the_other_tests_think():
    features, labels, folds = farmland()
    assert features.shape == (400, 12)
    assert labels.value_counts(normalize=True)["grass"] == pytest.approx(0.5, abs=0.08)
    assert folds["block"].nunique() > 30
