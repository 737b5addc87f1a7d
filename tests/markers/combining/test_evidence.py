"""Evidence of windows: each code by hand, and a plain loop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError
from cbmcube.markers import EVIDENCE, empty_events, window_evidence
from tests.markers.tables import PARCELS, ZERO, few, table, tables

PERIOD = (ZERO - pd.Timedelta(days=30), ZERO + pd.Timedelta(days=200))


def _spans(rows, **more):
    frame = pd.DataFrame(rows, columns=["parcel", "begin", "end"])
    for name in ("begin", "end"):
        frame[name] = ZERO + pd.to_timedelta(frame[name].astype(float), unit="D")
    return frame.assign(**more)


def _say(events, windows, gaps=(), period=PERIOD, **options):
    gaps = _spans([*gaps]) if len(gaps) else _spans([]).astype({"parcel": object})
    return window_evidence(events, _spans(windows), gaps=gaps, period=period, **options)


DOUBT = {"status": "NOT_VALID", "reason": "UNCONFIRMED"}
EVENTS = table(
    [("P0", 10, 15), ("P0", 50, 60), ("P1", 20, 30, DOUBT)],
    parcels=("P0", "P1", "P2", "P3", "P4"),
    rest={"P3": ("NOT_EXECUTED", "NOT_RELEVANT"), "P4": ("NOT_VALID", "TOO_FEW_OBS")},
)


@pytest.mark.parametrize(
    ("window", "counts", "evidence"),
    [
        (("P0", 10, 15), (1, 0, 1, 0), "EVENT_INSIDE_AND_OUTSIDE"),
        (("P0", 0, 100), (2, 0, 0, 0), "EVENT_INSIDE"),
        (("P0", 0, 55), (1, 1, 0, 0), "EVENT_INSIDE"),
        (("P0", 52, 100), (0, 1, 1, 0), "NOT_DECIDABLE"),  # who knows on which side it was
        (("P0", 15, 50), (0, 0, 2, 0), "NO_EVENT_INSIDE"),  # touching is outside
        (("P1", 0, 25), (0, 0, 0, 1), "NOT_DECIDABLE"),
        (("P1", 40, 60), (0, 0, 0, 0), "NO_EVENT_INSIDE"),
        (("P2", 0, 60), (0, 0, 0, 0), "NO_EVENT_INSIDE"),
        (("P3", 0, 60), (0, 0, 0, 0), "NOT_PROCESSED"),
        (("P4", 0, 60), (0, 0, 0, 0), "NOT_DECIDABLE"),
        (("P9", 0, 60), (0, 0, 0, 0), "NOT_PROCESSED"),
        (("P0", np.nan, 60), (0, 0, 2, 0), "UNKNOWN_CROP"),
    ],
)
def test_what_is_said(window, counts, evidence):
    row = _say(EVENTS, [window]).squeeze()
    if evidence != "UNKNOWN_CROP":
        assert tuple(row[["n_inside", "n_overlapping", "n_outside", "n_unsure"]]) == counts
    assert row["evidence"] == evidence


@pytest.mark.parametrize(
    ("gaps", "share", "evidence"),
    [
        ([], 0, "NO_EVENT_INSIDE"),
        ([("P2", 10, 40)], 0.3, "NO_EVENT_INSIDE"),
        ([("P2", 10, 41)], 0.31, "NOT_DECIDABLE"),
        ([("P2", -50, 20), ("P2", 90, 150)], 0.3, "NO_EVENT_INSIDE"),
        ([("P2", 10, 30), ("P2", 20, 40), ("P2", 15, 25)], 0.3, "NO_EVENT_INSIDE"),
        ([("P1", 0, 100), ("P9", 0, 100)], 0, "NO_EVENT_INSIDE"),
        ([("P2", -50, 150)], 1, "NOT_DECIDABLE"),
    ],
)
def test_gaps_inside_count(gaps, share, evidence):
    row = _say(EVENTS, [("P2", 0, 100)], gaps).squeeze()
    assert row["gap_share"] == pytest.approx(share)
    assert row["evidence"] == evidence


def test_an_event_inside_counts_whatever_the_gaps():
    row = _say(EVENTS, [("P0", 0, 100)], [("P0", 0, 100)]).squeeze()
    assert (row["gap_share"], row["evidence"]) == (1, "EVENT_INSIDE")


def test_a_window_that_is_not_over_was_not_seen():
    period = (PERIOD[0], ZERO + pd.Timedelta(days=40))
    early = _say(EVENTS, [("P2", 0, 100), ("P2", 0, 50), ("P2", 60, 70)], period=period)
    assert early["gap_share"].tolist() == pytest.approx([0.6, 0.2, 1.0])
    assert early["evidence"].tolist() == ["NOT_DECIDABLE", "NO_EVENT_INSIDE", "NOT_DECIDABLE"]


def test_a_gap_elsewhere_is_of_no_matter():
    events = table([], rest={"P0": ("NOT_VALID", "GAP")})
    found = _say(events, [("P0", 0, 20), ("P0", 20, 60)], [("P0", 20, 60)])
    assert found["evidence"].tolist() == ["NO_EVENT_INSIDE", "NOT_DECIDABLE"]


def test_windows_come_back_in_order_with_their_columns():
    windows = _spans([("P1", 0, 5), ("P0", 0, 100), ("P1", 0, 5)], rule=["a", "b", "c"])
    windows.index = [7, 3, 5]
    before = windows.copy()
    found = window_evidence(EVENTS, windows, gaps=_spans([]), period=PERIOD)
    assert found["rule"].tolist() == ["a", "b", "c"]
    assert found.index.tolist() == [7, 3, 5]
    assert found["evidence"].cat.categories.tolist() == [*EVIDENCE]
    pd.testing.assert_frame_equal(windows, before)


def test_moments_are_utc():
    text = pd.DataFrame({"parcel": ["P0"], "begin": ["2024-05-11T02:00+02:00"],
                         "end": ["2024-05-16T00:00Z"]})  # fmt: skip
    found = window_evidence(EVENTS, text, gaps=_spans([]), period=PERIOD)
    assert found["n_inside"].tolist() == [1]


def _plain(events, window, gaps, period, share):
    parcel, begin, end = window
    mine = events[events["parcel"] == parcel]
    lost = set()
    hours = range(int(begin * 24), int(end * 24))
    for who, low, high in gaps:
        lost |= {h for h in hours if who == parcel and low * 24 <= h < high * 24}
    lost |= {h for h in hours if not period[0] * 24 <= h < period[1] * 24}
    inside = touching = outside = 0
    for row in mine[mine["main_date"].notna()].itertuples():
        start, stop = ((t - ZERO) / pd.Timedelta(days=1) for t in (row.start_date, row.end_date))
        if stop <= begin or start >= end:
            outside += 1
        elif begin <= start and stop <= end:
            inside += 1
        else:
            touching += 1
    status = mine["status"].iloc[0] if len(mine) else "NOT_EXECUTED"
    if status == "NOT_EXECUTED":
        return "NOT_PROCESSED"
    if inside:
        return "EVENT_INSIDE_AND_OUTSIDE" if outside else "EVENT_INSIDE"
    seen = len(lost) <= share * len(hours) + 1e-9
    return "NO_EVENT_INSIDE" if seen and not touching else "NOT_DECIDABLE"


@few
@given(tables(), st.integers(0, 10_000))
def test_evidence_equals_a_plain_loop(events, seed):
    rng = np.random.default_rng(seed)
    begin = rng.integers(-20, 150, 60)
    windows = [*zip(rng.choice(PARCELS, 60), begin, begin + rng.integers(1, 60, 60), strict=True)]
    low = rng.integers(-20, 150, 40)
    gaps = [*zip(rng.choice(PARCELS, 40), low, low + rng.integers(1, 40, 40), strict=True)]
    period = (-10, 140)
    moments = tuple(ZERO + pd.Timedelta(days=n) for n in period)
    found = _say(events, windows, gaps, moments)
    expected = [_plain(events, window, gaps, period, 0.3) for window in windows]
    assert found["evidence"].tolist() == expected


def test_wrong_windows_are_refused():
    with pytest.raises(OptionError, match="parcel, begin and end"):
        window_evidence(EVENTS, pd.DataFrame({"parcel": []}), gaps=_spans([]), period=PERIOD)
    with pytest.raises(OptionError, match="empty"):
        _say(EVENTS, [("P0", 10, 10)])


def test_nothing_asked_nothing_said():
    assert len(_say(EVENTS, [])) == 0
    assert _say(empty_events(), [("P0", 0, 5)])["evidence"].tolist() == ["NOT_PROCESSED"]
