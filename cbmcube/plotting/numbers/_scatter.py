"""Red against near infrared: where soil, canopy and mixed parcels lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from dask.base import compute

from cbmcube._canvas import canvas, require_matplotlib
from cbmcube._style import BLUE, FAINT, GRID, VERMILLION, house_style
from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.plotting.numbers._table import Dates, pick_days, read_values
from cbmcube.series import select_bands, select_statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MANY = 5000
"""Points above which their density is drawn instead of themselves."""
_BINS, _LOWEST, _ENOUGH = 20, 0.05, 10


def scatter_red_nir(
    cube: xr.Dataset,
    *,
    red: str = "B04",
    nir: str = "B08",
    dates: Dates = None,
    soil_line: bool | tuple[float, float] = False,
    axis: Axes | None = None,
) -> Figure:
    """Draw red against near infrared reflectance, of parcels or of pixels.

    Bare soil lies along a line near the diagonal, green canopies up on the left, and what is
    between them has a part of both. Faint rays are lines of equal NDVI. More than 5,000 points
    are drawn as a density, on a logarithmic scale.

    Parameters
    ----------
    cube
        A vector cube, of which means are taken where half of a parcel's pixels are valid; or a
        pixel cube with bands on (time, y, x), masked and cut to where you look. On Dask
        arrays only the two bands and the dates are computed, once.
    red, nir
        Names of the bands. Default B04 and B08.
    dates
        One day or several (UTC); by default all acquisitions.
    soil_line
        Slope and intercept of a line to draw, or ``True`` to fit one: a least squares line
        through the lowest 5 % of near infrared in each of 20 equal parts of the red values,
        from the darkest of these parts on.
    axis
        Axes to draw on; by default a figure 7 inches wide is made.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    UnknownBandError
        If the cube does not hold a band.
    OptionError
        If there is no acquisition on a day, or the points do not show a soil line to fit.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from cbmcube.plotting import scatter_red_nir
    >>> from cbmcube.testing import vector_cube
    >>> figure = scatter_red_nir(vector_cube(parcels=40), soil_line=(1.2, 0.04))
    >>> figure.axes[0].get_ylabel()
    'near infrared reflectance B08 (-)'
    """
    require_matplotlib("scatter plots")
    x, y = _pairs(cube, red, nir, dates)
    line = _soil_line(x, y) if soil_line is True else soil_line or None
    with house_style():
        figure, [drawn] = canvas(axis, size=(7.0, 6.0))
        top = 1.05 * max([*x, *y], default=0.5) if len(x) < 2 else _top(x, y)
        _rays(drawn, top)
        _points(drawn, x, y, top)
        if line is not None:
            _line(drawn, line, top, fitted=soil_line is True)
        drawn.set(
            xlim=(0, top),
            ylim=(0, top),
            aspect="equal",
            xlabel=f"red reflectance {red} (-)",
            ylabel=f"near infrared reflectance {nir} (-)",
        )
        drawn.grid(color=GRID, linewidth=0.8)
        drawn.legend(
            loc="lower right", frameon=True, facecolor="white", framealpha=0.8, edgecolor="none"
        )
    return figure


def _pairs(cube: xr.Dataset, red: str, nir: str, dates: Dates) -> tuple[np.ndarray, np.ndarray]:
    if "statistic" in cube.dims:
        select_bands(cube, [red, nir])
        select_statistics(cube, "mean")
        read = read_values(cube, [red, nir], "mean", pick_days(cube, dates))
        first, second = read[red].to_numpy(), read[nir].to_numpy()
    else:
        missing = [name for name in (red, nir) if name not in cube]
        if missing:
            raise UnknownBandError(
                "these bands are not in the cube",
                given=", ".join(missing),
                allowed=", ".join(map(str, cube.data_vars)),
                hint="choose others with red= and nir=",
            )
        both = cube[[red, nir]]
        if "time" in both.dims:
            both = both.isel(time=np.concatenate([*pick_days(cube, dates).values()]))
        (ready,) = compute(both)
        first, second = (ready[name].to_numpy() for name in (red, nir))
    known = np.isfinite(first) & np.isfinite(second)
    return first[known].astype("float64"), second[known].astype("float64")


def _top(x: np.ndarray, y: np.ndarray) -> float:
    """Return an end of both axes that a few clouds do not push away."""
    return float(min(1.0, max(0.1, 1.1 * np.percentile(np.concatenate([x, y]), 99.8))))


def _soil_line(red: np.ndarray, nir: np.ndarray) -> tuple[float, float]:
    """Fit slope and intercept to the lowest near infrared of each part of the red values."""
    if len(red) < _BINS * _ENOUGH or np.ptp(red) == 0:
        raise OptionError(
            "there are too few points to fit a soil line",
            given=f"{len(red)} points",
            allowed=f"{_BINS * _ENOUGH} or more, of different red",
            hint="state it: soil_line=(slope, intercept)",
        )
    order = np.argsort(red, kind="stable")
    parts = zip(np.array_split(red[order], _BINS), np.array_split(nir[order], _BINS), strict=True)
    lows = [
        (r[low].mean(), n[low].mean()) for r, n in parts for low in [n <= np.quantile(n, _LOWEST)]
    ]
    x, y = np.array(lows).T
    # The lower edge of the cloud falls along the canopies first, and rises along the soils.
    rising = slice(int(np.argmin(y)), None)
    slope, intercept = np.polyfit(x[rising], y[rising], 1) if len(x[rising]) > 2 else (0.0, 0.0)
    if slope <= 0:
        raise OptionError(
            "the points have no soil line: near infrared does not rise along their lower edge",
            given=f"{len(red)} points, red {red.min():.3f} to {red.max():.3f}",
            allowed="bare soils of different brightness",
            hint="take more dates, or state it: soil_line=(slope, intercept)",
        )
    return float(slope), float(intercept)


def _rays(axis: Any, top: float) -> None:
    """Draw lines of equal NDVI, named where they leave the axes."""
    for ndvi in (0.0, 0.2, 0.4, 0.6, 0.8):
        slope = (1 + ndvi) / (1 - ndvi)
        axis.plot([0, top / slope], [0, top], color=FAINT, lw=0.6, ls=":", zorder=0.8)
        text = f"NDVI {ndvi:g}" if ndvi else "0"
        axis.annotate(
            text,
            (top / slope, top),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            size=7,
            color=FAINT,
            annotation_clip=False,
        )


def _points(axis: Any, x: np.ndarray, y: np.ndarray, top: float) -> None:
    label = f"n={len(x):,}"
    outside = int(((x > top) | (y > top) | (x < 0) | (y < 0)).sum())
    label += f", {outside:,} outside" if outside else ""
    if len(x) <= _MANY:
        axis.plot(x, y, "o", ms=3.5, mew=0, color=BLUE, alpha=0.4, label=label, zorder=2)
        return
    density = axis.hexbin(
        x,
        y,
        gridsize=70,
        bins="log",
        mincnt=1,
        extent=(0, top, 0, top),
        cmap="viridis",
        linewidths=0.1,
        zorder=2,
    )
    bar = axis.get_figure(root=True).colorbar(
        density, ax=axis, label="points in a cell", shrink=0.8
    )
    bar.outline.set_edgecolor(FAINT)
    axis.plot([], [], " ", label=label)


def _line(axis: Any, line: tuple[float, float], top: float, *, fitted: bool) -> None:
    slope, intercept = line
    ends = np.array([0.0, top])
    text = f"soil line: {slope:.2f} red {intercept:+.3f}".replace("-", "\N{MINUS SIGN}")
    text += ", fitted to the lowest 5 %" if fitted else ""
    axis.plot(ends, slope * ends + intercept, color="white", lw=3, zorder=3)
    axis.plot(ends, slope * ends + intercept, color=VERMILLION, lw=1.6, label=text, zorder=3.1)
