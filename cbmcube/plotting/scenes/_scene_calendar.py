"""The calendar of scenes: what was acquired where and when, what is missing, what was left out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import pystac

from cbmcube._canvas import canvas, require_matplotlib
from cbmcube._style import (
    BLUE,
    FAINT,
    GREEN,
    GRID,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    house_style,
    tidy,
)
from cbmcube.exceptions import OptionError
from cbmcube.plotting.scenes._scenes import NO_TILE, SceneReport, Scenes, counted, scenes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Literal["tile", "orbit"]
MOST_ROWS = 60
"""Rows up to which each tile has its own: more would not be told apart on a screen."""

_WIDTH, _ROW, _REST = 10.0, 0.21, 1.25  # inches
_POINTS = 560.0
"""Width of the axes in points: marks of a row share it, so that they do not cover each other."""
_SATELLITES = (BLUE, ORANGE, GREEN, PURPLE, SKY, INK)


def scene_calendar(
    items: pystac.ItemCollection | Iterable[pystac.Item] | SceneReport,
    *,
    rows: Rows | None = None,
    axis: Axes | None = None,
) -> Figure:
    """Draw which scenes a search found: orbits and tiles as rows, dates as columns.

    A mark is a tile of an acquisition, in the colour of its satellite. Hollow marks are
    acquisitions that the repeat cycle lets expect and that were not found; small grey ticks are
    acquisitions that have other tiles of the orbit, not this one. A cross above a mark is a twin
    that was left out in its favour. Everything else that was left out is counted by reason
    below the axis. Metadata only: nothing is read or computed.

    Parameters
    ----------
    items
        What `search` returned, items, or the report of it: ``cbmcube.report(items)``, which
        saves time if it is at hand.
    rows
        ``"tile"``: a row for each orbit and tile. ``"orbit"``: a row for each orbit, the size of
        marks by the number of items. By default tiles, if these are 60 rows at most.
    axis
        Axes to draw on; by default a figure 10 inches wide is made.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; it is not registered with pyplot, so a notebook shows it once.

    Raises
    ------
    OptionError
        If `items` are no scenes, or `rows` is neither of both.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from datetime import datetime
    >>> import pystac
    >>> from cbmcube.plotting import scene_calendar
    >>> facts = {"platform": "sentinel-2a", "sat:relative_orbit": 22, "grid:code": "MGRS-33UWP"}
    >>> figure = scene_calendar(
    ...     pystac.Item(f"scene-{day}", None, None, datetime(2024, 3, day, 10), facts)
    ...     for day in (1, 21)
    ... )
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['R022  33UWP']
    """
    require_matplotlib("a calendar of scenes")
    if rows is not None and rows not in get_args(Rows):
        raise OptionError("rows are orbits or tiles", given=repr(rows), allowed="tile, orbit")
    scenes = scenes_of(items)
    by = rows or _default_rows(scenes.items)
    names = _row_names(scenes, by)
    with house_style():
        height = max(2.2, _REST + _ROW * len(names))
        figure, (board,) = canvas(axis, size=(_WIDTH, height))
        _draw(board, scenes, by, names)
    return figure


def _default_rows(items: pd.DataFrame) -> Rows:
    return "tile" if len(items[["track", "tile"]].drop_duplicates()) <= MOST_ROWS else "orbit"


def _labels(table: pd.DataFrame, by: Rows) -> pd.Series[Any]:
    if by == "orbit":
        return table["track"]
    tiles = table["tile"].where(table["tile"] != NO_TILE, "")
    return (table["track"] + "  " + tiles).str.rstrip()


def _row_names(scenes: Scenes, by: Rows) -> list[str]:
    """Return labels of rows from top to bottom; a track without items has only gaps, so none."""
    return sorted(set(_labels(scenes.items, by)))


def _draw(axis: Any, scenes: Scenes, by: Rows, names: list[str]) -> None:
    place = pd.Series(range(len(names)), index=names, dtype=float)
    handles = [
        *_draw_elsewhere(axis, scenes.items, by, place),
        *_draw_found(axis, scenes.items, by, place),
        *_draw_gaps(axis, scenes, by, place),
        *_draw_twins(axis, scenes.dropped, by, place),
    ]
    if handles:
        tidy(axis)
        _widen(axis)
    axis.grid(visible=False, axis="y")
    axis.set_yticks(place.to_numpy(), names, size=8 if len(names) <= 30 else 7)
    axis.set_ylim(max(len(names), 1) - 0.4, -0.8)
    tracks = [name.split("  ")[0] for name in names] if by == "tile" else []
    for track in np.flatnonzero([a != b for a, b in pairwise(tracks)]):
        axis.axhline(track + 0.5, color=GRID, linewidth=0.8, zorder=0)
    axis.set_title(_title(scenes), loc="left", size=11, weight="bold", pad=22)
    axis.set_xlabel(_left_out(scenes), loc="left", size=8)
    if handles:
        axis.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=8, borderaxespad=0.2,
            columnspacing=1.2, handletextpad=0.3,
        )  # fmt: skip
    else:  # dates without any would be drawn as those of 1970
        axis.xaxis.set_major_locator(_no_ticks())
        axis.text(0.5, 0.5, "no scene was found", transform=axis.transAxes, ha="center", color=INK)


def _widen(axis: Any) -> None:
    """Show two weeks at least: a single date would be drawn over years."""
    low, high = axis.dataLim.intervalx
    if high - low < 14:
        axis.set_xlim((low + high) / 2 - 7, (low + high) / 2 + 7)


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator  # noqa: PLC0415 - an extra

    return NullLocator()


def _draw_found(axis: Any, items: pd.DataFrame, by: Rows, place: pd.Series[float]) -> list[Any]:
    counts = items.assign(row=_labels(items, by)).groupby(["satellite", "row", "time"]).size()
    most = int(counts.max()) if len(counts) else 1
    room = _POINTS / max(1, counts.groupby(level="row").size().max() if len(counts) else 1)
    handles = []
    for number, (satellite, one) in enumerate(counts.groupby(level="satellite")):
        table = one.rename("items").reset_index()
        size = 26.0 if by == "tile" else 8 + 60 * table["items"].to_numpy() / most
        size = np.minimum(size, room**2)
        colour = _SATELLITES[number % len(_SATELLITES)]
        axis.scatter(
            table["time"], table["row"].map(place), s=size, color=colour, linewidth=0,
            label=str(satellite), zorder=3,
        )  # fmt: skip
        handles.append(_mark("o", colour, str(satellite)))
    if by == "orbit" and most > 1:
        handles.append(_mark("", INK, f"size: items, at most {most:,}"))
    return handles


def _draw_elsewhere(axis: Any, items: pd.DataFrame, by: Rows, place: pd.Series[float]) -> list[Any]:
    """Tick the rows of a track on which an acquisition of it has no item."""
    if by == "orbit" or items.empty:
        return []
    rows = items.assign(row=_labels(items, by))
    every = rows[["track", "row"]].drop_duplicates()
    passes = rows[["track", "acquisition", "time"]].drop_duplicates()
    pairs = passes.merge(every, on="track")
    seen = pd.MultiIndex.from_frame(rows[["acquisition", "row"]])
    away = pairs[~pd.MultiIndex.from_frame(pairs[["acquisition", "row"]]).isin(seen)]
    if away.empty:
        return []
    axis.scatter(
        away["time"], away["row"].map(place), s=14, marker="|", color=FAINT, linewidth=0.8,
        label="other tiles only", zorder=2,
    )  # fmt: skip
    return [_mark("|", FAINT, "other tiles only")]


def _draw_gaps(axis: Any, scenes: Scenes, by: Rows, place: pd.Series[float]) -> list[Any]:
    """Draw a gap on each row of its track."""
    every = scenes.items[["track"]].assign(row=_labels(scenes.items, by)).drop_duplicates()
    gaps = scenes.gaps.merge(every, on="track")
    if gaps.empty:
        return []
    label = "expected, not found"
    axis.scatter(
        gaps["time"], gaps["row"].map(place), s=24, facecolor="white", edgecolor=VERMILLION,
        linewidth=1.0, label=label, zorder=3,
    )  # fmt: skip
    return [_mark("o", VERMILLION, label, hollow=True)]


def _draw_twins(axis: Any, dropped: pd.DataFrame, by: Rows, place: pd.Series[float]) -> list[Any]:
    twins = dropped[dropped["time"].notna()]
    if twins.empty:
        return []
    label = "twin left out"
    axis.scatter(
        twins["time"], _labels(twins, by).map(place) - 0.38, s=12, marker="x", color=INK,
        linewidth=1.0, label=label, zorder=4,
    )  # fmt: skip
    return [_mark("x", INK, label)]


def _mark(marker: str, colour: str, label: str, *, hollow: bool = False) -> Any:
    from matplotlib.lines import Line2D  # noqa: PLC0415 - an extra

    return Line2D(
        [], [], linestyle="none", marker=marker or "none", color=colour, markersize=5,
        markerfacecolor="white" if hollow else colour, label=label,
    )  # fmt: skip


def _title(scenes: Scenes) -> str:
    items = scenes.items
    if items.empty:
        return "0 items"
    first, last = items["time"].min(), items["time"].max()
    days = f"{first:%Y-%m-%d}" + (f" to {last:%Y-%m-%d}" if last.date() > first.date() else "")
    parts = [counted(items), days]
    if len(scenes.gaps):
        parts.append(f"{len(scenes.gaps):,} expected and not found")
    return "  ·  ".join(parts)


def _left_out(scenes: Scenes) -> str:
    counts = scenes.dropped["reason"].value_counts()
    listed = ", ".join(f"{reason} ({number:,})" for reason, number in counts.items())
    return textwrap.fill(f"date (UTC); left out: {listed or 'nothing'}", 150)
