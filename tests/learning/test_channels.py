"""Filled series against numpy.interp, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cbmcube.exceptions import DuplicateIdError, OptionError
from cbmcube.learning._channels import interpolate, make_channels
from cbmcube.series import composite
from cbmcube.testing import vector_cube

NUMBERS = st.one_of(st.floats(-5, 5, width=32), st.just(float("nan")))


def channels(stats, **options):
    usual = {
        "bands": None, "period": "10D", "window": None, "as_of": None, "ratio": True, "fill": True
    }  # fmt: skip
    return make_channels(stats, **{**usual, **options})


@given(arrays("float32", st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=NUMBERS))
def test_filling_is_numpys(values):
    days = np.cumsum(np.tile([10.0, 11.0, 8.0], 3))[: values.shape[1]]
    filled = interpolate(values, days)
    for row, found in zip(values, filled, strict=True):
        seen = np.isfinite(row)
        if not seen.any():
            assert np.isnan(found).all()
            continue
        expected = np.interp(days, days[seen], row[seen].astype(float))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(found[seen], row[seen])


def test_filling_twice_changes_nothing_and_the_input_stays():
    values = np.array([[np.nan, 1, np.nan, 4]], dtype="float32")
    days = np.array([0.0, 10, 20, 31])
    filled = interpolate(values, days)
    assert np.isnan(values[0, 0])
    np.testing.assert_array_equal(interpolate(filled, days), filled)


def test_blocks_of_parcels_change_nothing(monkeypatch):
    values = np.random.default_rng(0).normal(size=(50, 7)).astype("float32")
    values[values > 0.5] = np.nan
    days = np.arange(7.0)
    whole = interpolate(values, days)
    monkeypatch.setattr("cbmcube.learning._channels._TASK", 20)
    np.testing.assert_array_equal(interpolate(values, days), whole)


def test_radar_comes_in_decibels_of_linear_means():
    stats = vector_cube("CARD-BS", days=40)
    found = channels(stats)
    assert [(c.name, c.orbit) for c in found.each] == [
        ("VV_dB", "_R015"), ("VH_dB", "_R015"), ("VH_VV_dB", "_R015"),
        ("VV_dB", "_R139"), ("VH_dB", "_R139"), ("VH_VV_dB", "_R139"),
    ]  # fmt: skip
    means = composite(stats, "10D")
    one = means.isel(time=means["relative_orbit"].values == 139)
    power = {band: one[band].sel(statistic="mean").values.T for band in ("VV", "VH")}
    seen = np.isfinite(power["VH"])
    vh, ratio = found.each[4].values, found.each[5].values
    np.testing.assert_allclose(vh[seen], 10 * np.log10(power["VH"][seen]), rtol=1e-6)
    expected = 10 * np.log10(power["VH"] / power["VV"])
    np.testing.assert_allclose(ratio[seen], expected[seen], atol=1e-5)
    np.testing.assert_array_equal(found.each[4].seen, one["n_obs"].sel(band="VH").values.T)


def test_power_that_is_not_positive_is_missing_not_an_error():
    stats = vector_cube("CARD-BS", days=20)
    stats["VV"][:, 0] = 0.0
    found = channels(stats, bands="VV", fill=False)
    assert np.isnan(found.each[0].values[0]).all()
    assert np.isfinite(found.each[0].values[1]).any()


def test_coherence_stays_linear_and_without_ratio():
    found = channels(vector_cube("CARD-COH6", days=30))
    assert {c.name for c in found.each} == {"VV", "VH"}
    assert {c.orbit for c in found.each} == {"_R015_6d", "_R139_6d"}


@pytest.mark.parametrize("period", ["5D", "7D", "7D-iso", "10D"])
def test_the_window_fixes_the_calendar(period):
    """Columns are those of the window, whatever a cube happens to have seen."""
    window = ("2024-02-10", "2024-10-20")
    early = channels(vector_cube(days=60), period=period, window=window)
    late = channels(vector_cube(days=200), period=period, window=window)
    np.testing.assert_array_equal(early.start, late.start)
    assert early.start[0] <= np.datetime64("2024-02-10") < early.start[1]
    assert early.start[-1] <= np.datetime64("2024-10-20")
    if period in ("5D", "7D"):
        assert early.start[0] == np.datetime64("2024-02-10")


def test_several_platforms_of_one_orbit_are_pooled_but_states_are_not():
    stats = vector_cube("CARD-BS", days=30)
    state = stats["orbit_state"].values.copy()
    state[::2] = "ascending"
    state[1::2] = "descending"
    turned = stats.assign_coords(
        orbit_state=("time", state), relative_orbit=("time", np.full(len(state), 15))
    )
    with pytest.raises(OptionError, match="_R015"):
        channels(turned)


def test_repeated_parcels_are_refused():
    with pytest.raises(DuplicateIdError, match="P0"):
        channels(vector_cube(days=10).isel(parcel=[0, 0]))
