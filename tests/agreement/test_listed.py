"""Kept pairs and extreme differences as tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cbmcube.agreement import AgreementRule, compare
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def sides():
    """Small noise, and four differences that are far off: two up, two down."""
    rng = np.random.default_rng(0)
    ours = vector_cube("CARD-BS", parcels=6, days=60)
    theirs = ours.copy(deep=True)
    noise = rng.normal(0, 0.05, ours["VV"].shape[:2])
    for time, parcel, db in ((3, 1, 5.0), (4, 0, -7.0), (8, 5, 4.0), (9, 5, -2.0)):
        noise[time, parcel] = db
    theirs["VV"] = ours["VV"] * (10 ** (noise / 10))[..., None].astype("float32")
    return ours, theirs.assign_coords(items=("time", [f"their_{k}" for k in range(len(noise))]))


def test_pairs_are_as_the_sources_have_them(sides):
    ours, theirs = sides
    pairs = compare(*sides, variable="VV").pairs
    for row in pairs.iloc[::17].itertuples():
        where = {"time": row.time, "parcel": row.parcel, "statistic": "mean"}
        a, b = (10 * np.log10(float(cube["VV"].sel(where))) for cube in (ours, theirs))
        assert (row.a, row.b) == pytest.approx((a, b))
        assert (row.d, row.average) == pytest.approx((b - a, (a + b) / 2))
        assert row.relative_orbit == int(ours["relative_orbit"].sel(time=row.time))
    keys = pairs[["time", "parcel"]]
    assert not keys.duplicated().any()


def test_extremes_are_listed_with_their_items_and_not_removed(sides):
    ours = sides[0]
    result = compare(*sides, variable="VV")
    band = result["VV"]
    d = result.pairs["d"]
    far = np.abs(d - d.median()) > 10 * stats.median_abs_deviation(d)
    assert far.sum() == 4
    assert (band.extremes, band.all_extremes) == (4, True)
    rows = result.extremes
    np.testing.assert_allclose(rows["d"], [-7, 5, 4, -2], atol=1e-5)
    np.testing.assert_allclose(rows["mads"], np.abs(rows["d"] - band.median) / band.mad)
    assert rows["parcel"].tolist() == ["P0", "P1", "P5", "P5"]
    assert rows["items_a"].tolist() == ours["items"].values[[4, 3, 8, 9]].tolist()
    assert rows["items_b"].tolist() == ["their_4", "their_3", "their_8", "their_9"]
    assert band.n == len(d)
    assert band.rmse == pytest.approx(np.sqrt(np.mean(d**2)))
    assert "VV 4" in repr(result)


def test_a_list_that_is_cut_says_so(sides):
    result = compare(*sides, variable="VV", rule=AgreementRule(listed=1))
    band = result["VV"]
    assert (band.extremes, band.all_extremes) == (2, False)
    np.testing.assert_allclose(result.extremes["d"], [-7, 5], atol=1e-5)
    assert "at least 2" in repr(result)


def test_one_full_end_is_enough_to_cut(sides):
    """Two of three low ones do not fit; the one high one would."""
    ours, theirs = sides
    values = theirs["VV"].copy(deep=True)
    values[3, 1] = ours["VV"][3, 1] / 4
    values[8, 5] = ours["VV"][8, 5]
    theirs = theirs.assign(VV=values)
    for a, b in ((ours, theirs), (theirs, ours)):
        bands = [
            compare(a, b, variable="VV", rule=AgreementRule(listed=listed))["VV"]
            for listed in (2, 3, 4)
        ]
        assert [band.extremes for band in bands] == [2, 3, 3]
        assert [band.all_extremes for band in bands] == [False, False, True]


def test_where_all_pairs_are_listed_nothing_is_cut(sides):
    """Two lists of half of the pairs hold all of them, however many are extreme."""
    ours, theirs = (side.isel(time=slice(3, 10), parcel=slice(0, 2)) for side in sides)
    rule = AgreementRule(listed=7, extreme=0.01)
    band = compare(ours, theirs, variable="VV", rule=rule)["VV"]
    assert band.n <= 14
    assert band.extremes >= 10
    assert band.all_extremes


def test_the_limit_is_the_users(sides):
    rule = AgreementRule(extreme=60.0)
    assert len(compare(*sides, variable="VV", rule=rule).extremes) < 4


def test_without_spread_the_tolerance_is_the_limit():
    """Most numbers agree to the last bit, so that the MAD is 0."""
    ours = vector_cube("CARD-2A", parcels=4, days=60)
    values = ours["NDVI"].copy(deep=True)
    seen = np.argwhere(np.isfinite(ours["NDVI"].sel(statistic="mean").values))
    for (time, parcel), shift in zip(seen[:3], (0.019, 0.021, -0.5), strict=True):
        values[time, parcel] += shift
    result = compare(ours, ours.assign(NDVI=values), variable="NDVI")
    assert (result["NDVI"].mad, result["NDVI"].extreme_limit) == (0, 0.02)
    np.testing.assert_allclose(result.extremes["d"], [-0.5, 0.021], atol=1e-6)
    assert np.isinf(result.extremes["mads"]).all()
