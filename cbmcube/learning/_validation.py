"""What a cross-validation found: predictions, doubts, confusion, accuracies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube._html import html_facts, html_frame, html_panel
from cbmcube._version import __version__
from cbmcube.learning._estimators import CropRule, describe_estimator
from cbmcube.learning._material import Material

CROP_STATES = ("CONFIRMED", "OUTLIER", "UNCERTAIN", "NOT_TARGET")
"""All predictions are the declared crop; all are another, and probable enough; anything between;
the declared class is `other`."""

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class CropValidation:
    """Out-of-sample predictions of crops, and how good they are; made by `cross_validate`."""

    table: pd.DataFrame = field(repr=False)
    """By parcel: ``declared``; ``pred_1`` …; ``pred_majority``, of equals the one with the highest
    mean probability; ``prob_declared`` and ``prob_pred``, mean probabilities of the declared and
    of the majority's crop; ``state`` (see :data:`CROP_STATES`); ``outlier``."""
    probabilities: pd.DataFrame = field(repr=False)
    """Mean out-of-sample probability by parcel and class, float32."""
    confusion: pd.DataFrame = field(repr=False)
    """Parcels by declared class (rows) and majority (columns)."""
    confusion_area: pd.DataFrame = field(repr=False)
    """Hectares, likewise."""
    scores: pd.DataFrame = field(repr=False)
    """By class: ``parcels``, ``area_ha``; ``producer`` (of the declared, the share predicted) and
    ``user`` (of the predicted, the share declared), and both by area."""
    by_prediction: pd.DataFrame = field(repr=False)
    """``accuracy`` and ``balanced_accuracy`` of each prediction alone: what one model is worth."""
    folds: pd.DataFrame = field(repr=False)
    """Block and folds of each parcel."""
    features: tuple[str, ...] = field(repr=False)
    """Columns that the models were given."""
    rule: CropRule
    """Scheme, decision and limits."""
    estimator: str
    """Classifier with all parameters."""
    seed: int
    """Seed of the random numbers."""
    versions: dict[str, str] = field(repr=False)
    """Of the library and of what computed."""

    @property
    def params_id(self) -> str:
        """A hash of rule, classifier, seed and names of features."""
        parts = (self.rule.params_id, self.estimator, str(self.seed), *self.features)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @property
    def accuracy(self) -> float:
        """Share of parcels whose majority is the declared class."""
        return _diagonal_share(self.confusion)

    @property
    def accuracy_area(self) -> float:
        """The same, by area."""
        return _diagonal_share(self.confusion_area)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the producer accuracies of the majority."""
        return float(self.scores["producer"].mean())

    def _facts(self) -> dict[str, str]:
        alone = self.by_prediction["balanced_accuracy"]
        states = self.table["state"].value_counts()
        return {
            "parcels": f"{len(self.table):,} of {len(self.confusion)} classes",
            "features": f"{len(self.features):,}",
            "classifier": self.estimator.split("(")[0],
            "scheme": f"{self.rule.scheme}, {len(alone)} predictions, {self.rule.decision}",
            "balanced accuracy": f"{self.balanced_accuracy:.3f} (one model {alone.mean():.3f})",
            "accuracy": f"{self.accuracy:.3f}, by area {self.accuracy_area:.3f}",
            "states": ", ".join(f"{states[name]:,} {name}" for name in CROP_STATES),
            "seed, params_id": f"{self.seed}, {self.params_id}",
        }

    def __repr__(self) -> str:
        lines = [f"  {name + ':':<19}{text}" for name, text in self._facts().items()]
        return "\n".join(["<CropValidation", *lines]) + ">"

    def _repr_html_(self) -> str:
        scores = html_frame(self.scores.rename_axis("class").reset_index(), rows=100)
        return html_panel("CropValidation", html_facts(self._facts()), scores)


def evaluate(
    material: Material,
    probability: _Floats,
    *,
    model: Any,
    rule: CropRule,
    area: _Floats,
    seed: int,
) -> CropValidation:
    """Judge probabilities (prediction, parcel, class)."""
    import sklearn  # noqa: PLC0415 - optional

    classes, label = material.classes, material.label
    votes, mean = probability.argmax(axis=2), probability.mean(axis=0)
    majority = _majority(votes, mean)
    counts = _confusion(label, majority, classes, np.ones(len(label))).astype("int64")
    hectares = _confusion(label, majority, classes, area)
    back = material.given
    judged = _judge(label, votes, majority, mean, material, rule)
    names = [f"pred_{k + 1}" for k in range(len(votes))]
    alone = [_confusion(label, vote, classes, np.ones(len(label))) for vote in votes]
    return CropValidation(
        table=judged.iloc[back],
        probabilities=pd.DataFrame(
            mean.astype("float32"), index=judged.index, columns=classes
        ).iloc[back],
        confusion=counts,
        confusion_area=hectares,
        scores=_scores(counts, hectares),
        by_prediction=pd.DataFrame(
            {
                "accuracy": [_diagonal_share(one) for one in alone],
                "balanced_accuracy": [float(_ratio(one, 1).mean()) for one in alone],
            },
            index=pd.Index(names, name="prediction"),
        ),
        folds=material.folds.rename_axis("parcel").iloc[back],
        features=tuple(map(str, material.features.columns)),
        rule=rule,
        estimator=describe_estimator(model),
        seed=seed,
        versions={
            "cbmcube": __version__, "scikit-learn": sklearn.__version__, "numpy": np.__version__
        },
    )  # fmt: skip


def balanced_accuracy(label: _Ints, predicted: _Ints) -> float:
    """Return the mean share of each class that is predicted as such."""
    size = np.bincount(label)
    right = np.bincount(label[label == predicted], minlength=len(size))
    return float((right[size > 0] / size[size > 0]).mean())


def _majority(votes: _Ints, mean: _Floats) -> _Ints:
    """Return the class with the most votes, then the highest mean probability, then the first."""
    count = np.zeros(mean.shape, dtype="int64")
    rows = np.arange(mean.shape[0])
    for vote in votes:
        count[rows, vote] += 1
    return np.where(count == count.max(axis=1, keepdims=True), mean, -1.0).argmax(axis=1)


def _judge(
    label: _Ints,
    votes: _Ints,
    majority: _Ints,
    mean: _Floats,
    material: Material,
    rule: CropRule,
) -> pd.DataFrame:
    names = np.array(material.classes, dtype=object)
    rows = np.arange(len(label))
    # The limits are compared as the table shows it, so that 0.2 is not above 0.2.
    prob_declared, prob_pred = (mean[rows, one].astype("float32") for one in (label, majority))
    agree = (votes == votes[0]).all(axis=0)
    is_other = names == rule.other
    sure = prob_declared <= np.float32(rule.max_prob_declared)
    sure &= prob_pred >= np.float32(rule.min_prob_pred)
    outlier = agree & (majority != label) & sure & ~is_other[label] & ~is_other[majority]
    state = np.full(len(label), CROP_STATES.index("UNCERTAIN"))
    state[agree & (majority == label)] = CROP_STATES.index("CONFIRMED")
    state[outlier] = CROP_STATES.index("OUTLIER")
    state[is_other[label]] = CROP_STATES.index("NOT_TARGET")
    columns = {"declared": names[label]}
    columns |= {f"pred_{k + 1}": names[vote] for k, vote in enumerate(votes)}
    return pd.DataFrame(
        columns
        | {
            "pred_majority": names[majority],
            "prob_declared": prob_declared,
            "prob_pred": prob_pred,
            "state": pd.Categorical.from_codes(state, pd.Index(CROP_STATES)),
            "outlier": outlier,
        },
        index=material.parcels.rename("parcel"),
    )


def _confusion(label: _Ints, predicted: _Ints, classes: list[str], weight: _Floats) -> pd.DataFrame:
    k = len(classes)
    flat = np.bincount(label * k + predicted, weights=weight, minlength=k * k)
    rows, columns = (pd.Index(classes, name=name) for name in ("declared", "predicted"))
    return pd.DataFrame(flat.reshape(k, k), index=rows, columns=columns)


def _ratio(confusion: pd.DataFrame, axis: int) -> _Floats:
    values = confusion.to_numpy(dtype="float64")
    total = values.sum(axis=axis)
    return np.divide(values.diagonal(), total, where=total > 0, out=np.full(len(total), np.nan))


def _diagonal_share(confusion: pd.DataFrame) -> float:
    values = confusion.to_numpy(dtype="float64")
    return float(values.trace() / values.sum())


def _scores(counts: pd.DataFrame, hectares: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "parcels": counts.sum(axis=1),
            "area_ha": hectares.sum(axis=1),
            "producer": _ratio(counts, 1),
            "user": _ratio(counts, 0),
            "producer_area": _ratio(hectares, 1),
            "user_area": _ratio(hectares, 0),
        },
        index=counts.index.rename("class"),
    )
