"""Choosing candidates, against plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.markers.events._select import earlier_by, match_once, select_apart

candidates = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 100), st.integers(0, 20), st.integers(0, 3)),
    max_size=25,
)


@given(candidates, st.sampled_from([0, 20, 45]), st.integers(1, 4))
def test_selection_equals_a_plain_loop(rows, apart, most):
    table = np.array(rows, dtype=float).reshape(-1, 4)
    parcel, start, end, worst = (
        table[:, 0].astype(int),
        table[:, 1],
        table[:, :3][:, 1:].sum(1),
        table[:, 3],
    )
    keep = select_apart(parcel, start, end, worst=[worst], apart=apart, most=most)
    taken = {}
    expected = np.zeros(len(rows), bool)
    for k in sorted(range(len(rows)), key=lambda k: (worst[k], end[k], start[k], k)):
        mine = taken.setdefault(parcel[k], [])
        if len(mine) < most and all(
            max(end[k] - start[j], end[j] - start[k]) >= apart for j in mine
        ):
            mine.append(k)
            expected[k] = True
    np.testing.assert_array_equal(keep, expected)


def test_the_first_column_counts_most():
    zeros = np.zeros(3)
    keep = select_apart(
        zeros.astype(int),
        zeros,
        zeros,
        worst=[np.array([1, 0, 0]), np.array([0, 5, 4])],
        apart=1,
        most=1,
    )
    assert keep.tolist() == [False, False, True]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 4)), max_size=25))
def test_matching_equals_a_plain_loop(rows):
    left, right, worst = np.array(rows, dtype=int).reshape(-1, 3).T
    keep = match_once(left, right, worst=[worst])
    expected, used = np.zeros(len(rows), bool), set()
    for k in sorted(range(len(rows)), key=lambda k: (worst[k], k)):
        if not {("l", left[k]), ("r", right[k])} & used:
            used |= {("l", left[k]), ("r", right[k])}
            expected[k] = True
    np.testing.assert_array_equal(keep, expected)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=25, unique=True),
       st.integers(0, 12))  # fmt: skip
def test_earlier_observations_equal_a_plain_loop(rows, least):
    rows = sorted(rows)
    parcel, day = np.array(rows, dtype=int).reshape(-1, 2).T
    expected = [
        max(
            (j for j in range(k) if parcel[j] == parcel[k] and day[k] - day[j] >= least), default=-1
        )
        for k in range(len(rows))
    ]
    assert earlier_by(parcel, day.astype(float), float(least)).tolist() == expected
