"""Distributions of bands and indices over parcels, on some dates or all together."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from cbmcube._canvas import new_figure, require_matplotlib
from cbmcube._style import BLUE, GRID, band_colours, house_style
from cbmcube.exceptions import OptionError
from cbmcube.plotting.numbers._table import Dates, finite, pick_days, read_values
from cbmcube.series import select_bands, select_statistics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PER_ROW = 3


def histograms(
    stats: xr.Dataset,
    *,
    bands: str | Sequence[str] | None = None,
    statistic: str = "mean",
    dates: Dates = None,
    bins: int = 50,
) -> Figure:
    """Draw the distribution of bands over parcels: a panel for each band, a line for each date.

    A value is one parcel on one acquisition, on which at least half of its pixels are valid.
    Mean backscatter is in dB, taken of the mean in linear power. Bins go from the smallest to
    the largest value of the panel, the same on all dates.

    Parameters
    ----------
    stats
        A vector cube. On Dask arrays only the statistic and the dates are computed, once.
    bands
        Bands or indices; by default all.
    statistic
        Which statistic of the pixels of a parcel. Default ``"mean"``.
    dates
        One day or several (UTC), each drawn as a line; by default all acquisitions together.
    bins
        Number of bins. Default 50.

    Returns
    -------
    matplotlib.figure.Figure
        A figure 10 inches wide.

    Raises
    ------
    UnknownBandError
        If the cube does not hold a band.
    UnknownStatisticError
        If the cube does not hold the statistic.
    OptionError
        If there is no acquisition on a day, or no bin.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from cbmcube.plotting import histograms
    >>> from cbmcube.testing import vector_cube
    >>> figure = histograms(vector_cube(parcels=40), bands=["NDVI", "B08"])
    >>> [axis.get_xlabel() for axis in figure.axes]
    ['NDVI mean (-)', 'B08 mean (-)']
    """
    require_matplotlib("histograms")
    names = select_bands(stats, bands)
    select_statistics(stats, statistic)
    if bins < 1:
        raise OptionError("a histogram has at least one bin", given=f"bins={bins}", hint="50")
    days = pick_days(stats, dates)
    values = read_values(stats, names, statistic, days)
    decibel = stats.attrs.get("product") == "CARD-BS" and statistic != "count"
    with house_style():
        return _draw(values, days, (statistic, decibel and statistic != "std"), bins)


def _draw(
    values: dict[str, xr.DataArray],
    days: dict[str, np.ndarray],
    kind: tuple[str, bool],
    bins: int,
) -> Figure:
    columns = min(_PER_ROW, len(values))
    rows = ceil(len(values) / columns)
    figure = new_figure(10.0, 2.6 * rows + 0.4, layout="constrained")
    axes = [*figure.subplots(rows, columns, squeeze=False).flat]
    colours = band_colours(values)
    for axis, (name, read) in zip(axes, values.items(), strict=False):
        array = _decibel(read) if kind[1] else read
        samples = {
            day: finite(array.isel(time=np.isin(array["position"], positions)))
            for day, positions in days.items()
        }
        _panel(axis, samples, bins, colours[name])
        axis.set_xlabel(f"{name} {kind[0]} ({_unit(kind)})")
        axis.set_ylabel("parcels" if len(days) > 1 or "" not in days else "parcels on all dates")
    for axis in axes[len(values) :]:
        axis.remove()
    return figure


def _unit(kind: tuple[str, bool]) -> str:
    statistic, decibel = kind
    return "pixels" if statistic == "count" else "dB" if decibel else "-"


def _decibel(power: xr.DataArray) -> xr.DataArray:
    return xr.apply_ufunc(np.log10, power.where(power > 0)) * 10


def _panel(axis: Any, samples: dict[str, np.ndarray], bins: int, colour: str) -> None:
    """Draw the samples of one band; of several dates, early ones are dark and late ones light."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    ends = [end for one in samples.values() if len(one) for end in (one.min(), one.max())]
    axis.grid(axis="y", color=GRID, linewidth=0.8)
    axis.tick_params(length=3)
    axis.yaxis.set_major_formatter("{x:,.0f}")  # no factor of a million above the axis
    if not ends:
        axis.text(0.5, 0.5, "no value", ha="center", va="center", transform=axis.transAxes)
        axis.set(xticks=[], yticks=[])
        return
    # Of their ends alone: half a million parcels on every date of a year are not copied again.
    edges = np.histogram_bin_edges(np.array(ends, dtype="float64"), bins)
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.85, len(samples)))
    for shade, (day, sample) in zip(shades, samples.items(), strict=True):
        label = f"{day} (n={len(sample):,})" if day else f"n={len(sample):,}"
        counts, _ = np.histogram(sample, edges)
        if len(samples) == 1:
            axis.stairs(counts, edges, fill=True, color=colour or BLUE, alpha=0.75, label=label)
        else:
            axis.stairs(counts, edges, color=shade, lw=1.4, label=label)
    axis.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.1,
        ncols=1 if len(samples) < 3 else 2,
        columnspacing=1.0,
        handlelength=1.4,
        fontsize=7,
    )
