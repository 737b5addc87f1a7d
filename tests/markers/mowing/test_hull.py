"""The hull marker: planted drops, a plain loop, and the random thresholds it stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from dask.callbacks import Callback
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.markers import HULL_PRESETS, HullRule, check_events, mowing_hull
from cbmcube.markers.detecting._same_day import dates_of
from cbmcube.markers.mowing._hull import _hull
from cbmcube.testing import vector_cube
from tests.markers.conftest import _planted
from tests.markers.detecting.test_same_day import _signal
from tests.markers.meadows import YEAR, make_meadows, score


def _doy(date):
    return (date - pd.Timestamp(YEAR)) / pd.Timedelta(days=1) + 1


def _events(doy, values, rule=None, **options):
    cube = _planted(values, np.asarray(doy) - 1.0, start=YEAR)
    return check_events(mowing_hull(cube, rule, **options))


def _season(*cuts, begin=80, end=300, step=5, drop=0.35, growth=0.01):
    doy = np.arange(begin, end, step, dtype=float)
    values = np.full(len(doy), 0.8)
    for cut in cuts:
        since = doy - cut
        values -= np.where(since >= 0, np.maximum(drop - growth * since, 0), 0)
    return doy, values


@pytest.mark.parametrize("preset", HULL_PRESETS)
def test_two_planted_drops_are_two_events(preset):
    events = _events(*_season(142, 212), preset)
    assert _doy(events["main_date"]).tolist() == [145, 215]
    assert _doy(events["start_date"]).tolist() == [140, 210]
    assert events["before_date"].equals(events["start_date"])
    assert events["end_date"].equals(events["main_date"])
    assert events["value_start"].tolist() == pytest.approx([0.8, 0.8])
    assert events["magnitude"].tolist() == pytest.approx([0.32, 0.32])
    assert events["score"].tolist() == pytest.approx([0.32, 0.32])  # the hull is flat
    assert events["confidence_kind"].tolist() == ["none", "none"]


def test_a_flat_series_has_none():
    doy, values = _season()
    for rule in (*HULL_PRESETS, replace(HullRule(), least_drop=1e-9)):
        assert _events(doy, values, rule)["n_events"].tolist() == [0]


def test_small_losses_are_none():
    doy = np.arange(80, 300, 5.0)
    rng = np.random.default_rng(1)
    values = 0.8 + 0.02 * rng.standard_normal((len(doy), 500))
    found = {name: (_events(doy, values, name)["n_events"] > 0).mean() for name in HULL_PRESETS}
    assert found["careful"] < 0.02
    assert found["force"] > 0.5  # the reason for `least_drop`


def test_two_runs_are_identical():
    stats = vector_cube(parcels=8)
    pd.testing.assert_frame_equal(mowing_hull(stats, "force"), mowing_hull(stats, "force"))


def test_a_loss_that_is_back_at_once_is_a_cloud():
    doy, values = _season(142)
    values[25] = 0.3  # day 205
    assert _doy(_events(doy, values)["main_date"]).tolist() == [145]
    late = np.delete(doy, 26)  # the next one comes ten days later
    assert _doy(_events(late, np.delete(values, 26))["main_date"]).tolist() == [145, 205]


def test_days_of_the_year():
    doy = np.arange(20, 360, 5.0)
    for cut, number in ((50, 0), (100, 1), (300, 1), (305, 1), (310, 0)):
        values = np.where((doy >= cut) & (doy < cut + 20), 0.4, 0.8)
        assert (_events(doy, values)["n_events"][0] > 0) == bool(number), cut


def test_events_need_fifteen_days_and_a_rise_between():
    doy = np.arange(100, 240, 5.0)
    steps = {150: 0.6, 155: 0.62, 160: 0.40, 165: 0.42, 170: 0.20, 175: 0.22}
    values = np.array([steps.get(day, 0.8) for day in doy])
    assert _doy(_events(doy, values)["main_date"]).tolist() == [150, 170]
    falling = {150: 0.6, 155: 0.6, 160: 0.6, 170: 0.3, 165: 0.6, 175: 0.3}
    values = np.array([falling.get(day, 0.8) for day in doy])
    assert _doy(_events(doy, values)["main_date"]).tolist() == [150]  # no rise between


def test_parcels_that_cannot_be_judged():
    nan = np.nan
    doy = np.array([80.0, 90, 100, 110, 115, 245, 250, 260])
    values = np.full((8, 3), 0.7)
    values[4:, 1] = nan
    values[:, 2] = [nan, nan, 0.7, 0.7, 0.7, 0.7, 0.7, 1.2]  # 1.2 does not count
    events = _events(doy, values)
    assert events["status"].tolist() == ["NOT_VALID"] * 3
    assert events["reason"].tolist() == ["NO_REFERENCE", "TOO_FEW_OBS", "NO_REFERENCE"]


def test_one_season_at_a_time():
    days = np.arange(0, 600, 10.0)
    cube = _planted(np.full(len(days), 0.7), days, start="2023-05-01")
    with pytest.raises(OptionError, match="one season"):
        mowing_hull(cube)
    inside = mowing_hull(cube, window=("2024-03-01", "2024-11-30"))
    assert inside["status"].tolist() == ["OK"]


def test_the_hull_ends_at_the_last_observation():
    assert _events(*_season(198, end=203))["n_events"].tolist() == [0]
    assert _events(*_season(198, end=208))["n_events"].tolist() == [1]


def test_the_hull_goes_over_the_peaks():
    """Nodes: first, early2, early1, mid, late1, late2, last; 15 days apart at least."""
    day = np.array([0, 20, 40, 45, 60, 80, 100, 120, 140.0])
    value = np.array([0.1, 0.3, 0.5, 0.6, 0.9, 0.5, 0.7, 0.4, 0.2])[:, None]
    peak = np.ones(len(day), bool)
    hull = _hull(_signal(day, value), peak, 15.0)[:, 0]
    # mid 60; early1: before day 45, that is 40; early2: 20; late1: 100; late2: 120.
    expected = np.interp(day, [0, 20, 40, 60, 100, 120, 140], [0.1, 0.3, 0.5, 0.9, 0.7, 0.4, 0.2])
    np.testing.assert_allclose(hull, expected)
    few = _hull(_signal(day[3:6], value[3:6]), peak[3:6], 15.0)[:, 0]
    np.testing.assert_allclose(
        few, [0.6, 0.9, 0.5]
    )  # neither early nor late peak... at first, last


def _plain_hull(days, values, doys, rule):
    """Return the hull by numpy.interp, one parcel."""
    order = lambda ks: max(ks, key=lambda k: (values[k], -k), default=None)  # noqa: E731
    n = range(len(days))
    mid = order([k for k in n if rule.peak_from_doy <= doys[k] < rule.peak_before_doy])
    if mid is None:
        return None
    nodes = {0, mid, len(days) - 1}
    for sign in (-1, 1):
        node = mid
        for _ in range(2):
            if node is not None:
                beyond = [k for k in n if sign * (days[k] - days[node]) > rule.apart_days]
                node = order(beyond)
            if node is not None:
                nodes.add(node)
    nodes = sorted(nodes)
    return np.interp(days, [days[k] for k in nodes], [values[k] for k in nodes])


def _plain(days, values, doys, rule, passes):
    """Find events of one parcel, one observation after the other.

    `passes` says whether a loss is large enough, given the standard deviation.
    """
    kept = [
        k for k, v in enumerate(values)
        if 0 < v < 1 and rule.first_doy <= doys[k] <= rule.last_doy
    ]  # fmt: skip
    days, values, doys = ([some[k] for k in kept] for some in (days, values, doys))
    hull = _plain_hull(days, values, doys, rule) if kept else None
    if hull is None or len(kept) < rule.min_obs:
        return []
    distance = np.abs(hull - values)
    spread = np.std(values)
    found, risen = [], True
    for k in range(1, len(days)):
        change = values[k] - values[k - 1]
        risen = risen or change > 0
        cloud = k + 1 < len(days) and days[k + 1] - days[k] <= rule.cloud_days
        cloud = cloud and values[k + 1] - values[k] > rule.cloud_rise
        if (distance[k] > distance.mean() and change <= -rule.least_drop and not cloud
                and passes(change, spread) and doys[k] <= rule.last_event_doy and risen
                and (not found or days[k] - found[-1] > rule.apart_days)):  # fmt: skip
            found.append(days[k])
            risen = False
    return found


series = st.integers(0, 10_000)


@given(series, st.sampled_from([*HULL_PRESETS.values()]))
def test_all_parcels_at_once_equal_a_plain_loop(seed, rule):
    rng = np.random.default_rng(seed)
    days = np.sort(rng.choice(365, 30, replace=False)).astype(float)
    values = rng.uniform(-0.1, 1.1, (30, 4))
    values[rng.uniform(size=values.shape) < 0.3] = np.nan
    cube = _planted(values, days, start=YEAR)
    events = check_events(mowing_hull(cube, rule))
    threshold = rule.spread * norm.ppf(1 - rule.share)
    for parcel in range(4):
        mine = cube["NDVI"].sel(statistic="mean").to_numpy()[:, parcel].astype(float)
        seen = np.isfinite(mine)
        expected = _plain(
            days[seen], mine[seen], days[seen] + 1, rule, lambda dv, s: dv < -s + threshold
        )
        found = events[(events["parcel"] == f"P{parcel}") & (events["n_events"] > 0)]
        assert (_doy(found["main_date"]) - 1).tolist() == pytest.approx(expected)


def test_the_closed_form_is_the_limit_of_random_thresholds():
    """Of 100 thresholds N(-S, 0.02), 40 must lie above the loss: the chance is as stated."""
    rng = np.random.default_rng(0)
    for above, chance in ((0.0, 0.98), (0.005, 0.55), (0.01, 0.03)):
        draws = (rng.normal(0, 0.02, (20_000, 100)) > above).sum(axis=1) >= 40
        assert draws.mean() == pytest.approx(chance, abs=0.02)
    assert HullRule().shift == pytest.approx(0.00507, abs=1e-5)
    differ, near, total = 0, 0, 0
    rule = HULL_PRESETS["force"]
    for seed in range(300):
        rng = np.random.default_rng(seed)
        days = np.arange(80, 300, 6.0)
        values = np.clip(0.7 + 0.12 * rng.standard_normal(len(days)), 0.05, 0.95)
        margins = []

        def closed(dv, s, margins=margins):
            margins.append(dv + s - 0.00507)
            return dv < -s + 0.00507

        one = _plain(days, values, days, rule, closed)

        def drawn(dv, s, rng=rng):
            return (rng.normal(-s, 0.02, 100) > dv).sum() >= 40

        other = _plain(days, values, days, rule, drawn)
        total += 1
        differ += one != other
        near += min(map(abs, margins), default=1) < 0.012
    assert differ <= near
    assert 0 < differ < 0.2 * total


@settings(max_examples=15)
@given(series, st.integers(1, 12))
def test_a_shift_inside_the_season_shifts_the_events(seed, later):
    rng = np.random.default_rng(seed)
    doy = np.arange(130, 220, 5.0)
    values = rng.uniform(0.2, 0.9, (len(doy), 5))
    one, other = (_events(doy + k, values) for k in (0, later))
    for name in ("start_date", "main_date", "end_date"):
        pd.testing.assert_series_equal(other[name], one[name] + pd.Timedelta(days=later))


@settings(max_examples=15)
@given(series, st.integers(0, 29))
def test_nothing_of_the_future_leaks(seed, cut):
    rng = np.random.default_rng(seed)
    cube = _planted(rng.uniform(0.1, 0.9, (30, 3)), 80 + 6.0 * np.arange(30), start=YEAR)
    moment = cube["time"].to_numpy()[cut] + np.timedelta64(1, "h")
    known = check_events(mowing_hull(cube, as_of=moment))
    changed = cube.copy(deep=True)
    changed["NDVI"][cut + 1 :] = 0.33
    pd.testing.assert_frame_equal(mowing_hull(changed, as_of=moment), known)
    part = cube.isel(time=slice(0, cut + 1))
    pd.testing.assert_frame_equal(mowing_hull(part, as_of=moment), known)


def test_order_is_of_no_matter_and_a_lazy_cube_is_computed_once():
    stats = vector_cube(parcels=12)
    events = check_events(mowing_hull(stats))
    rng = np.random.default_rng(0)
    mixed = stats.isel(time=rng.permutation(stats.sizes["time"]), parcel=rng.permutation(12))
    pd.testing.assert_frame_equal(mowing_hull(mixed), events)
    runs = []
    with Callback(start=runs.append):
        lazy = mowing_hull(vector_cube(parcels=12, lazy=True))
    assert len(runs) == 1
    pd.testing.assert_frame_equal(lazy, events)


def test_planted_cuts_are_found():
    """Frozen numbers: each 5 days, half lost, 3 % of dates with undetected clouds."""
    meadows = make_meadows(4000)
    cube = _planted(meadows.ndvi, meadows.days, start=YEAR)
    found = score(mowing_hull(cube), meadows)
    assert found == pytest.approx({"precision": 0.854, "recall": 0.818, "f1": 0.835, "days": 4.22},
                                  abs=0.005)  # fmt: skip


def test_false_alarms_without_cuts():
    """Meadows that nobody mows, noise of 0.015 and no cloud: regression numbers."""
    meadows = make_meadows(100_000, cuts=False, clouds=0.0, seed=2)
    cube = _planted(meadows.ndvi, meadows.days, start=YEAR)
    events = mowing_hull(cube)
    alarms = (events.drop_duplicates("parcel")["n_events"] > 0).sum()
    low, high = binom.interval(0.9999, 100_000, 1.05e-3)
    assert low <= alarms <= high
    plain = mowing_hull(cube.isel(parcel=slice(0, 10_000)), "force")
    share = (plain.drop_duplicates("parcel")["n_events"] > 0).mean()
    assert share == pytest.approx(0.21, abs=0.02)


def test_wrong_rules_are_refused():
    with pytest.raises(OptionError, match="'convex'"):
        mowing_hull(vector_cube(parcels=2), "convex")
    with pytest.raises(UnknownBandError, match="EVI"):
        mowing_hull(vector_cube(parcels=2), HullRule(variable="EVI"))
    for wrong in ({"first_doy": 200}, {"share": 1.0}, {"spread": -1.0}):
        with pytest.raises(OptionError):
            HullRule(**wrong)


def test_leap_days_count():
    signal = _signal([0, 366], np.zeros((2, 1)), begin="2024-01-01")
    assert dates_of(signal).astype(str).tolist() == ["2024-01-01", "2025-01-01"]
