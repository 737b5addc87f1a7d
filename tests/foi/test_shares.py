"""Shares, diversity and reasons on plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cbmcube.foi import REASONS, FoiRule
from cbmcube.foi._shares import diversity, is_heterogeneous, judge

COUNTS = arrays(
    "int64", st.tuples(st.integers(1, 6), st.integers(2, 6)), elements=st.integers(0, 90)
)


@given(counts=COUNTS)
def test_diversity_is_that_of_scipy_and_of_a_loop(counts):
    found = diversity(counts)
    for row, weights in enumerate(counts):
        total = int(weights.sum())
        if not total:
            assert np.isnan(found.shannon[row])
            assert np.isnan(found.simpson[row])
            assert np.isnan(found.dominant[row])
            assert np.isnan(found.share[row]).all()
            continue
        entropy = scipy.stats.entropy(weights) / np.log(weights.size)
        assert found.shannon[row] == pytest.approx(entropy, abs=1e-12)
        pairs = sum(int(a) * int(b) for a in weights for b in weights) - sum(
            int(a) ** 2 for a in weights
        )
        assert found.simpson[row] == pytest.approx(pairs / total**2, abs=1e-12)
        assert weights[int(found.dominant[row])] == weights.max()
        assert found.dominant_share[row] == pytest.approx(weights.max() / total)
        assert found.share[row].sum() == pytest.approx(1.0)


@given(counts=COUNTS, factor=st.integers(2, 9))
def test_the_size_of_a_parcel_changes_no_share(counts, factor):
    few, many = diversity(counts), diversity(counts * factor)
    for name in ("share", "dominant", "dominant_share", "shannon", "simpson"):
        np.testing.assert_allclose(getattr(many, name), getattr(few, name), atol=1e-12)


def test_one_class_of_a_list_of_one_has_no_diversity():
    found = diversity(np.array([[5]]))
    assert (found.shannon[0], found.simpson[0]) == (0.0, 0.0)


def test_no_class_at_all_is_unknown():
    found = diversity(np.zeros((3, 0), np.int32))
    assert np.isnan(found.dominant_share).all()
    assert not is_heterogeneous(found.share, FoiRule()).any()


@given(whole=st.integers(1, 50))
def test_limits_hold_in_single_precision_too(whole):
    share = np.array([[3 * whole, 7 * whole]], "float32") / np.float32(10 * whole)
    assert is_heterogeneous(share.astype("float64"), FoiRule()).all()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.3, 0.6, True), (0.4, 0.7, True), (0.31, 0.69, False), (0.3001, 0.6999, False)],
)
def test_each_limit_counts_by_itself(low, high, expected):
    """Shares of 0.3 and 0.7, of which no more than one is at a limit."""
    rule = FoiRule(low_share=low, high_share=high)
    assert is_heterogeneous(np.array([[0.3, 0.7]]), rule).item() is expected


def test_a_class_that_is_absent_makes_nothing_heterogeneous():
    assert not is_heterogeneous(np.array([[0.0, 1.0]]), FoiRule(low_share=0.0)).any()


@pytest.mark.parametrize(
    ("total", "observed", "valid", "reason"),
    [
        (40, 40, 40, None),
        (39, 39, 39, "TOO_SMALL"),
        (0, 0, 0, "TOO_SMALL"),
        (80, 40, 40, None),
        (81, 40, 40, "PARTLY_SEEN"),
        (80, 80, 39, "TOO_FEW_PIXELS"),
        (80, 0, 0, "NO_INPUT"),
        (10, 0, 0, "NO_INPUT"),
    ],
)
def test_the_first_reason_that_applies_is_told(total, observed, valid, reason):
    found = judge(np.array([total]), np.array([observed]), np.array([valid]), FoiRule())
    assert [REASONS[code] if code >= 0 else None for code in found] == [reason]


def test_without_a_limit_one_pixel_is_enough_and_none_is_not():
    rule = FoiRule(min_px=0, min_observed=0.0)
    found = judge(np.array([3, 3]), np.array([1, 1]), np.array([1, 0]), rule)
    assert found.tolist() == [-1, REASONS.index("TOO_FEW_PIXELS")]
