"""Triangles: planted shapes, symmetries, and a plain loop over the definition."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError
from cbmcube.markers import TRIANGLE_PRESETS, TriangleRule, check_events, triangles
from cbmcube.markers.generic._corners import corners

NULL_RATE = 0.0193
LINES = TriangleRule(method="linear", min_days=0, min_size=1e-6, min_angle=0, merge_passes=0)


def one(values, lowest=10, passes=0, limit=135.0):
    """Return (left, minimum, right) of one series."""
    column = np.asarray(values, dtype=float)[:, None]
    _, left, low, right = corners(column, lowest=lowest, passes=passes, limit=limit)
    return list(zip(left.tolist(), low.tolist(), right.tolist(), strict=True))


def loop(values, lowest):
    """Walk through the definition: minima between falls and rises, nearest maxima beside."""
    found = []
    stretches = [[]]
    for day, value in enumerate(values):
        if math.isnan(value):
            stretches.append([])
        else:
            stretches[-1].append(day)
    for days in filter(None, stretches):
        runs = []
        for day in days:
            if runs and values[runs[-1][0]] == values[day]:
                runs[-1].append(day)
            else:
                runs.append([day])
        heights = [values[run[0]] for run in runs]
        middles = [(run[0] + run[-1]) // 2 for run in runs]
        inner = range(1, len(runs) - 1)
        lows = [k for k in inner if heights[k - 1] > heights[k] < heights[k + 1]]
        highs = [k for k in inner if heights[k - 1] < heights[k] > heights[k + 1]]
        for low in lows:
            left = max((middles[h] for h in highs if h < low), default=days[0])
            right = min((middles[h] for h in highs if h > low), default=days[-1])
            found.append((left, middles[low], right))
    return sorted(sorted(found, key=lambda t: (values[t[1]], t[1]))[:lowest], key=lambda t: t[1])


numbers = st.lists(
    st.one_of(st.integers(0, 5).map(float), st.just(math.nan)), min_size=1, max_size=40
)


@given(numbers, st.integers(1, 4))
def test_corners_are_those_of_the_definition(values, lowest):
    assert one(values, lowest) == loop(values, lowest)


@given(st.lists(numbers, min_size=1, max_size=4))
def test_parcels_do_not_know_of_each_other(rows):
    size = max(map(len, rows))
    table = np.array([row + [math.nan] * (size - len(row)) for row in rows]).T
    parcel, left, low, right = corners(table, lowest=5, passes=2, limit=135.0)
    for number, row in enumerate(rows):
        here = parcel == number
        mine = list(zip(left[here], low[here], right[here], strict=True))
        assert mine == one(row, 5, 2)


@pytest.mark.parametrize(
    "values", [[1.0] * 60, list(np.linspace(0, 1, 60)), list(np.linspace(1, 0, 60)), [1.0, 0.5]]
)
def test_monotone_and_constant_series_have_none(values):
    assert one(values) == []


def vee(days, centre, *, depth, half):
    """Return 1 less a V of some depth and half width."""
    return 1 - depth * np.clip(1 - np.abs(days - centre) / half, 0, None)


def test_two_drops_far_apart_are_two_and_close_together_one():
    days = np.arange(120.0)
    apart = np.minimum(vee(days, 40, depth=0.4, half=16), vee(days, 80, depth=0.4, half=16))
    assert [low for _, low, _ in one(apart, passes=2)] == [40, 80]
    close = np.minimum(vee(days, 40, depth=0.4, half=16), vee(days, 48, depth=0.38, half=16))
    assert [low for _, low, _ in one(close)] == [40, 48]
    assert [low for _, low, _ in one(close, passes=2)] == [40]


def test_merging_compares_the_angle_at_the_shared_maximum():
    """Left shoulder 1, minima 0, shared m, right 1: both angles are acos(1 - m)."""
    for shared, expected in ((0.60, 1), (0.62, 2)):  # 2 acos(1 - m) passes 135 degrees at 0.6173
        values = [1.0, 0.0, shared, 0.0, 1.0]
        assert 2 * math.degrees(math.acos(1 - shared)) == pytest.approx(135, abs=4)
        assert len(one(values, passes=1)) == expected


def rule(**changes):
    return dataclasses.replace(LINES, **changes)


def dates_of(events):
    return events[["start_date", "main_date", "end_date"]].to_numpy()


@pytest.mark.parametrize(("angle", "kept"), [(29, False), (31, True)])
def test_a_low_shoulder_is_rejected_by_its_angle(planted, angle, kept):
    """The right side rises by h over half of the width: its angle is atan(h / 0.5)."""
    height = 0.5 * math.tan(math.radians(angle))
    cube = planted([1.0, 0.0, height], [0, 20, 40])
    events = triangles(cube, rule(min_angle=30.0))
    assert events["n_events"].tolist() == [int(kept)]


def test_duration_and_size_are_limits_that_count(planted):
    cube = planted([0.8, 0.7, 0.8], [0, 7, 14])
    size = float(np.float32(0.8) - np.float32(0.7))
    assert triangles(cube, rule(min_days=14, min_size=size - 1e-6))["n_events"].item() == 1
    assert triangles(cube, rule(min_days=14.1))["n_events"].item() == 0
    assert triangles(cube, rule(min_size=size + 1e-6))["n_events"].item() == 0


def test_values_of_an_event(planted):
    event = triangles(planted([0.8, 0.4, 0.7], [0, 20, 30]), rule()).squeeze()
    assert event[["value_start", "value_main", "value_end"]].tolist() == pytest.approx(
        [0.8, 0.4, 0.7]
    )
    assert event["magnitude"] == pytest.approx(0.4)
    assert [d.day for d in event[["start_date", "main_date", "end_date"]]] == [1, 21, 31]
    assert (event["n_obs"], event["status"], event["open"]) == (3, "OK", False)


wave = st.lists(st.integers(0, 20), min_size=4, max_size=12)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wave, st.sampled_from([0.25, 2.0, 4.0]), st.sampled_from([-1.0, 0.5]))
def test_shift_scale_and_mirror(planted, values, factor, constant):
    """A constant changes nothing, a factor scales drops only, the mirror image has peaks."""

    data, days = np.array(values) / 32.0, 5.0 * np.arange(len(values))
    events = triangles(planted(data, days), rule())
    moved = triangles(planted(data + constant, days), rule())
    scaled = triangles(planted(data * factor, days), rule())
    mirrored = triangles(planted(-data, days), rule(shape="peak"))
    for other in (moved, scaled, mirrored):
        np.testing.assert_array_equal(dates_of(other), dates_of(events))
    np.testing.assert_allclose(scaled["magnitude"], factor * events["magnitude"], rtol=1e-5)
    np.testing.assert_allclose(mirrored["magnitude"], events["magnitude"], rtol=1e-5)


def season(parcels=40, seed=3):
    rng = np.random.default_rng(seed)
    days = np.sort(rng.choice(np.arange(200.0), 60, replace=False)) + 0.43
    cut = rng.uniform(60, 140, parcels)
    green = 0.8 - np.where(days[:, None] > cut, 0.35 - 0.008 * (days[:, None] - cut), 0).clip(0)
    values = green + rng.normal(0, 0.01, green.shape)
    return np.where(rng.uniform(size=values.shape) < 0.3, np.nan, values), days, cut


def test_planted_mowings_lie_inside_the_triangles(planted):
    values, days, cut = season()
    events = check_events(triangles(planted(values, days)))
    found = events[events["n_events"] > 0]
    day = (found["main_date"] - pd.Timestamp("2024-01-01")) / pd.Timedelta(days=1)
    place = found["parcel"].str[1:].astype(int).to_numpy()
    late = day.to_numpy() - cut[place]
    hit = (late > -5) & (late < 25)
    assert len(set(place[hit])) >= 36  # of 40: what the smoothing hides is said in the docs
    assert 3 < np.median(late[hit]) < 12  # minima of filtered series are late


def test_what_came_later_changes_nothing(planted):
    values, days, _ = season()
    changed = np.where(days[:, None] > 120.5, 0.1, values)
    when = pd.Timestamp("2024-01-01") + pd.Timedelta(days=120.5)
    before = triangles(planted(values, days), as_of=when)
    pd.testing.assert_frame_equal(before, triangles(planted(changed, days), as_of=when))
    early = days <= 120.5
    cut = triangles(planted(values[early], days[early]))
    columns = [name for name in before if name != "provisional"]
    pd.testing.assert_frame_equal(before[columns], cut[columns])
    young = before["main_date"] > when - pd.Timedelta(days=30)
    assert young.any()
    assert (before["provisional"] == young).all()


def test_lazy_cubes_and_their_order(planted):
    values, days, _ = season()
    cube = planted(values, days)
    events = triangles(cube)
    lazy = cube.chunk(time=7, parcel=11)
    pd.testing.assert_frame_equal(triangles(lazy), events)
    shuffled = cube.isel(
        time=np.random.default_rng(1).permutation(60), parcel=slice(None, None, -1)
    )
    pd.testing.assert_frame_equal(triangles(shuffled), events)


def test_short_and_empty_series_say_so(planted):
    """Nothing valid; too few; too short for the filter; seen and quiet."""
    values = np.full((40, 4), np.nan)
    values[:2, 1] = 0.5
    values[:6, 2] = 0.5
    values[:, 3] = 0.5
    events = triangles(planted(values, np.arange(40) * 5.0), TriangleRule(max_gap_days=200))
    assert events["status"].tolist() == ["NOT_VALID", "NOT_VALID", "NOT_VALID", "OK"]
    assert events["reason"].tolist()[:3] == ["TOO_FEW_OBS", "TOO_FEW_OBS", "TOO_SHORT"]


def test_null_rate_of_quiet_seasons(planted):
    """The JRC's rule takes a first or last day that noise lifts for a maximum: 1.93 % of 100,000.

    Such a triangle reaches to an end of the series, so nobody saw the signal from there on.
    """
    rng = np.random.default_rng(0)
    days = np.arange(0, 200, 5.0)
    season = 0.3 + 0.5 * np.exp(-(((days - 100) / 45) ** 2))
    values = season[:, None] + rng.normal(0, 0.01, (len(days), 10_000))
    cube = planted(values, days)
    alarms = triangles(cube)
    alarms = alarms[alarms["n_events"] > 0]
    rate = NULL_RATE
    assert abs(len(alarms) / 10_000 - rate) < 4 * math.sqrt(rate * (1 - rate) / 10_000)
    first, last = cube["time"].to_numpy()[[0, -1]]
    assert ((alarms["start_date"] == first) | (alarms["end_date"] == last)).all()


def test_presets_and_wrong_rules(planted):
    cube = planted([1.0, 0.0, 1.0], [0, 20, 40])
    assert TRIANGLE_PRESETS["jrc_ndvi_drop"] == TriangleRule()
    with pytest.raises(OptionError, match="jrc_coherence_peak"):
        triangles(cube, "jrc_nothing")
    for wrong in ({"shape": "hill"}, {"lowest": 0}, {"min_size": 0.0}, {"method": "splines"}):
        with pytest.raises(OptionError):
            TriangleRule(**wrong)


def test_mostly_masked_observations_do_not_count(planted):
    cube = planted([0.8, 0.1, 0.8, 0.8], [0, 10, 20, 30])
    cube["n_valid"] = xr.where(cube["time"] == cube["time"][1], 10, cube["n_valid"]).transpose(
        *cube["n_valid"].dims
    )
    assert triangles(cube, rule(min_size=0.1))["n_events"].item() == 0
    assert triangles(cube, rule(min_size=0.1, min_share=0.2))["n_events"].item() == 1
