"""The threshold marker on planted runs, and against a plain loop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from dask.callbacks import Callback
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.markers import ThresholdRule, check_events, threshold_runs
from cbmcube.testing import vector_cube

START = np.datetime64("2024-03-01", "ns")


def _cube(values, days, **attrs):
    """Make a vector cube of band X, values[time][parcel], NaN where nothing is valid."""
    data = np.asarray(values, dtype="float32")
    times = START + (np.asarray(days, dtype=float) * 86_400e9).astype("timedelta64[ns]")
    return xr.Dataset(
        {
            "X": (("time", "parcel", "statistic"), data[..., None]),
            "observed": (("time", "parcel"), np.ones(data.shape, "float32")),
        },
        coords={
            "time": times,
            "parcel": [f"P{k}" for k in range(data.shape[1])],
            "statistic": ["mean"],
        },
        attrs={"product": "CARD-2A", **attrs},
    )


def _series(values, days):
    return _cube(np.asarray(values, dtype=float)[:, None], days)


def _day(date):
    return (date - pd.Timestamp(START)) / pd.Timedelta(days=1)


def test_edges_are_where_the_line_crosses_the_level():
    events = threshold_runs(
        _series([1, 1, 0, 0.25, 1], [0, 5, 10, 15, 20]), ThresholdRule("X", 0.5)
    )
    event = events.squeeze()
    assert _day(event["start_date"]) == pytest.approx(7.5)
    assert _day(event["main_date"]) == 10
    assert _day(event["end_date"]) == pytest.approx(15 + 5 / 3)
    assert _day(event["before_date"]) == 5
    assert event[["value_start", "value_main", "value_end"]].tolist() == [0.5, 0, 0.5]
    assert event["magnitude"] == 0.5
    assert (event["n_obs"], event["n_obs_window"], event["n_events"]) == (2, 5, 1)
    assert (event["status"], event["open"], event["provisional"]) == ("OK", False, False)
    assert event["sources"] == ["S2"]


def test_an_open_run_has_no_end():
    event = threshold_runs(
        _series([1, 1, 0, 0.2], [0, 5, 10, 15]), ThresholdRule("X", 0.5)
    ).squeeze()
    assert event["open"]
    assert event["provisional"]
    assert event["end_date"] is pd.NaT
    assert event["value_end"] == np.float32(0.2)


def test_a_run_from_the_start_has_nothing_before():
    event = threshold_runs(_series([0, 0.1, 1], [2, 5, 10]), ThresholdRule("X", 0.5)).squeeze()
    assert _day(event["start_date"]) == 2
    assert event["before_date"] is pd.NaT


def test_none_seen_and_could_not_look_are_different_rows():
    nan = np.nan
    values = np.array(
        [
            [1, 1, nan, nan, 1],
            [1, 1, nan, nan, 1],
            [1, nan, 0, nan, 1],
            [1, nan, nan, nan, 1],
            [1, 1, nan, nan, 0],
        ]
    )
    cube = _cube(values, [0, 10, 20, 30, 40])
    cube["observed"][:, 3] = 0
    events = check_events(threshold_runs(cube, ThresholdRule("X", 0.5, max_gap_days=25)))
    found = events.set_index("parcel")
    assert found["status"].tolist() == ["OK", "NOT_VALID", "NOT_VALID", "NOT_EXECUTED", "OK"]
    assert found["reason"].tolist()[1:4] == ["GAP", "TOO_FEW_OBS", "NO_INPUT"]
    assert found["reason"].isna().tolist() == [True, False, False, False, True]
    assert found["n_events"].tolist() == [0, 0, 0, 0, 1]
    assert found["max_gap_days"].tolist() == [10, 30, 20, 40, 10]


def test_gaps_inside_an_event_are_counted():
    rule = ThresholdRule("X", 0.5, max_gap_days=15)
    event = threshold_runs(_series([1, 0, 0, 1], [0, 20, 30, 50]), rule).squeeze()
    # Crossings at 10 and 40; of both gaps of 20 days the inner halves belong to the event.
    assert event["gap_overlap_days"] == pytest.approx(20)
    short = ThresholdRule("X", 0.5, max_gap_days=20)  # a gap is longer than that, not as long
    assert threshold_runs(_series([1, 0, 0, 1], [0, 20, 30, 50]), short)["gap_overlap_days"][0] == 0


def test_the_window_counts_for_gaps_and_observations():
    cube = _series([1, 1, 1, 0], [0, 5, 10, 60])
    rule = ThresholdRule("X", 0.5)
    inside = threshold_runs(cube, rule, window=("2024-03-01", "2024-03-15"))
    assert (inside["status"][0], inside["n_obs_window"][0], inside["n_events"][0]) == ("OK", 3, 0)
    late = threshold_runs(cube, rule, window=("2024-03-01", "2024-04-20")).squeeze()
    assert (late["status"], late["reason"], late["max_gap_days"]) == ("NOT_VALID", "GAP", 40)
    with pytest.raises(OptionError, match="window to look at is empty"):
        threshold_runs(cube, rule, window=("2024-04-01", "2024-03-01"))


def test_short_runs_are_no_event():
    cube = _series([1, 0, 1, 1, 0, 0, 0, 1], [0, 5, 10, 15, 20, 25, 30, 35])
    assert len(threshold_runs(cube, ThresholdRule("X", 0.5))) == 2
    long = threshold_runs(cube, ThresholdRule("X", 0.5, min_days=10)).squeeze()
    assert _day(long["start_date"]) == 17.5
    assert long["n_events"] == 1


def test_mostly_cloudy_observations_are_left_out():
    cube = _series([1, 1, 0, 1, 1], [0, 5, 10, 15, 20])
    cube = cube.assign_coords(band=["X"]).assign(
        n_valid=(("band", "time", "parcel"), np.array([[[9], [9], [4], [9], [9]]], "int32")),
        n_total=(("band", "parcel"), np.array([[9]], "int32")),
    )
    assert threshold_runs(cube, ThresholdRule("X", 0.5))["n_events"][0] == 0
    assert threshold_runs(cube, ThresholdRule("X", 0.5, min_share=0.4))["n_events"][0] == 1


def test_equal_extremes_take_the_earlier():
    event = threshold_runs(_series([1, 0, 0, 0, 1], range(5)), ThresholdRule("X", 0.5)).squeeze()
    assert _day(event["main_date"]) == 1


grid = st.lists(
    st.lists(
        st.one_of(st.just(float("nan")), st.integers(-4, 4).map(float)), min_size=3, max_size=3
    ),
    min_size=1,
    max_size=12,
)


def _plain(values, days, level):
    """Find runs below a level of one parcel, one observation after the other."""
    seen = [(d, v) for d, v in zip(days, values, strict=True) if np.isfinite(v)]
    runs, run = [], None
    for k, (day, value) in enumerate(seen):
        if value < level and run is None:
            start = day
            if k:
                d, v = seen[k - 1]
                start = d + (level - v) / (value - v) * (day - d)
            run = {"start": start, "end": None, "main": day, "low": value, "n": 0}
        if run is not None and value < level:
            run["n"] += 1
            if value < run["low"]:
                run |= {"low": value, "main": day}
        elif run is not None:
            d, v = seen[k - 1]
            runs.append(run | {"end": d + (level - v) / (value - v) * (day - d)})
            run = None
    return runs + ([run] if run else [])


@given(grid, st.sampled_from([-1.0, 0.5, 2.0]))
def test_all_parcels_at_once_equal_a_plain_loop(values, level):
    days = np.cumsum(1 + np.arange(len(values)) % 4)
    rule = ThresholdRule("X", level, min_obs=1)
    events = check_events(threshold_runs(_cube(values, days), rule))
    for parcel in range(3):
        expected = _plain(np.array(values)[:, parcel], days, level)
        found = events[(events["parcel"] == f"P{parcel}") & (events["n_events"] > 0)]
        assert len(found) == len(expected)
        for row, run in zip(found.itertuples(), expected, strict=True):
            assert _day(row.start_date) == pytest.approx(run["start"])
            assert _day(row.main_date) == run["main"]
            assert row.open == (run["end"] is None)
            if run["end"] is not None:
                assert _day(row.end_date) == pytest.approx(run["end"])
            assert (row.n_obs, row.value_main) == (run["n"], run["low"])


@given(grid)
def test_below_of_a_signal_is_above_of_its_mirror(values):
    days = np.arange(len(values))
    below = threshold_runs(_cube(values, days), ThresholdRule("X", 0.5))
    mirrored = -np.asarray(values, dtype=float)
    above = threshold_runs(_cube(mirrored, days), ThresholdRule("X", -0.5, side="above"))
    columns = ["parcel", "start_date", "main_date", "end_date", "magnitude", "status", "n_events"]
    pd.testing.assert_frame_equal(below[columns], above[columns])


@given(grid, st.integers(-50, 50), st.integers(1, 300))
def test_a_constant_and_a_shift_in_time_leave_the_events(values, constant, later):
    days = 3 * np.arange(len(values))
    one = threshold_runs(_cube(values, days), ThresholdRule("X", 0.5))
    raised = _cube(np.asarray(values) + constant, days + later)
    other = threshold_runs(raised, ThresholdRule("X", 0.5 + constant))
    for name in ("start_date", "main_date", "end_date"):
        moved = one[name] + pd.Timedelta(days=later)
        pd.testing.assert_series_equal(other[name], moved)
    assert other["n_obs"].equals(one["n_obs"])


def test_order_of_time_and_parcels_is_of_no_matter():
    stats = vector_cube(parcels=12)
    rule = ThresholdRule("NDVI", 0.4)
    events = threshold_runs(stats, rule)
    rng = np.random.default_rng(0)
    mixed = stats.isel(time=rng.permutation(stats.sizes["time"]), parcel=rng.permutation(12))
    pd.testing.assert_frame_equal(threshold_runs(mixed, rule), events)


def test_planted_seasons_are_found():
    stats = vector_cube(parcels=8)  # crops take turns; wheat is harvested about day 150
    rule = ThresholdRule("NDVI", 0.35, min_days=20)
    events = check_events(threshold_runs(stats, rule))
    wheat = events[events["parcel"].isin(["P0", "P4"]) & events["open"]]
    assert len(wheat) == 2
    assert wheat["start_date"].between("2024-06-20", "2024-07-31").all()
    meadow = events[events["parcel"].isin(["P1", "P5"])]
    assert (meadow["n_events"] == 0).all()


def test_radar_needs_a_single_orbit():
    stats = vector_cube("CARD-COH6")
    rule = ThresholdRule("VV", 0.45, side="above", marker="coherence jump")
    with pytest.raises(OptionError, match="15 ascending 6; 139 descending 6"):
        threshold_runs(stats, rule)
    one = stats.isel(time=stats["relative_orbit"].values == 15)
    events = check_events(threshold_runs(one, rule))
    assert events["sources"][0] == ["S1:15"]
    assert (events.loc[events["parcel"] == "P1", "n_events"] == 3).all()  # three cuts


def test_rules_are_identified_by_their_fields():
    rule = ThresholdRule("NDVI", 0.3)
    assert rule.params_id == "76f5b34c20b25eda"  # frozen: stored tables refer to it
    others = [
        ThresholdRule("NDVI", 0.31),
        ThresholdRule("NDVI", 0.3, side="above"),
        ThresholdRule("NDVI", 0.3, min_days=1),
    ]
    assert len({rule.params_id, *(other.params_id for other in others)}) == 4
    table = threshold_runs(vector_cube(), rule)
    assert set(table["params_id"]) == {rule.params_id}


def test_wrong_rules_are_refused():
    with pytest.raises(OptionError, match="'under'"):
        ThresholdRule("NDVI", 0.3, side="under")
    with pytest.raises(OptionError, match="nan"):
        ThresholdRule("NDVI", float("nan"))
    with pytest.raises(UnknownBandError, match="EVI"):
        threshold_runs(vector_cube(), ThresholdRule("EVI", 0.3))
    with pytest.raises(OptionError, match="window"):
        threshold_runs(vector_cube().isel(time=[]), ThresholdRule("NDVI", 0.3))


def test_a_lazy_cube_is_computed_once():
    rule = ThresholdRule("NDVI", 0.4)
    runs = []
    with Callback(start=runs.append):
        events = threshold_runs(vector_cube(lazy=True), rule)
    assert len(runs) == 1
    pd.testing.assert_frame_equal(events, threshold_runs(vector_cube(), rule))
