"""The figures of a season's page: scenes by orbit, months, histogram, and their words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cbmcube._canvas import new_figure
from cbmcube._style import (
    BLUE,
    FAINT,
    GRID,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    axis_days,
    house_style,
    tidy,
)
from cbmcube.observations.reading import Coverage
from cbmcube.reporting._scenes import Scenes
from cbmcube.reporting._svg import to_svg

TRACKS = 40
"""Tracks that the calendar of scenes shows; a country has some ten of them."""

_WIDTH = 10.0  # inches
_MOST_BARS = 60

_MARKS: dict[str, dict[str, Any]] = {
    "complete": {"marker": "o", "color": BLUE, "label": "complete"},
    "failed": {"marker": "s", "color": VERMILLION, "label": "with failed reads"},
    "pending": {
        "marker": "o",
        "markeredgecolor": BLUE,
        "markerfacecolor": "#ffffff",
        "label": "not computed yet",
    },
    "not used": {"marker": ".", "color": FAINT, "label": "shows no parcel"},
    "gap": {"marker": "x", "color": ORANGE, "label": "expected, not found", "markeredgewidth": 1.6},
    "left out": {"marker": "v", "color": PURPLE, "label": "twin left out", "markersize": 5},
}


def scene_calendar(scenes: Scenes) -> str:
    """Draw each acquisition at its date in the line of its track, with what lacks."""
    table, gaps = scenes.acquisitions, scenes.gaps
    tracks = sorted({*table["track"], *gaps["track"]})
    shown = tracks[:TRACKS]
    line = {name: number for number, name in enumerate(shown)}
    with house_style():
        figure = new_figure(_WIDTH, 1.35 + 0.26 * max(len(shown), 1), layout="constrained")
        axis = figure.subplots()
        for status in ("not used", "complete", "pending", "failed"):
            here = table[(table["status"] == status) & table["track"].isin(shown)]
            _mark(axis, status, here, line)
        here = gaps[gaps["track"].isin(shown)]
        _mark(axis, "gap", here, line)
        twins = table[table["acquisition"].isin(scenes.left_out["acquisition"].dropna())]
        twins = twins[twins["track"].isin(shown)]
        _mark(axis, "left out", twins, line, lower=0.34)
        tidy(axis)
        axis.set_yticks(range(len(shown)), shown)
        axis.set_ylim(max(len(shown), 1) - 0.4, -0.6)
        axis.set_xlabel("date (UTC)")
        if axis.get_lines():
            figure.legend(loc="outside upper left", ncols=6, handletextpad=0.2, columnspacing=1.2)
        else:
            _say(axis, "no acquisition")
        return to_svg(figure, name="scenes", alt=_scene_words(scenes, len(tracks)))


def _mark(
    axis: Any, status: str, rows: pd.DataFrame, line: dict[str, int], *, lower: float = 0.0
) -> None:
    if len(rows):
        style = {"markersize": 6, "linestyle": "none", **_MARKS[status]}
        place = np.array([line[name] for name in rows["track"]], dtype=float)
        axis.plot(_days(rows["time"]), place + lower, **style)


def _days(times: pd.Series) -> Any:
    moments = pd.DatetimeIndex(pd.to_datetime(times, utc=True)).tz_localize(None)
    return axis_days(moments.to_numpy())


def _scene_words(scenes: Scenes, tracks: int) -> str:
    table = scenes.acquisitions
    failed = int((table["status"] == "failed").sum())
    return (
        f"Calendar of {len(table)} acquisitions on {tracks} orbit tracks: {failed} with failed "
        f"reads, {len(scenes.gaps)} expected and not found, {len(scenes.left_out)} items left out."
    )


def histogram(coverage: Coverage) -> str:
    """Draw how many parcels have how many usable acquisitions."""
    usable = coverage.usable[~coverage.outside]
    most = int(usable.max(initial=0))
    step = max(1, -(-(most + 1) // _MOST_BARS))
    edges = np.arange(0, most + step + 1, step) - 0.5
    counts = np.histogram(usable, bins=edges)[0]
    with house_style():
        figure = new_figure(_WIDTH, 2.6, layout="constrained")
        axis = figure.subplots()
        axis.bar(edges[:-1] + step / 2, counts, width=0.9 * step, color=BLUE)
        axis.set_xlim(edges[0] - 0.3, edges[-1] + 0.3)
        axis.set_xlabel("usable acquisitions of a parcel")
        axis.set_ylabel("parcels")
        _count_axes(axis, y=True, x=True)
        if len(usable):
            middle = float(np.median(usable))
            axis.axvline(middle, color=ORANGE, linewidth=1.6, label=f"median {middle:g}")
            figure.legend(loc="outside upper right")
        else:
            _say(axis, "no parcel")
        low, high = (int(f(usable)) for f in (np.min, np.max)) if len(usable) else (0, 0)
        words = f"Histogram of usable acquisitions of {len(usable):,} parcels, {low} to {high}."
        return to_svg(figure, name="histogram", alt=words)


def months(coverage: Coverage) -> str:
    """Draw usable acquisitions of a parcel by month, and how many parcels have none."""
    table = monthly_table(coverage)
    names = [str(month) for month in table.index]
    place = np.arange(len(names))
    with house_style():
        figure = new_figure(_WIDTH, 4.0, layout="constrained")
        upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        upper.bar(place, table["mean"], width=0.7, color=SKY, label="mean")
        upper.vlines(place, table["p10"], table["p90"], color=BLUE, linewidth=2.4)
        upper.plot(place, table["p50"], "_", color=BLUE, markersize=12, markeredgewidth=2)
        upper.set_ylabel("usable acquisitions\nof a parcel")
        lower.bar(place, 100 * table["none"], width=0.7, color=VERMILLION)
        lower.set_ylabel("parcels with none (%)")
        lower.set_ylim(0, max(5.0, 105 * float(table["none"].max() if len(table) else 0)))
        every = max(1, -(-len(names) // 18))
        lower.set_xticks(place[::every], names[::every])
        lower.set_xlim(-0.6, max(len(names), 1) - 0.4)
        lower.set_xlabel("month")
        _count_axes(upper, y=True)
        _count_axes(lower, y=False)
        if not len(table):
            _say(upper, "no acquisition")
        words = f"Usable acquisitions of a parcel in each of {len(table)} months." + (
            f" Means from {table['mean'].min():.1f} to {table['mean'].max():.1f}; at most "
            f"{100 * table['none'].max():.0f} % of parcels have none in a month."
            if len(table)
            else ""
        )
        return to_svg(figure, name="months", alt=words)


def monthly_table(coverage: Coverage) -> pd.DataFrame:
    """Return usable acquisitions of a parcel by month, over parcels that some image shows.

    Columns ``total, mean, p10, p50, p90`` and ``none``, the share of parcels with none.
    """
    seen = coverage.monthly[~coverage.outside]
    columns = ["total", "mean", "p10", "p50", "p90", "none"]
    rows = []
    for number in range(len(coverage.months) if len(seen) else 0):
        one = seen[:, number]
        low, middle, high = np.percentile(one, (10, 50, 90))
        none = float((one == 0).mean())
        rows.append((int(one.sum()), float(one.mean()), low, middle, high, none))
    index = pd.Index([str(month) for month in coverage.months[: len(rows)]], name="month")
    return pd.DataFrame(rows, columns=columns, index=index)


def _count_axes(axis: Any, *, y: bool, x: bool = False) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

    axis.grid(axis="y", color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(length=3)
    if x:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
    if y:
        axis.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axis.yaxis.set_major_formatter("{x:,.0f}")


def _say(axis: Any, words: str) -> None:
    axis.text(0.5, 0.5, words, transform=axis.transAxes, ha="center", va="center", color=FAINT)
