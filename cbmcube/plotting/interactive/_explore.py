"""An interactive map of parcels: coloured by a statistic, with a profile for each click."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray

from cbmcube._html import html_facts, html_panel, html_text
from cbmcube.exceptions import Error, MissingCRSError, OptionError
from cbmcube.plotting.interactive._colouring import Colouring, colouring_of
from cbmcube.plotting.interactive._crowd import Crowd
from cbmcube.plotting.interactive._shapes import (
    corners_of,
    polygon_layer,
    position_at,
    shapes_table,
    view_of,
)
from cbmcube.plotting.seasons import profile

_FEW = 20_000
"""Parcels up to which every shape is sent to the browser."""
_WAITING = (
    "<style>.cbmcube-map:has(canvas) .cbmcube-waiting { display: none }</style>"
    "<span class='cbmcube-waiting'>Your browser draws this map and loads a part of the code for "
    "it from <code>cdn.jsdelivr.net</code>. If this line stays, it cannot.</span>"
)
"""Shown until there is a canvas, and for good where there will be none."""


def explore(
    parcels: gpd.GeoDataFrame,
    stats: xr.Dataset | Sequence[xr.Dataset] | Mapping[str, xr.Dataset] | None = None,
    *,
    by: str | pd.Series[Any] | None = None,
    statistic: str = "mean",
    time: object = None,
    events: Any = None,
    basemap: bool = True,
    height: int = 480,
) -> Any:
    """Show parcels on an interactive map; a click on one draws its profile below.

    Only the one date and statistic that colour the map are computed, and with each click one
    parcel. The browser's graphics card draws. Of more than 20,000 parcels it gets a picture, and
    the shapes where one zooms in; these the kernel sends, so that it must be running.

    The browser loads a part of the drawing code from ``cdn.jsdelivr.net``, and the map of streets
    from ``basemaps.cartocdn.com``. No parcel and no value is sent there; without the first one
    there is no map, and a line says so.

    Parameters
    ----------
    parcels
        Parcels in any CRS, their ids as the index, as `read_parcels` gives them.
    stats
        Vector cubes of these parcels, as `profile` takes them. Without any, the map shows the
        parcels alone, and a click their columns.
    by
        What colours the map: a band or index of the first cube, a column of `parcels`, or values
        by parcel id, such as a marker. By default NDVI or the first band, if there are `stats`.
    statistic
        Statistic of the band.
    time
        Acquisition that colours the map, as xarray selects it, such as ``"2024-06-01"``: the
        nearest one is taken. By default, of the last ten acquisitions, the one with most values.
    events
        Events that profiles show, as in `profile`.
    basemap
        Whether the notebook loads a map of streets and names below, from the network.
    height
        Height of the map in pixels.

    Returns
    -------
    ipywidgets.VBox
        Legend, map, and the place of the profile. ``children[1].children[0]`` is the
        `lonboard.Map`.

    Raises
    ------
    OptionError
        If nothing is called `by`, or no parcel of the map is in the cube.
    MissingCRSError
        If the parcels have no CRS.
    ImportError
        If lonboard is not installed.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from cbmcube.plotting import explore
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube()
    >>> fields = gpd.GeoDataFrame(geometry=stats.geometry.values, index=stats.parcel, crs=32633)
    >>> view = explore(fields, stats, time="2024-06-01")  # the last line of a cell shows it
    >>> [type(part).__name__ for part in view.children]
    ['HTML', 'VBox', 'HTML', 'Image']
    """
    widgets = _require()
    shown = _drawable(parcels)
    colours = colouring_of(shown, stats, by=by, statistic=statistic, time=time)
    note, picture = widgets.HTML(), widgets.Image(format="png")
    picture.layout = widgets.Layout(display="none", max_width="100%")
    choose = _chooser(shown, stats, events, note, picture)
    board = _board(shown, colours.rgba, choose, height=height, basemap=basemap)
    legend = widgets.HTML(_legend(colours, len(shown), len(parcels)))
    frame = widgets.VBox([board, widgets.HTML(_WAITING)], layout=widgets.Layout(width="100%"))
    frame.add_class("cbmcube-map")
    return widgets.VBox([legend, frame, note, picture])


def _require() -> Any:
    try:
        import ipywidgets  # noqa: PLC0415 - an extra
        import lonboard  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "the interactive map needs lonboard: pip install 'cbmcube[explore]'"
        ) from error
    return ipywidgets


def _drawable(parcels: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the parcels that have an area."""
    if not isinstance(parcels, gpd.GeoDataFrame):
        raise OptionError("parcels are a GeoDataFrame", given=type(parcels).__name__)
    if parcels.crs is None:
        raise MissingCRSError(
            "parcels need a CRS to be put on a map", hint="set it with parcels.set_crs(…)"
        )
    kinds = shapely.get_type_id(parcels.geometry.to_numpy())
    areal = np.isin(kinds, [shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON])
    chosen = parcels[areal & ~parcels.geometry.is_empty.to_numpy()]
    if chosen.empty:
        raise OptionError(
            "there is no parcel with an area to show", given=f"{len(parcels)} parcels"
        )
    return chosen


def _board(
    parcels: gpd.GeoDataFrame,
    rgba: NDArray[np.uint8],
    choose: Callable[[int | None], None],
    *,
    height: int,
    basemap: bool,
) -> Any:
    """Return the map, which tells `choose` of the parcels that are clicked."""
    from lonboard import Map  # noqa: PLC0415 - an extra

    calm: dict[str, Any] = {"show_tooltip": False, "show_side_panel": False, "height": height}
    if not basemap:
        calm["basemap"] = None
    if len(parcels) > _FEW:
        crowd = Crowd(parcels, rgba)
        layers, corners = [crowd.picture, crowd.shapes], crowd.corners()
    else:
        table = shapes_table(parcels)
        layers, corners = [polygon_layer(table, rgba, pickable=True)], corners_of(table)
        crowd = None
    board = Map(layers, view_state=view_of(corners, height=height), **calm)
    board.on_click(lambda place: choose(position_at(parcels, *place)))
    if crowd is not None:
        crowd.move(board.view_state)
        board.observe(lambda change: crowd.move(change["new"]), names="view_state")
    return board


def _chooser(
    parcels: gpd.GeoDataFrame, stats: Any, events: Any, note: Any, picture: Any
) -> Callable[[int | None], None]:
    """Return what shows the parcel at a position."""

    def show(index: int | None) -> None:
        picture.layout.display = "none"
        if index is None:
            note.value = ""
            return
        parcel = parcels.index[index]
        columns = parcels.iloc[index].drop(parcels.geometry.name)
        note.value = html_panel(f"Parcel {parcel}", html_facts(columns.head(12).items()))
        if stats is None:
            return
        try:
            picture.value = _png(profile(stats, parcel, events=events))
        except Error as error:  # the map goes on: another parcel may have a profile
            note.value += f"<pre>{html_text(error)}</pre>"
        else:
            picture.layout.display = ""

    return show


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def _legend(colours: Colouring, shown: int, all_parcels: int) -> str:
    left = all_parcels - shown
    text = f"{shown:,} parcels" + (f", {left:,} without an area left out" if left else "")
    return html_panel(f"{colours.title or 'Parcels'}  ·  {text}", colours.legend_html())
