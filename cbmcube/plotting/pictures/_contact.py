"""The page of a calendar: chips in rows, what is written under them, and the legend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
import pandas as pd
import shapely

from cbmcube._style import BLACK, FAINT, GRID, INK, YELLOW
from cbmcube.plotting.pictures._classes import class_handles
from cbmcube.plotting.pictures._picture import Limits, Picture

_WIDTH, _EDGE, _GAP, _WIDEST = 10.0, 0.12, 0.1, 2.8  # inches, as everything below
_HEAD, _FOOT, _TEXT, _BAR = 0.62, 0.34, 0.36, 0.035
_LEGEND_ROW, _LEGEND_COLUMNS = 0.19, 4


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """What a calendar shows."""

    images: np.ndarray
    """Colours (acquisition, y, x, 4), 0 to 1."""
    dates: pd.DataFrame
    """One row for each, as in `Chips`."""
    shape: Any
    """The parcel, in the CRS of `bounds`."""
    bounds: tuple[float, float, float, float]
    """Outer edges of each image: left, bottom, right, top."""
    metres: float
    """Metres in a unit of the CRS."""
    title: str
    """First line."""
    caption: str
    """Second line."""
    picture: Picture
    """How pixels became colours."""
    limits: Mapping[str, Limits]
    """Values at the ends of each channel."""


def draw_page(page: Page, *, columns: int, make: Callable[[float, float], Any]) -> Any:
    """Draw a calendar on a new figure whose only axes is measured in inches."""
    side = min(_WIDEST, (_WIDTH - 2 * _EDGE - _GAP * (columns - 1)) / columns)
    rows = ceil(len(page.images) / columns)
    classes = class_handles(page.picture.classes) if page.picture.classes else []
    below = _LEGEND_ROW * ceil(len(classes) / _LEGEND_COLUMNS)
    height = _HEAD + rows * (side + _TEXT) + _FOOT + below
    figure = make(_WIDTH, height)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    corners = [*_corners(len(page.images), columns, side, height - _HEAD)]
    for image, corner in zip(page.images, corners, strict=True):
        _chip(axis, image, corner, side)
    _outlines(axis, page, corners, side)
    _captions(axis, page.dates, corners, side)
    if corners:
        _scale(axis, page, corners[0], side)
    axis.text(_EDGE, height - 0.2, page.title, size=12, weight="bold", va="center")
    axis.text(_EDGE, height - 0.43, page.caption, size=8.5, color="#555555", va="center")
    _legend(axis, _handles(page), len(_handles(page)), below)
    if classes:
        _legend(axis, classes, _LEGEND_COLUMNS, 0.0)
    if page.picture.kind == "single":
        _colour_bar(figure, page.limits)
    axis.set(xlim=(0, _WIDTH), ylim=(0, height), aspect="auto")
    return figure


def _corners(number: int, columns: int, side: float, top: float) -> Iterator[tuple[float, float]]:
    """Yield the lower left corner of each chip."""
    for k in range(number):
        row, column = divmod(k, columns)
        yield _EDGE + column * (side + _GAP), top - row * (side + _TEXT) - side


def _chip(axis: Any, image: np.ndarray, corner: tuple[float, float], side: float) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - an extra

    if not (image[..., 3] == 1).all():
        axis.add_patch(
            Rectangle(corner, side, side, fc="#F2F2F2", ec="#BDBDBD", hatch="////", lw=0, zorder=0)
        )
    left, bottom = corner
    axis.imshow(
        image,
        extent=(left, left + side, bottom, bottom + side),
        interpolation="nearest",
        zorder=1,
    )
    axis.add_patch(Rectangle(corner, side, side, fill=False, ec="#9A9A9A", lw=0.6, zorder=4))


def _outlines(axis: Any, page: Page, corners: list[tuple[float, float]], side: float) -> None:
    """Draw the parcel on every chip, light on dark so that it shows on any ground."""
    from matplotlib.collections import LineCollection  # noqa: PLC0415 - an extra

    left, bottom, right, _ = page.bounds
    rings = shapely.get_rings(shapely.get_parts(page.shape))
    lines = [(shapely.get_coordinates(r) - [left, bottom]) / (right - left) * side for r in rings]
    every = [line + corner for corner in corners for line in lines]
    for colour, width in ((BLACK, 2.0), (YELLOW, 0.9)):
        axis.add_collection(
            LineCollection(every, colors=colour, linewidths=width, zorder=3, capstyle="round"),
            autolim=False,
        )


def _captions(
    axis: Any, dates: pd.DataFrame, corners: list[tuple[float, float]], side: float
) -> None:
    days = dates["time"].dt.strftime("%Y-%m-%d")
    if days.duplicated().any():  # two passes on one day
        days = dates["time"].dt.strftime("%Y-%m-%d %H:%M")
    small = {"size": 6.5, "va": "center", "color": "#555555"}
    told = zip(corners, days, dates["cloud"], dates["seen"], _tracks(dates), strict=True)
    for (left, bottom), day, cloud, seen, track in told:
        axis.text(left, bottom - 0.13, day, size=7.5, weight="bold", va="center")
        axis.text(left, bottom - 0.25, _state(cloud, seen), **small)
        axis.text(left + side, bottom - 0.25, track, ha="right", **small)
    _bars(axis, dates["cloud"].to_numpy(dtype="float64"), np.array(corners), side)


def _state(cloud: float, seen: float) -> str:
    if np.isfinite(cloud):
        return f"cloud {cloud:.0%}" if cloud in (0, 1) else f"cloud {_percent(cloud)}"
    if seen == 0:
        return "no data"
    return "" if seen >= 0.995 else f"data {_percent(seen)}"


def _percent(share: float) -> str:
    """Spell a share that is neither nothing nor all, and never looks like either."""
    return f"{min(max(round(100 * share), 1), 99)}%"


def _tracks(dates: pd.DataFrame) -> list[str]:
    arrows = {"ascending": "↑", "descending": "↓"}
    names = dates["platform"].astype(str).str.replace(r"^sentinel-", "S", regex=True).str.upper()
    return [
        f"{name} {arrows.get(str(state), '')}{orbit if orbit >= 0 else ''}".strip()
        for name, state, orbit in zip(
            names, dates["orbit_state"], dates["relative_orbit"], strict=True
        )
    ]


def _bars(axis: Any, cloud: np.ndarray, corners: np.ndarray, side: float) -> None:
    """Draw the cloudy share of each parcel as a bar along the foot of its chip."""
    from matplotlib.collections import PatchCollection  # noqa: PLC0415 - an extra
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - an extra

    known = np.isfinite(cloud)
    for colour, width in ((GRID, np.full(len(cloud), 1.0)), (INK, cloud)):
        boxes = [
            Rectangle((left, bottom - _BAR - 0.015), side * share, _BAR)
            for (left, bottom), share in zip(corners[known], width[known], strict=True)
        ]
        axis.add_collection(
            PatchCollection(boxes, facecolor=colour, linewidth=0, zorder=2), autolim=False
        )


def _scale(axis: Any, page: Page, corner: tuple[float, float], side: float) -> None:
    """Draw a scale bar into the first chip, a round number of metres long."""
    left, _, right, _ = page.bounds
    width = (right - left) * page.metres
    length = _round_length(0.4 * width)
    x, y, inches = corner[0] + 0.07, corner[1] + 0.07, side * length / width
    for colour, thick in ((BLACK, 3.4), ("white", 1.8)):
        axis.plot([x, x + inches], [y, y], color=colour, lw=thick, solid_capstyle="butt", zorder=5)
    axis.text(x, y + 0.04, _length(length), size=7, color="white", zorder=5, **_casing())


def _casing() -> dict[str, Any]:
    from matplotlib.patheffects import withStroke  # noqa: PLC0415 - an extra

    return {"path_effects": [withStroke(linewidth=1.4, foreground=BLACK)]}


def _round_length(metres: float) -> float:
    power = 10 ** floor(log10(metres))
    return float(next(step * power for step in (5, 2, 1) if step * power <= metres))


def _length(metres: float) -> str:
    return f"{metres:g} m" if metres < 1000 else f"{metres / 1000:g} km"


def _handles(page: Page) -> list[Any]:
    from matplotlib.lines import Line2D  # noqa: PLC0415 - an extra
    from matplotlib.patches import Patch  # noqa: PLC0415 - an extra

    handles: list[Any] = [Line2D([], [], color=YELLOW, lw=1.2, label="parcel", **_casing())]
    if page.dates["cloud"].notna().any():
        handles.append(
            Patch(facecolor=INK, label="parcel under cloud, its shadow or cirrus (SCL 3, 8 to 10)")
        )
    if not (page.images[..., 3] == 1).all():
        label = "no data"
        handles.append(Patch(facecolor="#F2F2F2", edgecolor="#BDBDBD", hatch="////", label=label))
    return handles


def _legend(axis: Any, handles: list[Any], columns: int, bottom: float) -> None:
    from matplotlib.legend import Legend  # noqa: PLC0415 - an extra

    legend = Legend(
        axis,
        handles,
        [handle.get_label() for handle in handles],
        loc="lower left",
        bbox_to_anchor=(_EDGE - 0.03, bottom + 0.02),
        bbox_transform=axis.transData,
        ncols=columns,
        borderaxespad=0.0,
        borderpad=0.2,
        columnspacing=1.6,
    )
    axis.add_artist(legend)


def _colour_bar(figure: Any, limits: Mapping[str, Limits]) -> None:
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415 - an extra
    from matplotlib.colors import Normalize  # noqa: PLC0415 - an extra

    ((name, (low, high)),) = limits.items()
    width, height = figure.get_size_inches()
    place = figure.add_axes((1 - 2.6 / width, 0.2 / height, 2.4 / width, 0.09 / height))
    scale = ScalarMappable(Normalize(low, high), "viridis")
    bar = figure.colorbar(scale, cax=place, orientation="horizontal", extend="both")
    bar.outline.set_edgecolor(FAINT)
    place.tick_params(labelsize=7, length=2, pad=1)
    place.set_title(f"{name} (-)", size=7, pad=2)
