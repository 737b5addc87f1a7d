"""The invented vector cube keeps the contract that real ones keep."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError, UnknownStatisticError
from cbmcube.testing import vector_cube

PRODUCTS = ["CARD-2A", "CARD-BS", "CARD-COH6"]


@pytest.mark.parametrize("product", PRODUCTS)
def test_dims_types_and_coordinates(product):
    stats = vector_cube(product)
    for band in stats["band"].values:
        assert stats[band].dims == ("time", "parcel", "statistic")
        assert stats[band].dtype == "float32"
        assert {"units", "long_name"} <= stats[band].attrs.keys()
    assert stats["n_valid"].dims == ("band", "time", "parcel")
    assert stats["n_total"].dims == ("band", "parcel")
    assert stats["n_valid"].dtype == stats["n_total"].dtype == "int32"
    assert stats["observed"].dims == ("time", "parcel")
    assert stats["time"].dtype == "datetime64[ns]"
    assert stats.indexes["time"].is_monotonic_increasing
    assert str(stats.xindexes["geometry"].crs) == "EPSG:32632"


@pytest.mark.parametrize("product", PRODUCTS)
def test_statistics_are_in_order_and_missing_together(product):
    stats = vector_cube(product, seed=3)
    for band in stats["band"].values:
        one = stats[band]
        ordered = one.sel(statistic=["min", "p25", "p50", "p75", "max"]).values
        known = np.isfinite(one.sel(statistic="mean").values)
        assert (np.diff(ordered[known]) >= 0).all()
        assert (known == (stats["n_valid"].sel(band=band).values > 0)).all()
        assert (one.sel(statistic="count").values[~known] == 0).all()


def test_backscatter_is_positive_and_coherence_a_share():
    linear = vector_cube("CARD-BS")[["VV", "VH"]].sel(statistic=["min", "mean", "max"])
    assert float(linear.to_array().min()) > 0
    share = vector_cube("CARD-COH6")[["VV", "VH"]].sel(statistic="mean").to_array()
    assert 0 <= float(share.min()) <= float(share.max()) <= 1


def test_area_is_that_of_the_pixels():
    stats = vector_cube(parcels=7)
    np.testing.assert_allclose(stats["area_m2"], 100 * stats["n_total"].isel(band=0))


def test_coherence_pairs_are_six_days_apart():
    stats = vector_cube("CARD-COH6")
    assert set(np.diff([stats["reference_time"], stats["time"]], axis=0).ravel()) == {
        np.timedelta64(6, "D").astype("timedelta64[ns]")
    }


@pytest.mark.parametrize("product", PRODUCTS)
def test_lazy_holds_the_same_numbers(product):
    lazy = vector_cube(product, lazy=True)
    assert all(dask.is_dask_collection(lazy[band].data) for band in lazy["band"].values)
    xr.testing.assert_identical(lazy.compute(), vector_cube(product))


def test_the_seed_decides():
    assert not vector_cube(seed=1).equals(vector_cube(seed=2))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9, unique=True))
def test_ids_keep_their_order(ids):
    assert vector_cube("CARD-BS", parcels=ids, days=8)["parcel"].values.tolist() == ids


def test_what_cannot_be_invented_is_refused():
    with pytest.raises(OptionError, match="CARD-X"):
        vector_cube("CARD-X")
    with pytest.raises(OptionError, match="B12"):
        vector_cube(bands=["B12"])
    with pytest.raises(UnknownStatisticError, match="p100"):
        vector_cube(statistics=["mean", "p100"])
