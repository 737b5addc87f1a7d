"""Axes of a map: metres on both sides, a height that suits the ground."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np

from cbmcube._style import FAINT


def in_metres(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a table in a projected CRS: of degrees, in the UTM zone of its middle."""
    known = ~(table.geometry.isna() | table.geometry.is_empty)
    if not table.crs.is_geographic or not known.any():
        return table
    return table.to_crs(table[known].estimate_utm_crs())


def map_height(shapes: gpd.GeoSeries) -> float:
    """Return inches that suit the extent of a map some 7.5 inches wide."""
    left, bottom, right, top = shapes.total_bounds if len(shapes) else (0.0, 0.0, 1.0, 0.4)
    ratio = (top - bottom) / (right - left) if right > left else 1.0
    return float(np.clip(np.nan_to_num(7.5 * ratio, nan=3.0) + 0.9, 3.0, 8.5))


def frame(axis: Any, table: gpd.GeoDataFrame, title: str | None) -> None:
    """Label both axes in metres or kilometres and let the map fill them."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - an extra

    known = table.geometry[~(table.geometry.isna() | table.geometry.is_empty)]
    if len(known):
        left, bottom, right, top = known.total_bounds
        air = 0.02 * max(right - left, top - bottom)
        axis.set(xlim=(left - air, right + air), ylim=(bottom - air, top + air))
    else:
        axis.set(xticks=[], yticks=[])
    factor = 1.0 if table.crs.is_geographic else table.crs.axis_info[0].unit_conversion_factor
    width = (axis.get_xlim()[1] - axis.get_xlim()[0]) * factor
    unit, scale = ("km", factor / 1000) if width >= 5000 else ("m", factor)
    for side in (axis.xaxis, axis.yaxis) if len(known) else ():
        side.set_major_locator(MaxNLocator(5))
        side.set_major_formatter(FuncFormatter(lambda value, _: f"{round(value * scale, 6):,.10g}"))
    authority = table.crs.to_authority()
    name = ":".join(authority) if authority else table.crs.name
    axis.set(xlabel=f"easting ({unit}), {name}", ylabel=f"northing ({unit})", aspect="equal")
    axis.tick_params(length=3, color=FAINT)
    if title:
        axis.set_title(title, loc="left", size=12, weight="bold")
