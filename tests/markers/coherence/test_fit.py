"""The prediction interval against a plain loop, and its rates against what it promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.markers.coherence._fit import judge_pairs
from cbmcube.markers.coherence._rule import COHERENCE_PRESETS, CoherenceRule

ALL = CoherenceRule(min_jump=-np.inf, max_predicted=np.inf)
"""Judges by the p-value alone."""


def _plain(value, day, rule, s0=None):
    """Return predicted, sigma, t, p and detections of one series, pair by pair."""
    rows = [(np.nan,) * 4 + (False,)] * len(value)
    refs = []
    for k in np.flatnonzero(np.isfinite(value)):
        usable = refs
        if rule.leave_out_previous and refs and refs[-1][0] == "latest":
            usable = refs[:-1]
        near = [r for r in usable[-rule.n_ref :] if day[k] - day[r[1]] <= rule.max_span_days]
        hit = False
        if len(near) >= rule.n_ref_min:
            rows[k] = _interval(value, day, k, [r[1] for r in near], rule, s0)
            hit = rows[k][-1]
        refs = [("older", r[1]) for r in refs]
        if not hit:
            refs.append(("latest", k))
    return [np.array(column) for column in zip(*rows, strict=True)]


def _interval(value, day, k, where, rule, s0):
    """Return the textbook prediction interval, by NumPy's polynomials and SciPy's t."""
    change = np.arctanh if rule.fisher else np.asarray
    back = np.tanh if rule.fisher else np.asarray
    t, y = day[where], change(value[where])
    line = np.polynomial.Polynomial.fit(t, y, 1)
    n, middle = len(t), t.mean()
    squares, freedom = ((y - line(t)) ** 2).sum(), n - 2
    if s0 is not None:
        squares, freedom = squares + rule.nu0 * s0**2, freedom + rule.nu0
    sigma = np.sqrt(squares / freedom)
    width = np.sqrt(1 + 1 / n + (day[k] - middle) ** 2 / ((t - middle) ** 2).sum())
    statistic = (change(value[k]) - line(day[k])) / (sigma * width)
    p_value = scipy.stats.t.sf(statistic, freedom)
    predicted = back(line(day[k]))
    hit = p_value <= rule.alpha and value[k] - predicted >= rule.min_jump
    return predicted, sigma, statistic, p_value, hit and predicted <= rule.max_predicted


RULES = {
    "default": (CoherenceRule(), None),
    "often": (CoherenceRule(alpha=0.1, min_jump=0.01), None),
    "four": (CoherenceRule(alpha=0.1, n_ref=4, n_ref_min=3, max_span_days=40), None),
    "long": (CoherenceRule(alpha=0.05, n_ref=8, n_ref_min=5, max_span_days=90), None),
    "fisher": (CoherenceRule(alpha=0.05, fisher=True), None),
    "previous": (CoherenceRule(alpha=0.1, leave_out_previous=True), None),
    "pooled": (CoherenceRule(alpha=0.05, pooled=True), 0.07),
}


@pytest.mark.parametrize("name", RULES)
def test_a_plain_loop_gives_the_same(name):
    """Irregular days, missing pairs, detections that are no references afterwards."""
    rule, s0 = RULES[name]
    rng = np.random.default_rng(3)
    day = np.cumsum(rng.choice([6.0, 6.0, 12.0, 5.5], 40))
    value = np.clip(0.45 + rng.normal(0, 0.1, (40, 30)), 0.02, 0.98)
    value[rng.random(value.shape) < 0.15] = np.nan
    given_s0 = None if s0 is None else np.full(30, s0)
    tests = judge_pairs(value, day, rule, s0=given_s0)
    hits = 0
    for parcel in range(30):
        plain = _plain(value[:, parcel], day, rule, s0)
        ours = (tests.predicted, tests.sigma, tests.statistic, tests.p_value, tests.detected)
        for expected, array in zip(plain, ours, strict=True):
            np.testing.assert_allclose(array[:, parcel], expected, rtol=1e-9, atol=1e-12)
        hits += plain[-1].sum()
    assert hits > 20 or name == "default"
    over = tests.upper < value
    tested = np.isfinite(tests.statistic)
    np.testing.assert_array_equal(over[tested], tests.p_value[tested] < rule.alpha)


def test_peers_are_taken_off_and_put_back():
    rng = np.random.default_rng(5)
    usual, value = rng.uniform(0.2, 0.6, (2, 20, 50))
    day = 6.0 * np.arange(20)
    tests = judge_pairs(value, day, ALL, usual=usual)
    plain = judge_pairs(value - usual, day, ALL)
    np.testing.assert_allclose(tests.statistic, plain.statistic, rtol=1e-9)
    np.testing.assert_allclose(tests.predicted, plain.predicted + usual, atol=1e-12)


@given(
    st.floats(-0.2, 0.2),
    st.floats(-0.01, 0.01),
    st.floats(0.2, 5.0),
    st.integers(0, 2**32 - 1),
)
def test_a_trend_and_a_scale_leave_the_statistic(constant, trend, scale, seed):
    rng = np.random.default_rng(seed)
    value, day = rng.normal(0.4, 0.05, (12, 3)), np.cumsum(rng.uniform(3, 9, 12))
    one = judge_pairs(value, day, ALL)
    moved = constant + trend * day[:, None] + scale * value
    two = judge_pairs(moved, day + 1000.0, ALL)
    np.testing.assert_allclose(two.statistic, one.statistic, rtol=1e-6, atol=1e-8)


def _last(value, rule, s0=None):
    """Return the p-values of the last pair of each series, six days apart."""
    day = 6.0 * np.arange(len(value))
    parts = range(0, value.shape[1], 20_000)  # fit into the cache
    noise = None if s0 is None else np.full(20_000, s0)
    return np.concatenate(
        [judge_pairs(value[:, k : k + 20_000], day, rule, s0=noise).p_value[-1] for k in parts]
    )


def _rule(n, **fields):
    return replace(ALL, n_ref=n, n_ref_min=n, **fields)


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8])
def test_false_alarms_are_as_many_as_alpha_says(n):
    """Of a million series 3 binomial errors are 3 % of 1e-2 and 10 % of 1e-3."""
    many = 1_000_000 if n in (5, 6) else 300_000
    trend = 0.3 * np.linspace(0, 1, n + 1)[:, None]
    value = np.random.default_rng(n).normal(0.3, 0.04, (n + 1, many)) + trend
    p_value = _last(value, _rule(n))
    for alpha in (1e-2, 1e-3):
        error = np.sqrt(alpha * (1 - alpha) / many)
        assert abs((p_value <= alpha).mean() - alpha) < 3 * error
    assert scipy.stats.kstest(p_value[::100], "uniform").pvalue > 0.001


def test_correlated_noise_gives_more():
    """AR(1) of 0.5 and five references: 1.4e-2 and 1.4e-3 instead of 1e-2 and 1e-3."""
    rng = np.random.default_rng(0)
    value = rng.normal(size=(6, 300_000))
    for k in range(1, 6):
        value[k] = 0.5 * value[k - 1] + np.sqrt(0.75) * value[k]
    p_value = _last(value, _rule(5))
    assert (p_value <= 1e-2).mean() == pytest.approx(1.4e-2, abs=0.7e-3)
    assert (p_value <= 1e-3).mean() == pytest.approx(1.4e-3, abs=0.3e-3)


POWER = {  # share found in per cent at alpha 1e-3 and 1e-2, by jump: alone, and pooled
    0.15: ((5, 33), (17, 56)),
    0.25: ((21, 75), (78, 97)),
    0.35: ((47, 96), (99, 100)),
}


@pytest.mark.parametrize("jump", POWER)
def test_jumps_are_found_as_often_as_the_table_says(jump):
    """Noise of 0.04, six references; the variances of pooled parcels scatter as nu0 = 10 says."""
    rng = np.random.default_rng(11)
    many, alone, pooled = 40_000, *POWER[jump]
    normal = rng.normal(size=(7, many))
    step = np.where(np.arange(7) == 6, jump, 0.0)[:, None]
    p_value = _last(0.04 * normal + step, _rule(6))
    found = [100 * (p_value <= alpha).mean() for alpha in (1e-3, 1e-2)]
    np.testing.assert_allclose(found, alone, atol=1.5)
    p_value = _last(0.04 * normal + step, _rule(6, pooled=True), s0=0.04)
    found = [100 * (p_value <= alpha).mean() for alpha in (1e-3, 1e-2)]
    assert (np.array(found) >= np.array(pooled) - 1.0).all()


def test_a_dip_in_the_pair_before_costs_power_and_leaving_it_out_is_calibrated():
    """A dip of 0.10 lowers 21 and 75 % at a jump of 0.25 to 16 and 73 %."""
    rng = np.random.default_rng(12)
    value = rng.normal(0, 0.04, (7, 60_000))
    value[6] += 0.25
    value[5] -= 0.10
    p_value = _last(value, _rule(6))
    found = [100 * (p_value <= alpha).mean() for alpha in (1e-3, 1e-2)]
    np.testing.assert_allclose(found, (16, 73), atol=1.5)
    null = rng.normal(0, 0.04, (8, 300_000))
    p_value = _last(null, _rule(6, leave_out_previous=True))
    assert np.isfinite(p_value).all()
    assert (p_value <= 1e-2).mean() == pytest.approx(1e-2, abs=3 * 1.8e-4)


WRONG = {  # true noise as a multiple of s0: false alarms at alpha 1e-2 and 1e-3
    1.0: (0.51e-2, 0.14e-3),
    1.5: (2.6e-2, 3.7e-3),
    2.0: (4.9e-2, 1.1e-2),
}


@pytest.mark.parametrize("times", WRONG)
def test_wrong_noise_of_peers_gives_more_false_alarms(times):
    many = 100_000
    value = np.random.default_rng(7).normal(0, 0.04, (7, many))
    p_value = _last(value, _rule(6, pooled=True), s0=0.04 / times)
    for alpha, expected in zip((1e-2, 1e-3), WRONG[times], strict=True):
        slack = 4 * np.sqrt(expected / many) + 0.03 * expected  # the table has two digits
        assert (p_value <= alpha).mean() == pytest.approx(expected, abs=slack)


def test_pooling_is_calibrated_where_variances_follow_the_prior():
    many = 400_000
    rng = np.random.default_rng(8)
    sigma = 0.04 * np.sqrt(10 / rng.chisquare(10, many))
    value = rng.normal(size=(7, many)) * sigma
    p_value = _last(value, _rule(6, pooled=True), s0=0.04)
    for alpha in (1e-2, 1e-3):
        assert (p_value <= alpha).mean() == pytest.approx(alpha, abs=3 * np.sqrt(alpha / many))


SEN4CAP = {  # nominal rate, true noise as a multiple of the floor (0: no floor): real rate
    (3e-8, 0.0): 2.2e-2,
    (3e-7, 0.0): 2.7e-2,
    (3e-7, 1.0): 3e-5,
    (3e-7, 1.5): 0.25e-2,
    (3e-7, 3.0): 2.0e-2,
}


@pytest.mark.parametrize(("nominal", "times"), SEN4CAP)
def test_the_real_rate_of_sen4caps_rule(nominal, times):
    """Of 400,000 series; the floor is sqrt(0.024 / pixels)."""
    many, expected = 400_000, SEN4CAP[nominal, times]
    value = np.random.default_rng(1).normal(0.4, 0.04, (6, many))
    pixels = None if times == 0 else np.full(many, 0.024 / (0.04 / times) ** 2)
    rule = replace(COHERENCE_PRESETS["sen4cap"], alpha=nominal)
    rate = judge_pairs(value, 6.0 * np.arange(6), rule, pixels=pixels).detected[-1].mean()
    assert rate == pytest.approx(expected, abs=4 * np.sqrt(expected / many) + 0.04 * expected)


def test_sen4caps_rule_against_a_plain_loop():
    rng = np.random.default_rng(2)
    value, day = rng.normal(0.4, 0.05, (9, 40)), np.cumsum(rng.choice([6.0, 12.0], 9))
    pixels = rng.integers(5, 60, 40).astype(float)
    rule = replace(COHERENCE_PRESETS["sen4cap"], alpha=0.05)
    tests = judge_pairs(value, day, rule, pixels=pixels)
    limit = np.sqrt(2) * scipy.special.erfinv(1 - 2 * 0.05)
    for parcel in range(40):
        for k in range(5, 9):
            t, y = day[k - 5 : k], value[k - 5 : k, parcel]
            line = np.polynomial.Polynomial.fit(t, y, 1)
            sigma = max(np.std(y - line(t)), np.sqrt(0.024 / pixels[parcel]))
            assert tests.predicted[k, parcel] == pytest.approx(line(t[-1]))
            hit = value[k, parcel] - line(t[-1]) > limit * sigma
            assert tests.detected[k, parcel] == hit
    assert tests.detected.sum() > 5


def test_references_on_a_line_have_the_smallest_noise():
    value = np.full((8, 1), 0.5)
    value[7] += 0.1
    tests = judge_pairs(value, 6.0 * np.arange(8), CoherenceRule())
    assert tests.sigma[7, 0] == 1e-6
    assert tests.detected[:, 0].tolist() == [False] * 7 + [True]
