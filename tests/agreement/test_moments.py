"""Moments by group, merged and weighted, against plain sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.agreement._moments import FIELDS, merge, moments_of, weighted


def plain(a, b, limit=0.1):
    """The definition, one field after the other."""
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    d = b - a
    if not len(a):
        return [0.0] * 10 + [np.inf, -np.inf]
    return [
        len(a),
        a.mean(),
        b.mean(),
        d.mean(),
        ((a - a.mean()) ** 2).sum(),
        ((b - b.mean()) ** 2).sum(),
        ((a - a.mean()) * (b - b.mean())).sum(),
        ((d - d.mean()) ** 2).sum(),
        np.abs(d).sum(),
        (np.abs(d) <= limit).sum(),
        a.min(),
        a.max(),
    ]


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(4)
    a, b = rng.normal(0.5, 0.2, (2, 5, 40))
    a[rng.uniform(size=a.shape) < 0.2] = np.nan
    b[rng.uniform(size=b.shape) < 0.2] = np.nan
    a[2] = np.nan
    return a, b, rng.integers(0, 4, 40)


def test_moments_of_each_pass_and_group(numbers):
    a, b, groups = numbers
    found = moments_of(a, b, groups, count=6, limit=0.1)
    assert found.shape == (5, 6, len(FIELDS))
    for row in range(5):
        for group in range(6):
            here = groups == group
            expected = plain(a[row, here], b[row, here])
            np.testing.assert_allclose(found[row, group], expected, rtol=1e-12, atol=1e-14)


def test_merged_moments_are_those_of_all(numbers):
    a, b, groups = numbers
    parts = moments_of(a, b, groups, count=4, limit=0.1).reshape(-1, len(FIELDS))
    side = np.arange(len(parts)) % 2
    merged = merge(parts, side, 3)
    for half in range(3):
        here = (groups % 2) == half if half < 2 else np.zeros(40, bool)
        expected = plain(a[:, here].ravel(), b[:, here].ravel())
        np.testing.assert_allclose(merged[half], expected, rtol=1e-12, atol=1e-14)


def test_weights_repeat_rows(numbers):
    a, b, groups = numbers
    parts = moments_of(a, b, groups, count=4, limit=0.1).reshape(-1, len(FIELDS))
    weights = np.random.default_rng(0).integers(0, 4, (6, len(parts)))
    found = weighted(parts, weights.astype("float64"))
    for row, times in zip(found, weights, strict=True):
        repeated = np.repeat(parts, times, axis=0)
        expected = merge(repeated, np.zeros(len(repeated), dtype="int64"), 1)[0]
        # Lowest and highest stay those of all rows.
        np.testing.assert_allclose(row[:-2], expected[:-2], rtol=1e-10, atol=1e-12)


def test_a_shift_without_scatter_has_none():
    """Sums of squares around zero would leave about 1e-9 here."""
    a = np.random.default_rng(0).uniform(0, 1, (1, 100_000))
    parts = moments_of(a, a + 1000.0, np.arange(100_000) % 7, count=7, limit=1)
    whole = merge(parts[0], np.zeros(7, dtype="int64"), 1)[0]
    assert np.sqrt(whole[FIELDS.index("dd")] / 100_000) < 1e-12


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=30),
    st.lists(st.integers(0, 3), min_size=30, max_size=30),
)
def test_any_split_gives_the_same(pairs, split):
    a, b = np.array(pairs).T[:, None, :]
    groups = np.array(split[: len(pairs)])
    parts = moments_of(a, b, groups, count=4, limit=0.1)[0]
    whole = merge(parts, np.zeros(4, dtype="int64"), 1)[0]
    np.testing.assert_allclose(whole, plain(a[0], b[0]), rtol=1e-9, atol=1e-9)
