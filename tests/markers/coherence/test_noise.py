"""Noise and peers of similar parcels, against pandas and plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from cbmcube.exceptions import OptionError
from cbmcube.markers import (
    CoherenceRule,
    check_events,
    coherence_noise,
    coherence_tests,
    mowing_coherence,
)
from cbmcube.markers.coherence import _noise as module

DAYS = 6.0 * np.arange(1, 31)


@pytest.fixture
def fields(planted):
    """Make 120 fields: three crops, two sizes, noise by size, and a season."""

    def make(*, seed=0, common=None):
        rng = np.random.default_rng(seed)
        pixels = np.tile([40, 160], 60)
        sigma = np.where(pixels == 40, 0.06, 0.03)
        values = rng.normal(0.35, sigma, (30, 120))
        if common is not None:
            values = values + common[:, None]
        values[rng.random(values.shape) < 0.05] = np.nan
        stats = planted(values, DAYS, band="VH", product="CARD-COH6", orbit=15, pairs=6)
        stats["n_total"][:] = pixels
        stats["n_valid"][:] = np.where(np.isfinite(values), pixels, 0)[None]
        crops = np.repeat(["grass", "maize", "rape"], [70, 40, 10])
        return stats.assign_coords(crop=("parcel", crops)), values, sigma

    return make


RULE = CoherenceRule(pooled=True, min_peers=20)


def test_noise_is_the_median_error_of_similar_parcels(fields):
    """Of exact residuals; the histogram's bins are one per cent wide."""
    stats, _, _ = fields()
    table = coherence_noise(stats, RULE)
    assert table["crop"].tolist() == ["grass", "grass", "maize", "maize"]  # ten of rape are few
    assert table["n_parcels"].tolist() == [35, 35, 20, 20]
    within = table["pixels_from"].to_numpy(), table["pixels_below"].to_numpy()
    assert (within[0] <= [40, 160] * 2).all()
    assert (within[1] > [40, 160] * 2).all()
    assert table["s0"].to_numpy() == pytest.approx([0.06, 0.03] * 2, rel=0.12)
    plain = coherence_tests(stats, replace(RULE, pooled=False))
    value = plain["coherence"].to_numpy().astype(float)
    distance = value - plain["predicted"].to_numpy()
    stretch = distance / plain["statistic"].to_numpy()  # sigma times the root of the stretch
    for k, row in table.iterrows():
        mine = (stats["crop"] == row["crop"]).to_numpy() & (
            stats["n_total"][0].to_numpy() == [40, 160][k % 2]
        )
        errors = []
        for parcel in np.flatnonzero(mine):
            errors += _errors(value[:, parcel])
        assert row["n_residuals"] == len(errors) == np.isfinite(stretch[:, mine]).sum()
        exact = np.median(np.abs(errors)) / scipy.stats.norm.ppf(0.75)
        assert row["s0"] == pytest.approx(exact, rel=0.006)


def _errors(values):
    """Return the standardised prediction errors of a series without detections."""
    known = np.flatnonzero(np.isfinite(values))
    refs, errors = [], []
    for k in known:
        near = [j for j in refs[-6:] if DAYS[k] - DAYS[j] <= 72]
        hit = False
        if len(near) >= 5:
            line = scipy.stats.linregress(DAYS[near], values[near])
            mean, n = DAYS[near].mean(), len(near)
            stretch = 1 + 1 / n + (DAYS[k] - mean) ** 2 / ((DAYS[near] - mean) ** 2).sum()
            expected = line.intercept + line.slope * DAYS[k]
            error = (values[k] - expected) / np.sqrt(stretch)
            squares = (values[near] - line.intercept - line.slope * DAYS[near]) ** 2
            t = error / np.sqrt(squares.sum() / (n - 2))
            hit = scipy.stats.t.sf(t, n - 2) <= 1e-3 and values[k] - expected >= 0.05
            errors.append(error)
        if not hit:
            refs.append(k)
    return errors


def test_pooling_finds_more(fields):
    stats, values, _ = fields()
    values = values.copy()
    values[20, :70] += 0.3
    stats["VH"].loc[{"statistic": "mean"}] = values.astype("float32")
    alone = check_events(mowing_coherence(stats, replace(RULE, pooled=False), crops=["grass"]))
    pooled = check_events(mowing_coherence(stats, RULE, crops=["grass"]))
    when = pd.Timestamp("2024-01-01") + pd.Timedelta(days=120)
    hits = [(table["end_date"] == when).sum() for table in (alone, pooled)]
    assert hits[0] < 30
    assert hits[1] > 40


def test_noise_can_be_given(fields):
    stats, _, _ = fields()
    noise = coherence_tests(stats, RULE)["s0"].to_series()
    assert noise.isna().sum() == 10  # rape
    expected = mowing_coherence(stats, RULE)
    pd.testing.assert_frame_equal(mowing_coherence(stats, RULE, s0=noise.sample(frac=1)), expected)
    one = coherence_tests(stats, RULE, s0=0.05)
    assert (one["s0"] == 0.05).all()
    for wrong in (0.0, -1.0, np.inf, noise.iloc[:-1], 0 * noise):
        with pytest.raises(OptionError, match="noise of similar parcels"):
            mowing_coherence(stats, RULE, s0=wrong)


def test_few_parcels_are_judged_by_their_own_noise(fields):
    stats, _, _ = fields()
    many = replace(RULE, min_peers=1000)
    own = replace(RULE, pooled=False)
    assert len(coherence_noise(stats, many)) == 0
    columns = ["start_date", "p_value", "n_events", "reason"]
    pooled, alone = mowing_coherence(stats, many), mowing_coherence(stats, own)
    pd.testing.assert_frame_equal(pooled[columns], alone[columns])


def test_wide_parcels_are_counted(fields):
    """A fifth of the fields has twice the noise: they show, and the group's noise hardly moves."""
    stats, values, _ = fields()
    wide = np.arange(120) % 10 < 2
    values = np.where(wide, 0.35 + 2.5 * (values - 0.35), values)
    stats["VH"].loc[{"statistic": "mean"}] = values.astype("float32")
    table = coherence_noise(stats, RULE)
    assert table["wide_share"].between(0.15, 0.3).all()
    assert table["s0"].to_numpy() == pytest.approx([0.068, 0.034] * 2, rel=0.15)


def test_blocks_are_of_no_matter(fields, monkeypatch):
    stats, _, _ = fields()
    rule = replace(RULE, peers=True)
    expected = mowing_coherence(stats, rule), coherence_noise(stats, rule)
    monkeypatch.setattr(module, "_TASK", 1500)
    monkeypatch.setattr("cbmcube.markers.detecting._detect._TASK", 1500)
    pd.testing.assert_frame_equal(mowing_coherence(stats, rule), expected[0])
    pd.testing.assert_frame_equal(coherence_noise(stats, rule), expected[1])
    lazy = stats.chunk(time=1)
    pd.testing.assert_frame_equal(mowing_coherence(lazy, rule), expected[0])


def test_peers_are_medians_of_the_crop_on_each_date(fields):
    stats, values, _ = fields()
    rule = CoherenceRule(peers=True, min_peers=36)
    frame = pd.DataFrame(values.astype("float32").astype(float))
    kinds = frame.T.groupby(stats["crop"].to_numpy())
    median, count = kinds.median().T, kinds.count().T
    usual = median.where(count >= 36)[stats["crop"].to_numpy()].to_numpy()
    tests = coherence_tests(stats, rule)
    np.testing.assert_array_equal(
        np.isfinite(tests["coherence"].to_numpy()), np.isfinite(values) & np.isfinite(usual)
    )
    # The difference, as a series of its own, has the same statistics.
    moved = stats.copy(deep=True)
    moved["VH"].loc[{"statistic": "mean"}] = values - usual
    plain = coherence_tests(moved, CoherenceRule(min_jump=0.05))
    np.testing.assert_allclose(
        tests["statistic"].to_numpy(), plain["statistic"].to_numpy(), rtol=2e-3, atol=2e-3
    )
    events = check_events(mowing_coherence(stats, rule))
    rape = events["parcel"].isin(stats["parcel"].to_numpy()[110:])
    assert (events.loc[rape, "reason"] == "NO_REFERENCE").all()


def test_weather_that_all_fields_share_is_no_mowing(fields):
    """One wet week lowers all fields by 0.25: their recovery is a jump, but not from the peers."""
    common = np.zeros(30)
    common[14] = 0.25
    stats, _, _ = fields(common=common)
    loose = CoherenceRule(alpha=0.01, min_peers=20)
    plain = mowing_coherence(stats, loose, crops=["grass"])
    peers = mowing_coherence(stats, replace(loose, peers=True), crops=["grass"])
    when = pd.Timestamp("2024-01-01") + pd.Timedelta(days=6 * 14)
    assert (plain["end_date"] == when).sum() > 35
    assert (peers["end_date"] == when).sum() <= 2


def test_fisher_goes_with_peers_and_pooling(fields):
    stats, _, _ = fields()
    rule = replace(RULE, fisher=True, peers=True)
    check_events(mowing_coherence(stats, rule))
    table = coherence_noise(stats, rule)
    slope = 1 / (1 - 0.35**2)  # of atanh
    assert table["s0"].to_numpy() == pytest.approx(slope * np.array([0.06, 0.03] * 2), rel=0.1)


def test_all_fields_are_one_group_where_crops_are_not_known(fields):
    stats, _, _ = fields()
    table = coherence_noise(stats.drop_vars("crop"), RULE)
    assert table["crop"].tolist() == ["", ""]
    assert table["n_parcels"].tolist() == [60, 60]
    sizeless = stats.drop_vars(["crop", "n_total", "n_valid"])
    assert coherence_noise(sizeless, RULE)["n_parcels"].tolist() == [120]
