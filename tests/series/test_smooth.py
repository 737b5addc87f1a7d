"""Smooth series against dense equations, known gains and the symmetries that define them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.series import composite, smooth
from cbmcube.series._daily import Daily
from cbmcube.series._smooth import _butterworth, _savitzky_golay
from cbmcube.series._whittaker import whittaker
from cbmcube.testing import vector_cube

METHODS = {
    "linear": Daily.linear,
    "whittaker": lambda daily: whittaker(daily, 500.0),
    "savitzky_golay": _savitzky_golay,
    "butterworth": _butterworth,
}
every_method = pytest.mark.parametrize("method", METHODS)


def column(values):
    return np.array(values, dtype=float)[:, None]


def daily(values, max_days=30.0):
    return Daily.of(np.asarray(values, dtype=float), max_days)


series = st.lists(
    st.lists(st.none() | st.floats(-5, 5, width=32), min_size=3, max_size=3),
    min_size=1,
    max_size=40,
).map(lambda rows: np.array([[np.nan if v is None else v for v in row] for row in rows]))


def dense(values, inside, penalty):
    """Solve the equations of one parcel as they are written."""
    days = len(values)
    seen = np.isfinite(values)
    differences = np.zeros((max(days - 2, 0), days))
    for k in range(days - 2):
        if inside[k : k + 3].all():
            differences[k, k : k + 3] = 1, -2, 1
    matrix = np.diag(np.where(inside, seen, 1.0)) + penalty * differences.T @ differences
    return np.where(inside, np.linalg.solve(matrix, np.where(seen, values, 0.0)), np.nan)


@given(series, st.sampled_from([1.0, 500.0]), st.sampled_from([1.0, 5.0, 30.0]))
def test_whittaker_solves_the_equations_of_each_stretch(values, penalty, max_days):
    found = daily(values, max_days)
    for parcel in range(3):
        expected = dense(values[:, parcel], found.inside[:, parcel], penalty)
        np.testing.assert_allclose(whittaker(found, penalty)[:, parcel], expected, atol=1e-7)


@given(series, st.sampled_from([2.0, 30.0]))
def test_lines_join_neighbouring_observations(values, max_days):
    found = daily(values, max_days)
    lines, apart = found.linear(), found.distance()
    for parcel in range(3):
        days = np.flatnonzero(np.isfinite(values[:, parcel]))
        for day in range(len(values)):
            around = days[days <= day][-1:].tolist() + days[days >= day][:1].tolist()
            if len(around) < 2 or around[1] - around[0] > max_days:
                assert np.isnan(lines[day, parcel])
                assert np.isnan(apart[day, parcel])
                continue
            expected = np.interp(day, days, values[days, parcel])
            np.testing.assert_allclose(lines[day, parcel], expected, atol=1e-12)
            assert apart[day, parcel] == min(day - around[0], around[1] - day)


@given(series)
def test_lines_of_lines_are_the_same(values):
    once = daily(values).linear()
    np.testing.assert_array_equal(daily(once).linear(), once)


@pytest.mark.parametrize(("period", "penalty"), [(20, 104), (30, 524), (60, 8331)])
def test_whittaker_halves_waves_as_the_formula_says(period, penalty):
    day = np.arange(20 * period)
    wave = np.sin(2 * np.pi * day / period)
    middle = slice(9 * period, 11 * period)
    height = np.ptp(whittaker(daily(column(wave)), penalty)[middle]) / np.ptp(wave[middle])
    assert height == pytest.approx(1 / (1 + penalty * (2 * np.sin(np.pi / period)) ** 4), rel=1e-6)
    assert height == pytest.approx(0.5, abs=2e-3)


@every_method
def test_constants_and_lines_stay(method):
    line = 0.3 + 0.004 * np.arange(120)
    some = np.where(np.arange(120) % 5 == 0, line, np.nan)[:116]
    found = METHODS[method](daily(column(some)))[:, 0]
    # How a filter of order 13 begins shows in all of a short series.
    np.testing.assert_allclose(found, line[:116], atol=1e-10 if method != "butterworth" else 2e-3)
    flat = METHODS[method](daily(column(np.where(np.isfinite(some), 0.37, np.nan))))
    np.testing.assert_allclose(flat, 0.37, atol=1e-12)


def test_savitzky_golay_keeps_parabolas():
    day = np.arange(90.0)
    parabola = 0.2 + 0.01 * day - 1e-4 * day**2
    np.testing.assert_allclose(_savitzky_golay(daily(column(parabola)))[:, 0], parabola, atol=1e-12)


def test_butterworth_rings_at_a_step_as_it_must():
    step = np.where(np.arange(400) < 200, 0.0, 1.0)
    found = _butterworth(daily(column(step)))[:, 0]
    assert found.max() - 1 == pytest.approx(0.086, abs=2e-3)
    assert -found.min() == pytest.approx(0.086, abs=2e-3)
    rising = found[190:210]
    assert ((rising > 0.1) & (rising < 0.9)).sum() == 8


DAY = np.arange(366)


def mown(drop, recovery, *, day=100, level=0.85):
    """NDVI of a meadow that is mown on a day and recovers by so much each day."""
    after = np.minimum(level, level - drop + recovery * (DAY - day))
    return np.where(day > DAY, level, after)


def test_butterworth_shows_a_drop_late_and_less_deep():
    """Drop of 0.40 on day 100 to 0.45: published for the filter with this order and cut-off."""
    found = _butterworth(daily(column(mown(0.40, 0.01))))[:, 0]
    lowest = 60 + found[60:160].argmin()
    assert lowest == 107
    assert found[lowest] == pytest.approx(0.495, abs=5e-4)
    assert 60 + found[60:lowest].argmax() == 89


def test_a_filter_that_is_run_again_each_day_finds_the_minimum_and_keeps_it():
    """First seen 10 to 15 days after the drop, and never far from where it stays."""
    whole = column(mown(0.40, 0.01))
    seen = {}
    for day in range(101, 200):
        now = _butterworth(daily(whole[: day + 1]))[:, 0]
        low = [d for d in range(90, day) if now[d - 1] > now[d] < now[d + 1] and now[d] < 0.7]
        if low:
            seen[day] = low
    assert 110 <= min(seen) <= 115
    assert [*seen] == [*range(min(seen), 200)]
    assert {d for low in seen.values() for d in low} <= {106, 107, 108}
    assert {d for day, low in seen.items() if day >= 125 for d in low} == {107}


@pytest.mark.parametrize(
    ("apart", "lost", "median", "missed"),
    [(5, 0.0, (7, 9), 0.01), (5, 0.5, (7, 10), 0.05), (10, 0.5, (9, 13), 0.25)],
)
def test_smoothed_minima_are_late(apart, lost, median, missed):
    """Drop of 0.35, 0.008 a day, noise 0.01; some events disappear with the observations lost."""
    rng = np.random.default_rng(0)
    values = np.full((366, 400), np.nan)
    for parcel, column_ in enumerate(values.T):
        days = np.arange(rng.integers(apart), 366, apart)
        days = days[rng.random(len(days)) >= lost]
        column_[days] = mown(0.35, 0.008)[days] + rng.normal(0, 0.01, len(days))
        assert np.isfinite(values[:, parcel]).any()
    found = _butterworth(daily(values, 366.0))[80:160]
    late = 80 + np.nanargmin(found, axis=0) - 100
    assert median[0] <= np.median(late) <= median[1]
    assert (np.nanmin(found, axis=0) > 0.7).mean() <= missed


@every_method
def test_a_flat_series_of_few_days_stays_flat(method):
    values = np.full((60, 1), np.nan)
    values[[0, 4, 11, 30, 31, 59], 0] = 0.123456789
    found = METHODS[method](daily(values))
    np.testing.assert_allclose(found, 0.123456789, rtol=0, atol=1e-12)


def test_lines_mirror_exactly():
    rng = np.random.default_rng(1)
    values = np.where(rng.random((200, 5)) < 0.3, rng.normal(size=(200, 5)), np.nan)
    there, back = daily(values), daily(values[::-1])
    np.testing.assert_allclose(back.linear()[::-1], there.linear(), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(back.distance()[::-1], there.distance())


def test_several_looks_on_a_day_count_by_their_pixels():
    """Mean of the pixels of both, as a composite of one day gives it."""
    stats = vector_cube("CARD-2A", parcels=5, days=40)
    shift = np.where(np.arange(stats.sizes["time"]) % 3 == 1, 3, 0).astype("timedelta64[D]")
    stats = stats.assign_coords(time=stats["time"].dt.floor("D") - shift)
    assert stats.indexes["time"].has_duplicates
    found = smooth(stats, ["NDVI", "B08"], method="linear")
    expected = composite(stats, "1D")
    for band in ("NDVI", "B08"):
        means = expected[band].sel(statistic="mean").values
        known = np.isfinite(means)
        inside = known & np.isfinite(found[band].values)
        assert inside.sum() == known.sum()
        np.testing.assert_array_equal(found[band].values[inside], means[inside])
    bare = stats[["NDVI"]].sel(statistic=["mean"])
    plain = smooth(bare, method="linear")["NDVI"]
    frame = bare["NDVI"].isel(statistic=0).groupby("time").mean().values
    at = np.isin(plain["time"].values, np.unique(stats["time"].values))
    seen = np.isfinite(frame)
    np.testing.assert_allclose(plain.values[at][seen], frame[seen], rtol=1e-6)


@pytest.mark.parametrize("method", ["whittaker", "savitzky_golay", "butterworth"])
def test_time_has_no_direction(method):
    rng = np.random.default_rng(3)
    values = np.where(rng.random((3000, 4)) < 0.3, rng.normal(size=(3000, 4)), np.nan)
    values[[0, -1]] = 0.5
    there, back = (METHODS[method](daily(v)) for v in (values, values[::-1]))
    middle = slice(1200, -1200)
    np.testing.assert_allclose(back[::-1][middle], there[middle], atol=1e-9)


@every_method
def test_sides_of_a_gap_know_nothing_of_each_other(method):
    rng = np.random.default_rng(5)
    values = np.full((200, 2), np.nan)
    values[:80:4] = rng.normal(size=(20, 2))
    values[120::4] = rng.normal(size=(20, 2))
    found = METHODS[method](daily(values))
    assert np.isnan(found[77:120]).all()
    np.testing.assert_array_equal(found[:77], METHODS[method](daily(values[:77])))
    np.testing.assert_array_equal(found[120:], METHODS[method](daily(values[120:])))


@pytest.mark.parametrize(("method", "least"), [("savitzky_golay", 31), ("butterworth", 43)])
def test_too_few_days_are_left_empty(method, least):
    values = column(np.linspace(0, 1, least))
    assert np.isfinite(METHODS[method](daily(values))).all()
    assert np.isnan(METHODS[method](daily(values[:-1]))).all()


def test_few_observations_are_what_they_are():
    values = np.full((9, 3), np.nan)
    values[4, 1] = 0.5
    values[[2, 6], 2] = 0.0, 1.0
    for method in ("linear", "whittaker"):
        found = METHODS[method](daily(values))
        assert np.isnan(found[:, 0]).all()
        assert np.flatnonzero(np.isfinite(found[:, 1])).tolist() == [4]
        np.testing.assert_allclose(found[2:7, 2], [0, 0.25, 0.5, 0.75, 1], atol=1e-9)


@every_method
def test_lazy_gives_the_same_whatever_the_chunks(method, nothing_computes, monkeypatch):
    whole = smooth(vector_cube(parcels=8, days=120), ["NDVI", "B08"], method=method)
    assert whole["NDVI"].dtype == "float32"
    monkeypatch.setattr("cbmcube.series._blocks._TASK", 2 * 120 * 3)
    with nothing_computes:
        lazy = smooth(vector_cube(parcels=8, days=120, lazy=True), ["NDVI", "B08"], method=method)
    assert len(lazy["NDVI"].chunks[1]) > 1
    xr.testing.assert_identical(lazy.compute(), whole)


@every_method
def test_what_a_day_did_not_know_changes_no_bit(method):
    whole = vector_cube("CARD-2A", days=150)
    later = whole["time"].to_numpy() > np.datetime64("2024-06-01")
    changed = whole.copy(deep=True)
    changed["NDVI"][later] = 0.9
    cut = smooth(whole.isel(time=~later), "NDVI", method=method)
    for some in (whole, changed):
        found = smooth(some, "NDVI", method=method, as_of="2024-06-01")
        xr.testing.assert_identical(found, cut)


def test_days_and_distances_are_those_of_the_observations():
    stats = vector_cube("CARD-2A", parcels=2, days=60)
    found = smooth(stats, "NDVI", method="linear")
    seen = stats["NDVI"].sel(statistic="mean").isel(parcel=1).dropna("time")
    days = seen["time"].dt.floor("D")
    here = found.isel(parcel=1)
    assert (here["dist_days"].sel(band="NDVI", time=days) == 0).all()
    one_a_day = ~days.to_index().duplicated(keep=False)
    np.testing.assert_allclose(here["NDVI"].sel(time=days)[one_a_day], seen[one_a_day], rtol=1e-6)


def test_what_cannot_be_meant_is_refused():
    stats = vector_cube("CARD-2A", days=30)
    with pytest.raises(OptionError, match="method"):
        smooth(stats, method="spline")
    with pytest.raises(OptionError, match="penalty"):
        smooth(stats, penalty=0)
    with pytest.raises(UnknownBandError):
        smooth(stats, "B99")
    with pytest.raises(OptionError, match="single relative orbit"):
        smooth(vector_cube("CARD-BS", days=30))
