"""The map of coverage: outlines of few parcels, cells of many."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube._canvas import new_figure
from cbmcube._style import FAINT, house_style
from cbmcube.observations.reading import Coverage
from cbmcube.plotting.maps import group_paths
from cbmcube.reporting._svg import to_svg

FEW = 3_000
"""Parcels that are drawn one by one; more are drawn as means of cells."""

_CELLS = 220  # along the longer side: a cell is some 3 screen pixels
_DARKEST = 0.22  # of the colours: below, they are lost on a dark page


def coverage_map(
    coverage: Coverage, places: pd.DataFrame, outlines: gpd.GeoDataFrame | None
) -> str:
    """Draw where parcels were seen often and where seldom.

    Parameters
    ----------
    coverage
        Counts by parcel.
    places
        ``longitude, latitude`` of parcels, in the same order.
    outlines
        Their outlines in degrees, in the same order; without, means of cells are drawn.
    """
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

    usable = np.where(coverage.outside, np.nan, coverage.usable.astype(float))
    x, y = (places[name].to_numpy(dtype=float) for name in ("longitude", "latitude"))
    known = np.isfinite(x) & np.isfinite(y) & np.isfinite(usable)
    with house_style():
        if not known.any():
            figure = new_figure(10.0, 2.0, layout="constrained")
            axis = figure.subplots()
            axis.set_axis_off()
            axis.text(0.5, 0.5, "no parcel to show", ha="center", va="center", color=FAINT)
            return to_svg(figure, name="map", alt="Map without a parcel.")
        box = _box(x[known], y[known], outlines)
        figure, axis = _frame(box)
        limits = float(usable[known].min()), float(usable[known].max())
        if outlines is not None:
            drawn = _draw_outlines(axis, outlines[known], usable[known], limits)
        else:
            drawn = _draw_cells(axis, x[known], y[known], usable[known], box)
        bar = figure.colorbar(drawn, ax=axis, shrink=0.8, pad=0.02)
        bar.set_label(
            "usable acquisitions" if outlines is not None else "usable acquisitions, mean of cell"
        )
        bar.outline.set_visible(False)
        if outlines is not None:
            bar.locator = MaxNLocator(integer=True, nbins=8)
        words = (
            f"Map of {int(known.sum()):,} parcels by usable acquisitions, "
            f"{limits[0]:g} to {limits[1]:g}."
        )
        return to_svg(figure, name="map", alt=words)


def _box(
    x: NDArray[np.float64], y: NDArray[np.float64], outlines: gpd.GeoDataFrame | None
) -> tuple[float, float, float, float]:
    """Return the ground that is shown, with some air; never less than some hundred metres."""
    ends = np.array([x.min(), y.min(), x.max(), y.max()])
    if outlines is not None:
        ends = outlines.total_bounds
    air = np.maximum(0.03 * (ends[2:] - ends[:2]), 0.001)
    low, high = ends[:2] - air, ends[2:] + air
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _frame(box: tuple[float, float, float, float]) -> tuple[Any, Any]:
    west, south, east, north = box
    stretch = 1 / max(0.05, np.cos(np.deg2rad((south + north) / 2)))
    shape = stretch * (north - south) / (east - west)
    figure = new_figure(10.0, float(np.clip(8.2 * shape, 2.6, 7.5)) + 0.6, layout="constrained")
    axis = figure.subplots()
    axis.set(xlim=(west, east), ylim=(south, north), aspect=stretch)
    axis.set_xlabel("longitude (°)")
    axis.set_ylabel("latitude (°)")
    axis.ticklabel_format(useOffset=False)
    axis.locator_params(nbins=6)
    axis.tick_params(length=3)
    return figure, axis


def _draw_outlines(
    axis: Any, outlines: gpd.GeoDataFrame, usable: NDArray[np.float64], limits: tuple[float, float]
) -> Any:
    from matplotlib.collections import PathCollection  # noqa: PLC0415 - an extra

    values, place = np.unique(usable, return_inverse=True)
    group, paths = group_paths(outlines.geometry.to_numpy(), place)
    many = len(outlines) > 500
    drawn = PathCollection(
        paths,
        array=values[group],
        cmap=_colours(),
        # A raster cannot follow the page's colours.
        edgecolors="face" if many else "#ffffff",
        linewidths=0.5,
        rasterized=many,
    )
    drawn.set_clim(*_scale(limits))
    axis.add_collection(drawn, autolim=False)
    return drawn


def _colours() -> Any:
    import matplotlib as mpl  # noqa: PLC0415 - an extra
    from matplotlib.colors import ListedColormap  # noqa: PLC0415

    # A scale that all see alike, by lightness.
    return ListedColormap(mpl.colormaps["cividis"](np.linspace(_DARKEST, 1, 256)))


def _scale(limits: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of the colours; one value alone is the upper end."""
    low, high = limits
    return (0.0, max(high, 1.0)) if low == high else limits


def _draw_cells(
    axis: Any,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    usable: NDArray[np.float64],
    box: tuple[float, float, float, float],
) -> Any:
    mean = cell_means(x, y, usable, box)
    west, south, east, north = box
    low, high = _scale((float(np.nanmin(mean)), float(np.nanmax(mean))))
    return axis.imshow(
        mean,
        vmin=low,
        vmax=high,
        extent=(west, east, south, north),
        origin="lower",
        cmap=_colours(),
        aspect=axis.get_aspect(),
        interpolation="nearest",
    )


def cell_means(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    values: NDArray[np.float64],
    box: tuple[float, float, float, float],
) -> NDArray[np.float64]:
    """Return the mean of values in square cells, south first; NaN where there is no point."""
    west, south, east, north = box
    stretch = 1 / max(0.05, np.cos(np.deg2rad((south + north) / 2)))
    side = max(east - west, stretch * (north - south)) / _CELLS
    columns = max(1, int(np.ceil((east - west) / side)))
    rows = max(1, int(np.ceil(stretch * (north - south) / side)))
    edges = (np.linspace(south, north, rows + 1), np.linspace(west, east, columns + 1))
    total = np.histogram2d(y, x, bins=edges, weights=values)[0]
    count = np.histogram2d(y, x, bins=edges)[0]
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
