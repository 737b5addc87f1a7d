"""Weighted percentiles against slow references written from their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from hypothesis import given
from hypothesis import strategies as st

import cbmcube as cbm
from cbmcube.zonal._kernels import summarise_flat
from tests.zonal.conftest import make_cube, make_parcels, random_polygons

QUANTILES = np.array([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])  # symmetric about 0.5
PERCENTILES = ["p0", "p10", "p25", "p50", "p75", "p90", "p100"]
GROUND = {"xmin": 500_000, "ymin": 5_397_000, "xmax": 504_000, "ymax": 5_400_000}

# Many ties and many whole pixels, as in real parcels.
value = st.one_of(st.floats(-1e4, 1e4, width=32), st.integers(-3, 3).map(float))
weight = st.one_of(st.just(1.0), st.floats(2**-10, 1.0, width=32))
pixels = st.lists(st.tuples(value, weight), min_size=1, max_size=60).map(np.array)


def kernel_quantiles(values, weights, quantiles, *, merge_ties=False):
    """Ask the compiled loops for the quantiles of one parcel."""
    # The pixel index lists whole pixels before edge pixels, and the kernel relies on it.
    order = np.argsort(np.asarray(weights) != 1.0, kind="stable")
    table, _, _ = summarise_flat(
        np.asarray(values)[order],
        np.nan,
        np.array([0, order.size]),
        np.asarray(weights, np.float32)[order],
        np.asarray(quantiles),
        merge_ties,
    )
    return table[0, -len(quantiles) :]


def kish_quantiles(values, weights, quantiles):
    """Weighted type 7: Q = sum x_i (F(t_i) - F(t_(i-1))), with Kish's effective size."""
    order = np.argsort(values)
    x, w = values[order], weights[order]
    size = w.sum() ** 2 / (w**2).sum()
    t = np.concatenate([[0.0], np.cumsum(w) / w.sum()])
    found = []
    for q in quantiles:
        h = q * (size - 1) + 1
        reached = np.clip((t - (h - 1) / size) * size, 0.0, 1.0)
        found.append(np.sum(x * np.diff(reached)))
    return np.array(found)


def exactextract_quantiles(values, weights, quantiles):
    """As exactextract 0.3: S_k = (k - 1) w_k + (n - 1) sum of w before k, over distinct values."""
    distinct, which = np.unique(values, return_inverse=True)
    if distinct.size == 1:
        return np.repeat(distinct, len(quantiles))
    w = np.bincount(which, weights)
    n = distinct.size
    places = [k * w[k] + (n - 1) * w[:k].sum() for k in range(n)]
    return np.interp(quantiles * places[-1], places, distinct)


def assert_close(found, expected, values, tolerance=1e-9):
    """Compare on the scale of the values: a quantile near zero has no digits of its own."""
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=tolerance * (1e-300 + np.abs(values).max())
    )


@given(pixels)
def test_kernel_follows_the_formula(parcel):
    x, w = parcel.T
    assert_close(kernel_quantiles(x, w, QUANTILES), kish_quantiles(x, w, QUANTILES), x)


@given(pixels, st.sampled_from([1.0, 0.5, 0.3, 0.001]))
def test_equal_weights_give_numpys_linear(parcel, share):
    x = parcel[:, 0]
    found = kernel_quantiles(x, np.full(x.size, share), QUANTILES)
    assert_close(found, np.quantile(x, QUANTILES), x)


@given(pixels, st.integers(0, 1000))
def test_order_of_pixels_and_of_ties_does_not_matter(parcel, seed):
    x, w = parcel.T
    shuffle = np.random.default_rng(seed).permutation(x.size)
    found = kernel_quantiles(x[shuffle], w[shuffle], QUANTILES)
    assert_close(found, kernel_quantiles(x, w, QUANTILES), x, 1e-12)


def test_weights_of_tied_pixels_may_be_exchanged():
    x = np.array([1.0, 2.0, 2.0, 2.0, 5.0])
    first = kernel_quantiles(x, [0.5, 0.125, 1.0, 0.75, 0.25], QUANTILES)
    second = kernel_quantiles(x, [0.5, 0.75, 0.125, 1.0, 0.25], QUANTILES)
    assert_close(first, second, x, 1e-14)


@given(pixels, st.sampled_from([0.5, 0.25, 2.0**-20]))
def test_scaling_all_weights_changes_nothing(parcel, scale):
    x, w = parcel.T
    found = kernel_quantiles(x, w * scale, QUANTILES)
    assert_close(found, kernel_quantiles(x, w, QUANTILES), x)


@given(pixels, st.lists(st.floats(0, 1), min_size=2, max_size=20).map(sorted))
def test_monotone_and_inside_the_values(parcel, quantiles):
    x, w = parcel.T
    found = kernel_quantiles(x, w, quantiles)
    assert (np.diff(found) >= -1e-12 * np.abs(x).max()).all()
    assert x.min() <= found.min()
    assert found.max() <= x.max()


@given(pixels, st.floats(0.01, 100), st.floats(-1e3, 1e3))
def test_affine_law(parcel, factor, offset):
    x, w = parcel.T
    moved = factor * x + offset
    expected = factor * kernel_quantiles(x, w, QUANTILES) + offset
    assert_close(kernel_quantiles(moved, w, QUANTILES), expected, [*moved, offset])


@given(pixels)
def test_mirrored_values_have_mirrored_quantiles(parcel):
    x, w = parcel.T
    found = kernel_quantiles(-x, w, QUANTILES)
    assert_close(found, -kernel_quantiles(x, w, QUANTILES)[::-1], x)


@given(pixels, value)
def test_a_pixel_that_is_hardly_touched_hardly_counts(parcel, other):
    x, w = parcel.T
    found = kernel_quantiles([*x, other], [*w, 1e-12], QUANTILES)
    assert_close(found, kernel_quantiles(x, w, QUANTILES), [*x, other], 1e-6)


def test_a_sliver_keeps_its_percentiles_apart():
    """Less than one pixel in all, and still the quantiles of the pixels it crosses."""
    x = np.array([4.0, 1.0, 3.0, 2.0, 5.0])
    assert_close(kernel_quantiles(x, np.full(5, 0.1), [0.25, 0.5, 0.75]), [2.0, 3.0, 4.0], x)


def test_a_value_between_two_is_weighted_by_hand():
    """Weights 1 and 1/2: W = 3/2, n* = 9/5; the median's window is 2/9 to 7/9 of W."""
    # The first value fills the window up to 2/3, that is (2/3 - 2/9) / (5/9) = 4/5 of it.
    assert kernel_quantiles([0.0, 10.0], [1.0, 0.5], [0.5])[0] == pytest.approx(2.0, rel=1e-12)


@given(pixels)
def test_merged_ties_follow_exactextracts_formula(parcel):
    x, w = parcel.T
    found = kernel_quantiles(x, w, QUANTILES, merge_ties=True)
    assert_close(found, exactextract_quantiles(x, w, QUANTILES), x)


@pytest.fixture(scope="module", params=["continuous", "tied"])
def field(request):
    """One date of 300 x 400 pixels, in steps of 0.5 where values are tied."""
    values = np.random.default_rng(7).normal(5, 2, (300, 400))
    return (np.round(values * 2) / 2 if request.param == "tied" else values).astype("float32")


@pytest.fixture(scope="module")
def parcels():
    inner = (500_300, 5_397_300, 503_700, 5_399_700)
    return make_parcels(random_polygons(1000, bounds=inner, seed=11, largest=120))


def extract(field, parcels):
    """Return exactextract's values, coverage and quantiles for each parcel."""
    source = NumPyRasterSource(field, **GROUND, srs_wkt=parcels.crs.to_wkt())
    operations = ["values", "coverage", *(f"quantile(q={q})" for q in QUANTILES)]
    table = exact_extract(source, parcels, operations, output="pandas")
    # Pixels of no area come along with a coverage of zero and no part in anything.
    pairs = [
        (np.asarray(x, float)[w > 0], np.asarray(w, float)[w > 0])
        for x, w in zip(table["values"], table["coverage"], strict=True)
    ]
    return pairs, table.iloc[:, 2:].to_numpy(float)


def reduced_quantiles(field, parcels, **options):
    """Return percentiles (parcel, quantile) through the public API."""
    stats = cbm.reduce_parcels(make_cube(field[None]), parcels, statistics=PERCENTILES, **options)
    return stats["B"].isel(time=0).to_numpy()


def test_reduce_parcels_follows_the_formula(field, parcels):
    pairs, _ = extract(field, parcels)
    expected = np.array([kish_quantiles(x, w, QUANTILES) for x, w in pairs])
    assert_close(reduced_quantiles(field, parcels), expected, field, 1e-6)


def test_exactextracts_formula_is_exactextracts(field, parcels):
    pairs, found = extract(field, parcels)
    assert len(pairs) > 950
    expected = np.array([exactextract_quantiles(x, w, QUANTILES) for x, w in pairs])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_reduce_parcels_reproduces_exactextract_by_name(field, parcels):
    _, expected = extract(field, parcels)
    found = reduced_quantiles(field, parcels, percentiles="exactextract")
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
