"""Cross-validation on invented farmland whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cbmcube.exceptions import OptionError
from cbmcube.learning import CropRule, cross_validate
from tests.learning.farmland import SHARES, farmland

pytest.importorskip("sklearn")
QUICK = CropRule(trees=25)


@pytest.fixture(scope="module")
def land():
    return farmland()


@pytest.fixture(scope="module")
def result(land):
    return cross_validate(*land, rule=QUICK)


def same(a, b):
    pd.testing.assert_frame_equal(a.table, b.table)
    pd.testing.assert_frame_equal(a.probabilities, b.probabilities)
    pd.testing.assert_frame_equal(a.by_prediction, b.by_prediction)


@pytest.mark.parametrize("scheme", ["repeated", "jrc"])
def test_permuted_labels_are_guessed_no_better_than_the_largest_class(scheme):
    """Three standard deviations of a share of 400 parcels are 0.075."""
    features, labels, folds = farmland()
    rng = np.random.default_rng(1)
    mixed = pd.Series(rng.permutation(labels.to_numpy()), index=labels.index)
    found = cross_validate(features, mixed, folds, rule=CropRule(trees=25, scheme=scheme))
    largest = mixed.value_counts(normalize=True).max()
    alone = found.by_prediction["accuracy"].mean()
    assert largest - 0.15 < alone < largest + 0.03
    assert abs(found.by_prediction["balanced_accuracy"].mean() - 1 / len(SHARES)) < 0.06
    assert found.table["outlier"].mean() < 0.1


@pytest.mark.parametrize("scheme", ["repeated", "jrc"])
def test_planted_wrong_labels_are_found(scheme):
    """Three of a hundred declarations are wrong; most are found, and little else."""
    features, labels, folds = farmland(800, noise=0.4)
    rng = np.random.default_rng(2)
    planted = labels.index[rng.choice(len(labels), 24, replace=False)]
    wrong = labels.copy()
    names = [*SHARES]
    wrong[planted] = [names[(names.index(one) + 1) % 4] for one in labels[planted]]
    found = cross_validate(features, wrong, folds, rule=CropRule(trees=30, scheme=scheme)).table
    accused = found.index[found["outlier"]]
    right = accused.intersection(planted)
    assert len(right) / len(planted) >= 0.8  # recall
    assert len(right) / len(accused) >= 0.9  # precision
    assert (found.loc[right, "pred_majority"] == labels[right]).all()


def test_the_same_seed_gives_the_same_bits(land, result):
    same(cross_validate(*land, rule=QUICK), result)
    other = cross_validate(*land, rule=QUICK, seed=1)
    assert not other.probabilities.equals(result.probabilities)
    assert other.params_id != result.params_id


def test_a_constant_feature_changes_nothing(land, result):
    features, labels, folds = land
    same(cross_validate(features.assign(same=3.0), labels, folds, rule=QUICK), result)


def test_order_of_parcels_changes_nothing_but_the_order(land, result):
    features, labels, folds = land
    order = np.random.default_rng(3).permutation(len(labels))
    found = cross_validate(
        features.iloc[order[::-1]], labels.iloc[order], folds.iloc[::-1], rule=QUICK
    )
    assert found.table.index.equals(labels.index[order])
    pd.testing.assert_frame_equal(found.table.loc[labels.index], result.table)


def test_processors_change_nothing(land, result):
    from joblib import parallel_config

    with parallel_config(backend="threading", n_jobs=2):
        same(cross_validate(*land, rule=QUICK), result)


def test_a_loop_gives_the_same(land, result):
    """The plain way of scikit-learn, fold by fold, reaches about the same accuracy."""
    from sklearn.ensemble import RandomForestClassifier

    features, labels, folds = land
    right = pd.Series(index=labels.index, dtype=float)
    for fold in range(4):
        inside = folds["fold_1"] == fold
        forest = RandomForestClassifier(25, min_samples_split=10, random_state=fold)
        forest.fit(features[~inside], labels[~inside])
        right[inside] = (forest.predict(features[inside]) == labels[inside]).astype(float)
    assert abs(right.mean() - result.by_prediction["accuracy"].iloc[0]) < 0.03


class Spy:
    """Remembers what it was trained on; answers the class of the first training parcel."""

    trained: list

    def __init__(self, answers=None):
        self.answers = answers

    def get_params(self, deep=True):  # noqa: ARG002, FBT002 - scikit-learn's protocol
        return {"answers": self.answers}

    def set_params(self, **_options):
        return self

    def fit(self, features, labels):
        self.classes_ = np.unique(labels)
        self.trained_ = set(features.index)
        return self

    def predict_proba(self, features):
        Spy.trained.append((self.trained_, set(features.index)))
        return np.full((len(features), len(self.classes_)), 1 / len(self.classes_))


@pytest.mark.parametrize("scheme", ["repeated", "jrc"])
def test_models_never_saw_what_they_predict(land, scheme):
    Spy.trained = []
    cross_validate(*land, estimator=Spy(), rule=CropRule(scheme=scheme))
    assert len(Spy.trained) == (12 if scheme == "repeated" else 4)
    for trained, predicted in Spy.trained:
        assert trained
        assert predicted
        assert not trained & predicted


def test_pipelines_and_folds_of_a_single_dealing(land):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels, folds = land
    lines = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())
    found = cross_validate(features, labels, folds[["block", "fold_1"]], estimator=lines)
    assert found.accuracy > 0.9
    assert found.estimator.startswith("Pipeline(")
    assert found.table.filter(like="pred_").columns.tolist() == ["pred_1", "pred_majority"]


def test_the_balanced_decision_helps_the_rare():
    features, labels, folds = farmland(400, noise=2.0)
    usual, balanced = (
        cross_validate(features, labels, folds, rule=CropRule(trees=25, decision=decision))
        for decision in ("likeliest", "balanced")
    )
    assert balanced.balanced_accuracy > usual.balanced_accuracy + 0.02
    assert balanced.accuracy < usual.accuracy


def test_areas_must_be_there(land):
    features, labels, folds = land
    area = pd.Series(1.0, index=labels.index)
    area.iloc[3] = np.nan
    with pytest.raises(OptionError, match="p0003"):
        cross_validate(features, labels, folds, area_ha=area, rule=QUICK)
