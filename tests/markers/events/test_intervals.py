"""Intervals of parcels, against sets of unit pieces and plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.markers.events._intervals import Intervals, overlaps, union, without

rows = st.lists(st.tuples(st.integers(0, 3), st.integers(-20, 20), st.integers(0, 12)), max_size=14)


def _intervals(some):
    table = np.array(some, dtype="int64").reshape(-1, 3)
    return Intervals(table[:, 0], table[:, 1], table[:, 1] + table[:, 2])


def _pieces(a):
    """Return each (parcel, unit) that is covered."""
    return {(p, t) for p, s, e in zip(a.parcel, a.start, a.end, strict=True) for t in range(s, e)}


@given(rows, rows)
def test_overlaps_are_all_pairs(a, b):
    a, b = _intervals(a), _intervals(b)
    expected = {}
    for i in range(len(a.parcel)):
        for j in range(len(b.parcel)):
            length = min(a.end[i], b.end[j]) - max(a.start[i], b.start[j])
            if a.parcel[i] == b.parcel[j] and length > 0:
                expected[i, j] = length
    left, right, length = overlaps(a, b)
    found = dict(zip(zip(left.tolist(), right.tolist(), strict=True), length, strict=True))
    assert found == expected
    assert len(left) == len(found)
    assert left.tolist() == sorted(left.tolist())


@given(rows)
def test_a_union_covers_the_same_and_is_disjoint(a):
    a = _intervals(a)
    joined = union(a)
    assert _pieces(joined) == _pieces(a)
    for k in range(1, len(joined.parcel)):
        assert (joined.parcel[k - 1], joined.end[k - 1]) < (joined.parcel[k], joined.start[k])


@given(rows, rows)
def test_what_is_left_is_covered_by_no_b(a, b):
    a, b = _intervals(a), _intervals(b)
    number, start, end = without(a, b)
    for k in range(len(a.parcel)):
        mine = Intervals(a.parcel[k : k + 1], a.start[k : k + 1], a.end[k : k + 1])
        left = number == k
        pieces = Intervals(a.parcel[number[left]], start[left], end[left])
        assert _pieces(pieces) == _pieces(mine) - _pieces(b)
        assert start[left].tolist() == sorted(start[left])
        inside = (b.parcel == a.parcel[k]) & (b.start <= a.start[k]) & (a.end[k] <= b.end)
        inside &= b.end > b.start
        if a.start[k] == a.end[k] and not inside.any():
            assert left.sum() == 1  # an event of no length stays
