"""Harvest weeks: planted seasons, the rules one by one, and what was not seen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from cbmcube.exceptions import OptionError
from cbmcube.markers import HARVEST_PRESETS, check_events, harvest
from cbmcube.markers.arable._harvest_weeks import HarvestRule, Weekly, conditions
from cbmcube.markers.arable._weeks import Weeks, change, following, previous, ratio, rise
from cbmcube.markers.detecting._signal import Signal

START = "2024-01-01"  # a Monday: week k starts at day 7 k
WEEKS = 45
DECLARED = {
    "vegetation_start": "2024-02-05",
    "harvest_begin": str(pd.Timestamp(START) + pd.Timedelta(weeks=26))[:10],
    "harvest_end": str(pd.Timestamp(START) + pd.Timedelta(weeks=40))[:10],
}


@pytest.fixture
def seasons(planted):
    """Make the three cubes of parcels from weekly values (week, parcel)."""

    def make(ndvi, decibel, coherence, shift=0, every=7):
        days = 7.0 * np.arange(len(ndvi)) + 2.4 + 7 * shift
        vv = np.full(np.shape(decibel), 0.1)
        power = {"VV": vv, "VH": vv / 10 ** (np.asarray(decibel, dtype=float) / 10)}
        bands = [
            planted(power[band], days, band=band, product="CARD-BS", start=START, orbit=15)
            for band in power
        ]
        return (
            planted(ndvi, days, start=START),
            bands[0][["VV", "observed"]].assign(VH=bands[1]["VH"]),
            planted(
                coherence, days, band="VV", product="CARD-COH6", start=START, orbit=15, pairs=every
            ),
        )

    return make


def step(before, after, at, weeks=WEEKS):
    return np.where(np.arange(weeks) < at, before, after)[:, None].astype(float)


def planted_season(at=30, ndvi=(0.8, 0.2), decibel=(6.0, 8.0), coherence=(0.3, 0.8)):
    return tuple(step(*pair, at) for pair in (ndvi, decibel, coherence))


def week_of(date):
    return (pd.Timestamp(date) - pd.Timestamp(START)).days // 7


def test_a_planted_harvest_is_found_in_its_week(seasons):
    event = check_events(harvest(*seasons(*planted_season()), DECLARED)).squeeze()
    assert week_of(event["start_date"]) == 30
    dates = event[["start_date", "main_date", "end_date"]]
    assert [d.day_name() for d in dates] == ["Monday", "Thursday", "Sunday"]
    assert event[["m1", "m2", "m3", "m4", "m5"]].tolist() == ["TRUE"] * 5
    assert week_of(event["s1_week"]) == 30
    assert event[["gap_weeks_season", "gap_weeks_window", "gap_weeks_before"]].tolist() == [0, 0, 0]
    assert event["sources"] == ["S2", "S1:15"]


def test_without_a_fall_of_ndvi_only_radar_speaks(seasons):
    event = harvest(*seasons(*planted_season(ndvi=(0.8, 0.8))), DECLARED).squeeze()
    assert (event["n_events"], event["status"], event["m2"]) == (0, "OK", "FALSE")
    assert week_of(event["s1_week"]) == 30


def test_a_flat_ratio_is_no_harvest(seasons):
    event = harvest(*seasons(*planted_season(decibel=(6.0, 6.0))), DECLARED).squeeze()
    assert (event["n_events"], event["status"], event["m3"]) == (0, "OK", "FALSE")


def test_without_vegetation_nothing_else_matters(seasons):
    event = harvest(*seasons(*planted_season(ndvi=(0.2, 0.2))), DECLARED).squeeze()
    assert event[["m1", "m2", "m3", "m4", "m5"]].tolist() == ["FALSE", "NR", "NR", "NR", "NR"]


def test_a_flat_low_coherence_counts_only_in_the_rule_of_sen4cap(seasons):
    cubes = seasons(*planted_season(coherence=(0.3, 0.3)))
    assert harvest(*cubes, DECLARED, "sen4cap").squeeze()["m5"] == "TRUE"
    ours = harvest(*cubes, DECLARED).squeeze()
    assert (ours["m5"], ours["n_events"]) == ("FALSE", 0)


def test_a_constant_on_the_ratio_and_a_week_on_everything(seasons):
    plain = harvest(*seasons(*planted_season()), DECLARED).squeeze()
    higher = harvest(*seasons(*planted_season(decibel=(9.0, 11.0))), DECLARED).squeeze()
    assert higher["start_date"] == plain["start_date"]
    later = {name: pd.Timestamp(date) + pd.Timedelta(weeks=1) for name, date in DECLARED.items()}
    shifted = harvest(*seasons(*planted_season(), shift=1), later).squeeze()
    assert shifted["start_date"] - plain["start_date"] == pd.Timedelta(weeks=1)


def test_declared_dates_bound_the_harvest(seasons):
    cubes = seasons(*(np.repeat(part, 3, axis=1) for part in planted_season()))
    table = pd.DataFrame([DECLARED, DECLARED], index=["P0", "P2"])
    table.loc["P2", "harvest_begin"] = "2024-08-26"
    table = table.apply(pd.to_datetime)
    events = harvest(*cubes, table).set_index("parcel")
    assert week_of(events.loc["P0", "start_date"]) == 30
    assert (events.loc["P1", "status"], events.loc["P1", "reason"]) == (
        "NOT_EXECUTED",
        "NOT_RELEVANT",
    )
    assert events.loc["P2", "n_events"] == 0  # emptied four weeks before its window


def test_weeks_without_radar_are_counted_and_can_hide_a_harvest(seasons):
    ndvi, decibel, coherence = planted_season()
    coherence[27:29] = np.nan
    event = harvest(*seasons(ndvi, decibel, coherence), DECLARED).squeeze()
    gaps = ["gap_weeks_season", "gap_weeks_window", "gap_weeks_before"]
    assert event[gaps].tolist() == [2, 2, 2]
    decibel[28:36] = np.nan
    event = harvest(*seasons(ndvi, decibel, coherence), DECLARED).squeeze()
    assert (event["n_events"], event["status"], event["reason"]) == (0, "NOT_VALID", "GAP")


def test_too_few_weeks_of_radar_are_too_short(seasons):
    ndvi, decibel, coherence = planted_season()
    decibel[3:] = np.nan
    event = harvest(*seasons(ndvi, decibel, coherence), DECLARED).squeeze()
    assert (event["status"], event["reason"]) == ("NOT_VALID", "TOO_SHORT")


def noisy(parcels=30, seed=5):
    rng = np.random.default_rng(seed)
    at = rng.integers(27, 36, parcels)
    week = np.arange(WEEKS)[:, None]
    empty = week >= at
    season = [np.where(empty, *pair) for pair in ((0.2, 0.75), (8.0, 6.0), (0.75, 0.3))]
    spread = (0.03, 0.2, 0.03)
    season = [one + rng.normal(0, s, one.shape) for one, s in zip(season, spread, strict=True)]
    season[0] = np.where(rng.uniform(size=season[0].shape) < 0.4, np.nan, season[0])
    return season, at


def test_noisy_seasons_lazy_or_not_in_any_order(seasons):
    season, at = noisy()
    cubes = seasons(*season)
    events = check_events(harvest(*cubes, DECLARED))
    found = events[events["n_events"] > 0]
    late = np.array([week_of(d) for d in found["start_date"]])
    late -= at[found["parcel"].str[1:].astype(int)]
    assert len(found) >= 27
    assert (np.abs(late) <= 1).mean() >= 0.85
    lazy = [cube.chunk(time=10, parcel=7) for cube in cubes]
    pd.testing.assert_frame_equal(harvest(*lazy, DECLARED), events)
    mixed = [cubes[0], cubes[1].isel(parcel=slice(None, None, -1)), cubes[2]]
    pd.testing.assert_frame_equal(harvest(*mixed, DECLARED), events)


def test_what_came_later_changes_nothing(seasons):
    season, _ = noisy()
    when = pd.Timestamp(START) + pd.Timedelta(days=7 * 33)
    later = 7.0 * np.arange(WEEKS)[:, None] + 2.4 > 7 * 33
    changed = [
        np.where(later, value, one) for one, value in zip(season, (0.9, 3, 0.1), strict=True)
    ]
    before = harvest(*seasons(*season), DECLARED, as_of=when)
    pd.testing.assert_frame_equal(before, harvest(*seasons(*changed), DECLARED, as_of=when))
    cut = harvest(*seasons(*(one[:33] for one in season)), DECLARED)
    columns = [name for name in before if name != "provisional"]
    pd.testing.assert_frame_equal(before[columns], cut[columns])


def test_null_rate_of_standing_crops(seasons):
    """Green all the season, noise on every signal: nothing is harvested, in 20,000 of 20,000."""
    rng = np.random.default_rng(11)
    shape = (WEEKS, 20_000)
    cubes = seasons(
        0.75 + rng.normal(0, 0.03, shape),
        6.0 + rng.normal(0, 0.3, shape),
        0.3 + rng.normal(0, 0.04, shape),
    )
    assert (harvest(*cubes, DECLARED)["n_events"] == 0).all()
    assert (harvest(*cubes, DECLARED, "sen4cap")["n_events"] == 0).all()


# --- the weekly rules, on numbers that are easy to follow ---------------------------------------


def weekly(ndvi, **given):
    ndvi = np.asarray(ndvi, dtype=float)[:, None]
    flat = np.zeros_like(ndvi)
    parts = {"ratio": flat, "ratio_top": flat, "ratio_calm": flat, "coherence": flat, "jump": flat}
    parts |= {name: np.asarray(v, dtype=float)[:, None] for name, v in given.items()}
    weeks = np.array([len(ndvi) - 1])
    return Weekly(ndvi=ndvi, **parts, start=np.array([0]), first=np.array([0]), last=weeks)


def holds(condition):
    return np.flatnonzero(condition[:, 0]).tolist()


def test_vegetation_stays_seen():
    met = conditions(weekly([0.2, 0.36, np.nan, 0.2]), HarvestRule())
    assert holds(met.vegetation) == [1, 2, 3]


def test_the_limit_of_ndvi_is_the_smallest_drop_rounded_up():
    """Drops 0.341 and 0.322: limit 0.325; margin (0.8 - 0.325) / 4 = 0.119; low is below 0.444."""
    met = conditions(weekly([0.8, 0.8, 0.45, 0.341, 0.322, 0.5]), HarvestRule())
    # Week 3: after 0.341 < 0.444; week 4: 0.322; week 5: before is 0.322, after 0.5 < 0.622.
    assert holds(met.optical) == [3, 4, 5]


def test_without_a_drop_nothing_was_harvested():
    met = conditions(weekly([0.8, 0.8, 0.36, 0.36]), HarvestRule())
    assert holds(met.optical) == []


def test_backscatter_rises_against_three_weeks_before():
    """Weeks 0 to 2 make the first mean; 0.4 dB over it, later 0.27; a sixth of sd is below 0.1."""
    decibel = [6.0, 6.0, 6.0, 6.0, 6.4, 6.4, 6.4, 6.4]
    np.testing.assert_allclose(
        rise(np.array(decibel)[:, None])[:, 0], [np.nan] * 3 + [0, 0.4, 0.27, 0.13, 0]
    )
    met = conditions(weekly([0.8] * 8, ratio=decibel, ratio_calm=decibel), HarvestRule())
    assert holds(met.ratio) == [4, 5, 6]


def test_a_jump_of_coherence_confirms_the_weeks_beside():
    decibel = [6.0, 6.0, 6.0, 6.0, 6.4, 6.0, 6.0, 6.0]
    jump = [0, 0, 0, 0.2, 0, 0, 0, 0.2]
    met = conditions(weekly([0.8] * 8, ratio=decibel, ratio_calm=decibel, jump=jump), HarvestRule())
    assert holds(met.ratio) == [3, 4]


def test_weeks_that_are_too_far_back_tell_nothing():
    values = np.full(12, np.nan)
    values[[0, 1, 2, 8]] = [6, 6, 6, 7]
    assert np.isnan(rise(values[:, None])[8, 0])
    values[[0, 1, 2]], values[[3, 4, 5]] = np.nan, 6.0
    assert rise(values[:, None])[8, 0] == 1.0


def test_before_and_after():
    values = np.array([np.nan, 0.5, np.nan, 0.4, np.nan])[:, None]
    np.testing.assert_array_equal(previous(values)[:, 0], [np.nan, np.nan, 0.5, 0.5, 0.4])
    np.testing.assert_array_equal(following(values)[:, 0], [0.5, 0.5, 0.4, 0.4, np.nan])


def signal(values, day, orbit=None, baseline=6.0):
    day = np.asarray(day, dtype=float)
    values = np.asarray(values, dtype=float)[:, None]
    return Signal(
        day=day,
        value=values,
        end=100.0,
        begin=np.datetime64(START, "ns"),
        seen=np.ones(1, bool),
        grade=np.array([""]),
        reference=day - baseline,
        orbit=None if orbit is None else np.asarray(orbit),
    )


def test_coherence_changes_within_one_orbit_and_near_in_time():
    rises = change(signal([0.3, 0.6, 0.5, 0.4, 0.9], [6, 8, 12, 14, 32], [0, 1, 0, 1, 0]))
    np.testing.assert_allclose(rises.value[:, 0], [np.nan, np.nan, 0.2, 0.0, np.nan])
    pairs = change(signal([0.3, 0.5, 0.7], [12, 24, 36], baseline=12.0))
    np.testing.assert_allclose(pairs.value[:, 0], [np.nan, 0.2, 0.2])


def test_orbits_are_brought_to_one_level():
    """Two orbits 1.5 dB apart in VV - VH, and a field that does not change."""
    vh = np.full(6, 0.01)
    vv = vh * 10 ** (np.array([6.0, 7.5] * 3) / 10)
    orbit = [0, 1] * 3
    level = ratio(signal(vv, range(6), orbit), signal(vh, range(6), orbit)).value
    np.testing.assert_allclose(level, np.full((6, 1), 6.75), atol=1e-12)
    negative = ratio(signal(-vv, range(6)), signal(vh, range(6))).value
    assert np.isnan(negative).all()


def test_weeks_begin_on_monday():
    weeks = Weeks.of(np.datetime64("2024-02-28T10:00", "ns"), 10.0)
    assert weeks.monday.astype(str).tolist() == ["2024-02-26", "2024-03-04"]
    assert weeks.number(np.array([0.0, 4.5, 4.6])).tolist() == [0, 0, 1]
    dates = np.array(["2024-02-25", "2024-03-10", "2024-03-11", "NaT"], "datetime64[ns]")
    assert weeks.from_dates(dates).tolist() == [-1, 1, 2, 3]


def test_wrong_declarations_and_rules(seasons):
    cubes = seasons(*planted_season())
    with pytest.raises(OptionError, match="declared dates are missing"):
        harvest(*cubes, {"harvest_begin": "2024-07-01"})
    table = pd.DataFrame([DECLARED, DECLARED], index=["P0", "P0"])
    with pytest.raises(OptionError, match="more than once"):
        harvest(*cubes, table)
    with pytest.raises(OptionError, match="sen4cap"):
        harvest(*cubes, DECLARED, "jrc")
    with pytest.raises(OptionError, match="same parcels"):
        harvest(cubes[0], cubes[1].isel(parcel=[]), cubes[2], DECLARED)
    with pytest.raises(OptionError, match="three weeks"):
        dataclasses.replace(HARVEST_PRESETS["default"], min_weeks=3)
