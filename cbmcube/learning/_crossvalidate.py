"""Crop types that parcels get from models that have not seen them or their neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.learning._estimators import CropRule, fit, make_estimator, predict
from cbmcube.learning._material import Material, gather
from cbmcube.learning._validation import CropValidation, evaluate


def cross_validate(
    features: pd.DataFrame,
    labels: pd.Series,
    folds: pd.DataFrame,
    *,
    estimator: Any = "random_forest",
    rule: CropRule | None = None,
    area_ha: pd.Series | None = None,
    seed: int = 0,
) -> CropValidation:
    """Predict each parcel's crop from others, and say where the declaration is in doubt.

    Computes: it fits a model for each fold and repeat.

    Parameters
    ----------
    features
        Numbers by parcel, as `crop_features` returns them. Missing values are allowed where the
        classifier takes them, as those known by name do.
    labels
        Declared class by parcel, as text; missing for parcels that are left out. See
        `crop_sample`.
    folds
        As `spatial_folds` returns them.
    estimator
        ``"random_forest"``, ``"hist_gradient_boosting"``, or a classifier or pipeline of
        scikit-learn with ``predict_proba``. It is copied and seeded. Whatever learns from data,
        such as scaling, selection, oversampling or a search of parameters, belongs into the
        pipeline, so that it sees the training part alone.
    rule
        Scheme, decision, and when a declaration is in doubt; by default ``CropRule()``.
    area_ha
        Hectares by parcel; without them, areas count as equal.
    seed
        Seed of all random numbers; the same seed gives the same result on any number of
        processors and in any order of parcels. Classifiers take as many processors as
        ``joblib.parallel_config(n_jobs=...)`` says around the call.

    Returns
    -------
    CropValidation
        Predictions, doubts, confusion and accuracies, with all that is needed to repeat them.

    Raises
    ------
    ImportError
        Without scikit-learn.
    OptionError
        If a block lies in the training and in the test part, a training part has a single class,
        no feature differs between parcels, or the classifier gives no probabilities.
    UnknownParcelError
        If a labelled parcel has no features, fold or area.

    Notes
    -----
    The rule for outliers is that of the JRC's CbM notebooks, all out-of-sample predictions agree
    and differ from the declaration; two limits of probability were added, so that a narrow vote
    accuses nobody. The forest of 300 trees is that of Sen4CAP, without its oversampling. A list
    of outliers must not be used to tune what made it.

    Examples
    --------
    >>> import numpy as np
    >>> from cbmcube.learning import CropRule, crop_features, cross_validate, spatial_folds
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(parcels=40, days=120)
    >>> result = cross_validate(
    ...     crop_features(stats, bands="NDVI"),
    ...     stats["crop"].to_series(),
    ...     spatial_folds(stats, size=400),
    ...     rule=CropRule(trees=20),
    ... )
    >>> result.balanced_accuracy > 0.9, int(result.table["outlier"].sum())
    (True, 0)
    """
    rule = CropRule() if rule is None else rule
    model = make_estimator(estimator, rule=rule)
    material = gather(features, labels, folds)
    area = _areas(area_ha, material)
    return evaluate(
        material, _probabilities(material, model, rule, seed), model=model, rule=rule, area=area,
        seed=seed,
    )  # fmt: skip


def _probabilities(
    material: Material, model: Any, rule: CropRule, seed: int
) -> NDArray[np.float64]:
    """Return (prediction, parcel, class)."""
    shape = (material.predictions(rule.scheme), len(material.parcels), len(material.classes))
    found = np.full(shape, np.nan)
    seeds = np.random.SeedSequence(seed)
    for split in material.splits(rule.scheme):
        number = int(seeds.spawn(1)[0].generate_state(1)[0] % 2**31)
        label = material.label[split.train]
        fitted = fit(model, material.features[split.train], label, seed=number)
        rows = np.flatnonzero(split.test)
        found[split.slot[rows], rows] = predict(
            fitted, material.features.iloc[rows], labels=label,
            classes=shape[2], decision=rule.decision,
        )  # fmt: skip
    return found


def _areas(area_ha: pd.Series | None, material: Material) -> NDArray[np.float64]:
    if area_ha is None:
        return np.ones(len(material.parcels))
    area = area_ha.reindex(material.parcels).to_numpy(dtype="float64")
    if not (area >= 0).all():
        raise OptionError(
            "parcels have no area",
            given=", ".join(map(str, material.parcels[~(area >= 0)][:5])),
            allowed="hectares for each labelled parcel",
        )
    return area
