"""Catch crops: planted covers and losses, and what nobody saw."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from cbmcube.exceptions import OptionError
from cbmcube.markers import CatchCropRule, catch_crop, check_events
from cbmcube.markers.arable._catch_crop_weeks import slope_lost
from cbmcube.markers.arable._weeks import Weeks
from cbmcube.markers.detecting._signal import Signal

START = "2024-05-06"  # a Monday
SOWN = 14  # week in which the period starts
DECLARED = {
    "vegetation_start": START,
    "period_begin": pd.Timestamp(START) + pd.Timedelta(weeks=SOWN - 2),
    "period_end": pd.Timestamp(START) + pd.Timedelta(weeks=SOWN),
}
EVERY = 3.5  # days between observations


@pytest.fixture
def seasons(planted):
    """Make the three cubes from functions of the day after sowing."""

    def make(ndvi, decibel=None, coherence=None, weeks=26):
        days = np.arange(1.0, 7.0 * weeks, EVERY)
        after = days - 7.0 * SOWN
        decibel = np.full(len(days), 6.0) if decibel is None else decibel(after)
        coherence = np.full(len(days), 0.3) if coherence is None else coherence(after)
        vv = np.full(len(days), 0.1)
        radar = planted(vv, days, band="VV", product="CARD-BS", start=START, orbit=15)
        vh = planted(
            vv / 10 ** (decibel / 10), days, band="VH", product="CARD-BS", start=START, orbit=15
        )
        pairs = planted(
            coherence, days, band="VV", product="CARD-COH6", start=START, orbit=15, pairs=6
        )
        values = np.where(after < -14, 0.8, ndvi(after))  # the main crop, until two weeks before
        green = planted(values, days, start=START)
        return green, radar[["VV", "observed"]].assign(VH=vh["VH"]), pairs

    return make


def sown(after):
    return np.where((after >= 14) & (after < 70), 0.5, 0.2)


def test_a_cover_that_grows_and_stays(seasons):
    events = check_events(catch_crop(*seasons(sown), DECLARED))
    event = events.squeeze()
    assert (event["n_events"], event["status"]) == (0, "OK")
    assert event[["m6", "m7", "m8", "m9", "m10"]].tolist() == ["TRUE"] * 5
    assert event["period_start"] == pd.Timestamp(START) + pd.Timedelta(weeks=SOWN)


def test_a_cover_that_is_cut_shows_its_week(seasons):
    """Cut on day 40: week 5 of the period holds the first low observation, day 42 is in week 6."""
    events = catch_crop(*seasons(lambda after: np.where(after < 40, sown(after), 0.2)), DECLARED)
    assert events["m8"].unique().tolist() == ["FALSE"]
    weeks = [(d - pd.Timestamp(START)).days // 7 - SOWN for d in events["start_date"]]
    assert weeks[0] in (5, 6)
    assert len(weeks) <= 2


def test_nothing_seen_after_day_21_is_not_false(seasons):
    blind = catch_crop(*seasons(lambda after: np.where(after < 21, 0.2, np.nan)), DECLARED)
    assert blind.squeeze()[["m6", "m7"]].tolist() == ["NA", "NA"]
    bare = catch_crop(*seasons(lambda after: np.full(len(after), 0.2)), DECLARED)
    assert bare.squeeze()[["m6", "m7"]].tolist() == ["FALSE", "TRUE"]  # it never fell again


def test_a_rising_ratio_is_a_loss(seasons):
    """0.02 dB a day, without noise: twice the limit."""
    cubes = seasons(sown, decibel=lambda after: 6 + 0.02 * np.clip(after, 0, None))
    assert catch_crop(*cubes, DECLARED)["m9"].unique().tolist() == ["FALSE"]
    slow = seasons(sown, decibel=lambda after: 6 + 0.009 * np.clip(after, 0, None))
    assert catch_crop(*slow, DECLARED)["m9"].unique().tolist() == ["TRUE"]


def test_a_jump_of_coherence_is_a_loss(seasons):
    cubes = seasons(sown, coherence=lambda after: np.where(after < 30, 0.3, 0.55))
    events = catch_crop(*cubes, DECLARED)
    assert events["m10"].unique().tolist() == ["FALSE"]
    assert (events["start_date"] - pd.Timestamp(START)).dt.days.tolist() == [7 * (SOWN + 4)]


def test_without_main_crop_or_period_it_does_not_matter(seasons):
    cubes = seasons(sown)
    never = cubes[0].assign(NDVI=cubes[0]["NDVI"].where(cubes[0]["NDVI"] < 0.7, 0.2))
    event = catch_crop(never, *cubes[1:], DECLARED).squeeze()
    assert (event["status"], event["reason"]) == ("NOT_EXECUTED", "NOT_RELEVANT")
    assert event[["m6", "m10"]].tolist() == ["NR", "NR"]
    early = catch_crop(*cubes, DECLARED, as_of=DECLARED["period_begin"]).squeeze()
    assert early["m6"] == "NR"
    undeclared = pd.DataFrame([DECLARED], index=["another"])
    assert catch_crop(*cubes, undeclared).squeeze()["reason"] == "NOT_RELEVANT"


def test_the_period_starts_when_all_three_saw_the_field_emptied(seasons):
    """NDVI falls two weeks before the last allowed day, and coherence jumps then."""
    cubes = seasons(
        lambda after: np.where(after >= 10, 0.5, 0.2),
        decibel=lambda after: np.where(after < -14, 4.0, 6.0),
        coherence=lambda after: np.where(after < -14, 0.3, 0.65),
    )
    event = catch_crop(*cubes, DECLARED).iloc[0]
    begin = (event["period_start"] - pd.Timestamp(START)).days // 7
    assert SOWN - 2 <= begin < SOWN


def test_what_came_later_changes_nothing_and_lazy_is_equal(seasons):
    cubes = seasons(lambda after: np.where(after < 40, sown(after), 0.2))
    when = pd.Timestamp(START) + pd.Timedelta(days=7 * SOWN + 45)
    changed = [
        cube.assign({band: cube[band].where(cube["time"] <= when, 0.6)})
        for cube, band in zip(cubes, ("NDVI", "VV", "VV"), strict=True)
    ]
    before = catch_crop(*cubes, DECLARED, as_of=when)
    pd.testing.assert_frame_equal(before, catch_crop(*changed, DECLARED, as_of=when))
    lazy = [cube.chunk(time=5) for cube in cubes]
    pd.testing.assert_frame_equal(catch_crop(*lazy, DECLARED), catch_crop(*cubes, DECLARED))


def test_slopes_are_those_of_scipy():
    rng = np.random.default_rng(2)
    day = np.sort(rng.uniform(0, 70, 60))
    values = 0.015 * day[:, None] + rng.normal(0, 0.15, (60, 8))
    values[rng.uniform(size=values.shape) < 0.4] = np.nan
    signal = Signal(
        day=day,
        value=values,
        end=70.0,
        begin=np.datetime64(START, "ns"),
        seen=np.ones(8, bool),
        grade=np.full(8, ""),
    )
    weeks = Weeks.of(signal.begin, 70.0)
    rule = CatchCropRule()
    found = slope_lost(signal, weeks, rule)
    week = (day // 7).astype(int)
    for parcel in range(8):
        for number in range(len(weeks.monday)):
            near = (abs(week - number) <= 2) & np.isfinite(values[:, parcel])
            expected = False
            if len(set(week[near])) >= 3:
                line = scipy_stats.linregress(day[near], values[near, parcel])
                expected = line.slope >= rule.slope and line.pvalue < rule.slope_p
            assert found[number, parcel] == expected
    assert 0.1 < found.mean() < 0.9


def test_null_rate_of_a_ratio_that_only_is_noisy():
    """Each week of a flat ratio is a loss in at most 2.5 % of 20,000: half of the two-sided 5 %."""
    rng = np.random.default_rng(4)
    day = np.arange(1.0, 35.0, 6.0)
    signal = Signal(
        day=day,
        value=rng.normal(6, 0.5, (len(day), 20_000)),
        end=35.0,
        begin=np.datetime64(START, "ns"),
        seen=np.ones(20_000, bool),
        grade=np.full(20_000, ""),
    )
    rate = slope_lost(signal, Weeks.of(signal.begin, 35.0), CatchCropRule())[2].mean()
    assert abs(rate - 0.025) < 4 * np.sqrt(0.025 * 0.975 / 20_000)


def test_wrong_rules(seasons):
    with pytest.raises(OptionError, match="too short to grow"):
        dataclasses.replace(CatchCropRule(), days=14)
    with pytest.raises(OptionError, match="declared dates are missing"):
        catch_crop(*seasons(sown), {"vegetation_start": START})
