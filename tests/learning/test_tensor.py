"""Arrays for neural networks against the composites they are made from."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import xarray as xr

from cbmcube.exceptions import OptionError, UnknownParcelError
from cbmcube.learning import crop_tensor
from cbmcube.series import composite
from cbmcube.testing import vector_cube


def test_numbers_are_those_of_the_composite():
    stats = vector_cube(days=90)
    tensor = crop_tensor(stats, bands=["NDVI", "B04"], period="5D")
    means = composite(stats, "5D", anchor="2024-03-01")
    for band in ("NDVI", "B04"):
        raw = means[band].sel(statistic="mean").values.T
        seen = np.isfinite(raw)
        assert 0 < seen.mean() < 1
        np.testing.assert_array_equal(tensor.sel(channel=f"{band}_mask").values, seen)
        offset, scale = raw[seen].astype(float).mean(), raw[seen].astype(float).std()
        found = tensor.sel(channel=band)
        np.testing.assert_allclose(found.values[seen], (raw[seen] - offset) / scale, atol=1e-4)
        assert (found.values[~seen] == 0).all()
        assert found["offset"] == pytest.approx(offset)
        assert found["scale"] == pytest.approx(scale)
    assert (tensor["offset"].values[1::2] == 0).all()
    assert (tensor["scale"].values[1::2] == 1).all()


def test_it_is_plain_memory():
    tensor = crop_tensor(vector_cube("CARD-BS", days=60))
    assert tensor.dims == ("parcel", "time", "channel")
    assert tensor.dtype == np.float32
    assert tensor.values.flags["C_CONTIGUOUS"]
    assert tensor.values.flags["WRITEABLE"]
    assert np.isfinite(tensor.values).all()
    assert tensor["channel"].values.tolist()[:5] == [
        "VV_dB_R015", "VV_dB_mask_R015", "VH_dB_R015", "VH_dB_mask_R015", "VH_VV_dB_R015"
    ]  # fmt: skip
    assert "torch" not in sys.modules


def test_constants_come_from_the_training_parcels():
    stats = vector_cube(parcels=8, days=60)
    alone = crop_tensor(stats.isel(parcel=slice(4)), window=("2024-03-01", "2024-04-28"))
    taken = crop_tensor(stats, constants=alone, window=("2024-03-01", "2024-04-28"))
    asked = crop_tensor(
        stats, train=[f"P{k}" for k in range(4)], window=("2024-03-01", "2024-04-28")
    )
    np.testing.assert_array_equal(taken.values, asked.values)
    np.testing.assert_array_equal(taken.values[:4], alone.values)
    assert not np.array_equal(crop_tensor(stats)["offset"], alone["offset"])


def test_a_channel_without_scatter_is_not_divided_by_nothing():
    stats = vector_cube(days=30)
    stats["NDVI"] = stats["NDVI"].where(stats["NDVI"].isnull(), 0.5)
    tensor = crop_tensor(stats, bands="NDVI")
    assert float(tensor["scale"][0]) == 1.0
    assert (tensor.sel(channel="NDVI") == 0).all()


def test_products_join_along_channels():
    window = ("2024-03-01", "2024-04-28")
    both = xr.concat(
        [crop_tensor(vector_cube(name, days=59), window=window) for name in ("CARD-2A", "CARD-BS")],
        "channel",
    )
    assert both.shape == (4, 6, 6 + 10)
    assert both.dtype == np.float32


def test_nothing_leaks_from_the_future():
    stats = vector_cube(days=100)
    changed = stats.copy(deep=True)
    changed["NDVI"][stats["time"].values > np.datetime64("2024-05-01")] = 0.9
    first, second = (crop_tensor(one, as_of="2024-05-01") for one in (stats, changed))
    xr.testing.assert_identical(first, second)


def test_wrong_options():
    stats = vector_cube(days=20)
    tensor = crop_tensor(stats, bands="NDVI")
    with pytest.raises(OptionError, match="other channels"):
        crop_tensor(stats, bands="B04", constants=tensor)
    with pytest.raises(OptionError, match="one of them"):
        crop_tensor(stats, constants=tensor, train=["P0"])
    with pytest.raises(UnknownParcelError, match="1 unknown of 2"):
        crop_tensor(stats, train=["P0", "X"])
