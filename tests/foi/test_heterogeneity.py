"""Heterogeneity from class shares: as from pixels, lazily, and every way to be unknown."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import cbmcube as cbm
from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.foi import REASONS, STATUS, FoiRule, assess, heterogeneity
from cbmcube.testing import vector_cube
from tests.foi.conftest import NORTH, WEST, make_parcels, make_raster, patches
from tests.zonal.conftest import random_polygons

CLASSES = [0, 1, 2, 3]


def shares(*rows, codes=None, band="LULC"):
    """Return a vector cube of one date with these shares of each parcel."""
    values = np.asarray(rows, dtype="float32")[None]
    return xr.Dataset(
        {f"{band}_fraction": (("time", "parcel", "class"), values)},
        coords={
            "time": [np.datetime64("2024-05-01", "ns")],
            "parcel": [f"P{number}" for number in range(len(rows))],
            "class": codes or range(values.shape[-1]),
        },
    )


def told(found):
    """Return flag and reason of each parcel on the first date."""
    reason = [None if code < 0 else REASONS[code] for code in found["reason"].values[0]]
    return list(zip(found["foi_h"].values[0].tolist(), reason, strict=True))


def sized(stats, px=100.0):
    return xr.DataArray(np.full(stats.sizes["parcel"], px), dims="parcel")


def test_pixels_and_shares_agree():
    """One raster, once with its pixels and once reduced with the same rule."""
    codes = patches((220, 260), 3, size=14)
    raster = make_raster(codes, chunks={"y": 64, "x": 64}, flag_values=np.array(CLASSES, "uint8"))
    bounds = (WEST + 300, NORTH - 1700, WEST + 1500, NORTH - 300)
    parcels = make_parcels(random_polygons(60, bounds=bounds, seed=3, largest=300.0))
    # Class 255 stands for no data, which this raster does not have.
    reduced = cbm.reduce_parcels(
        raster.assign_attrs(nodata=255).to_dataset(name="LULC"), parcels, pixels="centre"
    )
    table = assess(raster, parcels)
    number = xr.DataArray(table["n_total"].to_numpy(), dims="parcel")
    found = heterogeneity(reduced, n_total=number).isel(time=0).compute()
    assert (found["foi_h"] == table["foi_h"].astype("Int8").fillna(-1).to_numpy(int)).all()
    assert {*found["foi_h"].values} == {-1, 0, 1}
    np.testing.assert_array_equal(found["n_valid"].round(), table["n_valid"])
    for name in ("dominant_share", "shannon", "simpson"):
        np.testing.assert_allclose(found[name], table[name], atol=2e-6)
    for code in CLASSES:
        np.testing.assert_allclose(
            found["share"].sel({"class": code}), table[f"share_{code}"], atol=1e-6
        )
    known = table["dominant_class"].astype("float").to_numpy()
    tied = np.isclose(table["dominant_share"], 0.5)
    np.testing.assert_array_equal(found["dominant_class"].values[~tied], known[~tied])


def test_the_limits_of_a_share_count():
    stats = shares([0.29, 0.71], [0.30, 0.70], [0.5, 0.5], [0.0, 1.0])
    found = heterogeneity(stats, n_total=sized(stats))
    assert found["foi_h"].values.tolist() == [[0, 1, 1, 0]]
    np.testing.assert_allclose(found["simpson"][0], [0.4118, 0.42, 0.5, 0.0], rtol=1e-5)
    assert found["shannon"].values[0, 2:].tolist() == [1.0, 0.0]


def test_ignored_and_unlisted_classes_are_left_out_of_the_whole():
    """Clouds are not seen; a class that is not listed is seen and does not count."""
    stats = shares([0.3, 0.3, 0.0, 0.4], [0.2, 0.2, 0.1, 0.5], [0.0, 0.1, 0.0, 0.9], [0, 0, 0, 1])
    number = sized(stats)
    found = heterogeneity(stats, n_total=number, ignore=[3])
    assert told(found) == [(1, None), (1, None), (-1, "PARTLY_SEEN"), (-1, "NO_INPUT")]
    np.testing.assert_allclose(found["share"][0, 0], [0.5, 0.5, 0.0])
    np.testing.assert_allclose(found["n_valid"][0], [60, 50, 10, 0], atol=1e-4)
    listed = heterogeneity(stats, n_total=number, classes=[1, 0, 77])
    assert listed["class"].values.tolist() == [1, 0, 77]
    assert told(listed)[:3] == [(1, None), (1, None), (-1, "TOO_FEW_PIXELS")]
    assert np.isnan(listed["dominant_class"][0, 3])


def test_small_parcels_are_not_judged():
    stats = shares([0.5, 0.5], [0.5, 0.5], [0.2, 0.2])
    number = xr.DataArray([39.0, 40.0, 101.0], dims="parcel")
    found = heterogeneity(stats, n_total=number, rule=FoiRule(min_observed=0.4))
    assert told(found) == [(-1, "TOO_SMALL"), (1, None), (1, None)]
    assert [STATUS[code] for code in found["status"].values[0]] == ["NOT_VALID", "OK", "OK"]


def test_without_a_least_size_none_is_needed():
    stats = shares([0.5, 0.5], [0.0, 0.0])
    with pytest.raises(OptionError, match="have 40 pixels is unknown"):
        heterogeneity(stats)
    found = heterogeneity(stats, rule=FoiRule(min_px=0))
    assert told(found) == [(1, None), (-1, "NO_INPUT")]
    assert "n_valid" not in found


def test_the_size_may_be_that_of_a_band():
    stats = vector_cube(days=30)
    by_name = heterogeneity(stats, n_total="B04")
    by_number = heterogeneity(stats, n_total=stats["n_total"].sel(band="B04", drop=True))
    xr.testing.assert_identical(by_name, by_number)
    with pytest.raises(UnknownBandError, match="number of pixels"):
        heterogeneity(stats, n_total="B99")
    with pytest.raises(UnknownBandError, match="number of pixels"):
        heterogeneity(shares([0.5, 0.5]), n_total="B04")


def test_lazy_stays_lazy_and_chunks_change_nothing(nothing_computes):
    stats = vector_cube(days=60)
    expected = heterogeneity(stats, n_total="B04", ignore=[9])
    with nothing_computes:
        lazy = heterogeneity(
            stats.chunk(time=3, parcel=2, **{"class": 1}), n_total="B04", ignore=[9]
        )
        assert all(array.chunks for array in lazy.values())
    xr.testing.assert_identical(lazy.compute(), expected)


def test_what_cannot_be_asked_is_refused():
    stats = shares([0.5, 0.5])
    with pytest.raises(UnknownBandError, match="holds no shares") as error:
        heterogeneity(stats, "SCL", n_total=sized(stats))
    assert "LULC" in str(error.value)
    with pytest.raises(UnknownBandError, match="name one class band"):
        heterogeneity(xr.merge([stats, shares([1.0, 0.0], [1.0, 0.0], band="SCL")], join="outer"))
    with pytest.raises(OptionError, match="none of the cube's classes"):
        heterogeneity(stats, n_total=sized(stats), ignore=[0, 1])
    with pytest.raises(OptionError, match="none of the cube's classes"):
        heterogeneity(stats, n_total=sized(stats), classes=[77])


def test_what_numbers_mean_is_written_beside_them():
    stats = shares([0.5, 0.5])
    found = heterogeneity(stats, n_total=sized(stats))
    assert found.attrs["params_id"] == FoiRule().params_id
    for name, words in (("status", STATUS), ("reason", ("none", *REASONS))):
        assert found[name].attrs["flag_meanings"].split() == list(words)
        assert len(found[name].attrs["flag_values"]) == len(words)
    assert {str(found[name].dtype) for name in ("foi_h", "status", "reason")} == {"int8"}
    assert found["share"].dims == ("time", "parcel", "class")
    assert found["shannon"].attrs["units"] == "1"
