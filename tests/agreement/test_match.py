"""Parts of passes joined, and passes of two sources paired, against plain loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.agreement._match import UNKNOWN, join_parts, match, nearest, unite

MINUTES = pd.Timedelta("10min")
KEYS = tuple(UNKNOWN)


def steps(minutes, platform="s1a", orbit=15, items=None, baseline=-1):
    count = len(minutes)
    names = items or [f"i{number}" for number in range(count)]
    return pd.DataFrame(
        {
            "time": pd.Timestamp("2024-05-01") + pd.to_timedelta(minutes, unit="min"),
            "platform": platform,
            "relative_orbit": orbit,
            "baseline_days": baseline,
            "acquisition": names,
            "orbit_state": "",
            "items": names,
        }
    )


def passes(*args, **kwargs):
    return join_parts(steps(*args, **kwargs), MINUTES)


def test_slices_that_follow_each_other_are_one_pass():
    """Ten minutes apart is one pass, eleven are two; each is next to the one before."""
    found = passes([0, 10, 20, 31])
    assert found.table["parts"].tolist() == [3, 1]
    assert [list(some) for some in found.steps] == [[0, 1, 2], [3]]


def test_other_platforms_and_orbits_and_image_pairs_are_other_passes():
    assert len(passes([0, 1], platform=["s1a", "s1b"]).table) == 2
    assert len(passes([0, 1], orbit=[15, 16]).table) == 2
    assert len(passes([0, 1], baseline=[6, 12]).table) == 2


def test_parts_are_in_order_of_their_items():
    found = passes([0, 1, 2], items=["c", "a", "b"])
    assert list(found.steps[0]) == [1, 2, 0]


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=12, unique=True),
    st.permutations(range(12)),
    st.integers(0, 3),
)
def test_the_order_of_acquisitions_is_of_no_matter(minutes, order, orbits):
    table = steps(minutes, orbit=[15 + m % (orbits + 1) for m in minutes])
    shuffled = table.iloc[[k for k in order if k < len(table)]].reset_index(drop=True)
    one, other = join_parts(table, MINUTES), join_parts(shuffled, MINUTES)
    pd.testing.assert_frame_equal(one.table, other.table)
    for mine, theirs in zip(one.steps, other.steps, strict=True):
        assert table["items"][mine].tolist() == shuffled["items"][theirs].tolist()


def test_passes_are_matched_within_the_tolerance():
    a, b = passes([0, 1000]), passes([10, 1011])
    pairs = match(a.table, b.table, MINUTES, KEYS)
    assert (list(pairs.a), list(pairs.b)) == ([0], [0])
    assert len(match(a.table, b.table, pd.Timedelta("11min"), KEYS).a) == 2


def test_the_nearest_partner_wins_and_no_pass_has_two():
    a, b = passes([100]), passes([0, 120, 300])
    pairs = match(a.table, b.table, pd.Timedelta("1D"), KEYS)
    assert (list(pairs.a), list(pairs.b)) == ([0], [1])


def test_of_equally_near_partners_the_earlier_one_counts():
    a, b = passes([100]), passes([80, 120])
    assert list(match(a.table, b.table, pd.Timedelta("1h"), KEYS).b) == [0]


def test_what_is_not_stated_excludes_nothing():
    a = passes([0])
    for fact in ({"orbit": 16}, {"platform": "s1c"}):
        other = passes([0], **fact)
        assert len(match(a.table, other.table, MINUTES, KEYS).a) == 0
        assert len(match(a.table, other.table, MINUTES, ()).a) == 1
    for fact in ({"orbit": -1}, {"platform": ""}):
        assert len(match(a.table, passes([0], **fact).table, MINUTES, KEYS).a) == 1


@given(
    st.lists(st.integers(0, 200), max_size=8, unique=True),
    st.lists(st.integers(0, 200), max_size=8, unique=True),
    st.integers(0, 60),
)
def test_pairs_against_a_plain_search(first, second, tolerance):
    """Take the closest free pair again and again, the earliest of equals."""
    a, b = (join_parts(steps(sorted(m)), pd.Timedelta(0)) for m in (first, second))
    expected, left_a, left_b = [], sorted(first), sorted(second)
    while True:
        free = [(abs(x - y), x, y) for x in left_a for y in left_b if abs(x - y) <= tolerance]
        if not free:
            break
        _, x, y = min(free)
        expected.append((x, y))
        left_a.remove(x)
        left_b.remove(y)
    pairs = match(a.table, b.table, pd.Timedelta(minutes=tolerance), KEYS)
    found = zip(np.array(sorted(first))[pairs.a], np.array(sorted(second))[pairs.b], strict=True)
    assert sorted(expected) == [(int(x), int(y)) for x, y in found]


def test_the_nearest_pass_is_told_with_its_side():
    a, b = passes([0, 1000, 5000]), passes([30, 900], orbit=[15, 15])
    apart = nearest(a.table, b.table, KEYS)
    assert apart.tolist() == [pd.Timedelta(minutes=m) for m in (30, -100, -4100)]
    assert nearest(a.table, passes([30], orbit=16).table, KEYS).isna().all()
    assert nearest(a.table, passes([]).table, KEYS).isna().all()
    assert len(nearest(a.table.iloc[:0], b.table, KEYS)) == 0


def test_the_union_has_each_pass_once():
    a, b = passes([0, 2000], platform="", orbit=-1), passes([5, 3000], orbit=15)
    both = unite(a, b, match(a.table, b.table, MINUTES, KEYS))
    assert both.matched.tolist() == [True, False, False]
    assert both.table["time"].tolist() == [
        a.table["time"][0],
        a.table["time"][1],
        b.table["time"][1],
    ]
    assert both.table["time_b"].isna().tolist() == [False, True, False]
    # What one does not state, the other may.
    assert both.table["platform"].tolist() == ["s1a", "", "s1a"]
    assert both.table["relative_orbit"].tolist() == [15, -1, 15]
    assert [len(some) for some in both.steps_a] == [1, 1, 0]
    assert [len(some) for some in both.steps_b] == [1, 0, 1]
    assert both.table["month"].tolist() == ["2024-05"] * 3


def test_the_day_is_that_of_the_earlier_one_on_either_side():
    """Two minutes around midnight: both directions give the same day."""
    a, b = passes([24 * 60 - 1]), passes([24 * 60 + 1])
    days = []
    for one, other in ((a, b), (b, a)):
        union = unite(one, other, match(one.table, other.table, MINUTES, KEYS))
        days += union.table["date"].tolist()
    assert days == [pd.Timestamp("2024-05-01")] * 2


@pytest.mark.parametrize("empty", ["a", "b", "both"])
def test_a_source_without_passes(empty):
    some, none = passes([0, 60]), passes([])
    a, b = {"a": (none, some), "b": (some, none), "both": (none, none)}[empty]
    pairs = match(a.table, b.table, MINUTES, KEYS)
    union = unite(a, b, pairs)
    assert len(pairs.a) == 0
    assert len(union.table) == (0 if empty == "both" else 2)
    assert not union.matched.any()
