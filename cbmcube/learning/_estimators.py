"""Classifiers by name, and the probabilities that they give classes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError

Scheme = Literal["repeated", "jrc"]
Decision = Literal["likeliest", "balanced"]
ESTIMATORS = ("random_forest", "hist_gradient_boosting")
"""Classifiers that are known by name."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CropRule:
    """How crops are predicted and doubted. Defaults are starting values, not validated on fields.

    Examples
    --------
    >>> from cbmcube.learning import CropRule
    >>> CropRule().params_id == CropRule(scheme="repeated").params_id
    True
    """

    scheme: Scheme = "repeated"
    """``"repeated"``: trained on all folds but one, which is predicted, for each way of dealing.
    ``"jrc"``: trained on one fold of the first way and predicted for the others, as the JRC does:
    one prediction less than there are folds."""
    decision: Decision = "likeliest"
    """``"likeliest"``: the probabilities as they are. ``"balanced"``: each divided by the share of
    its class among the training parcels, as if all classes were equally frequent; the rule
    that maximises balanced accuracy."""
    max_prob_declared: float = 0.2
    """An outlier's declared crop has this probability at most."""
    min_prob_pred: float = 0.6
    """An outlier's predicted crop has this probability at least."""
    other: str = "other"
    """Class of rare crops, which are not judged and accuse nobody."""
    trees: int = 300
    """Trees of the random forest, as in Sen4CAP."""
    min_split: int = 10
    """Parcels from which on a node of the random forest is split, as in Sen4CAP."""

    def __post_init__(self) -> None:
        for name, allowed in (("scheme", Scheme), ("decision", Decision)):
            if getattr(self, name) not in get_args(allowed):
                raise OptionError(
                    f"this {name} is not known",
                    given=repr(getattr(self, name)),
                    allowed=", ".join(map(repr, get_args(allowed))),
                )
        for name in ("max_prob_declared", "min_prob_pred"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(
                    f"{name} is a probability", given=getattr(self, name), allowed="0 to 1"
                )

    @property
    def params_id(self) -> str:
        """A hash of all fields: equal rules have equal ids, on every machine."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def describe(self) -> str:
        """Return the fields as text."""
        return ", ".join(f"{one.name}={getattr(self, one.name)}" for one in fields(self))


def make_estimator(estimator: Any, *, rule: CropRule) -> Any:
    """Return a classifier by name, or a copy of the given one without what it has learnt."""
    _require_sklearn()
    from sklearn.base import clone  # noqa: PLC0415 - optional
    from sklearn.ensemble import (  # noqa: PLC0415 - optional
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )

    if estimator == "random_forest":
        return RandomForestClassifier(
            rule.trees,
            min_samples_split=rule.min_split,
        )
    if estimator == "hist_gradient_boosting":
        return HistGradientBoostingClassifier()
    if isinstance(estimator, str) or not hasattr(estimator, "predict_proba"):
        raise OptionError(
            "this is no classifier that gives probabilities",
            given=repr(estimator),
            allowed=", ".join(map(repr, ESTIMATORS)) + ", or one of scikit-learn's classifiers",
            hint="wrap it in sklearn.calibration.CalibratedClassifierCV",
        )
    return clone(estimator)


def fit(estimator: Any, features: Any, labels: NDArray[np.int64], *, seed: int) -> Any:
    """Fit a copy of a classifier whose random numbers follow from `seed` alone."""
    from sklearn.base import clone  # noqa: PLC0415 - optional

    fresh = clone(estimator)
    known = fresh.get_params(deep=True)
    seeded = {name: seed for name in known if name.split("__")[-1] == "random_state"}
    return fresh.set_params(**seeded).fit(features, labels)


def predict(
    model: Any, features: Any, *, labels: NDArray[np.int64], classes: int, decision: Decision
) -> _Floats:
    """Return probabilities (parcel, class); 0 for classes that the model has not met.

    Parameters
    ----------
    labels
        What the model was trained on, for the shares of the classes.
    """
    probability = np.zeros((len(features), classes))
    probability[:, model.classes_] = model.predict_proba(features)
    if decision == "balanced":
        share = np.bincount(labels, minlength=classes) / len(labels)
        probability = np.divide(probability, share, where=share > 0, out=np.zeros_like(probability))
        probability /= probability.sum(axis=1, keepdims=True)
    return probability


def describe_estimator(estimator: Any) -> str:
    """Return the class and every parameter of a classifier but how many processors it takes."""
    known = estimator.get_params(deep=True)
    kept = (f"{name}={known[name]!r}" for name in sorted(known) if "n_jobs" not in name)
    return f"{type(estimator).__name__}({', '.join(kept)})"


def _require_sklearn() -> None:
    try:
        import sklearn  # noqa: F401, PLC0415 - optional
    except ImportError as error:
        raise ImportError("classifiers need scikit-learn: pip install 'cbmcube[learn]'") from error
