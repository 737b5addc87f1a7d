"""The profile of a parcel: every sensor's series over one time axis, events across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube._canvas import as_written, new_figure, require_matplotlib
from cbmcube._style import axis_days, house_style
from cbmcube.exceptions import OptionError
from cbmcube.plotting.seasons._events import Events, draw_events, draw_labels, event_table, place
from cbmcube.plotting.seasons._panels import draw_panel
from cbmcube.plotting.seasons._select import ParcelSeries, parcel_series
from cbmcube.series import RADAR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _PANEL, _LANE = 10.0, 2.15, 0.19  # inches
_TITLES = {
    "CARD-2A": "Sentinel-2",
    "CARD-BS": "Sentinel-1 backscatter",
    "CARD-COH6": "Sentinel-1 coherence, at the later date",
}


def profile(
    stats: xr.Dataset | Sequence[xr.Dataset] | Mapping[str, xr.Dataset],
    parcel: object,
    *,
    bands: str | Sequence[str] | None = None,
    events: Events = None,
    crop_mean: bool = False,
    composite: str | None = None,
    axes: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw one parcel's season: a panel for each vector cube, over one time axis.

    Optical panels show the parcel's mean and the spread inside it. Backscatter is in dB,
    10 log10 of the mean in linear power, and coherence stands at the later date of its pair
    with a thin bar back to the earlier one; both have one line for each relative orbit. Panels
    that show the same bands have the same scale. Dates
    with fewer than half of the parcel's pixels valid are hollow and not part of a line.
    Dates without a valid pixel are ticks at the bottom: cloudy ones and, as crosses, those on
    which the parcel was not seen at all.

    Parameters
    ----------
    stats
        One vector cube, several, or a mapping from panel title to vector cube; each needs the
        statistic `mean`, and has a spread with `p25` and `p75`, or with `std`. On Dask arrays,
        the parcel is selected first and each cube computed once.
    parcel
        Id of the parcel.
    bands
        Bands or indices to draw in panels that hold them; by default NDVI if there is one,
        else all.
    events
        Rows with `event` and `date`, such as a table, an event table of a marker, or pairs
        ``("mowing", "2024-05-25")``; or several of these by source, such as
        ``{"declared": table, "found": markers.mowing(stats)}``. Rows of other parcels are left
        out, told by a column `parcel`, else by one of text that holds ids of the cube.
        `start_date` and `end_date` are drawn as a light span. What a marker does not vouch
        for (a `status` other than ``OK``) is dashed and hatched, and its reason is named. Fused
        markers have the colour of the first and a short name, such as ``mowing + coherence``.
    crop_mean
        Whether the mean ± std of the other parcels of the same `crop` stand behind, each with
        the same weight, on dates on which half of its pixels are valid; backscatter in linear
        power. On Dask arrays this computes all parcels of the crop.
    composite
        A period such as ``"5D"``: its composites, as :func:`cbmcube.composite` makes them, are
        drawn on top as bars over the days that they pool, thin where less than half of the
        pixels were valid. Needs the statistic `count`.
    axes
        Axes to draw on, one for each cube. By default a figure 10 inches wide is made, with
        the parcel's id, crop and area as its title.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; it is not registered with pyplot, so a notebook shows it once. Store it
        with ``figure.savefig("parcel.png")``.

    Raises
    ------
    UnknownParcelError
        If a cube does not hold the parcel.
    UnknownBandError
        If no cube holds a band.
    OptionError
        If events have no name or date, the number of axes is not that of cubes, the period is
        none, or the mean of a crop is asked of a cube without crops.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from cbmcube.plotting import profile
    >>> from cbmcube.testing import vector_cube
    >>> figure = profile(
    ...     [vector_cube("CARD-2A"), vector_cube("CARD-BS")],
    ...     "P1",
    ...     events=[("mowing", "2024-05-25")],
    ... )
    >>> [axis.get_ylabel() for axis in figure.axes[1:]]
    ['NDVI (-)', 'γ⁰ backscatter (dB)']
    """
    require_matplotlib("profiles")
    cubes = _cubes(stats)
    chosen = _bands_of_each(cubes, bands)
    series = [
        parcel_series(cube, parcel, chosen[key], crop_mean=crop_mean, period=composite)
        for key, cube in cubes.items()
    ]
    titles = [_title(key, one) for key, one in zip(cubes, series, strict=True)]
    ids = next(iter(cubes.values()))["parcel"].values
    table = event_table(events, parcel, ids)
    limits = _limits(series, table)
    with house_style():
        if axes is not None:
            given = _given_axes(axes, len(series))
            figure = _on_axes(given, series, titles, table, limits)
            as_written(*given)
            return figure
        figure = _own_figure(series, titles, table, limits, _headline(parcel, series))
        as_written(figure)
        return figure


def _cubes(
    stats: xr.Dataset | Sequence[xr.Dataset] | Mapping[str, xr.Dataset],
) -> dict[str | int, xr.Dataset]:
    # A Dataset is a mapping too, of its variables: it comes first.
    if isinstance(stats, xr.Dataset):
        return {0: stats}
    named = isinstance(stats, Mapping)
    cubes: dict[str | int, xr.Dataset] = dict(stats) if named else dict(enumerate(stats))  # type: ignore[arg-type]
    if not cubes:
        raise OptionError(
            "there is no vector cube to draw",
            given="an empty list",
            hint="pass what reduce_parcels returned",
        )
    return cubes


def _bands_of_each(
    cubes: Mapping[str | int, xr.Dataset], bands: str | Sequence[str] | None
) -> dict[str | int, list[str] | None]:
    """Return the asked bands that each cube holds; a cube with none of them keeps its default."""
    if bands is None:
        return dict.fromkeys(cubes)
    wanted = [bands] if isinstance(bands, str) else [*bands]
    held = {key: [name for name in wanted if name in cube] for key, cube in cubes.items()}
    everywhere = {name for names in held.values() for name in names}
    missing = [name for name in wanted if name not in everywhere]
    first = next(iter(cubes))
    # The first cube's own error names what can be asked for.
    return {k: (missing if missing and k == first else names or None) for k, names in held.items()}


def _given_axes(axes: Axes | Sequence[Axes], number: int) -> list[Axes]:
    given = [*np.ravel(np.asarray(axes, dtype=object))]
    if len(given) != number:
        raise OptionError(
            "each vector cube needs its axes",
            given=f"{len(given)} axes for {number} vector cubes",
            hint=f"make them with plt.subplots({number}, sharex=True)",
        )
    return given


def _title(key: str | int, series: ParcelSeries) -> str:
    if isinstance(key, str):
        return key
    title = _TITLES.get(series.product, series.product)
    if series.product in RADAR:
        return title
    names = ", ".join(series.tables) if len(series.tables) <= 4 else f"{len(series.tables)} bands"
    return f"{title} {names}".strip()


def _headline(parcel: object, series: Sequence[ParcelSeries]) -> str:
    about = {name: value for one in reversed(series) for name, value in one.about.items()}
    parts = [f"Parcel {parcel}"]
    if about.get("crop") not in (None, ""):
        parts.append(str(about["crop"]))
    area = about.get("area_m2")
    if isinstance(area, float):
        parts.append(f"{area / 10_000:.2f} ha")
    return "  ·  ".join(parts)


def _limits(series: Sequence[ParcelSeries], table: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of the time axis in matplotlib days, with a little air."""
    dates = [one.index for cube in series for one in cube.tables.values()]
    every = pd.DatetimeIndex(np.concatenate([*dates, table["date"].to_numpy()]))
    if every.empty:
        raise OptionError("there is no acquisition to draw", hint="widen the period of the search")
    first, last = axis_days(np.array([every.min(), every.max()], dtype="datetime64[ns]"))
    air = max(1.0, 0.015 * (last - first))
    return float(first - air), float(last + air)


def _on_axes(
    axes: Sequence[Axes],
    series: Sequence[ParcelSeries],
    titles: Sequence[str],
    table: pd.DataFrame,
    limits: tuple[float, float],
) -> Figure:
    figure: Any = axes[0].get_figure(root=True)
    points = 72.0 * axes[0].get_position().width * float(figure.get_figwidth())
    for axis, one, title in zip(axes, series, titles, strict=True):
        draw_panel(axis, one, title, points=points)
        draw_events(axis, table, limits)
        axis.set_xlim(*limits)
    draw_labels(axes[0], place(table, limits, points), top=8, step=11)
    return figure


def _own_figure(
    series: Sequence[ParcelSeries],
    titles: Sequence[str],
    table: pd.DataFrame,
    limits: tuple[float, float],
    headline: str,
) -> Figure:
    points = 72.0 * (_WIDTH - 0.9)
    placed = place(table, limits, points)
    strip = _LANE * (placed["lane"].max() + 1) if len(placed) else 0.0
    heights = [*([strip] if strip else []), *([_PANEL] * len(series))]
    figure = new_figure(_WIDTH, sum(heights) + 0.75, layout="constrained")
    axes = [*figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights).flat]
    if strip:
        _event_strip(axes[0], placed, limits)
    panels = axes[1:] if strip else axes
    for axis, one, title in zip(panels, series, titles, strict=True):
        draw_panel(axis, one, title, points=points)
        draw_events(axis, table, limits)
    _share_scales(panels, series)
    panels[-1].set_xlim(*limits)
    figure.align_ylabels(panels)
    figure.suptitle(headline, x=0.01, ha="left", size=12, weight="bold")
    return figure


def _share_scales(panels: Sequence[Axes], series: Sequence[ParcelSeries]) -> None:
    """Give panels of the same bands one scale: sources are compared by eye."""
    groups: dict[tuple[str, ...], list[Axes]] = {}
    for axis, one in zip(panels, series, strict=True):
        groups.setdefault((axis.get_ylabel(), *one.tables), []).append(axis)
    for same in groups.values():
        lows, highs = zip(*(axis.get_ylim() for axis in same), strict=True)
        for axis in same if len(same) > 1 else ():
            axis.set_ylim(min(lows), max(highs))


def _event_strip(axis: Axes, placed: pd.DataFrame, limits: tuple[float, float]) -> None:
    axis.set_axis_off()
    axis.set_xlim(*limits)
    draw_labels(axis, placed, top=72 * _LANE / 2, step=72 * _LANE)
