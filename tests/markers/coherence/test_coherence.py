"""Mowing from coherence on planted series, with the knowledge of a day, lazily and at any order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr
from dask.callbacks import Callback

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.markers import (
    COHERENCE_PRESETS,
    CoherenceRule,
    check_events,
    coherence_tests,
    mowing_coherence,
)
from cbmcube.testing import vector_cube

START = pd.Timestamp("2024-01-01")
SIX = pd.Timedelta(days=6)


@pytest.fixture
def meadow(planted):
    """Make a cube of coherence, values (time, parcel); pairs of six days follow each other."""

    def make(values, *, days=None, orbit=15, start="2024-01-01", pairs=6):
        days = 6.0 * np.arange(1, len(values) + 1) if days is None else days
        return planted(
            values, days, band="VH", product="CARD-COH6", orbit=orbit, pairs=pairs, start=start
        )

    return make


def _noise(steps, parcels=1, *, sigma=0.02, level=0.35, seed=0):
    return np.random.default_rng(seed).normal(level, sigma, (steps, parcels))


def _mown(steps=30, parcels=1, *, pair=15, jump=0.3, **more):
    """Make noise with a jump at a pair, which fades within some weeks."""
    values = _noise(steps, parcels, **more)
    values[pair:] += jump * np.exp(-np.arange(steps - pair) / 3.0)[:, None]
    return values


def test_a_jump_is_mowing_in_the_pair_before(meadow):
    """A jump of 0.3 at noise of 0.02: the event is the time between the images of that pair."""
    events = check_events(mowing_coherence(meadow(_mown(pair=15))))
    event = events.iloc[0]
    assert len(events) == event["n_events"] == 1
    second = START + 15 * SIX  # the later image of pair number 14, counted from 0
    assert (event["start_date"], event["end_date"]) == (second - SIX, second)
    assert event["main_date"] == second - SIX / 2
    assert event["before_date"] == event["start_date"]
    assert event["status"] == "OK"
    assert event["sources"] == ["S1:15"]
    assert event["confidence"] == pytest.approx(1 - event["p_value"])
    assert event["confidence_kind"] == "p_value"
    assert event["gap_overlap_days"] == 0


def test_the_numbers_of_an_event_can_be_taken_after(meadow):
    values = _mown(pair=15).astype("float32").astype(float)[:, 0]
    event = mowing_coherence(meadow(values)).iloc[0]
    t = np.arange(9.0, 15.0)
    line = scipy.stats.linregress(t, values[9:15])
    predicted = line.intercept + line.slope * 15
    assert event["value_start"] == pytest.approx(values[14])
    assert event["value_main"] == pytest.approx(predicted)
    assert event["value_end"] == pytest.approx(values[15])
    assert event["magnitude"] == pytest.approx(values[15] - predicted)
    residual = values[9:15] - line.intercept - line.slope * t
    spread = np.sqrt((residual**2).sum() / 4 * (1 + 1 / 6 + 3.5**2 / 17.5))
    assert event["score"] == pytest.approx((values[15] - predicted) / spread, rel=1e-5)
    assert event["p_value"] == pytest.approx(scipy.stats.t.sf(event["score"], 4), rel=1e-4)


def test_the_last_pair_can_be_detected_and_the_first_ones_cannot(meadow):
    jump_at = np.full((12, 12), 0.3) + _noise(12, 12, level=0.0, sigma=0.005)
    jump_at += 0.4 * (np.arange(12)[:, None] == np.arange(12))  # parcel k jumps at pair k only
    tests = coherence_tests(meadow(jump_at))
    hit = tests["detected"].to_numpy().diagonal()
    assert hit.tolist() == [False] * 5 + [True] * 7
    assert tests["n_tests"].to_numpy().tolist() == [7] * 12


def test_a_missing_pair_widens_the_interval(meadow):
    values = _mown(pair=15)
    values[14] = np.nan
    event = check_events(mowing_coherence(meadow(values))).iloc[0]
    assert event["start_date"] == START + 13 * SIX  # the earlier image of pair 13
    assert event["end_date"] == START + 15 * SIX  # that of the jump
    before = coherence_tests(meadow(_mown(pair=15)))["upper"][15, 0]
    after = coherence_tests(meadow(values))["upper"][15, 0]
    assert after != before


def test_a_first_pair_that_is_missing_only_delays_the_test(meadow):
    values = np.hstack([_mown(pair=15)] * 2)
    values[:3, 1] = np.nan
    events = mowing_coherence(meadow(values))
    assert events["start_date"].tolist() == [START + 13 * SIX + SIX] * 2
    assert coherence_tests(meadow(values))["n_tests"].to_numpy().tolist() == [25, 22]


def test_detections_are_no_reference(meadow):
    """A step that stays is seen again and again, until the pairs before it are too old."""
    values = _noise(30, sigma=0.002)
    values[12:] += 0.2
    tests = coherence_tests(meadow(values))
    hits = np.flatnonzero(tests["detected"][:, 0])
    # Of five references the first is pair 7, and 72 days are twelve pairs.
    assert hits.tolist() == [*range(12, 20)]
    events = check_events(mowing_coherence(meadow(values)))
    assert events["end_date"].tolist() == [START + 12 * SIX]  # one event, dated by the first
    kept = coherence_tests(meadow(values), replace(CoherenceRule(), leave_out_detected=False))
    assert len(np.flatnonzero(kept["detected"][:, 0])) < 3


def test_events_lie_apart_and_the_surer_one_stays(meadow):
    values = _noise(40, sigma=0.015)
    for pair, jump in ((15, 0.2), (18, 0.5), (30, 0.3)):
        values[pair] += jump
    events = check_events(mowing_coherence(meadow(values)))
    assert events["end_date"].tolist() == [START + 18 * SIX, START + 30 * SIX]
    near = CoherenceRule(min_distance_days=12)
    assert len(mowing_coherence(meadow(values), near)) == 3


def test_bare_fields_and_small_jumps_are_none(meadow):
    assert mowing_coherence(meadow(_mown(level=0.65)))["n_events"].tolist() == [0]
    high = CoherenceRule(max_predicted=0.8)
    assert mowing_coherence(meadow(_mown(level=0.65)), high)["n_events"].tolist() == [1]
    small = _mown(jump=0.04, sigma=0.002)
    assert coherence_tests(meadow(small))["p_value"][15, 0] < 1e-3
    assert mowing_coherence(meadow(small))["n_events"].tolist() == [0]


def test_could_not_look_is_not_no_event(meadow):
    values = _noise(30, 6, sigma=0.02)
    values[5:, 1] = np.nan  # five pairs
    values[:, 2] = np.nan  # nothing valid
    values[10:17, 3] = np.nan  # a gap of 48 days
    values[np.arange(30) % 3 > 0, 4] = np.nan  # pairs 18 days apart: never five in 72 days
    events = check_events(mowing_coherence(meadow(values[:, :5])))
    reasons = events["reason"].astype(object).where(events["reason"].notna(), "").tolist()
    assert reasons == ["", "TOO_FEW_OBS", "TOO_FEW_OBS", "GAP", "NO_REFERENCE"]
    stats = meadow(values[:, :5])
    stats["observed"][:, 2] = 0
    assert mowing_coherence(stats)["reason"][2] == "NO_INPUT"
    graded = stats.assign_coords(class_10m=("parcel", ["GOOD", "GOOD", "GOOD", "GOOD", "NONE"]))
    assert mowing_coherence(graded)["reason"][4] == "CLASS_NONE"


def test_pairs_that_could_not_be_tested_are_a_gap(meadow):
    """Pairs every 18 days are no gap, but never five in 72 days: after June nobody looked."""
    values = _noise(40)
    late = np.arange(40) >= 14
    values[late & (np.arange(40) % 3 > 0)] = np.nan
    event = check_events(mowing_coherence(meadow(values))).iloc[0]
    assert event["reason"] == "GAP"
    assert event["max_gap_days"] > 80


def test_a_flat_series_is_said_to_be_flat(meadow):
    flat = np.full((20, 1), 0.25)
    assert mowing_coherence(meadow(flat))["status"].tolist() == ["OK"]
    flat[15:] = 0.5
    event = check_events(mowing_coherence(meadow(flat))).iloc[0]
    assert (event["status"], event["reason"]) == ("NOT_VALID", "FLAT_REFERENCE")
    assert event["end_date"] == START + 15 * SIX


def test_orbits_are_looked_at_apart(meadow):
    """Another orbit at another level would be a jump with every second pair."""
    one = meadow(_mown(level=0.2, parcels=3))
    values = _noise(30, 3, level=0.5, seed=1)
    values[15:, 0] += 0.4
    two = meadow(values, orbit=88, days=6.0 * np.arange(1, 31) + 2.2)
    both = xr.concat([one, two], "time", data_vars="minimal", coords="minimal", compat="override")
    events = check_events(mowing_coherence(both))
    assert events["n_events"].tolist() == [1, 1, 1]
    assert events["sources"].tolist() == [["S1:15", "S1:88"], ["S1:15"], ["S1:15"]]
    assert events["n_obs_window"].tolist() == [60] * 3
    apart = [mowing_coherence(stats) for stats in (one, two)]
    first = events.iloc[0]
    best = min((table.iloc[0] for table in apart), key=lambda row: row["p_value"])
    assert (first["start_date"], first["p_value"]) == (best["start_date"], best["p_value"])
    with pytest.raises(OptionError, match="single relative orbit"):
        coherence_tests(both)


def test_lengths_of_pairs_are_looked_at_apart(meadow):
    six = meadow(_noise(20, level=0.5))
    twelve = meadow(_noise(20, level=0.2), pairs=12, days=6.0 * np.arange(1, 21) + 0.001)
    both = xr.concat(
        [six, twelve], "time", data_vars="minimal", coords="minimal", compat="override"
    )
    assert mowing_coherence(both)["n_events"].tolist() == [0]
    assert mowing_coherence(both)["n_obs_window"].tolist() == [40]


def test_overlapping_pairs_keep_their_whole_time(meadow):
    """Pairs of twelve days that begin every six: the pair before ends after the jump's begin."""
    event = mowing_coherence(meadow(_mown(pair=15), pairs=12)).iloc[0]
    later = START + 15 * SIX
    assert (event["start_date"], event["end_date"]) == (later - 2 * SIX, later)


def test_without_the_earlier_images_it_is_refused(meadow):
    stats = meadow(_mown()).drop_vars("reference_time")
    with pytest.raises(OptionError, match="baseline_days"):
        mowing_coherence(stats)
    told = stats.assign_coords(baseline_days=("time", np.full(30, 6)))
    pd.testing.assert_frame_equal(mowing_coherence(told), mowing_coherence(meadow(_mown())))


@pytest.mark.parametrize(
    "rule", [CoherenceRule(), CoherenceRule(pooled=True, min_peers=5), CoherenceRule(peers=True)]
)
def test_no_later_pair_leaks_into_the_knowledge_of_a_day(meadow, rule):
    values = _mown(parcels=40)
    values[15:, :30] = _noise(15, 30, seed=4)
    day = START + pd.Timedelta(days=120)
    stats, cut = meadow(values), 20
    events = check_events(mowing_coherence(stats, rule, as_of=day))
    assert events["n_events"].sum() >= 8
    other = values.copy()
    other[cut:] = 0.9 - other[cut:]
    pd.testing.assert_frame_equal(mowing_coherence(meadow(other), rule, as_of=day), events)
    seen = stats.isel(time=slice(0, cut))
    pd.testing.assert_frame_equal(mowing_coherence(seen, rule, as_of=day), events)
    late = events["main_date"] > day - pd.Timedelta(days=30)
    assert events["provisional"].tolist() == late.tolist()


def test_an_orbit_that_has_nothing_yet_is_of_no_matter(meadow):
    one = meadow(_mown())
    two = meadow(_noise(4), orbit=88, days=300 + 6.0 * np.arange(4))
    both = xr.concat([one, two], "time", data_vars="minimal", coords="minimal", compat="override")
    day = START + pd.Timedelta(days=181)
    expected = mowing_coherence(one, as_of=day)
    pd.testing.assert_frame_equal(mowing_coherence(both, as_of=day), expected)


@pytest.mark.parametrize("name", [*COHERENCE_PRESETS])
def test_order_is_of_no_matter_and_lazy_is_the_same(name):
    stats = vector_cube("CARD-COH6", parcels=16)
    rule = replace(COHERENCE_PRESETS[name], min_peers=2)
    events = check_events(mowing_coherence(stats, rule))
    rng = np.random.default_rng(0)
    mixed = stats.isel(time=rng.permutation(stats.sizes["time"]), parcel=rng.permutation(16))
    pd.testing.assert_frame_equal(mowing_coherence(mixed, rule), events)
    runs = []
    with Callback(start=runs.append):
        lazy = mowing_coherence(vector_cube("CARD-COH6", parcels=16, lazy=True), rule)
    pd.testing.assert_frame_equal(lazy, events)
    # Of two orbits each: the pairs, and before them the noise, and before it what is usual.
    times = {"pooled": 2, "sensitive": 3}.get(name, 1)
    assert len([graph for graph in runs if len(graph) > 20]) == 2 * times


def test_a_shift_in_time_shifts_the_events(meadow):
    values = _mown(parcels=5)
    one, later = meadow(values), meadow(values, start="2024-02-11")
    events, moved = mowing_coherence(one), mowing_coherence(later)
    for name in ("start_date", "main_date", "end_date"):
        shifted = events[name] + pd.Timedelta(days=41)
        pd.testing.assert_series_equal(moved[name], shifted)
    assert moved["p_value"].equals(events["p_value"])


def test_dropping_masked_pairs_by_hand_is_the_same(meadow):
    values = _mown()
    stats = meadow(values)
    stats["n_valid"][:, 11] = 10  # a quarter of the pixels
    without = meadow(np.delete(values, 11, axis=0), days=6.0 * np.delete(np.arange(1, 31), 11))
    pd.testing.assert_frame_equal(mowing_coherence(stats), mowing_coherence(without))


def test_a_window_cuts_pairs(meadow):
    values = _mown(pair=15)
    inside = (START + pd.Timedelta(days=50), START + pd.Timedelta(days=170))
    assert mowing_coherence(meadow(values), window=inside)["n_events"].tolist() == [1]
    late = (START + pd.Timedelta(days=90), START + pd.Timedelta(days=170))
    assert mowing_coherence(meadow(values), window=late)["n_events"].tolist() == [0]
    with pytest.raises(OptionError, match="window"):
        mowing_coherence(meadow(values), window=inside[::-1])


def test_false_alarms_of_a_season(planted):
    """100,000 series without events, 35 tested pairs: 1 - (1 - 1e-3)**35 is 3.4 %.

    Where six references happen to lie on a line, all later pairs are false alarms, until the
    references are too old: such a run is one event, and a few tests are lost.
    """
    values = np.random.default_rng(9).normal(0.3, 0.06, (41, 100_000))
    stats = planted(values, 6 * np.arange(41), band="VH", product="CARD-COH6", orbit=15, pairs=6)
    rule = CoherenceRule(n_ref_min=6, min_jump=-1.0)
    tests = coherence_tests(stats, rule)
    assert (tests["n_tests"] == 35).mean() > 0.997
    share = tests["detected"].any("time").to_numpy().mean()
    assert share == pytest.approx(1 - (1 - 1e-3) ** 35, abs=3 * np.sqrt(0.0344 / 100_000))
    assert share == 0.0352  # stored: a change is a change of results
    season = tests["p_season"].to_numpy()
    shares = [(season <= level).mean() for level in (0.01, 0.05, 0.2)]
    assert shares == pytest.approx([0.0117, 0.051, 0.20], rel=0.03)


def test_false_alarms_of_smooth_seasons(planted):
    """At the bottom of a wave a straight line lies too low: alpha of 1e-3 is really 2.5e-3."""
    day = 6 * np.arange(41)
    wave = 0.35 + 0.15 * np.cos(2 * np.pi * day / 365)[:, None]
    values = wave + np.random.default_rng(10).normal(0, 0.03, (41, 30_000))
    stats = planted(values, day, band="VH", product="CARD-COH6", orbit=15, pairs=6)
    tests = coherence_tests(stats, CoherenceRule(n_ref_min=6, min_jump=-1.0))
    rate = tests["detected"].to_numpy().sum() / tests["n_tests"].to_numpy().sum()
    assert rate == pytest.approx(2.51e-3, abs=0.1e-3)
    events = mowing_coherence(stats)
    assert events.loc[events["n_events"] > 0, "parcel"].nunique() == 1065  # stored


def test_only_wanted_crops_are_looked_at(meadow):
    stats = meadow(_mown(parcels=4)).assign_coords(crop=("parcel", ["grass", "maize"] * 2))
    events = mowing_coherence(stats, crops=["grass"])
    assert events["n_events"].tolist() == [1, 0, 1, 0]
    assert events["reason"].tolist()[1::2] == ["NOT_RELEVANT"] * 2


def test_the_rule_of_sen4cap_has_its_own_confidence(meadow):
    event = check_events(mowing_coherence(meadow(_mown()), "sen4cap")).iloc[0]
    assert event["confidence_kind"] == "score_exp"
    assert np.isnan(event["p_value"])
    assert event["confidence"] == pytest.approx(0.5 * (1 - np.exp(-event["score"])))
    with pytest.raises(OptionError, match="pixels"):
        mowing_coherence(meadow(_mown()).drop_vars(["n_total", "n_valid"]), "sen4cap")


def test_rules_are_identified_by_their_fields():
    rule = CoherenceRule()
    assert rule.params_id == "fb2c267aac553ac4"  # frozen: stored tables refer to it
    assert COHERENCE_PRESETS["default"] == rule
    assert len({preset.params_id for preset in COHERENCE_PRESETS.values()}) == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "t"},
        {"n_ref_min": 2},
        {"n_ref": 4},
        {"alpha": 0.0},
        {"alpha": 0.6},
        {"nu0": 0.0},
        {"min_jump": np.nan},
        {"size_ratio": 1.0},
        {"min_peers": 1},
        {"method": "sen4cap", "pooled": True},
    ],
)
def test_wrong_rules_are_refused(fields):
    with pytest.raises(OptionError):
        CoherenceRule(**fields)


def test_wrong_requests_are_refused(meadow):
    with pytest.raises(UnknownBandError, match="VV"):
        mowing_coherence(meadow(_mown()), CoherenceRule(variable="VV"))
    with pytest.raises(OptionError, match="sen4cap"):
        mowing_coherence(meadow(_mown()), "Sen4CAP")
    with pytest.raises(OptionError, match="pooled"):
        mowing_coherence(meadow(_mown()), s0=0.03)
