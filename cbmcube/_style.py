"""Colours, marks and line styles: the same meaning looks the same in every figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import numpy as np

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
# Okabe and Ito, "Color Universal Design" (2008): told apart with every common colour vision.

INK, FAINT, GRID = "#222222", "#8A8A8A", "#E6E6E6"

_BAND_COLOURS = {
    "NDVI": GREEN,
    "VV": BLUE,
    "VH": VERMILLION,
    "B02": BLUE,
    "B03": GREEN,
    "B04": VERMILLION,
    "B08": PURPLE,
    "B11": ORANGE,
    "B12": BLACK,
}
_SPARE_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
_EVENT_COLOURS = (ORANGE, PURPLE, BLACK, SKY, VERMILLION, BLUE, GREEN)
_ORBIT_STYLES = (("-", "o"), ("--", "s"), ("-.", "^"), (":", "D"))
_ARROWS = {"ascending": "↑", "descending": "↓"}

RC = {
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.dpi": 100,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style inside a ``with`` block; the user's settings come back after it."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    interactive = mpl.is_interactive()
    try:
        with mpl.rc_context(RC):  # type: ignore[arg-type]
            try:
                yield
            finally:
                interactive = mpl.is_interactive()
    finally:
        # A notebook's backend becomes interactive when the first figure loads it, which may be
        # in here. Without this it would not show any figure that the user makes later.
        mpl.interactive(interactive)


def band_colours(bands: Iterable[str]) -> dict[str, str]:
    """Return one colour for each band; known bands keep theirs, no two share one if avoidable.

    Examples
    --------
    >>> band_colours(["VV", "VH"])
    {'VV': '#0072B2', 'VH': '#D55E00'}
    """
    names = list(bands)
    taken: dict[str, str] = {}
    for name in names:
        colour = _BAND_COLOURS.get(name)
        if colour and colour not in taken.values():
            taken[name] = colour
    spare = cycle([c for c in _SPARE_COLOURS if c not in taken.values()] or _SPARE_COLOURS)
    return {name: taken[name] if name in taken else next(spare) for name in names}


def event_colours(kinds: Iterable[str]) -> dict[str, str]:
    """Return one colour for each kind of event, by name, so that order does not matter."""
    return dict(zip(sorted(set(kinds)), cycle(_EVENT_COLOURS), strict=False))


def orbit_styles(orbits: Iterable[tuple[int, str]]) -> dict[tuple[int, str], tuple[str, str]]:
    """Return line style and marker of each (relative orbit, orbit state), by number."""
    return dict(zip(sorted(set(orbits)), cycle(_ORBIT_STYLES), strict=False))


def orbit_label(orbit: int, state: str) -> str:
    """Spell an orbit for a legend.

    Examples
    --------
    >>> orbit_label(15, "ascending")
    'orbit 15 ↑'
    """
    return f"orbit {orbit} {_ARROWS.get(state, state)}".strip()


def tidy(axis: Any) -> None:
    """Give one panel a light horizontal grid and dates that fit."""
    axis.grid(color=GRID, linewidth=0.8)
    axis.tick_params(length=3, color=FAINT)
    dates = _dates()
    locator = dates.AutoDateLocator(minticks=4, maxticks=10)
    axis.xaxis.set_major_locator(locator)
    # A day names its month: the first tick of a season may be the 15th of an unnamed one.
    axis.xaxis.set_major_formatter(
        dates.ConciseDateFormatter(
            locator,
            formats=["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S.%f"],
            offset_formats=["", "%Y", "%Y", "%Y-%b-%d", "%Y-%b-%d", "%Y-%b-%d %H:%M"],
        )
    )


def axis_days(dates: np.ndarray) -> np.ndarray:
    """Return dates as positions on a matplotlib axis, in days."""
    return np.asarray(_dates().date2num(dates), dtype="float64")


def text_width(text: str, *, size: float = 8.0) -> float:
    """Return the width of a text of some size, both in points."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra
    from matplotlib.textpath import TextPath  # noqa: PLC0415

    with mpl.rc_context({"text.parse_math": False}):  # a dollar sign is one
        return float(TextPath((0, 0), text or " ", size=size).get_extents().width)


def _dates() -> Any:
    from matplotlib import dates  # noqa: PLC0415 - an extra

    return dates
