"""Red against near infrared: where soil, canopy and mixed parcels lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from dask.base import compute

from cbmcube._canvas import canvas, require_matplotlib
from cbmcube._style import BLUE, FAINT, GRID, VERMILLION, house_style
from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.plotting._peers import ENOUGH
from cbmcube.plotting.numbers._lattice import count_pairs
from cbmcube.plotting.numbers._table import Dates, pick_days
from cbmcube.series import select_bands, select_statistics, valid_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MANY, _LARGE = 5000, 500_000
"""Points above which their density is drawn instead of themselves, and above which they are
counted block by block."""
_SHOWN = 0.998
"""Share of the numbers that axes have room for."""
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
    are drawn as a density, on a logarithmic scale; more than half a million are counted block by
    block in cells of 0.001, so that memory does not grow with dates.

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
    points = _points_of(*_pairs(cube, red, nir, dates))
    line = _soil_line(*points.fitted) if soil_line is True else soil_line or None
    with house_style():
        figure, [drawn] = canvas(axis, size=(7.0, 6.0))
        _rays(drawn, points.top)
        _draw(drawn, points)
        if line is not None:
            _line(drawn, line, points.top, fitted=soil_line is True)
        drawn.set(
            xlim=(0, points.top),
            ylim=(0, points.top),
            aspect="equal",
            xlabel=f"red reflectance {red} (-)",
            ylabel=f"near infrared reflectance {nir} (-)",
        )
        drawn.grid(color=GRID, linewidth=0.8)
        drawn.legend(
            loc="lower right", frameon=True, facecolor="white", framealpha=0.8, edgecolor="none"
        )
    return figure


def _pairs(cube: xr.Dataset, red: str, nir: str, dates: Dates) -> list[xr.DataArray]:
    """Return both bands, as lazy as they are, and NaN where too little was seen of a parcel."""
    vector = "statistic" in cube.dims
    if vector:
        select_bands(cube, [red, nir])
        select_statistics(cube, "mean")
    missing = [name for name in (red, nir) if name not in cube]
    if missing:
        raise UnknownBandError(
            "these bands are not in the cube",
            given=", ".join(missing),
            allowed=", ".join(map(str, cube.data_vars)),
            hint="choose others with red= and nir=",
        )
    if "time" in cube[red].dims:
        cube = cube.isel(time=np.unique(np.concatenate([*pick_days(cube, dates).values()])))
    if not vector:
        return [cube[red], cube[nir]]
    return [
        cube[name].sel(statistic="mean").where(valid_share(cube, name) >= ENOUGH)
        for name in (red, nir)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """What is drawn of the points."""

    x: np.ndarray
    y: np.ndarray
    number: np.ndarray | None
    """How many points stand at each place; ``None`` if each is one."""
    total: int
    top: float
    """End of both axes, which a few clouds do not push away."""
    fitted: tuple[np.ndarray, np.ndarray]
    """Points for a soil line."""


def _points_of(first: xr.DataArray, second: xr.DataArray) -> _Points:
    if max(first.size, second.size) > _LARGE:
        lattice = count_pairs(first, second)
        top = _rounded(lattice.quantile(_SHOWN))
        return _Points(*lattice.inside(top), lattice.total, top, lattice.sample(_LARGE))
    values = np.broadcast_arrays(*(one.to_numpy() for one in compute(first, second)))
    known = np.isfinite(values[0]) & np.isfinite(values[1])
    x, y = (one[known].astype("float64") for one in values)
    both = np.concatenate([x, y])
    top = 1.05 * max(both, default=0.5) if len(x) < 2 else _rounded(np.quantile(both, _SHOWN))
    return _Points(x, y, None, len(x), top, (x, y))


def _rounded(highest: float) -> float:
    return float(min(1.0, max(0.1, 1.1 * highest)))


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


def _draw(axis: Any, points: _Points) -> None:
    shown = (points.x <= points.top) & (points.y <= points.top) & (points.x >= 0) & (points.y >= 0)
    inside = shown.sum() if points.number is None else points.number.sum()
    label = f"n={points.total:,}"
    label += f", {points.total - inside:,} outside" if inside < points.total else ""
    if points.total == 0 or (points.total <= _MANY and points.number is None):
        look = {"ms": 3.5, "mew": 0, "color": BLUE, "alpha": 0.4, "zorder": 2}
        axis.plot(points.x, points.y, "o", label=label, **look)
        return
    top = points.top
    density = axis.hexbin(
        points.x, points.y, C=points.number, reduce_C_function=np.sum, gridsize=70, bins="log",
        mincnt=1 if points.number is None else None, extent=(0, top, 0, top), cmap="viridis",
        linewidths=0.1, zorder=2,
    )  # fmt: skip
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
