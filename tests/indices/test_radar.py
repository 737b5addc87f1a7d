"""Radar indices are those of parcel means in linear power."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import cbmcube as cbm
from cbmcube.exceptions import OptionError, UnknownBandError, UnknownStatisticError
from cbmcube.indices import Index, radar_indices
from cbmcube.testing import vector_cube
from tests.indices.conftest import make_cube

ALL = ["VH_VV", "VH_VV_dB", "VV_VH_dB", "RVI4", "NDPI"]


def with_means(vv, vh):
    """A vector cube of one parcel and some dates with known means."""
    stats = vector_cube("CARD-BS", parcels=1, days=60).isel(time=slice(len(vv)))
    for name, means in (("VV", vv), ("VH", vh)):
        stats[name].loc[{"statistic": "mean"}] = np.reshape(means, (-1, 1))
    return stats


def test_every_index_is_that_of_a_plain_loop():
    stats = vector_cube("CARD-BS", parcels=6, days=40)
    found = radar_indices(stats, ALL)
    vv, vh = (stats[name].sel(statistic="mean").values.astype(float) for name in ("VV", "VH"))
    for place in np.ndindex(vv.shape):
        a, b = vv[place], vh[place]
        expected = {
            "VH_VV": b / a,
            "VH_VV_dB": 10 * np.log10(b) - 10 * np.log10(a),
            "VV_VH_dB": 10 * np.log10(a) - 10 * np.log10(b),
            "RVI4": 4 * b / (a + b),
            "NDPI": (a - b) / (a + b),
        }
        for name, value in expected.items():
            mine = float(found[name].sel(statistic="mean").values[place])
            assert mine == pytest.approx(value, rel=1e-5, abs=1e-6, nan_ok=True)
    assert np.isfinite(found.RVI4.sel(statistic="mean")).sum() > 50


def test_mean_and_count_are_defined_and_the_rest_is_not():
    stats = vector_cube("CARD-BS", parcels=3, days=40)
    found = radar_indices(stats, "RVI4").RVI4
    assert found.dims == stats.VV.dims
    assert found.dtype == np.float32
    smaller = np.minimum(stats.VV.sel(statistic="count"), stats.VH.sel(statistic="count"))
    np.testing.assert_array_equal(found.sel(statistic="count"), smaller)
    rest = [name for name in stats.statistic.values if name not in ("mean", "count")]
    assert np.isnan(found.sel(statistic=rest)).all()
    assert found.attrs["units"] == "1"
    assert "doi" in found.attrs["source"]


def test_numbers_of_pixels_are_the_smaller_ones():
    stats = vector_cube("CARD-BS", parcels=2, days=24)
    stats["n_valid"].loc[{"band": "VH"}] = stats.n_valid.sel(band="VV") // 2
    stats["n_failed"] = xr.zeros_like(stats.n_valid)
    stats["n_failed"].loc[{"band": "VH"}] = 3
    found = radar_indices(stats, ["RVI4", "NDPI"])
    assert found.band.values.tolist() == ["VV", "VH", "RVI4", "NDPI"]
    assert found.band.dtype.kind == "U"
    for name in ("RVI4", "NDPI"):
        np.testing.assert_array_equal(found.n_valid.sel(band=name), stats.n_valid.sel(band="VH"))
        np.testing.assert_array_equal(found.n_total.sel(band=name), stats.n_total.sel(band="VV"))
        assert (found.n_failed.sel(band=name) == 3).all()
    assert found.n_valid.dtype == stats.n_valid.dtype
    assert found.n_valid.dims == ("band", "time", "parcel")


def test_the_rest_of_the_cube_is_as_it_was():
    stats = vector_cube("CARD-BS", parcels=2, days=24)
    before = stats.copy(deep=True)
    found = radar_indices(stats, "NDPI")
    xr.testing.assert_identical(stats, before)
    xr.testing.assert_identical(found.drop_vars("NDPI").sel(band=["VV", "VH"]), stats)
    assert list(found.data_vars)[:3] == ["VV", "VH", "NDPI"]
    assert found.xindexes["geometry"].crs == stats.xindexes["geometry"].crs


def test_where_an_index_has_no_value_nothing_was_counted():
    """A mean of power can be negative, or nought, after noise removal."""
    stats = with_means([0.1, 0.1, 1e-7, -0.05, 0.1], [0.02, -0.01, -2e-7, 0.2, 0.0])
    found = radar_indices(stats, ALL)
    defined = {
        name: np.isfinite(found[name].sel(statistic="mean").values[:, 0]).tolist() for name in ALL
    }
    assert defined == {
        "VH_VV": [True, True, False, True, True],
        "VH_VV_dB": [True, False, False, False, False],
        "VV_VH_dB": [True, False, False, False, False],
        "RVI4": [True, False, False, False, True],
        "NDPI": [True, False, False, False, True],
    }
    for name in ALL:
        counted = found[name].sel(statistic="count").values[:, 0] > 0
        assert counted.tolist() == defined[name]
        assert (found.n_valid.sel(band=name).values[:, 0] > 0).tolist() == defined[name]


def test_ten_times_the_power_changes_no_index():
    stats = vector_cube("CARD-BS", parcels=3, days=24)
    louder = stats.assign(VV=stats.VV * 10, VH=stats.VH * 10)
    for name in ALL:
        np.testing.assert_allclose(
            radar_indices(louder, name)[name].sel(statistic="mean"),
            radar_indices(stats, name)[name].sel(statistic="mean"),
            rtol=1e-5,
        )


def test_a_lazy_cube_stays_lazy_and_gives_the_same(nothing_computes):
    with nothing_computes:
        found = radar_indices(vector_cube("CARD-BS", days=24, lazy=True), ALL)
        assert found.RVI4.chunks
        assert found.n_valid.chunks
    xr.testing.assert_identical(
        found.compute(), radar_indices(vector_cube("CARD-BS", days=24), ALL)
    )


def test_series_and_tables_take_them_as_bands(tmp_path):
    stats = radar_indices(vector_cube("CARD-BS", days=48), ["VH_VV_dB", "RVI4"])
    table = cbm.to_observations(stats)
    assert set(table["band"]) == {"VV", "VH", "VH_VV_dB", "RVI4"}
    assert set(table["state"]) <= {"OK", "PARTIAL", "NO_DATA", "MASKED"}
    dekads = cbm.composite(stats, "10D")
    assert np.isfinite(dekads.RVI4.sel(statistic="mean")).any()
    path = cbm.write_vector_cube(stats, tmp_path / "radar.zarr")
    assert cbm.open_vector_cube(path).VH_VV_dB.attrs["formula"] == "10 log10(VH / VV)"


def test_the_ratio_of_means_comes_back_from_speckle_and_the_mean_of_ratios_does_not(square):
    """One look of speckle: a ratio of exponentials has no mean at all."""
    rng = np.random.default_rng(0)
    power = {name: rng.exponential(mean, (1, 100, 100)).astype("float32")
             for name, mean in (("VV", 0.1), ("VH", 0.02))}  # fmt: skip
    cube = make_cube(power, step=1)
    stats = cbm.reduce_parcels(cube, square).compute()
    found = radar_indices(stats, "VH_VV").VH_VV.sel(statistic="mean").item()
    assert found == pytest.approx(0.2, rel=0.05)
    assert (power["VH"] / power["VV"]).mean() > 1


def test_own_indices_are_taken():
    span = Index("SPAN", "VV + VH", computed="means")
    stats = vector_cube("CARD-BS", days=24)
    found = radar_indices(stats, [span])
    np.testing.assert_allclose(
        found.SPAN.sel(statistic="mean"), (stats.VV + stats.VH).sel(statistic="mean"), rtol=1e-6
    )


def test_what_is_no_backscatter_is_refused():
    with pytest.raises(OptionError, match="linear power"):
        radar_indices(vector_cube("CARD-COH6", days=24), "RVI4")
    stats = vector_cube("CARD-BS", days=24)
    in_decibels = stats.copy()
    in_decibels["VV"] = (10 * np.log10(stats.VV)).assign_attrs(units="dB")
    with pytest.raises(OptionError, match="linear power"):
        radar_indices(in_decibels, "RVI4")
    with pytest.raises(UnknownBandError, match="VH"):
        radar_indices(vector_cube("CARD-BS", days=24, bands=["VV"]), "RVI4")
    with pytest.raises(UnknownStatisticError, match="lacks the mean"):
        radar_indices(vector_cube("CARD-BS", days=24, statistics=["p50"]), "RVI4")
    with pytest.raises(OptionError, match="already"):
        radar_indices(radar_indices(stats, "RVI4"), "RVI4")
    with pytest.raises(OptionError, match="from pixels"):
        radar_indices(stats, "NDVI")
