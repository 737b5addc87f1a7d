"""What a classifier loses, on land that it has not seen, when a feature is shuffled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.learning._estimators import CropRule, fit, make_estimator, predict
from cbmcube.learning._material import Split, gather
from cbmcube.learning._validation import balanced_accuracy

By = Literal["feature", "band", "date"]

_DATE = re.compile(r"_(\d{4}-\d{2}-\d{2})")
_TAIL = re.compile(r"(_(n_obs|max|max_day|integral|slope))?(_\d{4}-\d{2}-\d{2})?(_R\d+)?(_\d+d)?$")


def permutation_importance(
    features: pd.DataFrame,
    labels: pd.Series,
    folds: pd.DataFrame,
    *,
    by: By | Mapping[str, str] = "band",
    permutations: int = 5,
    estimator: Any = "random_forest",
    rule: CropRule | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure what balanced accuracy loses when groups of features are shuffled among parcels.

    Computes: it fits a model for each fold and repeat and lets it predict the held-out fold
    with each group shuffled inside that fold.

    Parameters
    ----------
    features, labels, folds, estimator, rule, seed
        As for `cross_validate`; the scheme is always ``"repeated"``.
    by
        What is shuffled together: single columns; those of a ``"band"`` (its series, summaries
        and counts, of all orbits); those of a ``"date"`` (columns without a date are
        ``season``); or a group for each column by name.
    permutations
        How often each group is shuffled, in each repeat.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``group``, the largest loss first: ``importance``, mean loss of balanced
        accuracy; ``std`` over permutations and repeats; ``columns``.

    Raises
    ------
    OptionError
        If `by` is not known, or has no group for a column.

    Notes
    -----
    Permutation importance is Breiman's (2001, Machine Learning 45, 5), here on spatially held-out
    parcels. Features that say the same cover for each other: of two, neither seems to matter.
    Groups of dates or bands suffer less from that than single columns.

    Examples
    --------
    >>> from cbmcube.learning import (
    ...     CropRule, crop_features, permutation_importance, spatial_folds
    ... )
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(parcels=40, days=120)
    >>> features = crop_features(stats, period="30D", n_obs=False)
    >>> found = permutation_importance(
    ...     features,
    ...     stats["crop"].to_series(),
    ...     spatial_folds(stats, size=400, repeats=1),
    ...     rule=CropRule(trees=5),
    ...     permutations=1,
    ... )
    >>> sorted(found.index)
    ['B04', 'B08', 'NDVI']
    """
    rule = CropRule() if rule is None else rule
    if permutations < 1:
        raise OptionError("features are shuffled at least once", given=permutations)
    model = make_estimator(estimator, rule=rule)
    material = gather(features, labels, folds)
    groups = _groups(material.features, by)
    found, whole = _shuffled(material, model, groups, rule, permutations, seed)
    loss = whole[None, :, None] - found
    table = pd.DataFrame(
        {
            "importance": loss.mean(axis=(1, 2)),
            "std": loss.std(axis=(1, 2)),
            "columns": [len(columns) for columns in groups.values()],
        },
        index=pd.Index([*groups], name="group"),
    )
    order = np.lexsort([table.index.to_numpy(dtype=str), -table["importance"].to_numpy()])
    return table.iloc[order]


def _groups(features: pd.DataFrame, by: By | Mapping[str, str]) -> dict[str, list[int]]:
    """Return the positions of the columns of each group."""
    names = [str(name) for name in features.columns]
    if isinstance(by, Mapping):
        absent = [name for name in names if name not in by]
        if absent:
            raise OptionError("columns have no group", given=", ".join(absent[:5]))
        labels = [by[name] for name in names]
    elif by in get_args(By):
        labels = [_group(name, by) for name in names]
    else:
        raise OptionError(
            "features cannot be grouped by this",
            given=repr(by),
            allowed=", ".join(map(repr, get_args(By))) + ", or a group for each column",
        )
    groups: dict[str, list[int]] = {}
    for position, label in enumerate(labels):
        groups.setdefault(label, []).append(position)
    return groups


def _group(name: str, by: By) -> str:
    if by == "band":
        return _TAIL.sub("", name, count=1)
    date = _DATE.search(name)
    return name if by == "feature" else date[1] if date else "season"


def _shuffled(
    material: Any,
    model: Any,
    groups: dict[str, list[int]],
    rule: CropRule,
    permutations: int,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return balanced accuracies (group, repeat, permutation), and (repeat) unshuffled."""
    repeats, parcels = material.predictions("repeated"), len(material.parcels)
    plain = np.zeros((repeats, parcels), dtype="int64")
    votes = np.zeros((len(groups), repeats, permutations, parcels), dtype="int32")
    seeds = np.random.SeedSequence(seed)
    for split in material.splits("repeated"):
        own = seeds.spawn(1)[0]
        repeat = int(split.slot[0])
        rng = np.random.default_rng(own)
        decide = _decider(material, model, split, rule, int(own.generate_state(1)[0] % 2**31))
        held = material.features[split.test]
        plain[repeat, split.test] = decide(held)
        for k, columns in enumerate(groups.values()):
            for p in range(permutations):
                mixed = held.copy()
                order = rng.permutation(len(held))
                mixed.iloc[:, columns] = held.iloc[order, columns].to_numpy()
                votes[k, repeat, p, split.test] = decide(mixed)
    found = np.apply_along_axis(lambda one: balanced_accuracy(material.label, one), 3, votes)
    return found, np.array([balanced_accuracy(material.label, one) for one in plain])


def _decider(material: Any, model: Any, split: Split, rule: CropRule, seed: int) -> Any:
    label = material.label[split.train]
    fitted = fit(model, material.features[split.train], label, seed=seed)
    size = len(material.classes)

    def decide(features: pd.DataFrame) -> NDArray[np.int64]:
        chances = predict(fitted, features, labels=label, classes=size, decision=rule.decision)
        return chances.argmax(axis=1)

    return decide
