"""What the figure of a comparison draws, read back from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from cbmcube.agreement import compare
from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.plotting import agreement
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def result():
    return compare(vector_cube(), vector_cube(seed=1), variable=["NDVI", "B04"])


@dataclass
class Found:
    """A comparison by hand, of as many pairs as asked for."""

    size: int
    numbers: dict = field(default_factory=dict)

    def __getitem__(self, band):
        none = (np.nan, np.nan)
        facts = {"units": "dB", "tolerance": 0.5, "n": self.size, "bias": np.nan, "limits": none,
                 "r": np.nan, "orthogonal_slope": np.nan, "orthogonal_intercept": np.nan,
                 "proportional_slope": np.nan, "proportional_intercept": np.nan, "kept": 1.0,
                 "intervals": {"bias": none, "lower": none, "upper": none}}  # fmt: skip
        return SimpleNamespace(**facts | self.numbers)

    @property
    def pairs(self):
        rng = np.random.default_rng(0)
        a = rng.normal(-12, 2, self.size)
        b = a + rng.normal(0.3, 0.5, self.size)
        return pd.DataFrame({"band": "VV", "a": a, "b": b, "d": b - a, "average": (a + b) / 2})


def levels(axis, label):
    return [line.get_ydata()[0] for line in axis.lines if line.get_label() == label]


def test_dots_are_the_pairs_of_the_band(result):
    left, right = agreement(result, "NDVI").axes
    pairs = result.pairs[result.pairs["band"] == "NDVI"]
    for axis, x, y in ((left, "average", "d"), (right, "a", "b")):
        dots = next(line for line in axis.lines if line.get_marker() == "o")
        np.testing.assert_array_equal(dots.get_xdata(), pairs[x])
        np.testing.assert_array_equal(dots.get_ydata(), pairs[y])


def test_bias_and_limits_stand_with_their_intervals(result):
    left = agreement(result, "NDVI").axes[0]
    d = result.pairs.loc[result.pairs["band"] == "NDVI", "d"]
    assert levels(left, "bias") == [pytest.approx(d.mean(), abs=1e-6)]
    dashed = [line.get_ydata()[0] for line in left.lines if line.get_linestyle() == "--"]
    expected = [d.mean() - 1.96 * d.std(), d.mean() + 1.96 * d.std()]
    assert dashed == pytest.approx(expected, abs=1e-5)
    numbers = result["NDVI"]
    for patch in left.patches:
        low, high = numbers.intervals[patch.get_gid()]
        assert (patch.get_y(), patch.get_y() + patch.get_height()) == pytest.approx((low, high))
    assert {patch.get_gid() for patch in left.patches} == {"bias", "lower", "upper"}
    assert sorted(y for line in left.lines if line.get_linestyle() == ":" and
                  line.get_color() != "#222222" for y in [line.get_ydata()[0]]) == [
        -numbers.tolerance, numbers.tolerance]  # fmt: skip


def test_the_lines_of_the_regression(result):
    right = agreement(result, "NDVI").axes[1]
    one, orthogonal = (line for line in right.lines if line.get_marker() != "o")
    assert (one.get_slope(), one.get_xy1()) == (1, (0, 0))
    pairs = result.pairs[result.pairs["band"] == "NDVI"]
    _, vectors = np.linalg.eigh(np.cov(pairs["a"], pairs["b"]))
    assert orthogonal.get_slope() == pytest.approx(vectors[1, 1] / vectors[0, 1], rel=1e-4)
    assert right.get_aspect() == 1
    assert right.get_xlim() == right.get_ylim()


def test_axes_have_units_and_names(result):
    figure = agreement(result, "B04", names=("ours", "theirs"))
    labels = [(axis.get_xlabel(), axis.get_ylabel()) for axis in figure.axes]
    assert labels == [
        ("average of both, B04 (-)", "theirs - ours (-)"),
        ("ours B04 (-)", "theirs B04 (-)"),
    ]
    assert agreement(Found(5), "VV").axes[0].get_xlabel().endswith("VV (dB)")


def test_many_pairs_are_counted_in_hexagons():
    left, right, *bars = agreement(Found(5000), "VV").axes
    for axis in (left, right):
        (cells,) = (one for one in axis.collections if len(one.get_array()) > 10)
        assert cells.get_array().sum() == 5000
        assert not [line for line in axis.lines if line.get_marker() == "o"]
    assert [bar.get_ylabel() for bar in bars] == ["pairs (number)"] * 2


@pytest.mark.parametrize("size", [0, 1, 2])
def test_few_pairs_are_drawn_without_lines_that_are_not_known(size):
    figure = agreement(Found(size), "VV")
    figure.draw_without_rendering()
    left = figure.axes[0]
    assert not left.patches
    assert [text.get_text() for text in left.texts] == (["no pair"] if size == 0 else [])


def test_a_draw_of_the_pairs_says_so():
    title = agreement(Found(50, {"kept": 0.25}), "VV").get_suptitle()
    assert title.endswith("25% of the pairs drawn")


def test_legends_and_title_do_not_overlap(result):
    figure = agreement(result, "NDVI")
    figure.draw_without_rendering()
    boxes = [axis.get_legend().get_window_extent() for axis in figure.axes]
    boxes.append(figure._suptitle.get_window_extent())
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
        assert box.x1 <= figure.bbox.x1


def test_two_axes_of_the_caller_serve_and_others_do_not(result):
    figure, axes = plt.subplots(1, 2)
    assert agreement(result, "NDVI", axes=axes) is figure
    with pytest.raises(OptionError, match="another number of axes"):
        agreement(result, "NDVI", axes=axes[:1])
    with pytest.raises(UnknownBandError, match="not compared"):
        agreement(result, "B11")
    plt.close(figure)
