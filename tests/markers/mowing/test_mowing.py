"""Mowing from pairs of observations: the source's cases, planted meadows, and a plain loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from dask.callbacks import Callback
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.markers import MOWING_PRESETS, MowingRule, check_events, mowing
from cbmcube.testing import vector_cube
from cbmcube.warnings import NoSuchCropWarning
from tests.markers.conftest import _planted
from tests.markers.meadows import YEAR, make_meadows, score

SEN4CAP = MOWING_PRESETS["sen4cap"]


def _day(date):
    """Return the day of the year, 1 January = 1 at 00:00."""
    return (date - pd.Timestamp(YEAR)) / pd.Timedelta(days=1) + 1


def _meadow(drop=0.35, cut=152.0, growth=0.008, begin=90, end=220, step=5):
    """NDVI 0.80, mown on a day of the year, and growing back."""
    doy = np.arange(begin, end, step, dtype=float)
    lost = np.where(doy >= cut, np.maximum(drop - growth * (doy - cut), 0), 0)
    return doy, 0.80 - lost


def _events(doy, values, rule=None, **options):
    return check_events(
        mowing(_planted(values, np.asarray(doy) - 1.0, start=YEAR), rule, **options)
    )


@pytest.mark.parametrize("preset", ["guarded", "sen4cap", "netherlands", "lithuania", "spain"])
def test_one_cut_is_one_event(preset):
    event = _events(*_meadow(), preset).squeeze()
    assert (event["status"], event["n_events"], event["n_obs"]) == ("OK", 1, 2)
    assert (_day(event["start_date"]), _day(event["end_date"])) == (150, 155)
    assert event["main_date"] == event["end_date"]
    assert event["before_date"] == event["start_date"]
    assert event["sources"] == ["S2"]


def test_score_and_confidence_are_the_sources():
    event = _events(*_meadow()).squeeze()
    assert event["score"] == pytest.approx((0.80 - 0.474 - 0.12) / 0.474, abs=1e-5)
    assert event["score"] == pytest.approx(0.435, abs=5e-4)
    assert event["confidence"] == pytest.approx(0.676, abs=5e-4)
    assert event["confidence_kind"] == "score_exp"
    assert event["value_start"] == pytest.approx(0.80)
    assert event["value_main"] == pytest.approx(0.474)
    assert event["value_end"] == pytest.approx(0.514)
    assert event["magnitude"] == pytest.approx(0.326)


def test_confidence_ends_below_one():
    doy, values = np.arange(100, 160, 10.0), np.array([0.9, 0.9, 0.1, 0.1, 0.1, 0.1])
    event = _events(doy, values).squeeze()
    assert event["score"] == pytest.approx(6.8, abs=1e-5)
    assert event["confidence"] == np.float32(0.999)


def test_a_dip_of_one_date_is_none():
    doy, values = _meadow(drop=0.0)
    values[13] = 0.45
    row = _events(doy, values).squeeze()
    assert (row["status"], row["n_events"], row["main_date"]) == ("OK", 0, pd.NaT)


def test_an_event_is_known_with_the_next_observation():
    doy, values = _meadow()
    assert _events(doy[doy < 160], values[doy < 160])["n_events"][0] == 0
    assert _events(doy[doy <= 160], values[doy <= 160])["n_events"][0] == 1


@pytest.mark.parametrize(("loss", "number"), [(0.1199, 0), (0.1201, 1)])
def test_the_loss_must_be_larger_than_the_limit(loss, number):
    doy = np.arange(100, 200, 5.0)
    values = np.where(doy < 150, 0.80, 0.80 - loss)
    assert _events(doy, values)["n_events"][0] == number


@pytest.mark.parametrize(
    ("before", "low", "rule", "number"),
    [
        (0.50, 0.20, "sen4cap", 0),  # exactly 0.50 is not tall
        (0.51, 0.20, "sen4cap", 1),
        (0.45, 0.20, "czechia", 1),
        (0.95, 0.76, "sen4cap", 0),
        (0.95, 0.74, "sen4cap", 1),
        (0.95, 0.74, "france", 0),
        (0.80, 0.66, "romania", 0),
        (0.80, 0.64, "romania", 1),
    ],
)
def test_levels_of_the_presets(before, low, rule, number):
    doy = np.arange(100, 200, 5.0)
    assert _events(doy, np.where(doy < 150, before, low), rule)["n_events"][0] == number


@pytest.mark.parametrize(
    ("rise", "found"),
    [(0.049, {"sen4cap", "lithuania", "netherlands"}), (0.055, {"lithuania", "netherlands"}),
     (0.061, {"netherlands"})],
)  # fmt: skip
def test_rebound_of_the_presets(rise, found):
    """Days 100 and 105, then a next one that rises by so much a day."""
    values = [0.9, 0.9, 0.3, 0.3 + 5 * rise, 0.3 + 5 * rise]
    for name in ("sen4cap", "lithuania", "netherlands"):
        events = _events([95, 100, 105, 110, 115], values, name)
        assert (events["n_events"][0] == 1) == (name in found)


def test_presets_are_those_of_the_source():
    table = {
        name: (r.drop, r.low, r.high, r.rebound, r.max_days, r.apart_days)
        for name, r in MOWING_PRESETS.items()
    }
    assert table == {
        "guarded": (0.12, 0.50, 0.75, 0.05, 30, 45),
        "sen4cap": (0.12, 0.50, 0.75, 0.05, 30, 45),
        "sen4cap_older": (0.12, 0.50, 0.75, 0.05, 60, 28),
        "czechia": (0.12, 0.40, 0.72, 0.05, 30, 45),
        "france": (0.12, 0.40, 0.72, 0.05, 30, 45),
        "lithuania": (0.12, 0.50, 0.75, 0.06, 30, 45),
        "netherlands": (0.12, 0.50, 0.75, 0.90, 30, 45),
        "spain": (0.15, 0.50, 0.75, 0.90, 30, 45),
        "romania": (0.15, 0.50, 0.75, 0.90, 30, 45),
    }
    assert {r.max_events for r in MOWING_PRESETS.values()} == {4}
    assert [name for name, r in MOWING_PRESETS.items() if np.isfinite(r.growth)] == ["guarded"]


def test_a_cloud_before_a_long_wait_is_unconfirmed():
    """A full return of 0.35 in ten days is 0.035 a day: the source's limit lets it pass."""
    doy, values = np.arange(100, 200, 10.0), np.full(10, 0.8)
    values[5] = 0.45
    assert _events(doy, values, "sen4cap")["status"].tolist() == ["OK"]
    event = _events(doy, values).squeeze()
    assert (event["status"], event["reason"]) == ("NOT_VALID", "UNCONFIRMED")
    assert _day(event["main_date"]) == 150
    again = values.copy()
    again[6] = 0.50  # a second low observation
    assert _events(doy, again)["status"].tolist() == ["OK"]


def test_grass_that_has_had_time_to_grow_is_no_cloud():
    event = _events([100, 120, 125, 150, 155], [0.8, 0.8, 0.45, 0.8, 0.8]).squeeze()
    assert (event["status"], event["n_events"]) == ("OK", 1)


def test_a_doubtful_event_does_not_displace_a_sure_one():
    doy = np.array([100, 110, 120, 130, 140, 150, 160.0])
    values = np.array([0.9, 0.9, 0.4, 0.88, 0.88, 0.55, 0.55])  # a cloud, then a smaller cut
    assert _day(_events(doy, values, "sen4cap")["main_date"][0]) == 120
    event = _events(doy, values).squeeze()
    assert (_day(event["main_date"]), event["status"]) == (150, "OK")


def test_after_a_gap_the_start_is_cut_and_the_observation_before_kept():
    doy = [100, 105, 145, 150, 155]
    event = _events(doy, [0.8, 0.8, 0.45, 0.46, 0.47]).squeeze()
    assert (_day(event["start_date"]), _day(event["before_date"])) == (115, 105)
    assert (event["gap_overlap_days"], event["status"]) == (30, "OK")
    older = _events(doy, [0.8, 0.8, 0.45, 0.46, 0.47], "sen4cap_older").squeeze()
    assert _day(older["start_date"]) == 105


def test_events_are_chosen_by_confidence_and_distance():
    doy = np.arange(60, 330, 5.0)
    values = np.full(len(doy), 0.8)
    for cut, low in ((100, 0.5), (120, 0.3), (170, 0.5), (220, 0.4), (270, 0.45), (320, 0.4)):
        values[(doy >= cut) & (doy < cut + 10)] = low
    events = _events(doy, values, "netherlands")
    # The one of day 120 keeps that of day 100 away; of the others the four most confident stay.
    assert _day(events["main_date"]).tolist() == [120, 220, 270, 320]
    few = _events(doy, values, replace(MOWING_PRESETS["netherlands"], max_events=2))
    assert _day(few["main_date"]).tolist() == [120, 220]


def test_pairs_may_span_several_observations():
    doy = np.arange(100, 140, 1.0)
    values = np.interp(doy, [100, 115, 118, 140], [0.8, 0.8, 0.5, 0.6])  # 0.10 a day
    assert _events(doy, values)["n_events"][0] == 0
    event = _events(doy, values, MowingRule(min_pair_days=5)).squeeze()
    assert event["n_events"] == 1
    assert _day(event["start_date"]) <= 115 < _day(event["end_date"])
    wide = [0.8, 0.8, 0.7, 0.6, 0.6, 0.6]  # lost in two steps of 0.10
    assert _events(100 + 5.0 * np.arange(6), wide)["n_events"][0] == 0
    assert _events(100 + 5.0 * np.arange(6), wide, MowingRule(min_pair_days=10))["n_events"][0] == 1


def test_several_observations_of_a_day_are_one():
    doy = [100.4, 105.4, 110.4, 110.41, 115.4, 120.4]
    event = _events(doy, [0.8, 0.8, 0.6, 0.4, 0.5, 0.52]).squeeze()
    assert event["value_main"] == pytest.approx(0.5)
    assert _day(event["main_date"]) == pytest.approx(110.41)


def test_values_that_are_not_of_grass_are_left_out():
    row = _events([100, 105, 110, 115, 120], [0.8, 0.8, 0.05, 0.05, 0.8]).squeeze()
    assert (row["n_events"], row["n_obs_window"]) == (0, 3)


def test_none_seen_and_could_not_look_are_different_rows():
    nan = np.nan
    values = np.array([[0.8, 0.8, nan], [0.8, nan, nan], [0.8, nan, nan], [0.8, 0.8, nan]])
    events = _events([100, 110, 120, 150], values)
    assert events["status"].tolist() == ["OK", "NOT_VALID", "NOT_VALID"]
    assert events["reason"].tolist()[1:] == ["TOO_FEW_OBS", "TOO_FEW_OBS"]
    gap = _events([100, 105, 110, 150], [0.8, 0.8, 0.8, 0.8]).squeeze()
    assert (gap["status"], gap["reason"]) == ("NOT_VALID", "GAP")
    cube = _planted(values, [0, 10, 20, 50.0])
    cube["observed"][:, 2] = 0
    assert mowing(cube)["reason"].iloc[2] == "NO_INPUT"


def test_only_crops_that_are_mown():
    events = mowing(vector_cube(parcels=4), crops=["grassland"])
    assert events.loc[events["parcel"] != "P1", "reason"].tolist() == ["NOT_RELEVANT"] * 3
    assert (events.loc[events["parcel"] == "P1", "n_events"] == 3).all()


finite = st.integers(10, 95).map(lambda n: n / 100)
grid = st.lists(
    st.lists(st.one_of(st.just(float("nan")), finite), min_size=3, max_size=3),
    min_size=3,
    max_size=14,
)
rules = st.sampled_from([*MOWING_PRESETS.values(), MowingRule(min_pair_days=6, apart_days=20)])


def _plain(values, days, rule):
    """Candidates and selection of one parcel, one after the other."""
    seen = [(d, float(np.float32(v))) for d, v in zip(days, values, strict=True) if np.isfinite(v)]
    found = []
    for k in range(1, len(seen) - 1):
        (tb, b), (tc, c) = seen[k], seen[k + 1]
        earlier = [(t, v) for t, v in seen[:k] if tb - t >= rule.min_pair_days]
        if not earlier:
            continue
        ta, a = earlier[-1]
        score = (a - b - rule.drop) / b
        is_cloud = (c - b) / (tc - tb) >= rule.rebound
        if score <= 0 or is_cloud or a <= rule.low or b >= rule.high:
            continue
        doubt = (c - b) / (tc - tb) > rule.growth and c - b > rule.back * (a - b)
        found.append((doubt, -score, tb, max(ta, tb - rule.max_days)))
    chosen = []
    for doubt, minus, end, start in sorted(found):
        near = any(max(end - s, e - start) < rule.apart_days for _, _, e, s in chosen)
        if not near and len(chosen) < rule.max_events:
            chosen.append((doubt, minus, end, start))
    return sorted(chosen, key=lambda event: event[3])


@given(grid, rules, st.integers(1, 4))
def test_all_parcels_at_once_equal_a_plain_loop(values, rule, stride):
    days = np.cumsum(3 + stride * (np.arange(len(values)) % 5)).astype(float)
    rule = replace(rule, min_obs=1)
    events = check_events(mowing(_planted(values, days), rule))
    for parcel in range(3):
        expected = _plain(np.array(values)[:, parcel], days, rule)
        found = events[(events["parcel"] == f"P{parcel}") & (events["n_events"] > 0)]
        assert len(found) == len(expected)
        for row, (doubt, minus, end, start) in zip(found.itertuples(), expected, strict=True):
            assert (_day(row.end_date) - 1, _day(row.start_date) - 1) == (end, start)
            assert row.score == pytest.approx(-minus, rel=1e-5)
            assert (row.status == "NOT_VALID") == doubt


@settings(max_examples=15)
@given(grid, st.integers(1, 400))
def test_a_shift_in_time_shifts_the_events(values, later):
    days = 6.0 * np.arange(len(values))
    one, other = (mowing(_planted(values, days + k)) for k in (0, later))
    for name in ("start_date", "main_date", "end_date", "before_date"):
        pd.testing.assert_series_equal(other[name], one[name] + pd.Timedelta(days=later))
    same = ["parcel", "status", "reason", "score", "n_events", "n_obs", "gap_overlap_days"]
    pd.testing.assert_frame_equal(other[same], one[same])


@settings(max_examples=15)
@given(grid, st.integers(0, 13))
def test_nothing_of_the_future_leaks(values, cut):
    days = 6.0 * np.arange(len(values)) + 0.4
    cube = _planted(values, days)
    cut = min(cut, len(values) - 1)
    moment = cube["time"].to_numpy()[cut] + np.timedelta64(1, "h")
    known = mowing(cube, as_of=moment)
    changed = cube.copy(deep=True)
    changed["NDVI"][cut + 1 :] = 0.33
    pd.testing.assert_frame_equal(mowing(changed, as_of=moment), known)
    part = mowing(cube.isel(time=slice(0, cut + 1)), window=(cube["time"].to_numpy()[0], moment))
    same = [name for name in part if name not in ("provisional", "gap_overlap_days", "max_gap_days",
                                                  "status", "reason")]  # fmt: skip
    pd.testing.assert_frame_equal(part[same], known[same])


def test_order_is_of_no_matter_and_a_lazy_cube_is_computed_once():
    stats = vector_cube(parcels=12)
    events = check_events(mowing(stats))
    rng = np.random.default_rng(0)
    mixed = stats.isel(time=rng.permutation(stats.sizes["time"]), parcel=rng.permutation(12))
    pd.testing.assert_frame_equal(mowing(mixed), events)
    runs = []
    with Callback(start=runs.append):
        lazy = mowing(vector_cube(parcels=12, lazy=True))
    assert len(runs) == 1
    pd.testing.assert_frame_equal(lazy, events)


def test_rows_that_are_dropped_by_hand_are_as_if_masked():
    meadows = make_meadows(20, seed=4)
    cube = _planted(meadows.ndvi, meadows.days, start=YEAR)
    window = (cube["time"].to_numpy()[0], cube["time"].to_numpy()[-1])
    lost = np.zeros(len(meadows.days), bool)
    lost[3::4] = True
    masked = cube.copy(deep=True)
    masked["NDVI"][lost] = np.nan
    dropped = cube.isel(time=~lost)
    pd.testing.assert_frame_equal(mowing(masked, window=window), mowing(dropped, window=window))


@pytest.fixture(scope="module")
def season():
    """4000 meadows, each 5 days, half lost to cloud, 3 % of dates with undetected clouds."""
    meadows = make_meadows(4000)
    return meadows, _planted(meadows.ndvi, meadows.days, start=YEAR)


def test_planted_cuts_are_found(season):
    """Frozen numbers: the guard against clouds costs no cut, and gains precision."""
    meadows, cube = season
    source, ours = (score(mowing(cube, name), meadows) for name in ("sen4cap", "guarded"))
    assert source == pytest.approx({"precision": 0.860, "recall": 0.804, "f1": 0.831, "days": 4.19},
                                   abs=0.005)  # fmt: skip
    assert ours == pytest.approx({"precision": 0.916, "recall": 0.813, "f1": 0.861, "days": 4.15},
                                 abs=0.005)  # fmt: skip


def test_the_interval_holds_the_planted_date():
    """400 cuts of 0.35 without clouds; half of the intervals that hold a cut are 10 days or less,
    or 15 or more, when half of the dates are lost: long ones hold more cuts."""
    rng = np.random.default_rng(5)
    for step, lost, most_missed, median in (
        (5, 0.0, 0, (5,)),
        (5, 0.5, 25, (10, 15)),
        (10, 0.5, 90, (20, 30)),
    ):
        cut = rng.uniform(140, 200, 400)
        doy = np.arange(90, 260, step, dtype=float)
        since = doy[:, None] - cut
        values = 0.8 - np.where(since >= 0, np.maximum(0.35 - 0.008 * since, 0), 0)
        values += 0.01 * rng.standard_normal(values.shape)
        values[rng.uniform(size=values.shape) < lost] = np.nan
        events = _events(doy, values, "sen4cap_older")
        events = events[events["n_events"] > 0]
        true = cut[events["parcel"].str[1:].astype(int)]
        start, end = _day(events["start_date"]).to_numpy(), _day(events["end_date"]).to_numpy()
        assert ((start < true) & (true <= end)).mean() > 0.99
        assert 400 - len(events) <= most_missed
        assert np.median(end - start) in median


def test_false_alarms_without_cuts():
    """100,000 meadows that nobody mows, noise of 0.015 and no cloud: a regression number."""
    meadows = make_meadows(100_000, cuts=False, clouds=0.0, seed=2)
    events = mowing(_planted(meadows.ndvi, meadows.days, start=YEAR))
    alarms = (events.drop_duplicates("parcel")["n_events"] > 0).sum()
    low, high = binom.interval(0.9999, 100_000, 7e-5)
    assert low <= alarms <= high


def test_wrong_rules_are_refused():
    cube = vector_cube(parcels=2)
    with pytest.raises(OptionError, match="'atlantis'"):
        mowing(cube, "atlantis")
    with pytest.raises(UnknownBandError, match="EVI"):
        mowing(cube, MowingRule(variable="EVI"))
    for wrong in ({"drop": 0.0}, {"max_days": 0.0}, {"max_events": 0}, {"min_pair_days": -1.0},
                  {"min_value": -0.1}):  # fmt: skip
        with pytest.raises(OptionError):
            MowingRule(**wrong)


def test_crops_that_no_parcel_has_are_told():
    stats = vector_cube(parcels=4)
    with pytest.warns(NoSuchCropWarning, match="there are winter wheat, grassland"):
        events = mowing(stats, crops=["meadow"])
    assert set(events["reason"]) == {"NOT_RELEVANT"}
