"""Event tables combined, against plain loops over rows and against sets of hours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError
from cbmcube.markers import aggregate, check_events, confirm, empty_events, merge
from tests.markers.tables import PARCELS, ZERO, day, few, table, tables

S1 = {"marker": "mowing_coherence", "source": "S1:15"}


def _events(events):
    return events[events["main_date"].notna()].reset_index(drop=True)


def _rows(events):
    """Return (parcel, start, end) of each event in days, an open one with end None."""
    found = _events(events)
    ends = [None if pd.isna(end) else end for end in day(found["end_date"])]
    return [*zip(found["parcel"], day(found["start_date"]), ends, strict=True)]


def _overlap(a, b):
    if a[0] != b[0]:
        return 0
    ends = [np.inf if row[2] is None else row[2] for row in (a, b)]
    return max(0, min(ends) - max(a[1], b[1]))


def test_confirm_keeps_what_overlaps():
    a = table([("P0", 0, 10), ("P0", 60, 70), ("P1", 0, 10)], parcels=("P0", "P1"))
    b = table([("P0", 10, 20), ("P0", 69, 80), ("P2", 0, 10)], parcels=("P0", "P1", "P2"), **S1)
    sure = check_events(confirm(a, b))
    assert _rows(sure) == [("P0", 60, 70)]  # touching is no overlap
    event = _events(sure).squeeze()
    assert event["sources"] == ["S2", "S1:15"]
    ids = [a["event_id"].iloc[1], b["event_id"].iloc[1]]
    assert event["parts"] == ids
    assert (event["marker"], event["params_id"]) == ("mowing", "of mowing")
    assert sure["parcel"].tolist() == ["P0", "P1"]
    assert sure["status"].tolist() == ["OK", "OK"]


@pytest.mark.parametrize(("least", "number"), [(0, 2), (3, 2), (3.5, 1), (9, 0)])
def test_confirm_may_want_more_days(least, number):
    a = table([("P0", 0, 10), ("P0", 60, 70)])
    b = table([("P0", 7, 20), ("P0", 65, 80)], **S1)
    assert len(_events(confirm(a, b, min_overlap=least))) == number


@few
@given(tables())
def test_confirmed_by_itself_nothing_changes(a):
    own = (
        a["event_id"]
        .map(lambda one: [one])
        .where(a["main_date"].notna(), a["sources"].map(lambda _: []))
    )
    sure = confirm(a, a)
    pd.testing.assert_frame_equal(sure[a.columns], a)
    assert [p[:1] for p in sure["parts"]] == own.tolist()


@few
@given(tables())
def test_confirmed_by_nothing_is_nothing(a):
    none = check_events(confirm(a, empty_events()))
    assert not none["main_date"].notna().any()
    had = a["main_date"].notna().groupby(a["parcel"]).any()
    unsaid = none.set_index("parcel")["reason"][had[had].index]
    assert (unsaid == "NO_INPUT").all()
    kept = a[a["main_date"].isna()].reset_index(drop=True)
    rest = none[~none["parcel"].isin(had[had].index)].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest[a.columns], kept)


@few
@given(tables(), tables(**S1))
def test_confirm_equals_a_plain_loop(a, b):
    expected = [row for row in _rows(a) if any(_overlap(row, other) > 0 for other in _rows(b))]
    sure = check_events(confirm(a, b))
    assert sorted(_rows(sure)) == sorted(expected)
    blind = {p: r for p, r, m in zip(b["parcel"], b["reason"], b["main_date"], strict=True)
             if pd.isna(m)}  # fmt: skip
    had = {row[0] for row in _rows(a)} - {row[0] for row in expected}
    for parcel in had:
        reason = sure.set_index("parcel")["reason"][parcel]
        assert (pd.isna(reason) and pd.isna(blind.get(parcel))) or reason == blind[parcel]


def test_aggregate_pairs_the_largest_overlap():
    a = table([("P0", 0, 10, {"value_main": 0.4, "confidence": 0.7}), ("P0", 20, 30)])
    b = table([("P0", 8, 26, {"value_main": 0.6}), ("P0", 90, 99)], **S1)
    both = check_events(aggregate(a, b))
    # The second A overlaps most, so the first one keeps none.
    assert _rows(both) == [("P0", 0, 10), ("P0", 8, 30), ("P0", 90, 99)]
    pair = both.iloc[1]
    assert day(pair["main_date"]) == (25 + 17) / 2
    assert (pair["sources"], pair["n_obs"]) == (["S2", "S1:15"], 4)
    assert both["marker"].unique().tolist() == ["mowing+mowing_coherence"]
    assert day(pair["before_date"]) == 7
    assert both.iloc[0]["value_main"] == np.float32(0.4)
    values = pd.concat([a, b]).set_index("event_id")["value_main"]
    assert values.loc[pair["parts"]].tolist()[1] == np.float32(0.6)  # both lists are kept
    assert both["n_obs_window"].tolist() == [40] * 3


@few
@given(tables())
def test_aggregated_with_nothing_nothing_changes(a):
    for other in (aggregate(a, empty_events()), aggregate(empty_events(), a)):
        pd.testing.assert_frame_equal(check_events(other)[a.columns], a)


@few
@given(tables(), tables(**S1))
def test_aggregate_equals_a_plain_loop(a, b):
    mine, theirs = _rows(a), _rows(b)
    best = {}
    for i, row in enumerate(mine):
        some = [(-_overlap(row, other), other[1], j) for j, other in enumerate(theirs)
                if _overlap(row, other) > 0]  # fmt: skip
        if some:
            length, _, j = min(some)
            best.setdefault(j, []).append((length, i))
    pairs = {min(some)[1]: j for j, some in best.items()}
    expected = [
        (r[0], min(r[1], theirs[pairs[i]][1]), max(r[2], theirs[pairs[i]][2])) if i in pairs else r
        for i, r in enumerate(mine)
    ]
    expected += [row for j, row in enumerate(theirs) if j not in pairs.values()]
    assert sorted(_rows(check_events(aggregate(a, b)))) == sorted(expected)


def test_merge_trims_splits_and_leaves_out():
    values = {"value_start": 0.8, "value_main": 0.4, "value_end": 0.6, "magnitude": 0.4}
    a = table([("P0", 0, 40, values), ("P0", 60, 70, values), ("P0", 80, 90, values)])
    b = table([("P0", 10, 15, {"value_main": 0.1}), ("P0", 55, 72), ("P0", 85, 95)], **S1)
    both = check_events(merge(a, b))
    assert _rows(both) == [("P0", 0, 10), ("P0", 10, 15), ("P0", 15, 40), ("P0", 55, 72),
                           ("P0", 80, 85), ("P0", 85, 95)]  # fmt: skip
    left, right = both.iloc[0], both.iloc[2]
    assert left[["value_start", "value_main", "value_end"]].tolist() == pytest.approx(
        [0.8, 0.6, 0.6]
    )
    assert day(left["main_date"]) == 10
    assert right[["value_start", "value_main", "value_end"]].tolist() == pytest.approx(
        [0.5, 0.4, 0.6]
    )
    assert day(right["main_date"]) == 20  # its own
    assert left["magnitude"] == pytest.approx(0.2)
    assert both.iloc[0]["parts"] == both.iloc[2]["parts"] == [a["event_id"][0]]
    assert both.iloc[1]["value_main"] == np.float32(0.1)
    assert [s[0] for s in both["sources"]] == ["S2", "S1:15", "S2", "S1:15", "S2", "S1:15"]


def _hours(rows):
    return {(p, h) for p, s, e in rows for h in range(int(s * 24), int(e * 24))}


@few
@given(tables(), tables(**S1))
def test_merged_tables_cover_the_union(a, b):
    both = check_events(merge(a, b))
    assert _hours(_rows(both)) == _hours(_rows(a)) | _hours(_rows(b))
    theirs = [row for row in both.index if both["sources"][row] == ["S1:15"]]
    assert sorted(_rows(both.loc[theirs])) == sorted(_rows(b))
    mine = both.drop(theirs)
    assert not _hours(_rows(mine)) & _hours(_rows(b))


@few
@given(tables())
def test_merged_with_nothing_nothing_changes(a):
    pd.testing.assert_frame_equal(merge(a, empty_events())[a.columns], a)


def test_open_events_stay_open():
    a, b = table([("P0", 50, None)]), table([("P0", 60, 70), ("P0", 100, 110)], **S1)
    assert _rows(confirm(a, b)) == [("P0", 50, None)]
    assert _rows(aggregate(a, b)) == [("P0", 50, None), ("P0", 100, 110)]
    assert _rows(check_events(merge(a, b))) == [("P0", 50, 60), ("P0", 60, 70), ("P0", 70, 100),
                                                ("P0", 100, 110), ("P0", 110, None)]  # fmt: skip
    over = check_events(merge(b, a))
    assert _rows(over) == [("P0", 50, None)]


LOOKED, GAP, BLIND = ("OK", None), ("NOT_VALID", "GAP"), ("NOT_EXECUTED", "NO_INPUT")


@pytest.mark.parametrize("combine", [aggregate, merge])
@pytest.mark.parametrize(
    ("mine", "theirs", "said", "sources"),
    [
        (LOOKED, LOOKED, LOOKED, ["S2", "S1:15"]),
        (LOOKED, BLIND, LOOKED, ["S2"]),
        (BLIND, LOOKED, LOOKED, ["S1:15"]),
        (GAP, LOOKED, LOOKED, ["S1:15"]),
        (GAP, BLIND, GAP, ["S2"]),
        (BLIND, ("NOT_VALID", "TOO_FEW_OBS"), ("NOT_VALID", "TOO_FEW_OBS"), ["S1:15"]),
        (GAP, ("NOT_VALID", "TOO_FEW_OBS"), ("NOT_VALID", "TOO_FEW_OBS"), ["S1:15"]),
        (BLIND, ("NOT_EXECUTED", "CLASS_NONE"), ("NOT_EXECUTED", "CLASS_NONE"), ["S1:15"]),
        (BLIND, BLIND, BLIND, ["S2", "S1:15"]),
    ],
)
def test_it_is_enough_that_one_of_them_looked(combine, mine, theirs, said, sources):
    a, b = table([], rest={"P0": mine}), table([], rest={"P0": theirs}, **S1)
    row = check_events(combine(a, b)).squeeze()
    assert (row["status"], row["reason"] if said[1] else None) == said
    assert row["sources"] == sources


def test_parcels_of_one_table_alone_are_kept():
    a, b = table([("P0", 0, 10)]), table([("P1", 0, 10)], parcels=("P1", "P2"), **S1)
    both = check_events(aggregate(a, b))
    assert both["parcel"].tolist() == ["P0", "P1", "P2"]
    assert both["n_obs_window"].tolist() == [20] * 3


def test_what_was_combined_can_be_combined_again():
    a, b = table([("P0", 0, 10)]), table([("P0", 5, 12)], **S1)
    c = table([("P0", 8, 20)], marker="hull")
    three = check_events(aggregate(aggregate(a, b), c))
    event = three.squeeze()
    assert set(event["parts"]) == {t["event_id"][0] for t in (a, b, c)}
    assert event["sources"] == ["S2", "S1:15"]
    assert set(event["marker"].split("+")) == {"hull", "mowing", "mowing_coherence"}


def test_nothing_is_changed_in_place():
    a, b = table([("P0", 0, 10)]), table([("P0", 5, 12)], **S1)
    before = a.copy(), b.copy()
    for combine in (confirm, aggregate, merge):
        combine(a, b)
    pd.testing.assert_frame_equal(a, before[0])
    pd.testing.assert_frame_equal(b, before[1])


def test_wrong_tables_are_refused():
    a = table([("P0", 0, 10)])
    other = table([("P1", 0, 10)], parcels=("P1",), **S1)
    mixed = pd.concat([a, other], ignore_index=True)
    with pytest.raises(OptionError, match="one marker and one rule"):
        confirm(mixed, a)
    with pytest.raises(OptionError, match="columns are missing"):
        merge(a, a.drop(columns="open"))
    numbers = table([(1, 0, 10)], parcels=(1,))
    with pytest.raises(OptionError, match="called the same"):
        aggregate(a, numbers)


@few
@given(st.permutations(PARCELS), tables(), tables(**S1))
def test_order_of_parcels_is_of_no_matter(names, a, b):
    new = dict(zip(PARCELS, names, strict=True))

    def renamed(events):
        moved = events.assign(parcel=events["parcel"].map(new))
        return moved.sort_values(
            ["parcel", "marker", "start_date"], ignore_index=True, kind="stable"
        )

    for combine in (confirm, aggregate, merge):
        other = combine(renamed(a), renamed(b))
        one = [(new[p], s, e) for p, s, e in _rows(combine(a, b))]
        assert sorted(_rows(other)) == sorted(one)


def test_zero_is_the_first_of_may():
    assert day(pd.Series([ZERO])).tolist() == [0]
