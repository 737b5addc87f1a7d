"""Greedy selection of events that lie apart, against a plain loop."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.markers.events._apart import keep_apart

events = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 9)), max_size=25, unique=True
)


@given(events, st.integers(1, 40))
def test_a_plain_loop_gives_the_same(rows, min_days):
    parcel, day, rank = np.array(rows, np.int64).reshape(-1, 3).T
    order = np.lexsort((day, rank))
    owner = keep_apart(parcel, day.astype(float), order=order, min_days=min_days)
    accepted = []
    for i in order:
        near = [j for j in accepted if parcel[j] == parcel[i] and abs(day[j] - day[i]) < min_days]
        assert owner[i] == (near[0] if near else i)
        accepted += [] if near else [i]


def test_exactly_the_distance_is_apart():
    owner = keep_apart(np.zeros(2, int), np.array([0.0, 28.0]), order=np.arange(2), min_days=28)
    assert owner.tolist() == [0, 1]
    owner = keep_apart(np.zeros(2, int), np.array([0.0, 27.9]), order=np.arange(2), min_days=28)
    assert owner.tolist() == [0, 0]
