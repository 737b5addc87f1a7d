"""Pairs that are kept: any blocks draw the same ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from cbmcube.agreement._draw import cut_ends, drawn, ends


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_any_blocks_draw_the_same_pairs(share):
    whole = drawn(np.arange(20), np.arange(300), of=300, share=share, seed=7)
    for passes, parcels in ((slice(3, 9), slice(50, 51)), (slice(0, 20), slice(0, 299))):
        part = drawn(np.arange(20)[passes], np.arange(300)[parcels], of=300, share=share, seed=7)
        np.testing.assert_array_equal(part, whole[passes, parcels])
    assert whole.mean() == pytest.approx(share, abs=4 * np.sqrt(share / 6000))


def test_the_draw_is_even_and_other_seeds_draw_others():
    one, other = (drawn(np.arange(60), np.arange(500), of=500, share=0.3, seed=s) for s in (0, 1))
    for axis in (0, 1):
        counts = one.sum(axis=axis)
        assert stats.chisquare(counts).pvalue > 1e-3
    both = (one & other).mean()
    assert both == pytest.approx(0.09, abs=0.01)


def test_a_share_of_one_takes_all():
    assert drawn(np.arange(3), np.arange(4), of=4, share=1.0, seed=0).all()
    assert drawn(np.arange(3), np.arange(4), of=4, share=9.0, seed=0).all()


@given(
    st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 5.0, np.nan]), max_size=30), st.integers(1, 6)
)
def test_ends_against_a_sorted_list(values, count):
    """Of equal values the first ones, at the high end as well."""
    d = np.array(values)
    seen = [k for k in range(len(d)) if np.isfinite(d[k])]
    low = sorted(seen, key=lambda k: (d[k], k))[:count]
    high = sorted(seen, key=lambda k: (-d[k], k))[:count]
    assert ends(d, count).tolist() == sorted({*low, *high})


@example([-2.0] * 6, 1)  # the same pair is at both ends
@given(st.lists(st.sampled_from([-2.0, 0.0, 0.5, 5.0]), min_size=1, max_size=30), st.integers(1, 4))
def test_ends_of_blocks_hold_the_ends_of_all(values, count):
    d = np.array(values)
    rows = np.zeros((len(d), 6))
    rows[:, 0], rows[:, 5] = np.arange(len(d)), d
    halves = [rows[::2], rows[1::2]]
    kept = np.concatenate([half[ends(half[:, 5], count)] for half in halves])
    np.testing.assert_array_equal(cut_ends(kept, count)[:, 0], cut_ends(rows, count)[:, 0])
