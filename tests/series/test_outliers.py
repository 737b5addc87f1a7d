"""What is flagged is what the rules say, and a meadow that was mown is not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError
from cbmcube.series import Outlier, OutlierRule, outliers
from cbmcube.testing import vector_cube

START = np.datetime64("2024-03-01T10:30", "ns")


def cube(days, values):
    values = np.asarray(values, dtype="float32").reshape(len(days), 1)
    moments = START + (np.asarray(days, float) * 86_400e9).astype("timedelta64[ns]")
    return xr.Dataset(
        {"NDVI": (("time", "parcel", "statistic"), values[..., None])},
        coords={"time": moments, "parcel": range(values.shape[1]), "statistic": ["mean"]},
    )


def flags(days, values, **rule):
    return outliers(cube(days, values), "NDVI", OutlierRule(**rule))[:, 0].to_numpy().tolist()


DAYS = np.arange(0, 60, 5)


def test_a_cloud_of_one_date_is_a_dip():
    values = np.full(12, 0.8)
    values[6] = 0.5
    expected = [8, *[0] * 10, 8]
    expected[6] = Outlier.DIP
    assert flags(DAYS, values) == expected


def test_a_mown_meadow_is_none():
    values = np.where(DAYS < 30, 0.8, 0.45 + 0.008 * (DAYS - 30))
    assert max(flags(DAYS, values)[1:-1]) == 0


@given(
    st.lists(st.integers(1, 15), min_size=4, max_size=14),
    st.floats(0.15, 0.6),
    st.floats(0.002, 0.02),
    st.integers(0, 60),
)
def test_no_cut_is_flagged_whenever_it_is_seen(steps, drop, recovery, cut):
    """Any depth, any recovery of a meadow, any days between looks."""
    days = np.cumsum([0, *steps])
    after = np.minimum(0.85, 0.85 - drop + recovery * (days - cut))
    values = np.where(days < cut, 0.85, after)
    assert max(flags(days, values)[1:-1]) == 0


def test_a_date_that_is_too_high_is_a_spike_if_it_is_back_soon():
    values = np.full(12, 0.4)
    values[6] = 0.65
    assert flags(DAYS, values)[6] == Outlier.SPIKE
    assert flags(DAYS * 2.2, values)[6] == 0


@pytest.mark.parametrize(
    ("change", "flagged"),
    [
        ({}, True),
        ({"depth": 0.149}, False),
        ({"depth": 0.151}, True),
        ({"apart": 15.0, "depth": 0.8}, True),
        ({"apart": 15.1, "depth": 0.8}, False),
        ({"apart": 7.0, "depth": 0.349}, False),
        ({"apart": 7.0, "depth": 0.351}, True),
        ({"back": 0.23}, False),
        ({"back": 0.25}, True),
    ],
)
def test_the_limits_of_a_dip(change, flagged):
    """The line is at 0.8; it rebounds within `apart` days to `back` above the dip."""
    apart, depth = change.get("apart", 3.0), change.get("depth", 0.3)
    dip = 0.8 - depth
    after = dip + change["back"] if "back" in change else 0.8
    before = 0.8 * 2 - after  # so that the line is at 0.8 in the middle
    found = flags([0, apart, 2 * apart], [before, dip, after])
    assert (found[1] == Outlier.DIP) == flagged


def test_the_range_is_said_of_every_observation():
    assert flags([0, 5, 10], [0.05, 0.5, 1.2], low=0.1, high=1.0) == [9, 0, 9]


def test_no_observation_is_no_outlier():
    assert flags([0, 5, 10, 15], [0.8, np.nan, 0.3, 0.8]) == [8, 0, Outlier.DIP, 8]
    assert flags([0, 5], [np.nan, np.nan]) == [0, 0]
    assert outliers(cube([], np.zeros((0, 1))), "NDVI").shape == (0, 1)


series = st.lists(
    st.tuples(st.integers(0, 60), st.none() | st.integers(0, 20)),
    min_size=1, max_size=15, unique_by=lambda pair: pair[0],
)  # fmt: skip


def plain(days, values, rule):
    """Walk over a series as the rules are written."""
    seen = [(d, v) for d, v in zip(days, values, strict=True) if not np.isnan(v)]
    told = {d: 8 for d, _ in (seen[:1] + seen[-1:])}
    for (s, u), (t, v), (w, x) in zip(seen, seen[1:], seen[2:], strict=False):
        if t - s > rule.neighbour_days or w - t > rule.neighbour_days:
            continue
        line = u + (x - u) * (t - s) / (w - s)
        told[t] = 0
        if line - v >= rule.dip and x - v >= rule.back * (line - v) and (x - v) / (w - t) >= 0.05:
            told[t] |= 2
        high = v - line
        back = min(v - x, v - u) >= rule.back * high
        if high >= rule.spike and back and w - t <= rule.spike_days:
            told[t] |= 4
    return [told.get(d, 0) for d in days]


@given(series, st.integers(0, 500), st.randoms())
def test_any_series_equals_the_plain_walk_in_any_order_and_at_any_time(pairs, shift, dice):
    pairs = sorted(pairs)
    days = [day for day, _ in pairs]
    # Off the limits of the rules, where rounding would decide.
    values = np.array([np.nan if v is None else v / 20 + 0.0037 * d for d, v in pairs], "float32")
    expected = plain(days, values.astype(float), OutlierRule())
    assert flags(days, values) == expected
    order = list(range(len(days)))
    dice.shuffle(order)
    later = flags([days[k] + shift for k in order], values[order])
    assert later == [expected[k] for k in order]


def test_lazy_and_blocks_of_parcels_give_the_same(nothing_computes, monkeypatch):
    whole = outliers(vector_cube(parcels=6), "NDVI")
    monkeypatch.setattr("cbmcube.series._blocks._TASK", 200)
    xr.testing.assert_identical(outliers(vector_cube(parcels=6), "NDVI"), whole)
    with nothing_computes:
        lazy = outliers(vector_cube(parcels=6, lazy=True), "NDVI")
    assert len(lazy.chunks[1]) > 1
    xr.testing.assert_identical(lazy.compute(), whole)
    assert whole.dtype == "uint8"


def test_what_a_day_did_not_know_changes_nothing():
    whole = vector_cube()
    later = whole["time"].to_numpy() > np.datetime64("2024-06-01")
    cut = outliers(whole.isel(time=~later), "NDVI")
    xr.testing.assert_identical(outliers(whole, "NDVI", as_of="2024-06-01"), cut)


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(OptionError, match="range"):
        OutlierRule(low=1, high=0)
    with pytest.raises(OptionError, match="positive"):
        OutlierRule(dip=0)
