"""Comparison with peers, against SciPy, a plain loop and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cbmcube.learning._likeness import compare

SETTINGS = {"fewest": 5, "trim": 0.1, "floor": 1e-3}
NORMAL_RATE = 2 * stats.norm.sf(3)  # 0.27 %


def crowd(seed, *, rows=6, peers=20, periods=9, missing=0.2):
    """Series, rows and their peers, some of them missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0.5, 0.2, (rows + 40, periods)).astype("float32")
    values[rng.uniform(size=values.shape) < missing] = np.nan
    chosen = np.stack([rng.permutation(np.arange(rows, rows + 40))[:peers] for _ in range(rows)])
    chosen[0, 4:] = -1  # too few
    chosen[1, 12:] = -1
    return values, np.arange(rows), chosen


def by_hand(values, row, peers, fewest, trim, floor):
    """One row in plain Python, with the library functions of SciPy and NumPy."""
    out = {name: [] for name in ("z", "t", "expected", "spread", "peers")}
    for period in range(values.shape[1]):
        theirs = np.array([values[p, period] for p in peers if p >= 0], dtype="float64")
        theirs = theirs[~np.isnan(theirs)]
        k = theirs.size
        out["peers"].append(k)
        if k < fewest:
            for name in ("z", "t", "expected", "spread"):
                out[name].append(np.nan)
            continue
        middle = stats.trim_mean(theirs, trim)
        spread = max(stats.iqr(theirs) / 1.349, floor)
        deviation = max(theirs.std(ddof=1), floor)
        wider = (1 + 1 / k) ** 0.5
        out["expected"].append(middle)
        out["spread"].append(spread)
        out["z"].append((float(values[row, period]) - middle) / (spread * wider))
        out["t"].append((float(values[row, period]) - theirs.mean()) / (deviation * wider))
    return {name: np.array(numbers, dtype=float) for name, numbers in out.items()}


@pytest.mark.parametrize("trim", [0.0, 0.1, 0.25])
@pytest.mark.parametrize("seed", range(4))
def test_all_numbers_are_those_of_a_plain_loop(seed, trim):
    values, rows, peers = crowd(seed)
    settings = SETTINGS | {"trim": trim}
    found = compare(values, rows, peers, **settings)
    for row in rows:
        expected = by_hand(values, row, peers[row], **settings)
        for name, numbers in expected.items():
            np.testing.assert_allclose(getattr(found, name)[row], numbers, rtol=1e-12, atol=1e-12)


def test_the_season_is_summed_up_as_defined():
    values, rows, peers = crowd(7)
    found = compare(values, rows, peers, **SETTINGS)
    for row in rows:
        one = by_hand(values, row, peers[row], **SETTINGS)
        valid = ~np.isnan(one["z"])
        enough = valid.sum() >= 6
        z, t = one["z"][valid], one["t"][valid]
        k, spread = one["peers"][valid], one["spread"][valid]
        density = stats.norm.logpdf(z) - np.log(spread * np.sqrt(1 + 1 / k))
        wanted = {
            "D": np.sqrt(np.mean(z**2)) if enough else np.nan,
            "D_t": np.sqrt(np.mean(t**2)) if enough else np.nan,
            "mean": z.mean() if valid.any() else np.nan,
            "cost": -density.mean() - np.log(2 * np.pi) / 2 if enough else np.nan,
        }
        single = np.sort([2 * stats.t.sf(abs(a), b - 1) for a, b in zip(t, k, strict=True)])
        share = int(np.ceil(valid.sum() * 0.25))
        wanted["p"] = min(1, single[share - 1] * valid.sum() / share) if valid.any() else np.nan
        got = {
            "D": found.distance(found.z, 6)[row],
            "D_t": found.distance(found.t, 6)[row],
            "mean": found.mean()[row],
            "cost": found.cost(6)[row],
            "p": found.p_value(0.25)[row],
        }
        assert got == pytest.approx(wanted, rel=1e-9, nan_ok=True)


@given(st.integers(0, 10**6))
def test_the_order_of_peers_is_of_no_matter(seed):
    """To the last bit, whatever the sums."""
    values, rows, peers = crowd(seed)
    turned = np.random.default_rng(seed).permuted(peers, axis=1)
    for one, other in zip(
        compare(values, rows, peers, **SETTINGS),
        compare(values, rows, turned, **SETTINGS),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@given(st.integers(0, 10**6), st.floats(-50, 50))
def test_a_shift_of_all_series_changes_no_z(seed, shift):
    values, rows, peers = crowd(seed)
    values = values.astype("float64")  # float32 would round the shifted values
    plain = compare(values, rows, peers, **SETTINGS)
    moved = compare(values + shift, rows, peers, **SETTINGS)
    np.testing.assert_allclose(moved.z, plain.z, atol=1e-8)
    np.testing.assert_allclose(moved.t, plain.t, atol=1e-8)
    np.testing.assert_allclose(moved.expected, plain.expected + shift, atol=1e-9)


@given(st.integers(0, 10**6), st.floats(0.1, 50))
def test_a_factor_changes_no_z_above_the_floor(seed, factor):
    values, rows, peers = crowd(seed)
    values = values.astype("float64")
    plain = compare(values, rows, peers, **SETTINGS | {"floor": 1e-12})
    scaled = compare(values * factor, rows, peers, **SETTINGS | {"floor": 1e-12})
    np.testing.assert_allclose(scaled.z, plain.z, rtol=1e-9, atol=1e-9)


def test_the_floor_keeps_peers_that_agree_too_well_from_making_alarms():
    values = np.full((21, 8), 0.5)
    values[0] += 0.01
    peers = np.arange(1, 21)[None]
    found = compare(values, np.array([0]), peers, fewest=10, trim=0.1, floor=0.02)
    np.testing.assert_allclose(found.spread, 0.02)
    np.testing.assert_allclose(found.z, 0.5 / np.sqrt(1 + 1 / 20))
    np.testing.assert_allclose(found.t, found.z)


def normal(peers, seed=0, number=100_000):
    """As many parcels with peers of their own, all from one normal distribution."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(number, peers + 1))
    return values[:, 0], values[:, 1:]


def likeness_of(value, peers, trim=0.1):
    """Pairs of a value and its peers as one period each, in the library's own form."""
    series = np.concatenate([value[None], peers.T])  # one row of the cube, parcels as periods
    return compare(
        series,
        np.array([0]),
        np.arange(1, len(series))[None],
        fewest=3,
        trim=trim,
        floor=1e-9,
    )


def limits(rate, number):
    return stats.binom.ppf([1e-4, 1 - 1e-4], number, rate) / number


@pytest.mark.parametrize("number", [5, 10, 20, 30, 100])
def test_the_t_form_keeps_its_rate_of_false_alarms(number):
    """As rare as beyond 3 sigma, 0.27 %, with any number of peers; published: 0.20 to 0.32 %."""
    found = likeness_of(*normal(number))
    beyond = np.abs(found.t[0]) > stats.t.isf(NORMAL_RATE / 2, number - 1)
    low, high = limits(NORMAL_RATE, beyond.size)
    assert low <= beyond.mean() <= high
    assert 0.0020 <= beyond.mean() <= 0.0032


@pytest.mark.parametrize(
    ("number", "published", "ours"),
    [
        (5, 0.15, 0.145),
        (10, 0.052, 0.0480),
        (20, 0.022, 0.0205),
        (30, 0.013, 0.0133),
        (100, 0.005, 0.0052),
    ],
)
def test_the_robust_forms_do_not(number, published, ours):
    """Median and scaled MAD as published; ours with the numbers that the docs state."""
    value, peers = normal(number, seed=1)
    middle = np.median(peers, axis=1)
    mad = 1.4826 * np.median(np.abs(peers - middle[:, None]), axis=1)
    rate = (np.abs(value - middle) / mad > 3).mean()
    low, high = limits(published, value.size)
    rounding = 0.0005 if published < 0.1 else 0.005  # of the published number
    assert low - rounding <= rate <= high + rounding
    low, high = limits(ours, value.size)
    rounding = 0.00005 if number >= 10 else 0.0005
    assert low - rounding <= (np.abs(likeness_of(value, peers).z[0]) > 3).mean() <= high + rounding


@pytest.mark.parametrize("correlation", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_p_value_of_a_season_is_a_bound_whatever_the_correlation(correlation, share):
    rng = np.random.default_rng(4)
    seasons, peers, periods = 4000, 12, 16
    whole = rng.normal(size=(seasons * (peers + 1), 1))
    each = rng.normal(size=(seasons * (peers + 1), periods))
    values = np.sqrt(correlation) * whole + np.sqrt(1 - correlation) * each
    rows = np.arange(seasons) * (peers + 1)
    around = rows[:, None] + np.arange(1, peers + 1)
    p = compare(values, rows, around, **SETTINGS).p_value(share)
    for level in (0.2, 0.05, 0.01):
        assert (p <= level).mean() <= limits(level, seasons)[1]
    if correlation == 1.0 and share == 1.0:  # one and the same p-value in all periods
        assert limits(0.05, seasons)[0] <= (p <= 0.05).mean()


def test_one_cloud_is_not_enough_for_a_small_p_value():
    rng = np.random.default_rng(0)
    values = 0.5 + 0.05 * rng.normal(size=(31, 20))
    peers = np.arange(1, 31)[None]
    values[0] = 0.5
    values[0, 7] = -0.1
    found = compare(values, np.array([0]), peers, **SETTINGS)
    assert abs(found.z[0, 7]) > 8
    assert found.p_value(0.25)[0] > 0.5
    assert found.p_value(0.05)[0] < 1e-6  # the smallest of all


def test_no_period_and_no_peer():
    none = np.zeros((3, 0))
    empty = compare(none, np.arange(3), np.array([[1], [2], [0]]), **SETTINGS)
    for numbers in (empty.mean(), empty.p_value(0.25), empty.cost(1), empty.distance(empty.z, 1)):
        assert np.isnan(numbers).all()
    alone = compare(np.ones((2, 4)), np.arange(2), np.full((2, 5), -1), **SETTINGS)
    assert np.isnan(alone.expected).all()
    assert np.isnan(alone.p_value(0.25)).all()
