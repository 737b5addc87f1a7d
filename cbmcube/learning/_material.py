"""Features, labels and folds brought together, and the splits that they give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError, UnknownParcelError
from cbmcube.learning._channels import refuse_repeated
from cbmcube.learning._estimators import Scheme

_Flags = NDArray[np.bool_]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """What a model is trained on and what it predicts."""

    train: _Flags
    test: _Flags
    slot: _Ints
    """Of each parcel, which of its predictions this one is; valid where it is tested."""


@dataclass(frozen=True, slots=True)
class Material:
    """Labelled parcels in the order of their ids, so that results do not depend on a file's."""

    parcels: pd.Index
    given: _Ints
    """Position in this order of each parcel as it was given."""
    features: pd.DataFrame
    classes: list[str]
    label: _Ints
    """Number of the class of each parcel."""
    folds: pd.DataFrame

    def repeats(self) -> list[_Ints]:
        """Return the fold of each parcel, for each way of dealing."""
        columns = [name for name in self.folds.columns if str(name).startswith("fold_")]
        return [self.folds[name].to_numpy().astype("int64") for name in columns]

    def splits(self, scheme: Scheme) -> Iterator[Split]:
        """Yield what is trained and tested together; never a parcel on both sides."""
        ways = self.repeats() if scheme == "repeated" else self.repeats()[:1]
        for repeat, fold in enumerate(ways):
            for rank, number in enumerate(np.unique(fold)):
                inside = fold == number
                if scheme == "repeated":
                    split = Split(~inside, inside, np.full(len(fold), repeat))
                else:
                    own = np.searchsorted(np.unique(fold), fold)
                    split = Split(inside, ~inside, np.where(rank < own, rank, rank - 1))
                self._check(split)
                yield split

    def predictions(self, scheme: Scheme) -> int:
        """Return how many predictions each parcel gets."""
        ways = self.repeats()
        return len(ways) if scheme == "repeated" else len(np.unique(ways[0])) - 1

    def _check(self, split: Split) -> None:
        both = split.train & split.test
        if "block" in self.folds:
            block = self.folds["block"].to_numpy()
            both = both | (split.test & np.isin(block, block[split.train]))
        if both.any():
            raise OptionError(
                "parcels, or others of their block, are in the training and in the test part",
                given=", ".join(map(str, self.parcels[both][:5])),
                hint="give a fold to whole blocks; see spatial_folds",
            )
        if len(np.unique(self.label[split.train])) < 2:
            raise OptionError(
                "a training part has a single class",
                given=f"{int(split.train.sum())} parcels",
                hint="make fewer folds, or smaller blocks",
            )


def gather(features: pd.DataFrame, labels: pd.Series, folds: pd.DataFrame) -> Material:
    """Take the parcels that have a label, and the features that differ between any of them."""
    for table in (features, labels, folds):
        refuse_repeated(table.index)
    known = labels[labels.notna()].astype(str)
    for name, table in (("features", features), ("folds", folds)):
        absent = known.index.difference(table.index)
        if len(absent):
            raise UnknownParcelError(
                f"labelled parcels have no {name}",
                given=", ".join(map(str, absent[:5])),
                hint="labels of parcels that are left out are missing values",
            )
    if not any(str(name).startswith("fold_") for name in folds.columns):
        raise OptionError(
            "the table of folds has no fold",
            given=", ".join(map(str, folds.columns)),
            allowed="columns fold_1, fold_2 …",
            hint="see spatial_folds",
        )
    order = np.argsort(known.index.astype(str).to_numpy(dtype=str), kind="stable")
    parcels = known.index[order]
    classes, label = np.unique(known.to_numpy(dtype=str)[order], return_inverse=True)
    given = np.empty(len(order), dtype="int64")
    given[order] = np.arange(len(order))
    return Material(
        parcels, given, _varying(features.loc[parcels]), [*map(str, classes)],
        label.reshape(-1).astype("int64"), folds.loc[parcels],
    )  # fmt: skip


def _varying(features: pd.DataFrame) -> pd.DataFrame:
    """Drop constant columns: they say nothing, yet classifiers draw some of them at random."""
    values = features.to_numpy()
    first = values[:1]
    same = (values == first) | (np.isnan(values) & np.isnan(first))
    kept = features.loc[:, ~same.all(axis=0)]
    if kept.shape[1] == 0:
        raise OptionError(
            "no feature differs between parcels",
            given=f"{features.shape[1]} columns, {len(features)} parcels",
        )
    return kept
