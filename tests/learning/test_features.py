"""Feature matrices against single numbers of the cube."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dask.callbacks import Callback

from cbmcube.exceptions import DuplicateIdError, OptionError, UnknownStatisticError
from cbmcube.learning import feature_matrix
from cbmcube.series import composite
from cbmcube.testing import vector_cube


@pytest.mark.parametrize("product", ["CARD-2A", "CARD-BS", "CARD-COH6"])
def test_every_number_stands_under_its_name(product):
    stats = vector_cube(product, parcels=["b", "a", "c"], days=40)
    features = feature_matrix(stats)
    bands = stats["band"].values
    assert features.shape == (3, len(bands) * stats.sizes["time"])
    pair = "_6d" if product == "CARD-COH6" else ""
    for k, time in enumerate(stats["time"].values):
        orbit = int(stats["relative_orbit"][k])
        for band in bands:
            column = f"{band}_mean_{str(time)[:10]}_R{orbit:03d}{pair}"
            expected = stats[band].isel(time=k).sel(statistic="mean").values
            np.testing.assert_array_equal(features[column], expected)


def test_the_name_of_the_brief_example():
    stats = vector_cube(start="2024-03-05", days=4)
    assert feature_matrix(stats, bands="B08").columns.tolist() == [
        "B08_mean_2024-03-05_R022",
        "B08_mean_2024-03-08_R065",
    ]


def test_parcels_keep_their_order_and_type():
    features = feature_matrix(vector_cube(parcels=[30, 10, 20], days=10))
    assert features.index.equals(pd.Index([30, 10, 20], name="parcel"))
    assert (features.dtypes == "float32").all()


def test_missing_is_nan():
    stats = vector_cube(days=60)
    features = feature_matrix(stats, bands="NDVI")
    missing = (stats["n_valid"].sel(band="NDVI") == 0).values
    assert missing.any()
    np.testing.assert_array_equal(features.isna().to_numpy(), missing.T)


def test_several_statistics():
    stats = vector_cube(days=4)
    columns = feature_matrix(stats, bands=["B04", "B08"], statistic=["mean", "std"]).columns
    assert columns[:4].tolist() == [
        f"{band}_{statistic}_2024-03-01_R022"
        for band in ("B04", "B08")
        for statistic in ("mean", "std")
    ]
    with pytest.raises(UnknownStatisticError, match="p5"):
        feature_matrix(stats, statistic="p5")


def test_periods_are_composites():
    radar = vector_cube("CARD-BS", days=60)
    features = feature_matrix(radar, bands="VH", period="10D")
    means = composite(radar, "10D")["VH"].sel(statistic="mean")
    np.testing.assert_array_equal(features.to_numpy().T, means.values)
    assert features.columns[:2].tolist() == ["VH_mean_2024-03-01_R015", "VH_mean_2024-03-01_R139"]
    optical = feature_matrix(vector_cube(days=60), bands="NDVI", period="10D")
    assert optical.columns[:2].tolist() == ["NDVI_mean_2024-03-01", "NDVI_mean_2024-03-11"]
    with pytest.raises(UnknownStatisticError, match="p50"):
        feature_matrix(radar, statistic="p50", period="10D")


def test_names_do_not_depend_on_the_order_of_time():
    stats = vector_cube(days=40)
    turned = feature_matrix(stats.isel(time=slice(None, None, -1)))
    pd.testing.assert_frame_equal(turned, feature_matrix(stats))


def test_one_name_for_two_numbers_is_refused():
    stats = vector_cube(days=20)
    twice = stats.isel(time=[0, 1, 1])
    with pytest.raises(OptionError, match="2024-03-04_R065"):
        feature_matrix(twice)
    with pytest.raises(DuplicateIdError, match="P1"):
        feature_matrix(stats.isel(parcel=[0, 1, 1]))


def test_a_cube_without_orbits_has_shorter_names():
    stats = vector_cube(days=4).drop_vars(["relative_orbit", "orbit_state"])
    assert feature_matrix(stats, bands="NDVI").columns.tolist() == [
        "NDVI_mean_2024-03-01",
        "NDVI_mean_2024-03-04",
    ]


@pytest.mark.parametrize("period", [None, "10D"])
def test_a_lazy_cube_is_computed_once(period):
    runs = []
    with Callback(start=runs.append):
        features = feature_matrix(vector_cube(lazy=True), period=period)
    assert len(runs) == 1
    pd.testing.assert_frame_equal(features, feature_matrix(vector_cube(), period=period))
