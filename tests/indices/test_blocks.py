"""Guards, masks and unread pixels of one block."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.indices import INDICES, Index
from cbmcube.indices._blocks import Input, bad_block, index_block

NAN, INF = np.nan, np.inf
ONE = (1, 1)


def both(index, bands, *, nodata=NAN, factors=None):
    """Return the index and its flag of single-row bands."""
    arrays = [np.asarray(bands[name]) for name in index.bands]
    inputs = tuple(Input(name, nodata, (factors or {}).get(name, ONE)) for name in index.bands)
    return (
        index_block(*arrays, index=index, inputs=inputs),
        bad_block(*arrays, index=index, inputs=inputs),
    )


def row(*values):
    return np.array([[values]], "float32")


def test_a_pixel_has_a_value_where_all_bands_have_one():
    value, bad = both(
        INDICES["NDVI"], {"B08": row(0.3, NAN, 0.3, NAN), "B04": row(0.1, 0.1, NAN, NAN)}
    )
    np.testing.assert_allclose(value[0, 0], [0.5, NAN, NAN, NAN], rtol=1e-6)
    np.testing.assert_array_equal(bad[0, 0], [0, NAN, NAN, NAN])


def test_an_unread_pixel_stays_unread_whatever_the_other_band_holds():
    value, bad = both(
        INDICES["NDVI"], {"B08": row(-INF, 0.3, NAN, -INF), "B04": row(0.1, -INF, -INF, NAN)}
    )
    assert np.isneginf(value).all()
    assert np.isneginf(bad).all()


def test_denominators_near_zero_have_no_value():
    """Exactly 1e-6 is far enough; half of it is not, on either side."""
    ratio = Index("X", "A / B")
    value, bad = both(ratio, {"A": row(1, 1, 1, 1), "B": row(2e-6, 5e-7, -5e-7, 0)})
    assert np.isfinite(value[0, 0]).tolist() == [True, False, False, False]
    assert bad[0, 0].tolist() == [0, 1, 1, 1]


def test_a_normalised_difference_beyond_one_is_bad():
    """A negative reflectance is legal, and its NDVI is not."""
    value, bad = both(INDICES["NDVI"], {"B08": row(0.3, 0.3, -0.01), "B04": row(0.0, -0.01, 0.3)})
    np.testing.assert_array_equal(value[0, 0], [1, NAN, NAN])
    assert bad[0, 0].tolist() == [0, 1, 1]


def test_results_that_are_not_finite_are_bad():
    power = Index("X", "A ** B")
    value, bad = both(power, {"A": row(-1, 1e30, 2), "B": row(0.5, 1e3, 2)})
    np.testing.assert_array_equal(value[0, 0], [NAN, NAN, 4])
    assert bad[0, 0].tolist() == [1, 1, 0]


def test_a_missing_pixel_stays_missing_where_arithmetic_would_forget_it():
    """NaN to the power of 0 is 1 in NumPy."""
    value, bad = both(Index("X", "A ** B"), {"A": row(NAN, -INF), "B": row(0, 0)})
    assert np.isnan(value[0, 0, 0])
    assert np.isnan(bad[0, 0, 0])
    assert np.isneginf(value[0, 0, 1])


def test_whole_numbers_do_not_wrap_and_their_nodata_is_missing():
    counts = {"B08": np.array([[[3000, 1000, 0]]], "uint16")}
    counts["B04"] = np.array([[[1000, 3000, 1000]]], "uint16")
    value, _ = both(INDICES["NDVI"], counts, nodata=0.0)
    np.testing.assert_allclose(value[0, 0], [0.5, -0.5, NAN], rtol=1e-6)
    assert value.dtype == np.float32


def test_doubles_are_combined_in_double_precision():
    ones = np.ones((1, 1, 1))
    value, _ = both(Index("X", "(A - B) * 1e9"), {"A": ones + 1e-9, "B": ones})
    assert value[0, 0, 0] == pytest.approx(1, rel=1e-6)


FOUR = {"A": (2, 2)}


@pytest.mark.parametrize(
    ("four", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4], 0.25),
        ([0.1, 0.2, 0.3, NAN], NAN),  # partly masked
        ([NAN, NAN, NAN, NAN], NAN),
        ([0.1, -INF, 0.3, 0.4], -INF),
        ([NAN, -INF, 0.3, 0.4], -INF),
        ([-INF, NAN, NAN, NAN], -INF),
    ],
)
def test_a_coarse_pixel_is_the_mean_of_all_its_finer_ones_or_nothing(four, expected):
    fine = np.array(four, "float32").reshape(1, 2, 2)
    value, bad = both(Index("X", "A + 0 * B"), {"A": fine, "B": row(1)}, factors=FOUR)
    np.testing.assert_allclose(value[0, 0, 0], expected, rtol=1e-6)
    assert np.isfinite(bad[0, 0, 0]) == np.isfinite(expected)


def test_pixels_of_other_shapes_are_averaged_too():
    fine = np.arange(36, dtype="float32").reshape(1, 6, 6)
    value, _ = both(
        Index("X", "A + 0 * B"), {"A": fine, "B": np.ones((1, 2, 3))}, factors={"A": (3, 2)}
    )
    expected = [[fine[0, 3 * i : 3 * i + 3, 2 * j : 2 * j + 2].mean() for j in range(3)]
                for i in range(2)]  # fmt: skip
    np.testing.assert_allclose(value[0], expected, rtol=1e-6)


@given(
    st.floats(0.001, 1),
    st.floats(0.001, 1),
    st.floats(0.01, 100),
)
def test_ndvi_does_not_change_when_both_bands_are_scaled(near, red, factor):
    plain, _ = both(INDICES["NDVI"], {"B08": row(near), "B04": row(red)})
    scaled, _ = both(INDICES["NDVI"], {"B08": row(near * factor), "B04": row(red * factor)})
    np.testing.assert_allclose(scaled, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("near", "red", "true", "wrong"),
    [(0.45, 0.03, 0.875, 0.618), (0.30, 0.08, 0.579, 0.379), (0.20, 0.15, 0.143, 0.091)],
)
def test_an_offset_that_was_forgotten_changes_it(near, red, true, wrong):
    """The published effect of 1000 counts too many."""
    value, _ = both(INDICES["NDVI"], {"B08": row(near, near + 0.1), "B04": row(red, red + 0.1)})
    np.testing.assert_allclose(value[0, 0], [true, wrong], atol=5e-4)
