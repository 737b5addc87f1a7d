"""Events of both missions fused: rules one by one, a plain loop, and planted meadows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError
from cbmcube.markers import (
    FUSE_PRESETS,
    FuseRule,
    check_events,
    empty_events,
    fuse,
    make_events,
    mowing,
)
from tests.markers.conftest import _planted
from tests.markers.meadows import YEAR, make_meadows, score
from tests.markers.tables import ZERO, day, few, table, tables

S1 = {"marker": "mowing_coherence", "source": "S1:15", "kind": "p_value"}
SURE = {"confidence": 0.9995, "p_value": 0.0005}
WEAK = {"confidence": 0.995, "p_value": 0.005}
LOW = {"confidence": 0.6}
DOUBT = {"confidence": 0.6, "status": "NOT_VALID", "reason": "UNCONFIRMED"}


def _s2(*events, **options):
    return table(events, kind="score_exp", **options)


def _rows(events):
    found = events[events["main_date"].notna()]
    return [*zip(found["parcel"], day(found["start_date"]), day(found["end_date"]),
                 found["status"], strict=True)]  # fmt: skip


def test_a_pair_is_what_both_intervals_have_in_common():
    a, b = _s2(("P0", 0, 10, LOW)), table([("P0", 6, 12, WEAK)], **S1)
    event = check_events(fuse(a, b)).squeeze()
    assert _rows(fuse(a, b)) == [("P0", 6, 10, "OK")]
    assert day(event["main_date"]) == 8
    assert day(event["before_date"]) == 5
    assert event["sources"] == ["S1:15", "S2"]
    assert sorted(event["parts"]) == sorted([a["event_id"][0], b["event_id"][0]])
    assert event["confidence_kind"] == "fused"
    doubts = 0.4, 1 - 0.995 / 2
    assert event["confidence"] == pytest.approx(1 - doubts[0] * doubts[1] / sum(doubts), abs=1e-6)
    assert event["p_value"] == np.float32(0.005)
    assert (event["n_obs"], event["n_obs_window"], event["n_events"]) == (4, 40, 1)
    assert event["marker"] == "mowing+mowing_coherence"


def test_or_the_interval_of_the_more_confident():
    a, b = _s2(("P0", 0, 10, LOW)), table([("P0", 6, 12, SURE)], **S1)
    assert _rows(fuse(a, b, "sen4cap")) == [("P0", 0, 10, "OK")]
    other = FuseRule(interval="confident", p_value_share=1.0)
    assert _rows(fuse(a, b, other)) == [("P0", 6, 12, "OK")]


def test_what_one_saw_is_weighed():
    a = _s2(("P0", 0, 10, LOW), ("P1", 0, 10, DOUBT), parcels=("P0", "P1", "P2", "P3"))
    b = table([("P2", 0, 6, WEAK), ("P3", 0, 6, SURE)], parcels=("P0", "P1", "P2", "P3"), **S1)
    short = a.assign(max_gap_days=np.float32(60))
    assert [row[3] for row in _rows(check_events(fuse(short, b)))] == [
        *("OK", "NOT_VALID", "NOT_VALID", "OK")
    ]
    # Where the other never looked away, it saw nothing.
    assert _rows(fuse(a, b))[3][3] == "NOT_VALID"
    assert _rows(fuse(a, b, FuseRule(seen_days=0.0)))[3][3] == "OK"
    assert [row[3] for row in _rows(fuse(a, b, "sen4cap"))] == ["OK", "NOT_VALID", "OK", "OK"]


def test_gaps_say_where_radar_was_alone():
    a = table([], kind="none", parcels=("P0", "P1"))
    b = table([("P0", 0, 6, SURE), ("P1", 0, 6, SURE)], parcels=("P0", "P1"), **S1)
    gaps = pd.DataFrame({"parcel": ["P1", "P9"], "begin": ZERO - pd.Timedelta(days=20),
                         "end": ZERO + pd.Timedelta(days=2)})  # fmt: skip
    assert [row[3] for row in _rows(fuse(a, b))] == ["NOT_VALID"] * 2
    assert [row[3] for row in _rows(fuse(a, b, gaps=gaps))] == ["NOT_VALID", "OK"]
    blind = table([], parcels=("P0", "P1"), rest={"P0": ("NOT_VALID", "GAP")})
    assert [row[3] for row in _rows(fuse(blind, b))] == ["OK", "NOT_VALID"]


def test_several_orbits_confirm_each_other():
    one = table([("P0", 0, 6, WEAK)], marker="c", source="S1:15", kind="p_value")
    two = table([("P0", 3, 9, WEAK)], marker="c", source="S1:139", kind="p_value")
    both = check_events(fuse(one, two)).squeeze()
    assert (both["status"], both["sources"]) == ("OK", ["S1:139", "S1:15"])
    assert both["confidence"] == 0.5  # radar alone reaches no more
    a = _s2(("P0", 0, 8, DOUBT))
    three = fuse(a, fuse(one, two)).squeeze()
    assert three["status"] == "OK"
    assert len(three["parts"]) == 3
    assert three["marker"] == "c+mowing"
    joined = one.copy()
    joined["sources"] = [["S1:139", "S1:15"]]
    blind = table([], rest={"P0": ("NOT_VALID", "GAP")})
    assert _rows(fuse(blind, joined))[0][3] == "OK"
    assert _rows(fuse(blind, one))[0][3] == "NOT_VALID"


def test_a_doubtful_event_needs_another_witness():
    doubtful, sure = _s2(("P0", 0, 10, DOUBT)), table([("P0", 5, 11, WEAK)], **S1)
    assert _rows(fuse(doubtful, sure)) == [("P0", 5, 10, "OK")]
    hull = table([("P0", 0, 10)], marker="mowing_hull")
    # The same satellite sees the same cloud.
    event = check_events(fuse(doubtful, hull)).squeeze()
    assert (event["status"], event["reason"]) == ("NOT_VALID", "UNCONFIRMED")
    assert _rows(fuse(_s2(("P0", 0, 10, LOW)), hull)) == [("P0", 0, 10, "OK")]
    poor = table([("P0", 5, 11, {"status": "NOT_VALID", "reason": "CLASS_POOR"})], **S1)
    event = fuse(doubtful, poor).squeeze()
    assert (event["status"], event["reason"]) == ("NOT_VALID", "CLASS_POOR")


def test_each_event_is_used_once():
    """One radar event that overlaps two optical ones; the longer overlap counts."""
    a = _s2(("P0", 0, 10, LOW), ("P0", 60, 75, LOW))
    b = table([("P0", 8, 70, SURE)], **S1)
    assert _rows(fuse(a, b)) == [("P0", 0, 10, "OK"), ("P0", 60, 70, "OK")]
    assert fuse(a, b)["confidence_kind"].tolist() == ["score_exp", "fused"]


def test_a_narrow_interval_brings_events_no_nearer():
    """Two cuts 44 days apart, as far as optical intervals alone can tell 49."""
    a = _s2(("P0", 0, 5, LOW), ("P0", 40, 49, LOW))
    b = table([("P0", 2, 8, SURE), ("P0", 38, 44, SURE)], **S1)
    assert _rows(fuse(a, b)) == [("P0", 2, 5, "OK"), ("P0", 40, 44, "OK")]


def test_the_better_of_near_events_stays():
    a = _s2(("P0", 0, 10, LOW), ("P0", 30, 40, {"confidence": 0.7}), ("P0", 100, 105, DOUBT))
    b = table([("P0", 3, 9, SURE), ("P0", 90, 96, SURE)], **S1)
    rows = _rows(fuse(a, b, FuseRule(seen_days=0.0)))
    assert rows == [("P0", 3, 9, "OK"), ("P0", 90, 96, "OK")]
    many = _s2(*[("P0", 50 * k, 50 * k + 5, {"confidence": 0.9 - k / 10}) for k in range(6)])
    assert len(_rows(fuse(many, empty_events()))) == 4
    assert len(_rows(fuse(many, empty_events(), FuseRule(max_events=2)))) == 2


@few
@given(tables(kind="score_exp"), tables(**S1), st.sampled_from([*FUSE_PRESETS.values()]))
def test_which_table_is_first_is_of_no_matter(a, b, rule):
    one, other = check_events(fuse(a, b, rule)), check_events(fuse(b, a, rule))
    order = ["parcel", "start_date", "end_date"]
    pd.testing.assert_frame_equal(one.drop(columns="sources").sort_values(order),
                                  other.drop(columns="sources").sort_values(order))  # fmt: skip
    assert [sorted(s) for s in one["sources"]] == [sorted(s) for s in other["sources"]]


def _plain(a, b, rule):
    """Pair, weigh and select the events of one parcel, one after the other."""

    def weight(row):
        return row.confidence * (0.5 if row.confidence_kind == "p_value" else 1.0)

    def alone(row, *, fine):
        span = row.start_date, row.end_date
        return {"doubt": not fine, "sure": weight(row), "span": span, "reach": span}

    pairs = []
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            span = max(x.start_date, y.start_date), min(x.end_date, y.end_date)
            if span[1] > span[0]:
                starts = x.start_date.value + y.start_date.value
                pairs.append((span[0] - span[1], -(weight(x) + weight(y)), starts, span[1], i, j))
    used, events = set(), []
    for *_, i, j in sorted(pairs):
        if ("a", i) in used or ("b", j) in used:
            continue
        used |= {("a", i), ("b", j)}
        x, y = a[i], b[j]
        d, e = 1 - weight(x), 1 - weight(y)
        events.append({
            "doubt": False,
            "sure": 1 - d * e / (d + e),
            "span": (max(x.start_date, y.start_date), min(x.end_date, y.end_date)),
            "reach": (min(x.start_date, y.start_date), max(x.end_date, y.end_date)),
        })  # fmt: skip
    events += [alone(x, fine=True) for i, x in enumerate(a) if ("a", i) not in used]
    events += [alone(y, fine=y.confidence >= np.float32(0.999))
               for j, y in enumerate(b) if ("b", j) not in used]  # fmt: skip
    chosen = []
    for event in sorted(events, key=lambda e: (e["doubt"], -e["sure"], *e["reach"][::-1])):
        low, high = event["reach"]
        apart = pd.Timedelta(days=rule.apart_days)
        others = [one["reach"] for one in chosen]
        if len(chosen) < rule.max_events and all(
            max(high - start, end - low) >= apart for start, end in others
        ):
            chosen.append(event)
    return sorted((*event["span"], not event["doubt"]) for event in chosen)


@few
@given(tables(kind="score_exp"), tables(**S1))
def test_fusion_equals_a_plain_loop(a, b):
    rule = FuseRule(seen_days=0.0)
    fused = check_events(fuse(a, b, rule))
    for parcel in fused["parcel"].unique():
        mine, theirs, found = (
            [*t[(t["parcel"] == parcel) & t["main_date"].notna()].itertuples()]
            for t in (a, b, fused)
        )
        got = [(row.start_date, row.end_date, row.status == "OK") for row in found]
        assert got == _plain(mine, theirs, rule)


@pytest.mark.parametrize(
    ("mine", "theirs", "said", "sources"),
    [
        (("OK", None), ("NOT_EXECUTED", "NO_INPUT"), ("OK", None), ["S2"]),
        (("NOT_VALID", "GAP"), ("OK", None), ("NOT_VALID", "GAP"), ["S2"]),
        (("NOT_VALID", "GAP"), ("NOT_EXECUTED", "NO_INPUT"), ("NOT_VALID", "GAP"), ["S2"]),
        (("NOT_EXECUTED", "NO_INPUT"), ("OK", None), ("NOT_EXECUTED", "NO_INPUT"), ["S2"]),
    ],
)
def test_silence_of_radar_is_no_look(mine, theirs, said, sources):
    a, b = table([], rest={"P0": mine}), table([], rest={"P0": theirs}, **S1)
    for one, two in ((a, b), (b, a)):
        row = check_events(fuse(one, two)).squeeze()
        assert (row["status"], row["reason"] if said[1] else None) == said
        assert row["sources"] == sources


def test_it_is_enough_that_one_of_them_looked():
    """Of two optical tables, of two of radar, of one that lacks the parcel, or if one says so."""
    blind, quiet = table([], rest={"P0": ("NOT_VALID", "GAP")}), table([])
    radar, deaf = table([], **S1), table([], rest={"P0": ("NOT_VALID", "GAP")}, **S1)
    other = table([], parcels=("P1",))
    for one, two, rule, source in (
        (blind, quiet, None, "S2"),
        (deaf, radar, None, "S1:15"),
        (other, radar, None, "S1:15"),
        (blind, radar, "sen4cap", "S1:15"),
    ):
        row = check_events(fuse(one, two, rule)).set_index("parcel").loc["P0"]
        assert (row["status"], row["sources"]) == ("OK", [source])


def test_rules_are_part_of_the_parameters():
    a, b = _s2(("P0", 0, 10, LOW)), table([("P0", 6, 12, WEAK)], **S1)
    ids = {fuse(a, b, rule)["params_id"][0] for rule in ("careful", "sen4cap", FuseRule())}
    assert len(ids) == 2
    assert len(check_events(fuse(empty_events(), empty_events()))) == 0


def test_wrong_rules_are_refused():
    a = _s2(("P0", 0, 10, LOW))
    with pytest.raises(OptionError, match="'bold'"):
        fuse(a, a, "bold")
    for wrong in ({"interval": "union"}, {"max_events": 0}, {"alone": 1.5}):
        with pytest.raises(OptionError):
            FuseRule(**wrong)


def radar_of(meadows, *, power, alpha, seed=1):
    """Invent what radar sees: cuts with a power, and false alarms at a rate for each of 36 pairs.

    One cut in ten is dated one pair late.
    """
    rng = np.random.default_rng(seed)
    _, parcel = np.nonzero(np.isfinite(meadows.cut))
    cut = meadows.cut[np.isfinite(meadows.cut)]
    late = rng.uniform(size=len(cut)) < 0.1
    alarm = rng.uniform(size=(36, meadows.cut.shape[1])) < alpha
    pair, other = np.nonzero(alarm)
    seen = rng.uniform(size=len(cut)) < power
    start = np.concatenate([6 * (cut[seen] // 6 + late[seen]), 84.0 + 6 * pair])
    who = np.concatenate([parcel[seen], other])
    p_value = np.concatenate([10 ** rng.uniform(-7, np.log10(alpha), seen.sum()),
                              rng.uniform(0, alpha, len(other))])  # fmt: skip
    frame = pd.DataFrame({"who": who, "start": start, "p": p_value}).drop_duplicates(
        ["who", "start"]
    )
    none = np.setdiff1d(np.arange(meadows.cut.shape[1]), frame["who"])
    frame = pd.concat([frame, pd.DataFrame({"who": none})], ignore_index=True)
    begin = pd.Timestamp(YEAR) + pd.to_timedelta(frame["start"], unit="D")
    event = frame["start"].notna()
    return make_events({
        "parcel": "P" + frame["who"].astype(str),
        "marker": ["mowing_coherence"] * len(frame),
        "start_date": begin.to_numpy(), "main_date": (begin + pd.Timedelta(days=3)).to_numpy(),
        "end_date": (begin + pd.Timedelta(days=6)).to_numpy(),
        "p_value": frame["p"], "confidence": 1 - frame["p"],
        "confidence_kind": np.where(event, "p_value", "none"),
        "sources": [["S1:15"]] * len(frame), "max_gap_days": np.full(len(frame), 6.0),
        "n_events": np.where(event, frame.groupby("who")["start"].transform("count"), 0),
    })  # fmt: skip


@pytest.mark.parametrize(
    ("power", "alpha", "careful", "source"),
    [(0.7, 1e-2, 0.931, 0.861), (0.3, 1e-3, 0.895, 0.853), (0.0, 1e-2, 0.861, 0.815)],
)
def test_planted_cuts_are_found(power, alpha, careful, source):
    """Each 5 days, half lost, 3 % of dates with undetected clouds; 36 pairs of radar.

    F1 of 0.85 and dates within 5 days in the median, also where radar sees nothing but noise.
    """
    meadows = make_meadows(3000)
    cube = _planted(meadows.ndvi, meadows.days, start=YEAR)
    radar = check_events(radar_of(meadows, power=power, alpha=alpha))
    ours = score(check_events(fuse(mowing(cube), radar)), meadows)
    theirs = score(fuse(mowing(cube, "sen4cap"), radar, "sen4cap"), meadows)
    assert ours["f1"] == pytest.approx(careful, abs=0.01)
    assert theirs["f1"] == pytest.approx(source, abs=0.01)
    assert ours["f1"] > 0.85
    assert ours["days"] < 4.3 if power == 0 else ours["days"] < 3


def test_intersections_date_better():
    meadows = make_meadows(2000, seed=8)
    cube = _planted(meadows.ndvi, meadows.days, start=YEAR)
    radar = radar_of(meadows, power=0.7, alpha=1e-2)
    days = [
        score(fuse(mowing(cube), radar, replace(FuseRule(), interval=how)), meadows)["days"]
        for how in ("intersection", "confident")
    ]
    assert days[0] < days[1] / 2
