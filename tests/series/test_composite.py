"""Composites against numpy statistics of the pixels themselves."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError, UnknownStatisticError
from cbmcube.series import composite
from cbmcube.testing import vector_cube

STATISTICS = ["count", "mean", "std", "min", "max", "p50"]


def _summary(pixels):
    if not len(pixels):
        return [0.0, *[np.nan] * 5]
    return [
        len(pixels),
        np.mean(pixels),
        np.std(pixels),
        np.min(pixels),
        np.max(pixels),
        np.median(pixels),
    ]


def _cube(pixels, days, **coords):
    """Make a cube of band X from pixels[time][parcel], lists of numbers."""
    values = np.array([[_summary(p) for p in row] for row in pixels], dtype="float32")
    times = np.datetime64("2024-03-01T10:00", "ns") + (np.array(days) * 86_400e9).astype(
        "timedelta64[ns]"
    )
    return xr.Dataset(
        {"X": (("time", "parcel", "statistic"), values, {"units": "1"})},
        coords={
            "time": times,
            "parcel": [f"P{k}" for k in range(values.shape[1])],
            "statistic": STATISTICS,
            **{name: ("time", value) for name, value in coords.items()},
        },
    )


numbers = st.lists(st.floats(-100, 100, width=32), max_size=6)


@given(st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=6))
def test_pooling_is_the_statistic_of_all_pixels(pixels):
    result = composite(_cube(pixels, range(len(pixels))), "7D")
    assert result.sizes["time"] == 1
    for parcel in range(2):
        together = np.concatenate([row[parcel] for row in pixels])
        expected = _summary(together)[:5]
        np.testing.assert_allclose(result["X"][0, parcel], expected, rtol=2e-5, atol=2e-4)
        assert result["n_obs"][0, 0, parcel] == sum(len(row[parcel]) > 0 for row in pixels)


def test_one_observation_for_each_period_changes_nothing():
    rng = np.random.default_rng(0)
    cube = _cube([[rng.normal(size=9), rng.normal(size=4)] for _ in range(6)], range(0, 30, 5))
    result = composite(cube, "5D")
    kept = cube["X"].sel(statistic=["count", "mean", "std", "min", "max"]).values
    np.testing.assert_array_equal(result["X"].values, kept)
    assert (result["time"].values == cube["time"].values.astype("datetime64[D]")).all()


@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=20), st.data())
def test_splitting_an_observation_by_pixels_changes_nothing(pixels, data):
    cut = data.draw(st.integers(0, len(pixels)))
    whole = composite(_cube([[pixels]], [0]), "5D")
    parts = composite(_cube([[pixels[:cut]], [pixels[cut:]]], [0, 1]), "5D")
    np.testing.assert_allclose(whole["X"], parts["X"], rtol=1e-5, atol=1e-6)


def test_a_constant_has_no_spread():
    result = composite(_cube([[[0.1] * 4], [[0.1] * 2], [[0.1]]], [0, 1, 2]), "5D")
    assert result["X"].sel(statistic="std").item() == 0
    assert result["X"].sel(statistic="mean").item() == np.float32(0.1)


def test_weights_count_or_not():
    cube = _cube([[[0.0] * 9], [[1.0]]], [0, 1])
    weighted, plain = composite(cube, "5D"), composite(cube, "5D", weights=None)
    assert weighted["X"].sel(statistic="mean").item() == pytest.approx(0.1)
    assert plain["X"].sel(statistic="mean").item() == 0.5
    assert plain["X"].sel(statistic="std").item() == 0.5
    assert plain["X"].sel(statistic="count").item() == 10


def test_an_empty_period_is_a_row_of_nothing():
    result = composite(_cube([[[1.0]], [[2.0]]], [0, 11]), "5D")
    assert result.sizes["time"] == 3
    middle = result.isel(time=1)
    assert middle["n_obs"].item() == 0
    assert middle["X"].sel(statistic="count").item() == 0
    assert np.isnan(middle["X"].sel(statistic=["mean", "std", "min", "max"])).all()
    assert np.isnat(middle["first_time"].values)


def test_a_period_without_valid_pixels_has_no_mean():
    result = composite(_cube([[[], [1.0]], [[], []]], [0, 1]), "5D")
    assert np.isnan(result["X"].sel(statistic="mean").values[0, 0])
    assert result["n_obs"].values[0, 0].tolist() == [0, 1]


def test_percentiles_are_left_out():
    result = composite(vector_cube(), "10D")
    assert result["statistic"].values.tolist() == ["count", "mean", "std", "min", "max"]


@pytest.mark.parametrize("product", ["CARD-BS", "CARD-COH6"])
def test_radar_orbits_stay_apart(product):
    stats = vector_cube(product)
    result = composite(stats, "10D")
    assert set(zip(result["relative_orbit"].values, result["orbit_state"].values, strict=True)) == {
        (15, "ascending"),
        (139, "descending"),
    }
    for orbit in (15, 139):
        of_orbit = stats["relative_orbit"].values == orbit
        alone = composite(stats.isel(time=of_orbit), "10D")
        same = result.isel(time=result["relative_orbit"].values == orbit)
        np.testing.assert_array_equal(same["VV"], alone["VV"])
        np.testing.assert_array_equal(same["time"], alone["time"])


def test_optical_orbits_are_mixed_unless_asked():
    stats = vector_cube("CARD-2A", days=20)
    assert "relative_orbit" not in composite(stats, "10D").coords
    apart = composite(stats, "10D", by_orbit=True)
    assert sorted(set(apart["relative_orbit"].values.tolist())) == [22, 65]


def test_pairs_of_other_length_stay_apart():
    stats = vector_cube("CARD-COH6", days=24).isel(time=slice(0, None, 2))
    reference = stats["reference_time"].values.copy()
    reference[1] -= np.timedelta64(6, "D")
    stats = stats.assign_coords(reference_time=("time", reference))
    result = composite(stats, "30D")
    assert result["baseline_days"].values.tolist() == [6, 12]
    np.testing.assert_array_equal(
        result["VV"].sel(statistic="mean").values[1], stats["VV"].sel(statistic="mean").values[1]
    )


def test_backscatter_is_averaged_in_linear_power():
    cube = _cube([[[0.01]], [[0.1]]], [0, 1]).assign_attrs(product="CARD-BS")
    result = composite(cube, "5D")["X"].sel(statistic="mean").item()
    assert result == pytest.approx((0.01 + 0.1) / 2)


def test_pixel_numbers_and_shares_stay_consistent():
    stats = vector_cube("CARD-2A", parcels=8)
    result = composite(stats, "10D")
    assert (result["n_valid"] <= result["n_total"]).all()
    assert result["n_valid"].sum() == stats["n_valid"].sum()
    assert ((result["observed"] >= 0) & (result["observed"] <= 1)).all()
    shares = result["SCL_fraction"].sum("class").where(result["observed"] > 0)
    np.testing.assert_allclose(shares.values[np.isfinite(shares.values)], 1, atol=1e-5)


def test_shares_of_classes_are_averages_of_what_was_seen():
    stats = vector_cube("CARD-2A", days=10, parcels=4)
    seen = stats["observed"].values > 0
    result = composite(stats, "30D")["SCL_fraction"].values[0]
    for parcel in range(4):
        expected = stats["SCL_fraction"].values[seen[:, parcel], parcel].mean(axis=0)
        np.testing.assert_allclose(result[parcel], expected, rtol=1e-5)


@pytest.mark.parametrize("product", ["CARD-2A", "CARD-BS", "CARD-COH6"])
def test_lazy_gives_the_same_and_stays_lazy(product):
    lazy = composite(vector_cube(product, lazy=True), "7D")
    assert lazy["n_obs"].chunks is not None
    xr.testing.assert_identical(lazy.compute(), composite(vector_cube(product), "7D"))


def test_chunks_of_parcels_change_nothing(monkeypatch):
    monkeypatch.setattr("cbmcube.series._blocks._TASK", 84 * 8 * 3)
    lazy = composite(vector_cube(parcels=8, lazy=True), "5D")
    assert lazy["NDVI"].chunks[1] == (3, 3, 2)
    xr.testing.assert_identical(lazy.compute(), composite(vector_cube(parcels=8), "5D"))


def test_tasks_grow_with_the_chunks_and_no_faster():
    def tasks(days):
        stats = vector_cube("CARD-BS", days=days, lazy=True)
        return len(composite(stats, "5D").__dask_graph__()) / len(stats.__dask_graph__())

    assert tasks(60) < 2.5
    assert tasks(240) < 2.5


def test_order_of_time_is_of_no_matter_and_the_input_stays():
    stats = vector_cube()
    before = stats.copy(deep=True)
    shuffled = stats.isel(time=np.random.default_rng(0).permutation(stats.sizes["time"]))
    xr.testing.assert_allclose(composite(stats, "5D"), composite(shuffled, "5D"))
    xr.testing.assert_identical(stats, before)


def test_geometry_and_parcels_are_kept():
    stats = vector_cube()
    result = composite(stats, "5D")
    assert result.xindexes["geometry"].crs == stats.xindexes["geometry"].crs
    assert result["parcel"].equals(stats["parcel"].drop_vars([]))
    assert result["NDVI"].attrs == stats["NDVI"].attrs
    assert result.attrs["composite"].startswith("5D from 2024-03-01")


def test_what_cannot_be_aggregated_is_refused():
    stats = vector_cube()
    with pytest.raises(OptionError, match="weights"):
        composite(stats, weights="area")
    with pytest.raises(UnknownStatisticError, match="'count'"):
        composite(stats.sel(statistic=["mean"]))
    with pytest.raises(OptionError, match="no acquisition"):
        composite(stats.isel(time=[]))
    with pytest.raises(OptionError, match="no vector cube"):
        composite(stats.isel(parcel=0))
    with pytest.raises(OptionError, match="a vector cube is expected"):
        composite(stats["NDVI"])


def test_the_mean_alone_needs_no_weights():
    stats = vector_cube().sel(statistic=["mean"])
    result = composite(stats, "10D", weights=None)
    assert result["statistic"].values.tolist() == ["mean"]
    first = stats["NDVI"].isel(time=stats["time"].values < np.datetime64("2024-03-11"))
    np.testing.assert_allclose(
        result["NDVI"].values[0, :, 0], np.nanmean(first.values[:, :, 0], axis=0), rtol=1e-6
    )


@pytest.mark.parametrize("day", ["2024-03-20", "2024-05-01"])
def test_what_a_day_did_not_know_changes_no_bit(day):
    whole = vector_cube("CARD-BS", days=90)
    later = whole["time"].to_numpy() > np.datetime64(day)
    changed = whole.copy(deep=True)
    for name in ("VV", "VH", "observed"):
        changed[name][later] = 0.123
    cut = composite(whole.isel(time=~later), "7D")
    for some in (whole, changed):
        xr.testing.assert_identical(composite(some, "7D", as_of=day), cut)


def test_a_band_that_was_added_later_has_no_pixel_numbers():
    stats = vector_cube(days=20)
    stats["ratio"] = stats["B08"] / 2
    result = composite(stats, "10D")
    assert result["band"].values.tolist() == ["B04", "B08", "NDVI", "ratio"]
    assert (result["n_valid"].sel(band="ratio") == -1).all()
    assert (result["n_total"].sel(band="ratio") == -1).all()
    before = composite(vector_cube(days=20), "10D")
    xr.testing.assert_identical(result["n_valid"].sel(band=before["band"]), before["n_valid"])
    assert (result["n_obs"].sel(band="ratio") == result["n_obs"].sel(band="B08")).all()


def test_totals_of_each_acquisition_add_up():
    stats = vector_cube(days=20)
    each = (stats["n_total"] * xr.ones_like(stats["time"], "int32")).transpose(
        "band", "time", "parcel"
    )
    xr.testing.assert_identical(
        composite(stats.assign(n_total=each), "10D")["n_total"], composite(stats, "10D")["n_total"]
    )
