"""What red against near infrared shows, read back from the figure."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.plotting import scatter_red_nir
from cbmcube.testing import vector_cube


def _pixels(red, nir):
    shape = (1, 1, len(red))
    bands = {"B04": red, "B08": nir}
    return xr.Dataset(
        {name: (("time", "y", "x"), np.reshape(v, shape)) for name, v in bands.items()},
        coords={"time": [np.datetime64("2024-05-01T10:00", "ns")]},
    )


def _soils(number=4000, seed=0):
    """Soils on nir = 1.2 red + 0.04 and canopies above them."""
    rng = np.random.default_rng(seed)
    soil = rng.uniform(0.05, 0.35, number)
    green = rng.uniform(0, 1, number) * (rng.uniform(size=number) < 0.6)
    return soil * (1 - green) + 0.03 * green, (1.2 * soil + 0.04) * (1 - green) + 0.45 * green


def test_points_are_means_of_parcels_with_half_of_their_pixels():
    stats = vector_cube(parcels=10)
    figure = scatter_red_nir(stats)
    points = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    share = (stats["n_valid"] / stats["n_total"]).sel(band="B04").values
    x, y = (stats[name].sel(statistic="mean").values[share >= 0.5] for name in ("B04", "B08"))
    np.testing.assert_allclose(np.sort(points.get_xdata()), np.sort(x))
    np.testing.assert_allclose(np.sort(points.get_ydata()), np.sort(y))
    assert figure.axes[0].get_xlabel() == "red reflectance B04 (-)"
    assert figure.axes[0].get_aspect() == 1


def test_many_pixels_are_a_density_that_counts_each():
    red, nir = _soils(20_000)
    figure = scatter_red_nir(_pixels(red, nir))
    (density,) = figure.axes[0].collections
    assert density.get_array().sum() == 20_000
    assert figure.axes[1].get_ylabel() == "points in a cell"
    assert "n=20,000" in [t.get_text() for t in figure.axes[0].get_legend().get_texts()]


def test_the_fitted_soil_line_is_that_of_the_soils():
    figure = scatter_red_nir(_pixels(*_soils()), soil_line=True)
    line = figure.axes[0].lines[-1]
    (x0, x1), (y0, y1) = line.get_xdata(), line.get_ydata()
    assert (y1 - y0) / (x1 - x0) == pytest.approx(1.2, abs=0.1)
    assert y0 == pytest.approx(0.04, abs=0.02)
    assert "fitted" in line.get_label()


def test_a_stated_soil_line_is_drawn_as_it_is():
    line = scatter_red_nir(_pixels(*_soils(100)), soil_line=(1.1, -0.02)).axes[0].lines[-1]
    np.testing.assert_allclose(line.get_ydata(), 1.1 * line.get_xdata() - 0.02)
    assert line.get_label() == "soil line: 1.10 red \N{MINUS SIGN}0.020"


def test_rays_have_the_ndvi_that_they_name():
    axis = scatter_red_nir(_pixels(*_soils(100))).axes[0]
    rays = [line for line in axis.lines if line.get_linestyle() == ":"]
    ndvi = [(y - x) / (y + x) for x, y in ((r.get_xdata()[1], r.get_ydata()[1]) for r in rays)]
    np.testing.assert_allclose(ndvi, [0, 0.2, 0.4, 0.6, 0.8], atol=1e-12)


def test_points_outside_are_counted():
    red, nir = _soils(1000)
    figure = scatter_red_nir(_pixels(np.append(red, [2.0, np.nan]), np.append(nir, [2.0, 0.1])))
    labels = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert labels == ["n=1,001, 1 outside"]


@pytest.mark.parametrize("number", [0, 1])
def test_few_points_are_drawn(number):
    scatter_red_nir(_pixels(*_soils(number))).draw_without_rendering()


def test_soils_that_cannot_be_seen_are_no_line():
    red = np.linspace(0.03, 0.15, 500)
    with pytest.raises(OptionError, match="no soil line"):
        scatter_red_nir(_pixels(red, 0.45 - 1.6 * red), soil_line=True)
    with pytest.raises(OptionError, match="too few points"):
        scatter_red_nir(_pixels(*_soils(50)), soil_line=True)
    with pytest.raises(UnknownBandError, match="B8A"):
        scatter_red_nir(_pixels(*_soils(50)), nir="B8A")


def test_own_axes_are_drawn_on():
    figure, axis = plt.subplots()
    assert scatter_red_nir(vector_cube(), axis=axis, dates="2024-03-01") is figure
    plt.close(figure)
