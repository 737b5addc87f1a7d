"""Agreement of two sources against identities, and numpy for the numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dask.callbacks import Callback
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.agreement import Agreement, compare
from cbmcube.agreement._metrics import intervals, metrics
from cbmcube.exceptions import NoOverlapError, OptionError, UnknownBandError
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def ours():
    return vector_cube("CARD-2A", parcels=8)


def _pairs(a, b, band="NDVI"):
    first = a[band].sel(statistic="mean").values.ravel().astype("float64")
    second = b[band].sel(statistic="mean").values.ravel().astype("float64")
    both = np.isfinite(first) & np.isfinite(second)
    return first[both], second[both]


def test_a_source_agrees_with_itself(ours):
    result = compare(ours, ours, variable="NDVI")
    assert (result.bias, result.rmse, result.ubrmse, result.mae) == (0, 0, 0, 0)
    assert result.slope == pytest.approx(1)
    assert result.orthogonal_slope == pytest.approx(1)
    assert result.r == pytest.approx(1)
    assert result.availability == 1
    assert result.limits == (0, 0)
    assert result.n == int(np.isfinite(ours["NDVI"].sel(statistic="mean")).sum())


def test_a_shift_is_bias_alone(ours):
    result = compare(ours, ours.assign(NDVI=ours["NDVI"] + 0.25), variable="NDVI")
    assert result.bias == pytest.approx(0.25, abs=1e-7)
    assert result.rmse == pytest.approx(0.25, abs=1e-7)
    assert result.ubrmse == pytest.approx(0, abs=1e-7)
    assert result.intercept == pytest.approx(0.25, abs=1e-6)
    assert result.proportional_slope == pytest.approx(0, abs=1e-6)


def test_a_factor_is_a_proportional_error(ours):
    result = compare(ours, ours.assign(NDVI=ours["NDVI"] * 1.1), variable="NDVI")
    assert result.slope == pytest.approx(1.1, rel=1e-5)
    assert result.orthogonal_slope == pytest.approx(1.1, rel=1e-5)
    # d = 0.1 a and the average is 1.05 a
    assert result.proportional_slope == pytest.approx(0.1 / 1.05, rel=1e-5)


def test_swapping_flips_the_bias_and_keeps_the_rest(ours):
    other = vector_cube("CARD-2A", parcels=8, seed=5)
    forth, back = (
        compare(ours, other, variable="NDVI"),
        compare(other, ours, variable="NDVI"),
    )
    assert forth.bias == pytest.approx(-back.bias)
    assert forth.rmse == pytest.approx(back.rmse)
    assert forth.r == pytest.approx(back.r)
    assert forth.orthogonal_slope == pytest.approx(1 / back.orthogonal_slope)
    assert forth.limits == pytest.approx((-back.limits[1], -back.limits[0]))


def test_numbers_against_numpy(ours):
    other = vector_cube("CARD-2A", parcels=8, seed=5)
    result = compare(ours, other, variable="NDVI")
    a, b = _pairs(ours, other)
    d = b - a
    assert result.n == len(a)
    assert result.bias == pytest.approx(d.mean())
    assert result.mae == pytest.approx(np.abs(d).mean())
    assert result.rmse**2 == pytest.approx(np.mean(d**2))
    assert result.ubrmse == pytest.approx(np.sqrt(result.rmse**2 - result.bias**2))
    assert result.r == pytest.approx(np.corrcoef(a, b)[0, 1])
    slope, intercept = np.polyfit(a, b, 1)
    assert (result.slope, result.intercept) == pytest.approx((slope, intercept))
    spread = np.std(d, ddof=1)
    assert result.limits == pytest.approx((d.mean() - 1.96 * spread, d.mean() + 1.96 * spread))


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=4, max_size=30, unique=True)
)
def test_the_orthogonal_slope_is_the_direction_of_most_variance(points):
    a, b = np.array(points).T
    values, vectors = np.linalg.eigh(np.cov(a, b))
    if np.ptp(a) == 0 or values[1] - values[0] < 1e-3 or abs(vectors[0, 1]) < 1e-2:
        return
    slope = metrics(a, b).orthogonal_slope
    assert slope == pytest.approx(vectors[1, 1] / vectors[0, 1], rel=1e-5, abs=1e-5)


def test_backscatter_is_compared_in_db():
    a = vector_cube("CARD-BS")
    b = a.assign(VV=a["VV"] * 10)
    result = compare(a, b, variable="VV")
    assert result.units == "dB"
    assert result.bias == pytest.approx(10, abs=1e-5)
    assert compare(a, b, variable="VV", statistic="std").units == "1"
    counts = compare(a, a, variable="VV", statistic="count")
    assert (counts.units, counts.bias) == ("pixels", 0)


def test_what_is_not_positive_has_no_db():
    a = vector_cube("CARD-BS", days=30)
    values = a["VV"].copy()
    values[0, 0, 1] = -0.01
    result = compare(a, a.assign(VV=values), variable="VV")
    assert result.n == a.sizes["time"] * a.sizes["parcel"] - 1 - 1  # one more was not seen
    assert result.matched["only_a"].tolist()[0] == 1


def test_three_missing_acquisitions_are_listed(ours):
    gone = [1, 20, 50]
    theirs = ours.isel(time=np.setdiff1d(np.arange(ours.sizes["time"]), gone))
    result = compare(ours, theirs, variable="NDVI")
    assert result.only_a["acquisition"].tolist() == ours["acquisition"].values[gone].tolist()
    assert len(result.only_b) == 0
    total = ours.sizes["time"]
    assert result.availability == pytest.approx((total - 3) / total)
    assert len(compare(theirs, ours, variable="NDVI").only_b) == 3


def test_acquisitions_are_matched_within_the_tolerance(ours):
    late = ours.assign_coords(time=ours["time"] + np.timedelta64(11, "m"))
    assert len(compare(ours, late, variable="NDVI").matched) == ours.sizes["time"]
    none = compare(ours, late, variable="NDVI", tolerance="10min")
    assert len(none.matched) == 0
    assert none.availability == 0
    assert (none.n, np.isnan(none.bias), np.isnan(none.intervals["bias"][0])) == (0, True, True)
    exact = compare(ours, ours, variable="NDVI", tolerance="0s")
    assert len(exact.matched) == ours.sizes["time"]


def test_the_nearest_partner_wins_and_no_acquisition_has_two(ours):
    one = ours.isel(time=[4])
    shifted = [
        one.assign_coords(time=one["time"] + np.timedelta64(hours, "h")) for hours in (-5, 2, 7)
    ]
    three = ours.isel(time=[4, 4, 4]).assign_coords(
        time=np.concatenate([cube["time"].values for cube in shifted])
    )
    result = compare(one, three, variable="NDVI")
    assert result.matched["time_b"].item() == shifted[1]["time"].values[0]
    assert len(result.only_b) == 2


def test_other_orbits_and_platforms_are_other_acquisitions(ours):
    other = ours.assign_coords(relative_orbit=ours["relative_orbit"] + 1)
    assert len(compare(ours, other, variable="NDVI").matched) == 0
    assert len(compare(ours, other, variable="NDVI", same=()).matched) == ours.sizes["time"]
    unnamed = other.drop_vars(["relative_orbit", "platform"])
    assert len(compare(ours, unnamed, variable="NDVI").matched) == ours.sizes["time"]


def test_parcels_are_matched_by_id_in_any_order(ours):
    theirs = ours.isel(parcel=[5, 0, 3])
    result = compare(ours, theirs, variable="NDVI")
    assert result.rmse == 0
    assert result.parcels == 3
    assert result.parcels_only_a == ("P1", "P2", "P4", "P6", "P7")
    assert compare(theirs, ours, variable="NDVI").parcels_only_b == result.parcels_only_a
    with pytest.raises(NoOverlapError, match="no parcel in common"):
        compare(ours, vector_cube(parcels=["x"]), variable="NDVI")


def test_each_matched_acquisition_has_its_numbers(ours):
    other = vector_cube("CARD-2A", parcels=8, seed=5)
    result = compare(ours, other, variable="NDVI")
    second, first = (cube["NDVI"].sel(statistic="mean").values for cube in (other, ours))
    d = second.astype("float64") - first.astype("float64")
    expected = pd.DataFrame({"n": np.isfinite(d).sum(axis=1)})
    assert result.matched["n"].tolist() == expected["n"].tolist()
    row = int(np.argmax(expected["n"]))
    assert result.matched["bias"][row] == pytest.approx(np.nanmean(d[row]), abs=1e-7)
    assert result.matched["rmse"][row] == pytest.approx(np.sqrt(np.nanmean(d[row] ** 2)), abs=1e-7)
    assert result.matched["bias"].isna().equals(result.matched["n"] == 0)
    assert result.dates == (expected["n"] > 0).sum()


def test_intervals_are_those_of_resampled_dates():
    rng = np.random.default_rng(1)
    date = np.repeat(np.arange(12), rng.integers(1, 9, 12))
    d = rng.normal(0, 1, 12)[date] + rng.normal(0, 0.1, len(date))
    found = intervals(d, date, draws=4000, seed=0, level=0.95)
    groups = [d[date == k] for k in range(12)]
    draws = [np.concatenate([groups[k] for k in rng.integers(0, 12, 12)]) for _ in range(4000)]
    oracle = {
        "bias": [x.mean() for x in draws],
        "rmse": [np.sqrt(np.mean(x**2)) for x in draws],
        "lower": [x.mean() - 1.96 * x.std(ddof=1) for x in draws],
        "upper": [x.mean() + 1.96 * x.std(ddof=1) for x in draws],
    }
    for name, values in oracle.items():
        # Both are random: the ends of 4000 draws scatter by a few hundredths.
        np.testing.assert_allclose(found[name], np.quantile(values, [0.025, 0.975]), atol=0.12)


def test_errors_shared_by_a_date_widen_the_interval():
    rng = np.random.default_rng(2)
    date = np.repeat(np.arange(20), 50)
    shared = rng.normal(0, 1, 20)[date]
    own = rng.normal(0, 1, 1000)
    wide = intervals(shared, date, draws=1000, seed=0, level=0.95)["bias"]
    narrow = intervals(own, date, draws=1000, seed=0, level=0.95)["bias"]
    assert np.diff(wide)[0] > 4 * np.diff(narrow)[0]


def test_the_seed_decides_and_the_order_of_time_does_not(ours):
    other = vector_cube("CARD-2A", parcels=8, seed=5)
    first = compare(ours, other, variable="NDVI")
    assert compare(ours, other, variable="NDVI").intervals == first.intervals
    assert compare(ours, other, variable="NDVI", seed=1).intervals != first.intervals
    turned = compare(ours.isel(time=slice(None, None, -1)), other, variable="NDVI")
    assert turned.bias == pytest.approx(first.bias)
    pd.testing.assert_frame_equal(turned.matched, first.matched)


def test_too_little_gives_counts_alone(ours):
    two = ours.isel(time=[0], parcel=[0, 1])
    result = compare(two, two, variable="NDVI")
    assert result.n == 2
    assert np.isnan([result.bias, result.rmse, result.r, *result.limits]).all()


def test_a_constant_source_has_no_slope(ours):
    flat = ours.assign(NDVI=ours["NDVI"] * 0 + 0.5)
    result = compare(flat, ours, variable="NDVI")
    assert np.isnan([result.r, result.slope, result.orthogonal_slope]).all()
    assert np.isfinite(result.bias)


def test_a_lazy_cube_is_computed_once(ours):
    lazy = vector_cube("CARD-2A", parcels=8, lazy=True)
    runs = []
    with Callback(start=runs.append):
        result = compare(lazy, ours, variable="NDVI")
    assert len(runs) == 1
    assert result.rmse == 0


def test_the_report_is_frozen_and_reads_well(ours):
    result = compare(ours, ours.isel(time=slice(3, None)), variable="NDVI")
    assert isinstance(result, Agreement)
    with pytest.raises(AttributeError):
        result.bias = 1
    text = repr(result)
    assert "<Agreement of NDVI mean" in text
    assert "3 in the first alone, 0 in the second alone" in text
    assert max(map(len, text.splitlines())) < 88


def test_wrong_options_are_refused(ours):
    with pytest.raises(UnknownBandError, match="VV"):
        compare(ours, vector_cube("CARD-BS"), variable="NDVI")
    for wrong in ("soon", "-1h", None):
        with pytest.raises(OptionError, match="length of time"):
            compare(ours, ours, variable="NDVI", tolerance=wrong)
