"""Model cards: what a classifier was made from, how good it is, and where it ends."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from cbmcube.learning._validation import CropValidation


def model_card(
    result: CropValidation,
    *,
    title: str,
    data: str,
    importance: pd.DataFrame | None = None,
    limits: Iterable[str] = (),
) -> str:
    """Write down in Markdown how a classification was made and what it is worth.

    Parameters
    ----------
    result
        What `cross_validate` returned.
    title
        Heading.
    data
        Which images, parcels, season and area: a sentence or a paragraph.
    importance
        What `permutation_importance` returned.
    limits
        What it must not be used for, a sentence each.

    Returns
    -------
    str
        Sections on data, features, folds, scores, importance, doubts, limits, and what is needed
        to repeat it. The same result gives the same text.

    Notes
    -----
    The sections are those of Mitchell et al. (2019), "Model Cards for Model Reporting", that
    apply to crops. The library stores no models: train the final one on all parcels with your
    classifier and keep it with `joblib.dump`, or with skops, whose files cannot run code when
    they are opened. Keep the card beside it.

    Examples
    --------
    >>> from cbmcube.learning import CropRule, crop_features, cross_validate, spatial_folds
    >>> from cbmcube.learning import model_card
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(parcels=24, days=60)
    >>> result = cross_validate(
    ...     crop_features(stats), stats["crop"].to_series(), spatial_folds(stats, size=400),
    ...     rule=CropRule(trees=5),
    ... )
    >>> print(model_card(result, title="Crops 2024", data="Invented.").splitlines()[0])
    # Crops 2024
    """
    counts = result.table["state"].value_counts()
    given = "block" in result.folds
    blocks = f"{result.folds['block'].nunique():,} blocks" if given else "no blocks were given"
    sections = {
        "Data": [data, f"{len(result.table):,} labelled parcels."],
        "Features": [f"{len(result.features):,} columns: {_shortened(result.features)}."],
        "Folds": [f"Scheme `{result.rule.scheme}`, {len(result.by_prediction)} times; {blocks}."],
        "Scores": [
            _worth(result),
            _table(result.scores),
        ],
        "Importance": [] if importance is None else [_table(importance.head(20))],
        "Doubts": [", ".join(f"{size:,} {name}" for name, size in counts.items()) + "."],
        "Limits": ["\n".join(f"- {one}" for one in (*_LIMITS, *limits))],
        "Repeat": ["\n".join(f"- {name}: {text}" for name, text in _recipe(result).items())],
    }
    parts = [f"# {title}"]
    for heading, texts in sections.items():
        parts += [f"## {heading}", *texts] if texts else []
    return "\n\n".join(parts) + "\n"


_LIMITS = (
    "Scores are against declarations, which are not all true.",
    "They hold for land like that of the folds, and for the season of the features.",
    "Probabilities are not calibrated; an outlier is a reason to look, not a finding.",
)


def _worth(result: CropValidation) -> str:
    alone = result.by_prediction["balanced_accuracy"]
    return (
        f"Balanced accuracy {result.balanced_accuracy:.3f} by majority; one model "
        f"{alone.mean():.3f}, from {alone.min():.3f} to {alone.max():.3f}. "
        f"Accuracy {result.accuracy:.3f}, by area {result.accuracy_area:.3f}."
    )


def _recipe(result: CropValidation) -> dict[str, str]:
    return {
        "params_id": f"`{result.params_id}`",
        "seed": str(result.seed),
        "rule": f"`{result.rule.describe()}`",
        "classifier": f"`{result.estimator}`",
        **result.versions,
    }


def _shortened(names: tuple[str, ...], shown: int = 6) -> str:
    some = ", ".join(f"`{name}`" for name in names[:shown])
    return some if len(names) <= shown else f"{some} …"


def _table(table: pd.DataFrame) -> str:
    """Return a Markdown table, which pandas makes only with another package."""
    rounded = table.reset_index()
    lines = [[*map(str, rounded.columns)], ["---"] * rounded.shape[1]]
    lines += [
        [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in rounded.itertuples(index=False)
    ]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped)
