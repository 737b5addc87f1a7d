"""What is trained and tested together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cbmcube.exceptions import DuplicateIdError, OptionError, UnknownParcelError
from cbmcube.learning._material import gather
from tests.learning.farmland import farmland


@pytest.mark.parametrize("scheme", ["repeated", "jrc"])
def test_no_parcel_and_no_square_on_both_sides(scheme):
    material = gather(*farmland())
    block = material.folds["block"].to_numpy()
    times = np.zeros((3, len(block)), dtype=int)
    trained = np.zeros(len(block), dtype=int)
    for split in material.splits(scheme):
        assert not (split.train & split.test).any()
        assert (split.train | split.test).all()
        assert not set(block[split.train]) & set(block[split.test])
        times[split.slot[split.test], np.flatnonzero(split.test)] += 1
        trained += split.train
    assert (times == 1).all()  # each of the three predictions once
    assert (trained == (9 if scheme == "repeated" else 1)).all()


def test_jrc_trains_on_a_quarter():
    material = gather(*farmland())
    shares = [split.train.mean() for split in material.splits("jrc")]
    assert len(shares) == 4
    assert all(0.2 < share < 0.3 for share in shares)
    assert material.predictions("jrc") == 3


@pytest.mark.parametrize("scheme", ["repeated", "jrc"])
def test_a_square_in_two_folds_is_refused(scheme):
    features, labels, folds = farmland(60)
    torn = folds.assign(block="one")
    with pytest.raises(OptionError, match="training and in the test"):
        list(gather(features, labels, torn).splits(scheme))


def test_folds_of_ones_own_need_no_blocks():
    features, labels, folds = farmland(60)
    own = folds[["fold_1"]]
    assert gather(features, labels, own).predictions("repeated") == 1


def test_constant_columns_are_left_out():
    features, labels, folds = farmland(40)
    more = features.assign(one=1.0, never=np.nan, sometimes=[np.nan] + [1.0] * 39)
    kept = gather(more, labels, folds).features.columns
    assert kept.tolist() == [*features.columns, "sometimes"]
    with pytest.raises(OptionError, match="no feature differs"):
        gather(features[[]].assign(one=1.0), labels, folds)


def test_parcels_without_label_are_left_out():
    features, labels, folds = farmland(40)
    labels = labels.where(labels != "maize", None)
    material = gather(features, labels, folds)
    assert "maize" not in material.classes
    assert material.parcels.tolist() == sorted(labels[labels.notna()].index)
    assert [material.classes[k] for k in material.label] == labels[material.parcels].tolist()


def test_what_does_not_fit_together_is_said():
    features, labels, folds = farmland(40)
    with pytest.raises(UnknownParcelError, match=r"no features(.|\n)*p0000"):
        gather(features.iloc[1:], labels, folds)
    with pytest.raises(UnknownParcelError, match="no folds"):
        gather(features, labels, folds.iloc[:-1])
    with pytest.raises(DuplicateIdError):
        gather(features.iloc[[0, 0]], labels, folds)
    with pytest.raises(OptionError, match="fold_1"):
        gather(features, labels, folds[["block"]])
    single = pd.Series("grass", index=labels.index)
    with pytest.raises(OptionError, match="single class"):
        next(gather(features, single, folds).splits("repeated"))
