"""Two sources compared: differences by size (Bland-Altman), and one against the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from cbmcube._canvas import canvas, require_matplotlib
from cbmcube._style import BLUE, FAINT, INK, ORANGE, VERMILLION, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANY = 2000
"""Pairs from which their density is drawn instead of dots."""

_SIZE = (10.0, 4.6)  # inches
_NAMES = ("first", "second")


class BandNumbers(Protocol):
    """What the figure needs of one band; `cbmcube.agreement.BandAgreement` has it."""

    units: str
    tolerance: float
    n: int
    bias: float
    limits: tuple[float, float]
    r: float
    orthogonal_slope: float
    orthogonal_intercept: float
    proportional_slope: float
    proportional_intercept: float
    kept: float

    @property
    def intervals(self) -> Mapping[str, tuple[float, float]]:
        """The 95 % intervals of `bias`, `lower` and `upper`, among others."""


class Comparison(Protocol):
    """What the figure needs of a comparison; `cbmcube.agreement.Agreement` has it."""

    @property
    def pairs(self) -> pd.DataFrame:
        """Pairs with the columns `band`, `a`, `b`, `d` (second minus first) and `average`."""

    def __getitem__(self, band: str) -> Any:
        """Return the numbers of a band."""


def agreement(
    result: Comparison,
    band: str,
    *,
    names: tuple[str, str] = _NAMES,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw how far two sources agree in one band.

    On the left (Bland-Altman), the difference of each pair over its average, with the bias, the
    limits of agreement and their 95 % intervals from resampled days as bands, and the line by
    which the difference grows with the value. On the right, the second source over the first,
    with the line of equality and the orthogonal regression. From 2,000 pairs on, their density
    is drawn. Nothing is computed but what the figure shows: the numbers are those of `result`.

    Parameters
    ----------
    result
        What `cbmcube.compare` returned.
    band
        Name of the band or index.
    names
        What to call both sources.
    axes
        Two axes to draw on; by default a figure 10 inches wide is made.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; it is not registered with pyplot, so a notebook shows it once.

    Raises
    ------
    UnknownBandError
        If the band was not compared.
    OptionError
        If there are not two axes.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.plotting import agreement
    >>> from cbmcube.testing import vector_cube
    >>> result = cbm.compare(vector_cube(), vector_cube(seed=1), variable="NDVI")
    >>> [axis.get_ylabel() for axis in agreement(result, "NDVI").axes]
    ['second - first (-)', 'second NDVI (-)']
    """
    require_matplotlib("the figure of a comparison")
    numbers: BandNumbers = result[band]
    pairs = result.pairs
    pairs = pairs[(pairs["band"] == band) & pairs["d"].notna()]
    unit = "-" if numbers.units in ("", "1") else numbers.units
    with house_style():
        figure, (left, right) = canvas(axes, size=_SIZE, columns=2, widths=(1.35, 1))
        _bland_altman(left, numbers, pairs)
        left.set_xlabel(f"average of both, {band} ({unit})")
        left.set_ylabel(f"{names[1]} - {names[0]} ({unit})")
        _regression(right, numbers, pairs)
        right.set_xlabel(f"{names[0]} {band} ({unit})")
        right.set_ylabel(f"{names[1]} {band} ({unit})")
        for one in (left, right):
            one.tick_params(length=3, color=FAINT)
            one.legend(
                loc="lower left",
                bbox_to_anchor=(0, 1),
                ncols=4,
                columnspacing=1.2,
                borderaxespad=0.2,
            )
        if axes is None:
            figure.suptitle(
                _headline(band, numbers, unit), x=0.01, ha="left", size=11, weight="bold"
            )
    return figure


def _headline(band: str, numbers: BandNumbers, unit: str) -> str:
    unit = "" if unit == "-" else f" {unit}"
    text = f"{band}  ·  {numbers.n:,} pairs  ·  bias {numbers.bias:+.3g}{unit}"
    text += f"  ·  limits {numbers.limits[0]:+.3g} to {numbers.limits[1]:+.3g}{unit}"
    text += f"  ·  r {numbers.r:.3f}"
    return text if numbers.kept >= 1 else f"{text}  ·  {numbers.kept:.0%} of the pairs drawn"


def _bland_altman(axis: Any, numbers: BandNumbers, pairs: pd.DataFrame) -> None:
    x, y = pairs["average"].to_numpy(float), pairs["d"].to_numpy(float)
    _cloud(axis, x, y)
    axis.axhline(0, color=INK, linewidth=0.8, zorder=3)
    lines = (
        ("bias", numbers.bias, VERMILLION, "-", "bias"),
        ("lower", numbers.limits[0], ORANGE, "--", "limits"),
        ("upper", numbers.limits[1], ORANGE, "--", None),
    )
    for name, value, colour, style, label in lines:
        if not np.isfinite(value):
            continue
        axis.axhline(value, color=colour, linestyle=style, linewidth=1.5, zorder=4, label=label)
        low, high = numbers.intervals[name]
        if np.isfinite([low, high]).all():
            axis.axhspan(low, high, color=colour, alpha=0.25, linewidth=0, zorder=2, gid=name)
    slope, intercept = numbers.proportional_slope, numbers.proportional_intercept
    if np.isfinite([slope, intercept]).all() and len(x):
        ends = np.array([x.min(), x.max()])
        axis.plot(ends, slope * ends + intercept, ":", color=INK, lw=1.5, label="trend", zorder=4)
    for tolerance in (-numbers.tolerance, numbers.tolerance):
        label = "tolerance" if tolerance > 0 else None
        axis.axhline(tolerance, color=FAINT, linestyle=":", linewidth=1.2, zorder=3, label=label)
    heights = [0.0, *numbers.limits, *numbers.intervals["lower"], *numbers.intervals["upper"]]
    _limits(axis.set_ylim, np.array([*y, *heights, -numbers.tolerance, numbers.tolerance]))
    _limits(axis.set_xlim, x)


def _regression(axis: Any, numbers: BandNumbers, pairs: pd.DataFrame) -> None:
    a, b = pairs["a"].to_numpy(float), pairs["b"].to_numpy(float)
    _cloud(axis, a, b)
    axis.axline((0, 0), slope=1, color=INK, linewidth=1.0, zorder=3, label="1:1")
    slope, intercept = numbers.orthogonal_slope, numbers.orthogonal_intercept
    if np.isfinite([slope, intercept]).all():
        sign = "+" if intercept >= 0 else "-"
        axis.axline(
            (0, intercept), slope=slope, color=VERMILLION, linewidth=1.5, linestyle="--", zorder=4,
            label=f"orthogonal: {slope:.3f} x {sign} {abs(intercept):.3g}",
        )  # fmt: skip
    both = np.concatenate([a, b])
    _limits(axis.set_xlim, both)
    _limits(axis.set_ylim, both)
    axis.set_aspect("equal")


def _cloud(axis: Any, x: np.ndarray, y: np.ndarray) -> None:
    """Draw pairs as dots, or where these would cover each other as counts in hexagons."""
    if not len(x):
        axis.text(0.5, 0.5, "no pair", transform=axis.transAxes, ha="center", va="bottom")
    elif len(x) < MANY:
        axis.plot(x, y, ls="", marker="o", ms=3, mew=0, alpha=0.45, color=BLUE, zorder=1)
    else:
        import matplotlib as mpl  # noqa: PLC0415 - an extra

        blues = mpl.colormaps["Blues"](np.linspace(0.25, 1, 256))  # one pair is seen on white
        colours = mpl.colors.ListedColormap(blues)
        cells = axis.hexbin(
            x, y, gridsize=60, bins="log", mincnt=1, cmap=colours, linewidths=0.1, zorder=1
        )
        axis.get_figure(root=True).colorbar(cells, ax=axis, label="pairs (number)", pad=0.02)


def _limits(put: Any, values: np.ndarray) -> None:
    finite = values[np.isfinite(values)]
    if finite.size:
        low, high = finite.min(), finite.max()
        air = 0.05 * (high - low) or 0.05
        put(low - air, high + air)
