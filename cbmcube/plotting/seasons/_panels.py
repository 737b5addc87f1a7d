"""The panels of a profile: an optical index, backscatter in dB, coherence of pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from cbmcube._style import (
    FAINT,
    INK,
    band_colours,
    orbit_label,
    orbit_styles,
    text_width,
    tidy,
)
from cbmcube.plotting._peers import ENOUGH
from cbmcube.plotting.seasons._select import ParcelSeries

_SIZE = 4.0


def draw_panel(axis: Any, series: ParcelSeries, title: str, *, points: float) -> None:
    """Draw one vector cube's series of a parcel, in the way of its product.

    `points` is the width of the panel: the legend has as many rows as it needs beside the title.
    """
    tidy(axis)
    draw = _DRAW.get(series.product, _optical)
    handles = [*draw(axis, series), *_behind_and_above(series)]
    axis.set_title(title, loc="left", size=9, weight="bold", pad=6)
    axis.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=_columns(handles, points - 1.15 * text_width(title, size=9.5)),
        borderaxespad=0.1,
        handlelength=1.8,
        columnspacing=1.2,
        handletextpad=0.5,
    )


def _columns(handles: list[Any], points: float) -> int:
    """Return how many columns of legend entries fit into so many points."""
    widths = np.array([text_width(handle.get_label()) + 34.0 for handle in handles])
    for columns in range(len(widths), 1, -1):
        if sum(part.max() for part in np.array_split(widths, columns)) <= points:
            return columns
    return 1


def _optical(axis: Any, series: ParcelSeries) -> list[Any]:
    colours = band_colours(series.tables)
    handles = []
    for name, table in series.tables.items():
        good = _good(table)
        if name in series.crop:
            crowd = FAINT if len(colours) == 1 else colours[name]
            _crowd(axis, series.crop[name], crowd, "--")
        _ribbon(axis, good, colours[name])
        _line(axis, good, colours[name], ("-", "o"))
        if name in series.pooled:
            _bars(axis, series.pooled[name], INK if len(colours) == 1 else colours[name])
        _hollow(axis, table, colours[name], "o")
        handles.append(_handle(colours[name], ("-", "o"), _mean_label(name, series)))
        if series.spread:
            handles.append(_patch(colours[name], series.spread))
    axis.set_ylabel(f"{_quantity([*series.tables])} (-)")
    return _merge_spread(handles, series) + _absences(axis, series)


def _quantity(bands: list[str]) -> str:
    if len(bands) == 1:
        return bands[0]
    indices = any(not name.startswith("B") for name in bands)
    return "index or reflectance" if indices else "reflectance"


def _backscatter(axis: Any, series: ParcelSeries) -> list[Any]:
    axis.set_ylabel("γ⁰ backscatter (dB)")
    return _by_orbit(axis, series, _to_db) + _absences(axis, series)


def _coherence(axis: Any, series: ParcelSeries) -> list[Any]:
    axis.set_ylabel("coherence (-)")
    colours = band_colours(series.tables)
    for name, table in series.tables.items():
        pairs = table[table["reference_time"].notna() & table["mean"].notna()]
        axis.hlines(
            pairs["mean"], pairs["reference_time"], pairs.index, colours[name], lw=0.7, alpha=0.45
        )
    handles = _by_orbit(axis, series, lambda table: table)
    if any(table["reference_time"].notna().any() for table in series.tables.values()):
        handles.append(_handle(FAINT, ("-", ""), "pair: both dates", width=0.9))
    return handles + _absences(axis, series)


_DRAW: dict[str, Callable[[Any, ParcelSeries], list[Any]]] = {
    "CARD-BS": _backscatter,
    "CARD-COH6": _coherence,
}


def _by_orbit(
    axis: Any, series: ParcelSeries, unit: Callable[[pd.DataFrame], pd.DataFrame]
) -> list[Any]:
    """Draw each band in its colour and each orbit in its style."""
    tables = {name: unit(table) for name, table in series.tables.items()}
    crop = {name: unit(table) for name, table in series.crop.items()}
    pooled = {name: unit(table) for name, table in series.pooled.items()}
    colours = band_colours(tables)
    orbits = [pair for table in tables.values() for pair in _orbits(table)]
    styles = orbit_styles(orbits)
    for name, table in tables.items():
        for (orbit, state), style in styles.items():
            mine = _of_orbit(table, orbit, state)
            if name in crop:
                _crowd(axis, _of_orbit(crop[name], orbit, state), colours[name], style[0])
            _line(axis, _good(mine), colours[name], style)
            _hollow(axis, mine, colours[name], style[1])
            if name in pooled:
                _bars(axis, _of_orbit(pooled[name], orbit, state), colours[name])
    bands = [_handle(colour, ("-", ""), name, width=2.4) for name, colour in colours.items()]
    known = [_handle(INK, style, orbit_label(*o)) for o, style in styles.items() if o[0] >= 0]
    return bands + known


def _of_orbit(table: pd.DataFrame, orbit: int, state: str) -> pd.DataFrame:
    return table[(table["relative_orbit"] == orbit) & (table["orbit_state"] == state)]


def _orbits(table: pd.DataFrame) -> list[tuple[int, str]]:
    pairs = table[["relative_orbit", "orbit_state"]].drop_duplicates()
    return [(int(orbit), str(state)) for orbit, state in pairs.itertuples(index=False)]


def _to_db(table: pd.DataFrame) -> pd.DataFrame:
    # Means were taken in linear power; a mean that noise removal made negative has no dB.
    names = [name for name in ("mean", "low", "high") if name in table]
    decibel = {name: 10 * np.log10(table[name].where(table[name] > 0)) for name in names}
    return table.assign(**decibel)


def _good(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["share"] >= ENOUGH) & table["mean"].notna()]


def _line(axis: Any, table: pd.DataFrame, colour: str, style: tuple[str, str]) -> None:
    line, marker = style
    axis.plot(
        table.index, table["mean"], line, marker=marker, color=colour, lw=1.2, ms=_SIZE, mew=0
    )


def _hollow(axis: Any, table: pd.DataFrame, colour: str, marker: str) -> None:
    few = table[(table["share"] < ENOUGH) & table["mean"].notna()]
    axis.plot(
        few.index, few["mean"], marker, mfc="white", mec=colour, mew=1.0, ms=_SIZE + 0.5, ls=""
    )


def _ribbon(axis: Any, table: pd.DataFrame, colour: str) -> None:
    axis.fill_between(table.index, table["low"], table["high"], color=colour, alpha=0.18, lw=0)


def _crowd(axis: Any, table: pd.DataFrame, colour: str, line: str) -> None:
    """Draw the mean of other parcels and its spread, behind everything else."""
    known = table[table["mean"].notna()]
    axis.fill_between(
        known.index, known["low"], known["high"], color=colour, alpha=0.13, lw=0, zorder=0.7
    )
    axis.plot(known.index, known["mean"], line, color=colour, lw=0.9, alpha=0.6, zorder=0.8)


def _bars(axis: Any, table: pd.DataFrame, colour: str) -> None:
    """Draw a composite as bars over the days that it pools, thin where little was seen."""
    widths = np.where(table["share"] >= ENOUGH, 2.6, 0.9)
    axis.hlines(table["mean"], table["start"], table["end"], colour, lw=widths, zorder=2.6)


def _behind_and_above(series: ParcelSeries) -> list[Any]:
    handles = []
    colour = FAINT if len(series.tables) == 1 else INK
    if series.others is not None:
        crop = str(series.about.get("crop", "crop"))
        label = f"{crop}: mean ± std, n={series.others:,} others"
        none = _handle("none", ("", ""), f"no other parcel of {crop}")
        handles.append(_patch(colour, label) if series.others else none)
    if series.period:
        label = f"composite {series.period}"
        handles.append(_handle(INK, ("-", ""), label, width=2.6))
    return handles


def _absences(axis: Any, series: ParcelSeries) -> list[Any]:
    """Mark dates without a valid pixel at the bottom, and explain hollow marks."""
    tables = list(series.tables.values())
    handles = []
    if any(((t["share"] < ENOUGH) & t["mean"].notna()).any() for t in tables):
        label = "under half valid"
        handles.append(_handle(FAINT, ("", "o"), label, hollow=True))
    empty = pd.concat([t[t["mean"].isna()] for t in tables])
    masked = "cloudy" if series.product == "CARD-2A" else "no valid pixel"
    kinds = ((empty["observed"] > 0, "|", FAINT, masked), (empty["observed"] <= 0, "x", INK, _OUT))
    for chosen, marker, colour, label in kinds:
        if chosen.any():
            days = empty.index[chosen].unique()
            low = np.full(len(days), 0.025)
            axis.margins(y=0.12)  # keeps lines off the marks below
            axis.plot(
                days, low, marker, color=colour, ms=_SIZE, mew=0.9, transform=_bottom(axis), ls=""
            )
            handles.append(_handle(colour, ("", marker), label))
    return handles


_OUT = "not seen"


def _bottom(axis: Any) -> Any:
    return axis.get_xaxis_transform()


def _mean_label(name: str, series: ParcelSeries) -> str:
    return "mean" if len(series.tables) == 1 else name


def _merge_spread(handles: list[Any], series: ParcelSeries) -> list[Any]:
    """Explain the ribbon once, in grey, where several bands have one."""
    if len(series.tables) == 1 or not series.spread:
        return handles
    return [*handles[::2], _patch(FAINT, series.spread)]


def _patch(colour: str, label: str) -> Any:
    from matplotlib.patches import Patch  # noqa: PLC0415 - an extra

    return Patch(facecolor=colour, alpha=0.25, label=label)


def _handle(
    colour: str, style: tuple[str, str], label: str, *, width: float = 1.2, hollow: bool = False
) -> Any:
    from matplotlib.lines import Line2D  # noqa: PLC0415 - an extra

    line, marker = style
    linestyle: Any = line or "none"
    return Line2D(
        [],
        [],
        color=colour,
        linestyle=linestyle,
        marker=marker or "none",
        linewidth=width,
        markersize=_SIZE,
        markerfacecolor="white" if hollow else colour,
        label=label,
    )
