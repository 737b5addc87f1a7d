"""Numbers from moments, and intervals against a plain bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cbmcube.agreement._metrics import NUMBERS, RESAMPLED, intervals, numbers
from cbmcube.agreement._moments import moments_of


def of(a, b, limit=0.1):
    a, b = np.array(a, dtype=float)[None], np.array(b, dtype=float)[None]
    found = numbers(moments_of(a, b, np.zeros(a.size, dtype="int64"), count=1, limit=limit))
    return {name: float(values[0, 0]) for name, values in found.items()}


def by_day(a, b, day):
    moments = [
        moments_of(x[None], y[None], np.zeros(len(x), dtype="int64"), count=1, limit=0.5)[0]
        for x, y in ((a[day == k], b[day == k]) for k in np.unique(day))
    ]
    return np.concatenate(moments), np.unique(day)


def test_names_and_order():
    assert tuple(numbers(np.zeros((2, 12)))) == NUMBERS
    assert set(RESAMPLED) < set(NUMBERS)


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=4, max_size=30, unique=True)
)
def test_the_orthogonal_slope_is_the_direction_of_most_variance(points):
    a, b = np.array(points).T
    values, vectors = np.linalg.eigh(np.cov(a, b))
    if np.ptp(a) == 0 or values[1] - values[0] < 1e-3 or abs(vectors[0, 1]) < 1e-2:
        return
    slope = of(a, b)["orthogonal_slope"]
    assert slope == pytest.approx(vectors[1, 1] / vectors[0, 1], rel=1e-5, abs=1e-5)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=4, max_size=30, unique=True))
def test_lines_are_those_of_scipy(points):
    a, b = np.array(points).T
    found = of(a, b)
    if min(np.ptp(a), np.ptp(b), np.ptp(a + b)) < 1e-3:
        return
    line, tilt = stats.linregress(a, b), stats.linregress((a + b) / 2, b - a)
    assert found["r"] == pytest.approx(line.rvalue, abs=1e-9)
    assert found["slope"] == pytest.approx(line.slope, rel=1e-6, abs=1e-9)
    assert found["intercept"] == pytest.approx(line.intercept, rel=1e-6, abs=1e-9)
    assert found["proportional_slope"] == pytest.approx(tilt.slope, rel=1e-6, abs=1e-9)
    assert -1 <= found["r"] <= 1
    assert found["rmse"] ** 2 == pytest.approx(found["bias"] ** 2 + found["ubrmse"] ** 2)
    assert found["mae"] <= found["rmse"] * (1 + 1e-12)


def test_fewer_than_three_pairs_have_a_count_alone():
    """Two pairs have no numbers, three have."""
    found = of([1, 2], [1, 3])
    assert found.pop("n") == 2
    assert np.isnan(list(found.values())).all()
    assert of([1, 2, 3], [1, 3, 2])["bias"] == 0


def test_constants():
    flat = of([0.1, 0.1, 0.1], [1, 2, 3])
    for name in ("r", "slope", "intercept", "orthogonal_slope", "orthogonal_intercept"):
        assert np.isnan(flat[name])
    assert flat["proportional_slope"] == pytest.approx(2)  # d grows by 1 where m grows by 1/2
    level = of([1, 2, 3], [0.1, 0.1, 0.1])
    assert np.isnan(level["r"])
    assert (level["slope"], level["orthogonal_slope"]) == (0, 0)
    mirrored = of([0.1, 0.2, 0.3], [0.9, 0.8, 0.7])  # the average is constant
    assert np.isnan(mirrored["proportional_slope"])
    assert np.isnan(mirrored["proportional_intercept"])
    assert mirrored["slope"] == pytest.approx(-1)


def test_the_tolerance_counts_itself():
    assert of([0, 0, 0, 0], [0.5, 0.25, -0.5, 0.75], limit=0.5)["within"] == 0.75


def test_the_margin_against_the_formula():
    d = [0.1, -0.2, 0.4, 0.05, 0.3]
    found = of([0] * 5, d)
    sd = np.std(d, ddof=1)
    assert found["margin"] == pytest.approx(1.96 * sd * np.sqrt(1 / 5 + 1.96**2 / (2 * 4)))


def test_the_margin_covers_the_limit_of_independent_pairs():
    """Of 400 samples of 50 normal differences, about 95 % hold the true limit 1.96."""
    rng = np.random.default_rng(0)
    hit = 0
    for _ in range(400):
        found = of(np.zeros(50), rng.normal(0, 1, 50))
        hit += abs(found["upper"] - 1.96) <= found["margin"]
    assert 0.92 < hit / 400 < 0.98


def test_intervals_are_those_of_resampled_days():
    rng = np.random.default_rng(1)
    day = np.repeat(np.arange(12), rng.integers(3, 9, 12))
    a = rng.uniform(0, 3, len(day))
    b = a + rng.normal(0, 1, 12)[day] + rng.normal(0, 0.1, len(day))
    found = intervals(*by_day(a, b, day), draws=2000, seed=0)
    groups = [(a[day == k], b[day == k]) for k in range(12)]
    drawn = {name: [] for name in RESAMPLED}
    for _ in range(2000):
        some = [groups[k] for k in rng.integers(0, 12, 12)]
        x, y = (np.concatenate(side) for side in zip(*some, strict=True))
        d = y - x
        sd = d.std(ddof=1)
        values, vectors = np.linalg.eigh(np.cov(x, y))
        plain = {
            "bias": d.mean(),
            "mae": np.abs(d).mean(),
            "rmse": np.sqrt(np.mean(d**2)),
            "ubrmse": d.std(),
            "lower": d.mean() - 1.96 * sd,
            "upper": d.mean() + 1.96 * sd,
            "within": (np.abs(d) <= 0.5).mean(),
            "r": np.corrcoef(x, y)[0, 1],
            "slope": np.polyfit(x, y, 1)[0],
            "orthogonal_slope": vectors[1, values.argmax()] / vectors[0, values.argmax()],
            "proportional_slope": np.polyfit((x + y) / 2, d, 1)[0],
        }
        for name, value in plain.items():
            drawn[name].append(value)
    for name, values in drawn.items():
        # Both are random: the ends of 2000 draws scatter by a few hundredths of the width.
        low, high = np.quantile(values, [0.025, 0.975])
        np.testing.assert_allclose(found[name], (low, high), atol=0.08 * (high - low), err_msg=name)


def test_errors_shared_by_a_day_widen_the_interval():
    rng = np.random.default_rng(2)
    day = np.repeat(np.arange(20), 50)
    zero = np.zeros(1000)
    shared = rng.normal(0, 1, 20)[day]
    wide = intervals(*by_day(zero, shared, day), draws=1000, seed=0)["bias"]
    narrow = intervals(*by_day(zero, rng.normal(0, 1, 1000), day), draws=1000, seed=0)["bias"]
    assert np.diff(wide)[0] > 4 * np.diff(narrow)[0]


def test_the_seed_decides_and_rows_of_one_day_go_together():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, (2, 90))
    day = np.repeat(np.arange(9), 10)
    rows = by_day(a, b, day)
    first = intervals(*rows, draws=200, seed=0)
    assert intervals(*rows, draws=200, seed=0) == first
    assert intervals(*rows, draws=200, seed=1) != first
    halves, _ = by_day(a, b, np.repeat(np.arange(18), 5))
    again = intervals(halves, np.repeat(np.arange(9), 2), draws=200, seed=0)
    for name in RESAMPLED:
        assert again[name] == pytest.approx(first[name])


def test_one_day_has_no_interval():
    a, b = np.random.default_rng(0).normal(0, 1, (2, 30))
    found = intervals(*by_day(a, b, np.zeros(30)), draws=100, seed=0)
    assert set(found) == set(RESAMPLED)
    assert np.isnan([*found.values()]).all()
