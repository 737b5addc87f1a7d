"""Bare runs with hysteresis: planted ones, a plain loop, and coherence as a witness."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError
from cbmcube.markers import PLOUGHING_PRESETS, PloughingRule, check_events, ploughing

START = pd.Timestamp("2024-01-01")


def day(date):
    return (date - START) / pd.Timedelta(days=1)


def run(days, first=250, last=290):
    return np.where((days >= first) & (days <= last), 0.9, 0.05)


def test_a_planted_run_has_its_edges_within_a_revisit(planted):
    days = np.arange(200.0, 340, 5)
    event = check_events(ploughing(planted(run(days), days, band="bare"))).squeeze()
    assert day(event["start_date"]) == 245
    assert day(event["end_date"]) == 295
    assert day(event["main_date"]) == 250
    assert 245 < day(event["bare_from_date"]) < 250
    assert 290 < day(event["bare_to_date"]) < 295
    # Between 0.05 and 0.9 the level 0.6 lies at 55/85 of the five days, 0.4 at 50/85 downwards.
    assert day(event["bare_from_date"]) == pytest.approx(245 + 5 * 0.55 / 0.85, abs=1e-3)
    assert day(event["bare_to_date"]) == pytest.approx(290 + 5 * 0.50 / 0.85, abs=1e-3)
    assert event["magnitude"] == pytest.approx(0.85)
    assert not event["open"]


def test_a_series_that_ends_bare_is_open(planted):
    days = np.arange(200.0, 285, 5)
    event = ploughing(planted(run(days), days, band="bare")).squeeze()
    assert event["open"]
    assert event["provisional"]
    assert pd.isna(event["end_date"])
    assert pd.isna(event["bare_to_date"])


def test_values_between_the_limits_go_on_with_what_was(planted):
    """0.5 neither begins an event nor ends one."""
    days = np.arange(0.0, 50, 5)
    values = [0.1, 0.5, 0.7, 0.5, 0.8, 0.5, 0.375, 0.5, 0.1, 0.1]
    event = ploughing(planted(values, days, band="bare")).squeeze()
    assert (day(event["start_date"]), day(event["main_date"]), day(event["end_date"])) == (
        0,
        20,
        30,
    )
    assert event["n_events"] == 1


def test_one_bare_date_needs_coherence(planted):
    days = np.arange(0.0, 60, 6)
    values = np.where(days == 30, 0.9, 0.1)
    optical = planted(values, days, band="bare")
    assert ploughing(optical)["n_events"].item() == 0
    for rise, expected in ((0.16, 1), (0.14, 0)):
        coherence = np.where(days >= 30, 0.3 + rise, 0.3)
        pairs = planted(coherence, days, band="VV", product="CARD-COH6", orbit=15, pairs=6)
        events = ploughing(optical, coherence=pairs)
        assert events["n_events"].item() == expected
        assert events["sources"].item() == ["S2", "S1:15"]
    late = planted(
        np.where(days >= 48, 0.6, 0.3), days, band="VV", product="CARD-COH6", orbit=15, pairs=6
    )
    assert ploughing(optical, coherence=late)["n_events"].item() == 0


def loop(values, rule):
    """Walk along one series: (start, main, end) as positions, None for an open end."""
    events, low, current = [], None, None
    for k, value in enumerate(values):
        if current is None:
            if value > rule.up:
                current = [low if low is not None else 0, k, 1, k]
        elif value <= rule.down:
            events.append((*current, k))
            current = None
        else:
            current[2] += value > rule.up
            if value > values[current[1]]:
                current[1] = k
        if value <= rule.down:
            low = k
    if current is not None:
        events.append((*current, None))
    return [(s, m, e) for s, m, number, _, e in events if number >= rule.min_bare_obs]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.integers(0, 8).map(lambda k: k / 8), min_size=9, max_size=9),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 3),
)
def test_all_parcels_equal_a_plain_loop(planted, rows, number):
    rule = PloughingRule(min_bare_obs=number)
    events = ploughing(planted(np.array(rows).T, np.arange(9) * 5.0, band="bare"), rule)
    for parcel, row in enumerate(rows):
        found = events[(events["parcel"] == f"P{parcel}") & (events["n_events"] > 0)]
        got = [
            (day(e.start_date) / 5, day(e.main_date) / 5, None if e.open else day(e.end_date) / 5)
            for e in found.itertuples()
        ]
        assert got == loop(row, rule)


def season(parcels=50, seed=0):
    rng = np.random.default_rng(seed)
    days = np.arange(0.0, 200, 5) + 0.43
    first = rng.uniform(40, 120, parcels)
    bare = (days[:, None] > first) & (days[:, None] < first + 40)
    values = np.clip(np.where(bare, 0.9, 0.08) + rng.normal(0, 0.05, bare.shape), 0, 1)
    return np.where(rng.uniform(size=values.shape) < 0.4, np.nan, values), days


def test_lazy_is_equal_and_order_is_of_no_matter(planted):
    cube = planted(*season(), band="bare")
    events = check_events(ploughing(cube))
    assert (events["n_events"] == 1).mean() > 0.9
    pd.testing.assert_frame_equal(ploughing(cube.chunk(time=9, parcel=13)), events)
    turned = cube.isel(time=slice(None, None, -1), parcel=slice(None, None, -1))
    pd.testing.assert_frame_equal(ploughing(turned), events)


def test_what_came_later_changes_nothing(planted):
    values, days = season()
    when = START + pd.Timedelta(days=100)
    changed = np.where(days[:, None] > 100, 0.33, values)
    before = ploughing(planted(values, days, band="bare"), as_of=when)
    after = ploughing(planted(changed, days, band="bare"), as_of=when)
    pd.testing.assert_frame_equal(before, after)
    early = days <= 100
    cut = ploughing(planted(values[early], days[early], band="bare"))
    columns = [name for name in before if name != "provisional"]
    pd.testing.assert_frame_equal(before[columns], cut[columns])


def test_null_rate_of_fields_that_stay_green(planted):
    """Two of 40 beyond 0.6 in a row need two of 3.1 standard deviations: not one in 100,000."""
    rng = np.random.default_rng(8)
    values = 0.15 + rng.normal(0, 0.145, (40, 100_000)).astype("float32")
    events = ploughing(planted(values, np.arange(40) * 5.0, band="bare"))
    # One parcel has 39 neighbouring pairs, each beyond with probability 0.00097 squared, and
    # pairs with values between the limits in between are rarer than that.
    expected = 39 * 0.00096**2
    assert (events["n_events"] > 0).mean() < expected + 4 * np.sqrt(expected / 100_000) + 5e-5


def test_wrong_rules(planted):
    with pytest.raises(OptionError, match="down < up"):
        PloughingRule(up=0.3)
    with pytest.raises(OptionError, match="default"):
        ploughing(planted([0.1, 0.9, 0.1], [0, 5, 10], band="bare"), "jrc")
    assert dataclasses.asdict(PLOUGHING_PRESETS["default"])["min_bare_obs"] == 2
