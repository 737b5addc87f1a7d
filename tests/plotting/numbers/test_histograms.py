"""What histograms show, read back from their steps."""

from __future__ import annotations

import numpy as np
import pytest
from dask.callbacks import Callback

from cbmcube.exceptions import OptionError, UnknownBandError, UnknownStatisticError
from cbmcube.plotting import histograms
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def optical():
    return vector_cube("CARD-2A", parcels=50)


def _valid(stats, band, times=slice(None)):
    share = (stats["n_valid"] / stats["n_total"]).sel(band=band).values
    values = stats[band].sel(statistic="mean").values
    return values[times][share[times] >= 0.5].astype(float)


def test_counts_are_those_of_parcels_with_half_of_their_pixels(optical):
    figure = histograms(optical, bands=["NDVI", "B04"], bins=20)
    for axis, band in zip(figure.axes, ("NDVI", "B04"), strict=True):
        (steps,) = axis.patches
        wanted = _valid(optical, band)
        counts, edges = np.histogram(wanted, 20)
        np.testing.assert_array_equal(steps.get_data().values, counts)
        np.testing.assert_allclose(steps.get_data().edges, edges)
        assert axis.get_legend().get_texts()[0].get_text() == f"n={len(wanted):,}"
        assert axis.get_xlabel() == f"{band} mean (-)"


def test_each_date_is_a_line_over_the_same_bins(optical):
    days = [str(time)[:10] for time in optical["time"].values]
    chosen = [days[8], days[30]]
    (axis,) = histograms(optical, bands="NDVI", dates=chosen, bins=15).axes
    every = [_valid(optical, "NDVI", np.array(days) == day) for day in chosen]
    edges = np.histogram_bin_edges(np.concatenate(every), 15)
    assert len(axis.patches) == 2
    for steps, values in zip(axis.patches, every, strict=True):
        np.testing.assert_array_equal(steps.get_data().values, np.histogram(values, edges)[0])
    texts = [text.get_text() for text in axis.get_legend().get_texts()]
    assert texts == [f"{d} (n={len(v)})" for d, v in zip(chosen, every, strict=True)]
    assert axis.patches[0].get_edgecolor() != axis.patches[1].get_edgecolor()


def test_backscatter_is_in_db_and_its_spread_is_not():
    stats = vector_cube("CARD-BS", parcels=20)
    (axis,) = histograms(stats, bands="VV").axes
    values = 10 * np.log10(_valid(stats, "VV"))
    np.testing.assert_allclose(
        axis.patches[0].get_data().edges[[0, -1]], [values.min(), values.max()]
    )
    assert axis.get_xlabel() == "VV mean (dB)"
    assert histograms(stats, bands="VV", statistic="std").axes[0].get_xlabel() == "VV std (-)"
    assert histograms(stats, bands="VV", statistic="count").axes[0].get_xlabel() == (
        "VV count (pixels)"
    )


def test_no_value_and_one_value_are_drawn(optical):
    (axis, *_) = histograms(optical.isel(time=[])).axes
    assert [text.get_text() for text in axis.texts] == ["no value"]
    one = vector_cube("CARD-BS", parcels=1, days=4)
    assert histograms(one).axes[0].patches[0].get_data().values.sum() == one.sizes["time"]


def test_a_lazy_cube_is_computed_once():
    runs, keys = [], []
    lazy = vector_cube(lazy=True)
    with Callback(start=runs.append, pretask=lambda key, *_: keys.append(str(key))):
        histograms(lazy, bands="NDVI", dates=str(lazy["time"].values[3])[:10])
    assert len(runs) == 1
    assert not any(lazy["B04"].data.name in key for key in keys)
    read = {key for key in keys if lazy["NDVI"].data.name in key}
    assert len(read) <= 2  # the chunk of that day alone


def test_wrong_requests_say_what_there_is(optical):
    with pytest.raises(UnknownBandError):
        histograms(optical, bands="B99")
    with pytest.raises(UnknownStatisticError):
        histograms(optical, statistic="p99")
    with pytest.raises(OptionError, match="no acquisition on this day"):
        histograms(optical, dates="2030-01-01")
    with pytest.raises(OptionError, match="cannot be read"):
        histograms(optical, dates="soon")
    with pytest.raises(OptionError):
        histograms(optical, bins=0)
