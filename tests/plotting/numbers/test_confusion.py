"""What a confusion matrix draws, read back from the figure."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from cbmcube.exceptions import OptionError
from cbmcube.plotting import confusion

TRUTH = ["maize"] * 6 + ["wheat"] * 3 + ["beet"] * 1
TAKEN = ["maize"] * 4 + ["wheat"] * 2 + ["wheat"] * 3 + ["maize"] * 1


def drawn(figure):
    return np.asarray(figure.axes[0].images[0].get_array())


def names(axis):
    return [[text.get_text() for text in labels] for labels in
            (axis.get_yticklabels(), axis.get_xticklabels())]  # fmt: skip


def square(classes, seed=0):
    rng = np.random.default_rng(seed)
    labels = [f"class {k:02d}" for k in range(classes)]
    counts = rng.integers(1, 9, (classes, classes)) + np.diag(rng.integers(50, 500, classes))
    return pd.DataFrame(counts, labels, labels)


def test_rows_are_shares_of_the_declared_class_most_frequent_first():
    figure = confusion(TRUTH, predicted=TAKEN)
    rows, columns = names(figure.axes[0])
    assert rows == ["maize (6)", "wheat (3)", "beet (1)"]
    assert columns == ["maize (5)", "wheat (5)", "beet (0)"]
    np.testing.assert_allclose(drawn(figure), [[4 / 6, 2 / 6, 0], [0, 1, 0], [1, 0, 0]])
    assert figure.get_suptitle() == "10 parcels  ·  3 classes  ·  70.0% as declared"


def test_cells_hold_shares_and_counts():
    axis = confusion(TRUTH, predicted=TAKEN).axes[0]
    cells = {text.get_position(): text.get_text() for text in axis.texts}
    assert cells == {(0, 0): "67 %\n4", (1, 0): "33 %\n2", (1, 1): "100 %\n3", (0, 2): "100 %\n1"}


def test_a_table_and_a_validation_serve():
    table = pd.crosstab(np.array(TRUTH), np.array(TAKEN))
    for given in (table, SimpleNamespace(confusion=table)):
        np.testing.assert_allclose(
            drawn(confusion(given)), drawn(confusion(TRUTH, predicted=TAKEN))
        )


def test_order_by_name_and_as_given():
    table = pd.DataFrame([[1, 0], [0, 5]], ["b", "a"], ["b", "a"])
    assert names(confusion(table, sort="given").axes[0])[0] == ["b (1)", "a (5)"]
    assert names(confusion(table, sort="name").axes[0])[0] == ["a (5)", "b (1)"]


def test_a_class_that_is_never_true_is_blank():
    figure = confusion(["a"], predicted=["b"])
    assert np.isnan(drawn(figure)[1]).all()
    assert names(figure.axes[0])[0] == ["a (1)", "b (0)"]


@pytest.mark.parametrize(("classes", "texts"), [(12, 144), (26, 676), (27, 0)])
def test_cells_are_written_while_there_is_room(classes, texts):
    assert len(confusion(square(classes)).axes[0].texts) == texts


@pytest.mark.parametrize("classes", [1, 2, 12, 26, 60, 90])
def test_labels_fit_at_every_size(classes):
    figure = confusion(square(classes))
    figure.draw_without_rendering()
    axis = figure.axes[0]
    assert len(axis.get_yticks()) == min(classes, 60)
    for labels in (axis.get_yticklabels(), axis.get_xticklabels()):
        boxes = [text.get_window_extent() for text in labels]
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))
        assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
    assert figure._suptitle.get_window_extent().x1 <= figure.bbox.x1
    assert figure.get_size_inches()[0] <= 10
    inside = axis.get_window_extent().width / len(axis.get_xticks())
    assert all(text.get_window_extent().width <= inside for text in axis.texts)


def test_small_classes_are_merged_and_none_is_lost():
    table = square(90)
    figure = confusion(table)
    rows, columns = names(figure.axes[0])
    small = table.sum(axis=1).nsmallest(31, keep="all").index
    assert rows[-1] == f"31 smaller classes ({table.loc[small].sum().sum():,})"
    assert columns[-1] == f"31 smaller classes ({table[small].sum().sum():,})"
    share = table.loc[small, small].sum().sum() / table.loc[small].sum().sum()
    assert drawn(figure)[-1, -1] == pytest.approx(share)
    assert figure.get_suptitle().startswith(f"{table.sum().sum():,} parcels")


def test_no_parcel_at_all():
    figure = confusion([], predicted=[])
    figure.draw_without_rendering()
    assert figure.get_suptitle() == "no parcel to compare"


def test_axes_of_the_caller_serve():
    figure, axis = plt.subplots()
    assert confusion(TRUTH, predicted=TAKEN, axis=axis) is figure
    assert axis.get_title(loc="left").startswith("10 parcels")
    plt.close(figure)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (TRUTH, {"predicted": TAKEN[1:]}, "10 true, 9 predicted"),
        (TRUTH, {}, "no table of counts"),
        (pd.DataFrame([[np.nan]]), {}, "counts are numbers"),
        (pd.DataFrame([[-1]]), {}, "counts are numbers"),
        (square(2), {"sort": "area"}, "cannot be sorted"),
    ],
)
def test_what_is_no_confusion_is_refused(given, options, message):
    with pytest.raises(OptionError, match=message):
        confusion(given, **options)
