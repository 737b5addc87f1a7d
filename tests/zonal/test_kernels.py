"""The compiled loops against plain NumPy and against their stated properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.zonal._classes import class_weights, class_weights_flat
from cbmcube.zonal._kernels import summarise, summarise_flat

QUANTILES = np.array([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
values = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=40)


def run(x, w, quantiles=QUANTILES, nodata=np.nan):
    """Describe one parcel whose pixels come gathered: whole ones first, as the engine does."""
    x, w = np.asarray(x), np.asarray(w, "float32")
    order = np.argsort(w != 1, kind="stable")
    start = np.array([0, x.size])
    table, valid, _ = summarise_flat(x[order], nodata, start, w[order], quantiles, False)
    return table[0], valid[0]


@given(values)
def test_equal_weights_give_numpy(x):
    x = np.array(x)
    found, valid = run(x, np.full(x.size, 0.37))
    assert valid == x.size
    scale = np.abs(x).max() + 1e-9
    np.testing.assert_allclose(
        found[1:5] / scale, np.array([x.mean(), x.std(), x.min(), x.max()]) / scale, atol=1e-12
    )
    np.testing.assert_allclose(
        found[5:] / scale, np.quantile(x, QUANTILES) / scale, rtol=0, atol=1e-9
    )


@given(values, st.integers(0, 1000))
def test_quantiles_are_monotone_and_inside(x, seed):
    w = np.random.default_rng(seed).uniform(0.001, 1, len(x))
    found, _ = run(x, w)
    tolerance = 1e-9 * (1 + np.abs(x).max())
    assert (np.diff(found[5:]) >= -tolerance).all()
    assert found[3] <= found[5:].min()
    assert found[5:].max() <= found[4]


@given(values, st.integers(0, 1000))
def test_order_of_ties_and_scale_of_weights_do_not_matter(x, seed):
    rng = np.random.default_rng(seed)
    x = np.round(np.array(x), -3)  # many ties
    w = rng.uniform(0.001, 1, x.size)
    shuffle = rng.permutation(x.size)
    first, _ = run(x, w)
    second, _ = run(x[shuffle], 0.5 * w[shuffle])
    np.testing.assert_allclose(first[1:], second[1:], rtol=1e-9, atol=1e-6)


def test_published_cases_of_the_weighted_median():
    """60 zeros and 40 ones have median 0; [1, 1, 1, 2] has median 1 (ties never merge)."""
    half = np.array([0.5])
    assert run([0.0] * 60 + [1.0] * 40, np.ones(100), half)[0][5] == 0
    assert run([1.0, 1.0, 1.0, 2.0], np.ones(4), half)[0][5] == 1


def test_moments_stay_exact_for_large_means():
    x = np.array([1e8, 1e8 + 1, 1e8 + 2])
    found, _ = run(x, np.ones(3))
    assert found[2] == pytest.approx(np.sqrt(2 / 3), rel=1e-12)


def test_not_finite_counts_nowhere():
    found, valid = run([np.nan, np.inf, -np.inf, 4.0], [1, 1, 1, 0.5])
    assert (valid, found[0], found[1]) == (1, 0.5, 4.0)
    empty, valid = run([np.nan], [1])
    assert (valid, empty[0]) == (0, 0)
    assert np.isnan(empty[1:]).all()


def test_integers_are_read_as_they_are():
    found, _ = run(np.array([1, 2, 4, 9], dtype="uint16"), np.ones(4), np.array([0.5]))
    assert found[[1, 5]].tolist() == [4, 3]


def test_no_data_numbers_count_nowhere():
    found, valid = run(np.array([0, 2, 0, 4], dtype="uint16"), np.ones(4), nodata=0.0)
    assert (valid, found[0], found[1]) == (2, 2, 3)


def runs_and_edges(cells, weights):
    """One parcel's index by hand: each whole pixel a run of length one."""
    whole = weights == 1
    runs = cells[whole].astype("int32")
    edges = cells[~whole].astype("int32")
    return (
        np.array([0, runs.size]),
        runs,
        np.ones(runs.size, "int32"),
        np.array([0, edges.size]),
        edges,
        weights[~whole].astype("float32"),
    )


@given(st.integers(1, 60), st.integers(0, 10_000))
def test_gathered_and_indexed_pixels_give_the_same_bits(n, seed):
    rng = np.random.default_rng(seed)
    raster = rng.normal(size=200).astype("float32")
    raster[rng.integers(0, 200, 20)] = np.nan
    cells = np.sort(rng.choice(200, n, replace=False))
    weights = np.where(rng.uniform(size=n) < 0.6, 1, rng.uniform(0.01, 0.99, n)).astype("float32")
    index = runs_and_edges(cells, weights)
    first, valid, _ = summarise(raster, np.nan, index, QUANTILES, False)
    gathered = np.concatenate([raster[index[1]], raster[index[4]]])
    shares = np.concatenate([np.ones(index[1].size, "float32"), index[5]])
    second, other, _ = summarise_flat(gathered, np.nan, np.array([0, n]), shares, QUANTILES, False)
    np.testing.assert_array_equal(first, second)
    assert valid == other


def test_class_weights():
    raster = np.array([0, 4, 4, 9], dtype="uint8")
    position = np.full(256, -1)
    position[[0, 4]] = [0, 1]
    weights = np.array([0.5, 1, 0.25, 1], "float32")
    found = class_weights(raster, runs_and_edges(np.arange(4), weights), position, 2)
    assert found.tolist() == [[0.5, 1.25]]
    flat = class_weights_flat(raster, np.array([0, 4]), weights, position, 2)
    assert flat.tolist() == [[0.5, 1.25]]
