"""Features of a season: frozen names, summaries by hand, nothing from the future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dask.callbacks import Callback

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.learning import SUMMARIES, crop_features
from cbmcube.testing import vector_cube


def test_names_are_frozen():
    radar = crop_features(vector_cube("CARD-BS", days=11))
    dates, ends = ("2024-03-01", "2024-03-11"), ("max", "max_day", "integral", "slope")
    expected = [
        f"{band}_{one}_{orbit}"
        for orbit in ("R015", "R139")
        for band in ("VV_dB", "VH_dB", "VH_VV_dB")
        for one in (
            *dates,
            *(f"n_obs_{date}" for date in dates if band != "VH_VV_dB"),
            *ends,
        )
    ]
    assert radar.columns.tolist() == expected
    optical = crop_features(vector_cube(days=12), bands="NDVI", period="7D")
    assert optical.columns.tolist() == [
        "NDVI_2024-03-01", "NDVI_2024-03-08", "NDVI_n_obs_2024-03-01", "NDVI_n_obs_2024-03-08",
        "NDVI_max", "NDVI_max_day", "NDVI_integral", "NDVI_slope",
    ]  # fmt: skip


def test_summaries_are_those_of_a_loop():
    features = crop_features(vector_cube(parcels=6), bands="NDVI")
    series = features.filter(regex=r"^NDVI_\d")
    dates = pd.to_datetime([name[-10:] for name in series.columns])
    days = (dates - dates[0]).days.to_numpy()
    assert set(np.diff(days)) == {9, 10, 11} - {9}
    for parcel, row in series.iterrows():
        found = features.loc[parcel]
        values = row.to_numpy(dtype=float)
        assert found["NDVI_max"] == pytest.approx(values.max())
        assert found["NDVI_max_day"] == days[list(values).index(values.max())]
        assert found["NDVI_integral"] == pytest.approx(np.trapezoid(values, days), rel=1e-5)
        assert found["NDVI_slope"] == pytest.approx(np.polyfit(days, values, 1)[0], rel=1e-4)


def test_a_parcel_that_was_never_seen_has_no_numbers():
    stats = vector_cube(days=60)
    stats["NDVI"][:, 1] = np.nan
    stats["n_valid"][:, :, 1] = 0
    features = crop_features(stats, bands="NDVI")
    counts = features.filter(like="n_obs")
    assert features.drop(columns=counts.columns).loc["P1"].isna().all()
    assert (counts.loc["P1"] == 0).all()
    assert features.drop(index="P1").notna().all(axis=None)


def test_counts_are_zero_where_lines_were_drawn():
    stats = vector_cube(days=120)
    features = crop_features(stats, bands="NDVI", period="5D", summaries=())
    raw = crop_features(stats, bands="NDVI", period="5D").filter(like="n_obs")
    assert (raw == 0).any(axis=None)
    assert features.notna().all(axis=None)
    assert features.shape == (4, 2 * 24)


@pytest.mark.parametrize("day", ["2024-04-15", "2024-06-01T12:00"])
@pytest.mark.parametrize("product", ["CARD-2A", "CARD-BS"])
def test_nothing_leaks_from_the_future(product, day):
    stats = vector_cube(product, days=150)
    known = stats["time"].values <= np.datetime64(day)
    window = ("2024-03-01", "2024-07-20")
    found = crop_features(stats, as_of=day, window=window)
    cut = crop_features(stats.isel(time=known), as_of=day, window=window)
    pd.testing.assert_frame_equal(found, cut)
    band = stats["band"].values[0]
    changed = stats.copy(deep=True)
    changed[band][~known] = 0.123
    pd.testing.assert_frame_equal(crop_features(changed, as_of=day, window=window), found)
    assert not crop_features(changed, window=window).equals(crop_features(stats, window=window))
    assert max(found.filter(regex=r"\d{4}-").columns.str.extract(r"(\d{4}-\d\d-\d\d)")[0]) <= day


def test_what_was_not_yet_available_is_not_known():
    """Images of before the day that were published after it."""
    stats = vector_cube(days=100)
    times = stats["time"].values
    late = (np.arange(len(times)) % 3 == 0) & (times > np.datetime64("2024-03-02"))
    created = times + np.where(late, np.timedelta64(40, "D"), np.timedelta64(1, "h"))
    known = (times <= np.datetime64("2024-05-01")) & (created <= np.datetime64("2024-05-01"))
    options = {"as_of": "2024-05-01", "window": ("2024-03-01", "2024-06-08")}
    found = crop_features(stats.assign_coords(created=("time", created)), **options)
    pd.testing.assert_frame_equal(found, crop_features(stats.isel(time=known), **options))
    assert not found.equals(crop_features(stats, **options))


def test_order_of_parcels_and_of_time_does_not_matter():
    stats = vector_cube("CARD-BS", parcels=5, days=60)
    features = crop_features(stats)
    turned = crop_features(stats.isel(time=slice(None, None, -1), parcel=[3, 1, 4, 0, 2]))
    pd.testing.assert_frame_equal(turned.loc[features.index], features)


def test_a_lazy_cube_is_computed_once():
    runs = []
    with Callback(start=runs.append):
        features = crop_features(vector_cube(lazy=True, days=60))
    assert len(runs) == 1
    pd.testing.assert_frame_equal(features, crop_features(vector_cube(days=60)))


def test_without_counts_acquisitions_weigh_the_same():
    stats = vector_cube(days=30, statistics=["mean"])
    assert crop_features(stats, bands="NDVI").notna().any(axis=None)


def test_wrong_options_say_what_is_allowed():
    stats = vector_cube(days=20)
    with pytest.raises(OptionError, match="integral"):
        crop_features(stats, summaries="median")
    with pytest.raises(UnknownBandError, match="B11"):
        crop_features(stats, bands="B11")
    assert SUMMARIES == ("max", "max_day", "integral", "slope")
