"""The crop behind a profile, and the composite above it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dask.callbacks import Callback
from matplotlib.dates import date2num

from cbmcube.exceptions import OptionError
from cbmcube.plotting import profile
from cbmcube.series import composite
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def optical():
    return vector_cube("CARD-2A", parcels=24)


def _others(stats, parcel, band):
    """Means of the other parcels of the crop, one by one; NaN where under half is valid."""
    crop = stats["crop"].sel(parcel=parcel).item()
    rows = []
    for other in stats["parcel"].values:
        one = stats.sel(parcel=other)
        if other == parcel or one["crop"].item() != crop:
            continue
        share = one["n_valid"].sel(band=band).values / one["n_total"].sel(band=band).values
        rows.append(np.where(share >= 0.5, one[band].sel(statistic="mean").values, np.nan))
    return np.array(rows, dtype="float64")


def _dashed(axis):
    return [line for line in axis.lines if line.get_alpha() == 0.6 and len(line.get_xdata()) > 2]


def test_the_mean_of_the_crop_weighs_each_other_parcel_alike(optical):
    (axis,) = profile(optical, "P1", crop_mean=True).axes
    values = _others(optical, "P1", "NDVI")
    assert len(values) == 5
    known = np.isfinite(values).any(axis=0)
    mean, std = np.nanmean(values[:, known], axis=0), np.nanstd(values[:, known], axis=0)
    (line,) = _dashed(axis)
    np.testing.assert_allclose(line.get_ydata(), mean, rtol=1e-6)
    np.testing.assert_array_equal(
        np.asarray(line.get_xdata(), dtype="datetime64[ns]"), optical["time"].values[known]
    )
    box = axis.collections[0].get_datalim(axis.transData)
    np.testing.assert_allclose(
        [box.y0, box.y1], [(mean - std).min(), (mean + std).max()], rtol=1e-6
    )
    texts = [text.get_text() for text in axis.get_legend().get_texts()]
    assert "grassland: mean ± std, n=5 others" in texts


def test_the_crop_is_in_db_and_apart_by_orbit():
    stats = vector_cube("CARD-BS", parcels=12)
    (axis,) = profile(stats, "P1", bands="VV", crop_mean=True).axes
    values = _others(stats, "P1", "VV")
    orbits = stats["relative_orbit"].values
    lines = _dashed(axis)
    assert len(lines) == 2
    for line, orbit in zip(lines, (15, 139), strict=True):
        wanted = 10 * np.log10(values[:, orbits == orbit].mean(axis=0))
        np.testing.assert_allclose(line.get_ydata(), wanted, rtol=1e-6)


def test_a_crop_of_one_parcel_is_told():
    stats = vector_cube(parcels=3)
    (axis,) = profile(stats, "P1", crop_mean=True).axes
    assert _dashed(axis) == []
    assert "no other parcel of grassland" in [t.get_text() for t in axis.get_legend().get_texts()]
    with pytest.raises(OptionError, match="know the crops"):
        profile(stats.drop_vars("crop"), "P1", crop_mean=True)


def test_bars_are_the_composites_over_their_days(optical):
    (axis,) = profile(optical, "P1", composite="5D").axes
    bars = axis.collections[-1]
    segments = np.array(bars.get_segments())
    pooled = composite(optical, "5D").sel(parcel="P1")
    mean = pooled["NDVI"].sel(statistic="mean").values
    known = np.isfinite(mean)
    assert not known.all()
    np.testing.assert_allclose(segments[:, 0, 1], mean[known], rtol=1e-6)
    np.testing.assert_allclose(segments[:, 0, 0], date2num(pooled["time"].values[known]))
    np.testing.assert_allclose(segments[:, 1, 0] - segments[:, 0, 0], 5)
    pixels = optical["n_total"].sel(band="NDVI", parcel="P1").item()
    thick = pooled["n_valid"].sel(band="NDVI").values[known] >= pixels / 2
    assert thick.any()
    assert not thick.all()
    np.testing.assert_array_equal(np.array(bars.get_linewidths()) > 1, thick)


def test_bars_of_radar_are_apart_by_orbit_and_in_db():
    stats = vector_cube("CARD-BS", parcels=4)
    (axis,) = profile(stats, "P0", bands="VH", composite="10D").axes
    pooled = composite(stats, "10D").sel(parcel="P0")
    mean = 10 * np.log10(pooled["VH"].sel(statistic="mean").values)
    bars = [np.array(c.get_segments())[:, 0, 1] for c in axis.collections if c.get_zorder() == 2.6]
    assert len(bars) == 2
    np.testing.assert_allclose(
        np.sort(np.concatenate(bars)), np.sort(mean[np.isfinite(mean)]), rtol=1e-6
    )


def test_all_of_it_is_one_computation():
    runs = []
    with Callback(start=runs.append):
        profile(vector_cube(parcels=12, lazy=True), "P1", crop_mean=True, composite="5D")
    assert len(runs) == 1


def test_legends_stay_clear_of_titles():
    cubes = [vector_cube(name, parcels=12) for name in ("CARD-2A", "CARD-BS", "CARD-COH6")]
    figure = profile(cubes, "P1", crop_mean=True, composite="5D")
    figure.draw_without_rendering()
    for axis in figure.axes:
        title = axis._left_title.get_window_extent()
        for text in axis.get_legend().get_texts():
            assert not text.get_window_extent().overlaps(title)


def test_a_blind_crop_leaves_no_line(optical):
    blind = optical.assign(NDVI=optical["NDVI"] * np.nan, n_valid=0 * optical["n_valid"])
    (axis,) = profile(blind, "P1", crop_mean=True, composite="5D").axes
    assert _dashed(axis) == []


def test_ids_that_are_numbers_have_peers():
    stats = vector_cube(parcels=[*range(9)])
    (axis,) = profile(stats, 1, crop_mean=True).axes
    assert "grassland: mean ± std, n=1 others" in [
        t.get_text() for t in axis.get_legend().get_texts()
    ]
    assert pd.Index(stats["parcel"]).is_unique
