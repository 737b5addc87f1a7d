"""Classifiers by name, seeds, and the two decisions."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from cbmcube.exceptions import OptionError
from cbmcube.learning import ESTIMATORS, CropRule
from cbmcube.learning._estimators import describe_estimator, fit, make_estimator, predict

pytest.importorskip("sklearn")
RULE = CropRule(trees=10)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_names_stand_for_classifiers_that_take_missing_values(name):
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    label = np.repeat([0, 2], 60)
    features = rng.normal(size=(120, 3)) + label[:, None]
    features[::5, 1] = np.nan
    with threadpool_limits(1):  # threads that wait for each other are slow on a busy machine
        model = fit(make_estimator(name, rule=RULE), features, label, seed=1)
        found = predict(model, features, labels=label, classes=4, decision="likeliest")
    assert (found[:, [1, 3]] == 0).all()  # classes that were not met
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == label).mean() > 0.9


def test_numbers_of_sen4cap():
    forest = make_estimator("random_forest", rule=CropRule())
    assert (forest.n_estimators, forest.min_samples_split) == (300, 10)


def test_every_seed_of_a_pipeline_is_set():
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer

    pipeline = make_pipeline(QuantileTransformer(n_quantiles=5), RandomForestClassifier(5))
    made = make_estimator(pipeline, rule=RULE)
    fitted = fit(made, np.arange(20.0)[:, None], np.arange(20) % 2, seed=9)
    assert [step.random_state for step in fitted.named_steps.values()] == [9, 9]
    assert pipeline[-1].random_state is None  # what was given stays
    assert not hasattr(pipeline[-1], "classes_")


class Shares:
    """A model that answers the shares of its training part to everything."""

    classes_ = np.array([0, 1])

    def predict_proba(self, features):
        return np.tile([0.75, 0.25], (len(features), 1))


def test_the_balanced_decision_takes_the_shares_out():
    """Who knows only how common classes are knows nothing: one half each."""
    label = np.repeat([0, 1], [75, 25])
    found = predict(Shares(), np.zeros((3, 1)), labels=label, classes=3, decision="balanced")
    np.testing.assert_allclose(found, [[0.5, 0.5, 0.0]] * 3)
    found = predict(Shares(), np.zeros((3, 1)), labels=label, classes=3, decision="likeliest")
    np.testing.assert_allclose(found, [[0.75, 0.25, 0.0]] * 3)


def test_the_description_has_every_parameter_but_the_processors():
    from sklearn.tree import DecisionTreeClassifier

    text = describe_estimator(make_estimator("random_forest", rule=RULE))
    assert "n_estimators=10" in text
    assert "n_jobs" not in text
    first, second = (describe_estimator(DecisionTreeClassifier(max_depth=d)) for d in (3, 4))
    assert first != second


def test_what_gives_no_probabilities_is_refused():
    from sklearn.svm import LinearSVC

    for given in ("svm", LinearSVC(), 3):
        with pytest.raises(OptionError, match="hist_gradient_boosting"):
            make_estimator(given, rule=RULE)


@pytest.mark.parametrize(
    "wrong",
    [{"scheme": "loo"}, {"decision": "coin"}, {"max_prob_declared": 1.2}, {"min_prob_pred": -1}],
)
def test_rules_check_themselves(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        CropRule(**wrong)


def test_the_defaults_are_frozen():
    assert CropRule().describe() == (
        "scheme=repeated, decision=likeliest, max_prob_declared=0.2, min_prob_pred=0.6, "
        "other=other, trees=300, min_split=10"
    )
    ids = {CropRule().params_id, CropRule(scheme="jrc").params_id, CropRule(trees=1).params_id}
    assert len(ids) == 3


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def absent(name, *args, **options):
        if name.split(".")[0] == "sklearn":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=r"pip install 'cbmcube\[learn\]'"):
        make_estimator("random_forest", rule=RULE)
