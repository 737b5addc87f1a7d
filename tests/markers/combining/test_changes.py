"""Two runs of a marker: rules one by one, a plain loop, and markers that were run twice."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given

from cbmcube.exceptions import OptionError
from cbmcube.markers import changes, check_events, empty_events, harvest, keep_settled, mowing
from cbmcube.testing import vector_cube
from tests.markers.tables import ZERO, few, table, tables

DOUBT = {"status": "NOT_VALID", "reason": "UNCONFIRMED"}


def _rows(found):
    when = (found["main_date_after"].fillna(found["main_date_before"]) - ZERO).dt.days
    return [*zip(found["parcel"], found["change"], when, strict=True)]


def test_each_kind_of_change():
    parcels = ("P0", "P1", "P2", "P3")
    before = table(
        [("P0", 0, 10), ("P0", 50, 60), ("P1", 0, 10), ("P2", 0, 10, DOUBT)], parcels=parcels
    )
    after = table(
        [("P0", 0, 10), ("P0", 54, 64), ("P0", 90, 100), ("P2", 0, 10)],
        parcels=parcels,
        rest={"P3": ("NOT_VALID", "GAP")},
    )
    found = changes(before, after)
    assert _rows(found.dropna(subset=["main_date_after", "main_date_before"], how="all")) == [
        ("P0", "MOVED", 59),
        ("P0", "NEW", 95),
        ("P1", "GONE", 5),
        ("P2", "JUDGED", 5),
    ]
    assert found["shift_days"].tolist()[0] == 4
    last = found.iloc[-1]
    assert (last["parcel"], last["change"]) == ("P3", "JUDGED")
    assert (last["status_before"], last["status_after"]) == ("OK", "NOT_VALID")
    assert last["reason_after"] == "GAP"


@pytest.mark.parametrize(("days", "kinds"), [(20.0, ["MOVED"]), (21.0, ["GONE", "NEW"])])
def test_near_events_are_the_same(days, kinds):
    """Just below and exactly 21 days apart."""
    before, after = table([("P0", 0, 10)]), table([("P0", days, days + 10)])
    assert changes(before, after)["change"].tolist() == kinds
    assert changes(before, after, near_days=100.0)["change"].tolist() == ["MOVED"]


@few
@given(tables())
def test_a_table_does_not_differ_from_itself(one):
    assert changes(one, one).empty
    assert changes(one, one)["change"].dtype == "category"


def _plain(before, after, near):
    """Pair the events of each parcel, the nearest first."""
    rows = []
    for parcel in sorted({*before["parcel"], *after["parcel"]}):
        one, two = (
            [*t[(t["parcel"] == parcel) & t["main_date"].notna()].itertuples()]
            for t in (before, after)
        )
        pairs = sorted(
            (abs(x.main_date - y.main_date), x.main_date, y.main_date, i, j)
            for i, x in enumerate(one)
            for j, y in enumerate(two)
            if abs(x.main_date - y.main_date) < pd.Timedelta(days=near)
        )
        used = {}
        for *_, i, j in pairs:
            if i not in used and j not in used.values():
                used[i] = j
        rows += [(parcel, "GONE", x.main_date) for i, x in enumerate(one) if i not in used]
        rows += [(parcel, "NEW", y.main_date) for j, y in enumerate(two) if j not in used.values()]
        rows += [
            (parcel, "MOVED", two[j].main_date)
            for i, j in used.items()
            if (one[i].start_date, one[i].end_date) != (two[j].start_date, two[j].end_date)
        ]
    return sorted(rows)


@few
@given(tables(), tables())
def test_changes_equal_a_plain_loop(before, after):
    found = changes(before, after)
    when = found["main_date_after"].fillna(found["main_date_before"])
    events = when.notna()
    got = [*zip(found["parcel"], found["change"].astype(str), when, strict=True)]
    assert sorted(row for row, ok in zip(got, events, strict=True) if ok) == _plain(
        before, after, 21.0
    )
    back = changes(after, before)
    swapped = {"NEW": "GONE", "GONE": "NEW", "MOVED": "MOVED", "JUDGED": "JUDGED"}
    assert sorted(found["change"].astype(str).map(swapped)) == sorted(back["change"].astype(str))


def test_settled_events_stay_as_they_were():
    parcels = ("P0", "P1", "P2", "P3")
    earlier = table(
        [("P0", 0, 10), ("P1", 0, 10), ("P2", 0, 10, DOUBT), ("P3", 0, 10)], parcels=parcels
    )
    earlier["provisional"] = earlier["parcel"] == "P1"
    later = table([("P0", 5, 15), ("P0", 60, 70), ("P1", 5, 15), ("P2", 5, 15)], parcels=parcels)
    kept = check_events(keep_settled(later, earlier))
    days = (kept["start_date"] - ZERO).dt.days
    assert [*zip(kept["parcel"], days, kept["kept"], strict=True)] == [
        ("P0", 0, True),
        ("P0", 60, False),
        ("P1", 5, False),
        ("P2", 5, False),
        ("P3", 0, True),
    ]


@few
@given(tables(), tables())
def test_keeping_loses_no_parcel_and_is_stable(later, earlier):
    kept = check_events(keep_settled(later, earlier))
    assert set(kept["parcel"]) == set(later["parcel"])
    settled = earlier[earlier["main_date"].notna() & (earlier["status"] == "OK")]
    assert set(settled["event_id"]) == set(kept.loc[kept["kept"], "event_id"])
    again = keep_settled(later, kept.drop(columns="kept"))
    pd.testing.assert_frame_equal(
        again.drop(columns="kept"), kept.drop(columns="kept"), check_dtype=False
    )


def test_a_harvest_that_was_settled_stays():
    """As the season goes on its limits change, and with them the week."""
    products = ("CARD-2A", "CARD-BS", "CARD-COH6")
    cubes = [vector_cube(name) for name in products]
    dates = {
        "vegetation_start": "2024-03-01",
        "harvest_begin": "2024-07-15",
        "harvest_end": "2024-09-15",
    }
    early = harvest(*cubes, dates, as_of="2024-09-20")
    late = harvest(*cubes, dates)
    settled = early[early["main_date"].notna() & ~early["provisional"]]
    assert len(settled) > 0
    kept = check_events(keep_settled(late, early))
    assert set(settled["event_id"]) <= set(kept["event_id"])
    assert {"m1", "s1_week", "kept"} <= {*kept}


def test_other_markers_and_rules_are_refused():
    stats = vector_cube(parcels=2)
    one, other = mowing(stats), mowing(stats, "sen4cap")
    assert changes(one, other)["parcel"].dtype == one["parcel"].dtype  # rules may be compared
    with pytest.raises(OptionError, match="of one marker and rule"):
        keep_settled(one, other)
    with pytest.raises(OptionError, match="of one marker"):
        changes(one, table([("P0", 0, 10)], marker="harvest"))
    assert changes(empty_events(), empty_events()).empty
    assert len(keep_settled(one, empty_events())) == len(one)
