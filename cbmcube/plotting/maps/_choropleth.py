"""A map of parcels by one column of a table: a number in shades, or a category in colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from cbmcube._canvas import as_written, canvas, require_matplotlib
from cbmcube._style import (
    BLUE,
    FAINT,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    house_style,
)
from cbmcube.exceptions import MissingCRSError, OptionError
from cbmcube.plotting.maps._map import frame, in_metres, map_height
from cbmcube.plotting.maps._shapes import add_shapes, group_paths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW)
_REST, _NONE = "#6E6E6E", "#EDEDED"
_SHADES = 256
_UNITS = {"_m2": "m²", "_ha": "ha", "_m": "m", "_days": "days", "_n_valid": "pixels"}
_STATISTICS = ("mean", "std", "min", "max", "median", "p")


def choropleth(
    table: gpd.GeoDataFrame,
    column: str,
    *,
    label: str | None = None,
    limits: tuple[float, float] | None = None,
    colours: Mapping[Any, str] | None = None,
    cmap: str = "viridis",
    title: str | None = None,
    axis: Axes | None = None,
) -> Figure:
    """Draw a map of parcels, coloured by one column; parcels without a value are hatched.

    Numbers go from the colour of their 2nd to that of their 98th percentile; arrows of the
    colour bar tell that values lie beyond. Text, truth values and categories have a colour each,
    the most frequent first; from the eighth on, they share a grey. The legend counts parcels.

    Parameters
    ----------
    table
        One row for each parcel, as ``to_geodataframe(stats.sel(time=...))`` returns it; join
        the outcome of a marker as a column. Geographic coordinates (degrees) are projected to
        the UTM zone of the parcels' middle.
    column
        What is drawn.
    label
        Text of the colour bar or legend, with its unit. By default the name of the column, and
        the unit where names such as ``area_m2`` and ``NDVI_mean`` tell it.
    limits
        Numbers at both ends of the colours.
    colours
        Colours of categories; others are grey.
    cmap
        Name of a colour map of matplotlib, for numbers.
    title
        Title of the map.
    axis
        Axes to draw on; by default a figure 10 inches wide is made.

    Returns
    -------
    matplotlib.figure.Figure
        The figure. Its axes are in metres of the CRS, and are labelled in metres or kilometres.

    Raises
    ------
    OptionError
        If there is no such column, or limits are not in order.
    MissingCRSError
        If the parcels have no CRS.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.plotting import choropleth
    >>> from cbmcube.testing import vector_cube
    >>> fields = cbm.to_geodataframe(vector_cube(parcels=9).isel(time=4))
    >>> figure = choropleth(fields, "NDVI_mean")
    >>> figure.axes[0].get_xlabel()
    'easting (m), EPSG:32632'
    """
    require_matplotlib("maps")
    _check(table, column, limits)
    table = in_metres(table[[column, table.geometry.name]])
    values = table[column]
    text = label if label is not None else _labelled(column)
    with house_style():
        figure, [drawn] = canvas(axis, size=(10.0, map_height(table.geometry)))
        shapes = np.asarray(table.geometry.array, dtype=object)
        if _is_number(values):
            handles = _numbers(drawn, shapes, values, (text, cmap, limits))
            heading = ""
        else:
            handles, heading = _categories(drawn, shapes, values, colours), text
        _nothing(drawn, shapes, values, handles)
        frame(drawn, table, title)
        if handles:
            _legend(drawn, handles, heading, outside=not _is_number(values))
        as_written(drawn)
    return figure


def _check(table: gpd.GeoDataFrame, column: str, limits: tuple[float, float] | None) -> None:
    if not isinstance(table, gpd.GeoDataFrame) or column not in table:
        raise OptionError(
            "the map needs a column of a table with geometry",
            given=repr(column) if isinstance(table, gpd.GeoDataFrame) else type(table).__name__,
            allowed=", ".join(map(str, table.columns)) if hasattr(table, "columns") else None,
            hint="make the table with to_geodataframe(stats.sel(time=...))",
        )
    if table.crs is None:
        raise MissingCRSError(
            "the parcels have no coordinate reference system",
            hint="state the one their coordinates are in: table.set_crs('EPSG:...')",
        )
    if limits is not None and not limits[0] < limits[1]:
        raise OptionError(
            "limits go from the lower to the upper number",
            given=f"{limits[0]} to {limits[1]}",
            hint="for example limits=(0.0, 1.0)",
        )


def _is_number(values: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _labelled(column: str) -> str:
    for ending, unit in _UNITS.items():
        if column.endswith(ending):
            return f"{column.removesuffix(ending).replace('_', ' ')} ({unit})"
    name, _, statistic = column.rpartition("_")
    if column == "observed":
        return "observed share (-)"
    if statistic == "count":
        return f"{name} count (pixels)"
    if name and statistic.rstrip("0123456789") in _STATISTICS:
        return f"{name} {statistic} (-)"
    return column


def _numbers(
    axis: Any,
    shapes: np.ndarray,
    values: pd.Series[Any],
    style: tuple[str, str, tuple[float, float] | None],
) -> list[Any]:
    """Draw one path for each shade of the colour map, and the colour bar."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415 - an extra
    from matplotlib.colors import Normalize  # noqa: PLC0415 - an extra

    label, cmap, limits = style
    numbers = values.to_numpy(dtype="float64", na_value=np.nan)
    finite = np.isfinite(numbers)
    if not finite.any():
        return []
    low, high = limits or _middle(numbers[finite])
    shade = np.full(len(numbers), -1)
    shade[finite] = np.clip((numbers[finite] - low) / (high - low) * _SHADES, 0, _SHADES - 1)
    groups, paths = group_paths(shapes, shade)
    table = mpl.colormaps[cmap].resampled(_SHADES)
    add_shapes(axis, paths, table(groups), many=len(shapes))
    below, above = bool((numbers < low).any()), bool((numbers > high).any())
    ends = {(False, False): "neither", (True, False): "min", (False, True): "max"}
    bar = axis.get_figure(root=True).colorbar(
        ScalarMappable(Normalize(low, high), table),
        ax=axis,
        label=label,
        extend=ends.get((below, above), "both"),
        shrink=0.8,
        pad=0.02,
    )
    bar.outline.set_edgecolor(FAINT)
    return []


def _middle(numbers: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(numbers, [2, 98])
    air = 0.0 if low < high else 0.1 * abs(low) + 0.001
    return float(low - air), float(high + air)


def _categories(
    axis: Any, shapes: np.ndarray, values: pd.Series[Any], colours: Mapping[Any, str] | None
) -> list[Any]:
    """Draw one path for each category, and return legend entries with counts."""
    codes, names = pd.factorize(values, sort=False)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    order = np.argsort(-counts, kind="stable")
    palette = dict(zip(names[order], _COLOURS, strict=False)) if colours is None else colours
    colour = {k: palette.get(names[k], _REST) for k in range(len(names))}
    groups, paths = group_paths(shapes, codes)
    add_shapes(axis, paths, [colour[k] for k in groups], many=len(shapes))
    own = [k for k in order if names[k] in palette]
    handles = [_patch(colour[k], f"{names[k]}: {_parcels(counts[k])}") for k in own]
    rest = [k for k in order if names[k] not in palette]
    if rest:
        text = str(names[rest[0]]) if len(rest) == 1 else f"{len(rest)} others"
        handles.append(_patch(_REST, f"{text}: {_parcels(counts[rest].sum())}"))
    return handles


def _nothing(axis: Any, shapes: np.ndarray, values: pd.Series[Any], handles: list[Any]) -> None:
    """Hatch the parcels without a value, and count them with those without a geometry."""
    import shapely  # noqa: PLC0415 - only here

    if _is_number(values):
        missing = ~np.isfinite(values.to_numpy(dtype="float64", na_value=np.nan))
    else:
        missing = values.isna().to_numpy()
    if missing.any():
        _, paths = group_paths(shapes, np.where(missing, 0, -1))
        add_shapes(axis, paths, [_NONE], many=len(shapes), hatch="////")
        handles.append(_patch(_NONE, f"no value: {_parcels(missing.sum())}", hatch="////"))
    nowhere = int((shapely.is_missing(shapes) | shapely.is_empty(shapes)).sum())
    if nowhere:
        handles.append(_patch("none", f"not drawn, no geometry: {_parcels(nowhere)}", edge="none"))
    if not len(values):
        handles.append(_patch("none", "no parcels", edge="none"))


def _parcels(count: Any) -> str:
    return f"{int(count):,} parcel{'s' if count != 1 else ''}"


def _patch(colour: str, label: str, *, edge: str = "#9A9A9A", hatch: str | None = None) -> Any:
    from matplotlib.patches import Patch  # noqa: PLC0415 - an extra

    return Patch(facecolor=colour, edgecolor=edge, linewidth=0.5, hatch=hatch, label=label)


def _legend(axis: Any, handles: list[Any], heading: str, *, outside: bool) -> None:
    where = (
        {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
        if outside
        else {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": 2}
    )
    axis.legend(
        handles=handles, title=heading or None, borderaxespad=0.2, alignment="left", **where
    )
