"""The map of scenes: how often each place was seen, and the parcels over it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, get_args

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.enums import MergeAlg
from rasterio.transform import from_bounds

from cbmcube._canvas import canvas, require_matplotlib
from cbmcube._style import FAINT, INK, VERMILLION, house_style
from cbmcube.exceptions import MissingCRSError, OptionError
from cbmcube.plotting.scenes._scenes import SceneReport, Scenes, counted, scenes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Count = Literal["acquisitions", "items"]
Points = NDArray[np.float64]

_WIDTH = 10.0  # inches
_CELLS = 700  # along the longer side: finer than the screen at notebook width
_DOTS = 30_000  # dots up to which they are drawn whole: more would hide the map
_OUTLINES = 3000  # parcels up to which outlines are drawn; more are dots on a screen
_LEVELS = 12  # counts up to which each has its colour


def footprints(
    items: pystac.ItemCollection | Iterable[pystac.Item] | SceneReport,
    *,
    parcels: gpd.GeoDataFrame | gpd.GeoSeries | None = None,
    count: Count = "acquisitions",
    axis: Axes | None = None,
) -> Figure:
    """Draw a map of how often each place was seen, with parcels over it.

    Footprints are counted on a raster as fine as the screen, so that ten thousand items are
    drawn like ten. Parcels whose centre lies on no footprint are red and counted in the title.
    Metadata only: no image is read.

    Parameters
    ----------
    items
        What `search` returned, items, or the report of it: ``cbmcube.report(items)``.
    parcels
        Parcels in any CRS. Up to 3,000 are drawn as outlines, more as their centres.
    count
        What is counted: ``"acquisitions"``, where tiles of one pass that overlap count once, or
        ``"items"``.
    axis
        Axes to draw on; by default a figure 10 inches wide is made.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, in longitude and latitude (degrees, WGS 84), one degree of each equally long
        on the ground at the middle of the map.

    Raises
    ------
    OptionError
        If `items` are no scenes, or `count` is not known.
    MissingCRSError
        If the parcels have no CRS.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from datetime import datetime
    >>> import pystac
    >>> from shapely.geometry import box, mapping
    >>> from cbmcube.plotting import footprints
    >>> figure = footprints(
    ...     pystac.Item(f"s{k}", mapping(box(k, 48, k + 2, 49)), None, datetime(2024, 3, k), {})
    ...     for k in (1, 2)
    ... )
    >>> int(figure.axes[0].images[0].get_array().max())
    2
    """
    require_matplotlib("a map of footprints")
    if count not in get_args(Count):
        raise OptionError(
            "this cannot be counted", given=repr(count), allowed="acquisitions, items"
        )
    scenes = scenes_of(items)
    shapes = _shapes(scenes, count)
    fields = None if parcels is None else _Fields(parcels, shapes)
    box = _extent(shapes, fields)
    with house_style():
        figure, (board,) = canvas(axis, size=(_WIDTH, _height(box)))
        _draw_counts(board, figure, shapes, box, count)
        if fields is not None:
            fields.draw(board)
        _finish(board, box, _title(scenes, fields))
    return figure


def _shapes(scenes: Scenes, count: Count) -> NDArray[np.object_]:
    """Return what is counted: one shape for each item, or for each acquisition."""
    known = np.array([one is not None for one in scenes.geometry], dtype=bool)
    geometry = scenes.geometry[known]
    if count == "acquisitions" and len(geometry):
        codes, _ = pd.factorize(scenes.items["acquisition"].to_numpy()[known])
        groups = pd.Series(geometry).groupby(codes)
        parts = [one.to_numpy() for _, one in groups]
        geometry = np.array(
            [one[0] if len(one) == 1 else shapely.union_all(one) for one in parts], dtype=object
        )
    return _around_the_date_line(geometry)


def _around_the_date_line(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Count longitudes from 0 to 360 where scenes lie on both sides of 180 degrees."""
    west, _, east, _ = shapely.bounds(shapes).T if len(shapes) else np.zeros((4, 1))
    if not (west < -150).any() or not (east > 150).any() or ((east > -30) & (west < 30)).any():
        return shapes
    return np.asarray(shapely.transform(shapes, _eastward), dtype=object)


def _eastward(points: Points) -> Points:
    return np.column_stack([np.where(points[:, 0] < 0, points[:, 0] + 360, points[:, 0]),
                            points[:, 1]])  # fmt: skip


class _Fields:
    """Parcels as they are drawn: outlines or centres, seen or not."""

    def __init__(self, parcels: gpd.GeoDataFrame | gpd.GeoSeries, shapes: Any) -> None:
        series = parcels.geometry if isinstance(parcels, gpd.GeoDataFrame) else parcels
        if series.crs is None:
            raise MissingCRSError(
                "parcels need a CRS to be put on a map", hint="set it with parcels.set_crs(…)"
            )
        series = series[~(series.is_empty | series.isna())]
        centres = gpd.GeoSeries(shapely.centroid(series.to_numpy()), crs=series.crs).to_crs(4326)
        points = shapely.get_coordinates(centres.to_numpy())
        east = len(shapes) > 0 and shapely.bounds(shapes)[:, 2].max() > 180
        self.points = _eastward(points) if east else points
        self.seen = _inside(self.points, shapes)
        few = len(series) <= _OUTLINES
        outlines = series.to_crs(4326).to_numpy() if few else np.array([], dtype=object)
        self.outlines = shapely.transform(outlines, _eastward) if east and few else outlines

    def draw(self, axis: Any) -> None:
        """Draw parcels that were seen in black, others in red."""
        for chosen, colour, label, order in (
            (self.seen, INK, "parcels", 4), (~self.seen, VERMILLION, "parcels never seen", 5)
        ):  # fmt: skip
            if not chosen.any():
                continue
            if len(self.outlines):
                rings = shapely.get_exterior_ring(shapely.get_parts(self.outlines[chosen]))
                _lines(axis, rings, colour, width=0.8, order=order)
            # A parcel may be smaller than a dot of the screen: its centre stays visible.
            size = 4 if len(self.seen) <= 100 else 2.5 if len(self.seen) <= _OUTLINES else 0.5
            # Seen parcels that cover the map let the counts below them through.
            alpha = min(1.0, max(0.08, _DOTS / chosen.sum())) if label == "parcels" else None
            axis.plot(
                *self.points[chosen].T, ls="", marker=".", ms=size, mew=0.3, color=colour,
                zorder=order, rasterized=True, label=label, alpha=alpha,
            )  # fmt: skip

    @property
    def title(self) -> str:
        """How many there are, and how many were never seen."""
        unseen = int((~self.seen).sum())
        text = f"{len(self.seen):,} parcel{'s' * (len(self.seen) != 1)}"
        return f"{text}, {unseen:,} never seen (red)" if unseen else text


def _inside(points: Points, shapes: NDArray[np.object_]) -> NDArray[np.bool_]:
    if not len(shapes) or not len(points):
        return np.zeros(len(points), dtype=bool)
    whole = shapely.union_all(shapes)
    shapely.prepare(whole)
    return np.asarray(shapely.intersects_xy(whole, points[:, 0], points[:, 1]))


def _extent(shapes: Any, fields: _Fields | None) -> tuple[float, float, float, float]:
    """Return west, south, east and north of the map, with a little air."""
    boxes = [shapely.bounds(shapes)] if len(shapes) else []
    if fields is not None and len(fields.points):
        boxes.append(np.tile(fields.points, 2))
    if not boxes:
        return (-180.0, -90.0, 180.0, 90.0)
    every = np.concatenate(boxes)
    low, high = every[:, :2].min(axis=0), every[:, 2:].max(axis=0)
    air = np.maximum(0.03 * (high - low), 0.002)
    west, south = low - air
    east, north = high + air
    return float(west), float(south), float(east), float(north)


def _height(box: tuple[float, float, float, float]) -> float:
    west, south, east, north = box
    ratio = (north - south) * _stretch(box) / (east - west)
    return float(np.clip(0.9 + (_WIDTH - 2.2) * ratio, 3.0, 9.0))


def _stretch(box: tuple[float, float, float, float]) -> float:
    """How much longer a degree of latitude is than one of longitude, in the middle of the map."""
    return float(1 / np.cos(np.radians(np.clip((box[1] + box[3]) / 2, -85, 85))))


def _draw_counts(axis: Any, figure: Any, shapes: Any, box: Any, count: Count) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    if not len(shapes):
        axis.text(0.5, 0.5, "no scene has a footprint", transform=axis.transAxes, ha="center")
        return
    grid = count_overlaps(shapes, box)
    most = max(int(grid.max()), 1)
    blues = mpl.colormaps["Blues"](np.linspace(0.15, 0.85, min(most, 256)))
    colours = mpl.colors.ListedColormap(blues)
    bounds = np.arange(0.5, most + 1) if most <= _LEVELS else np.linspace(0.5, most + 0.5, 257)
    norm = mpl.colors.BoundaryNorm(bounds, len(bounds) - 1) if most <= _LEVELS else None
    west, south, east, north = box
    image = axis.imshow(
        np.ma.masked_equal(grid, 0), cmap=colours, norm=norm, extent=(west, east, south, north),
        interpolation="nearest", aspect="auto", zorder=1,
        **({} if norm else {"vmin": 1, "vmax": most}),
    )  # fmt: skip
    bar = figure.colorbar(image, ax=axis, shrink=0.7, pad=0.02, label=f"{count} (number)")
    if norm:
        bar.set_ticks(np.arange(1, most + 1))
    distinct = np.unique(shapely.to_wkb(shapes))
    if len(distinct) <= 40:  # more lines than that hide what is counted
        parts = shapely.get_parts(shapely.from_wkb(distinct))
        polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
        _lines(axis, shapely.get_exterior_ring(polygons), FAINT, width=0.5, order=2)


def count_overlaps(shapes: NDArray[np.object_], box: Any) -> NDArray[np.int32]:
    """Count the shapes that hold the centre of each cell of a raster over the map."""
    west, south, east, north = box
    width, height = (east - west), (north - south) * _stretch(box)
    step = max(width, height) / _CELLS
    shape = max(1, round(height / step)), max(1, round(width / step))
    return rasterio.features.rasterize(
        ((one, 1) for one in shapes),
        out_shape=shape,
        transform=from_bounds(west, south, east, north, shape[1], shape[0]),
        merge_alg=MergeAlg.add,
        dtype="int32",
    )


def _lines(axis: Any, rings: Any, colour: str, *, width: float, order: float) -> None:
    from matplotlib.collections import LineCollection  # noqa: PLC0415 - an extra

    paths = [shapely.get_coordinates(ring) for ring in rings]
    axis.add_collection(
        LineCollection(paths, colors=colour, linewidths=width, zorder=order), autolim=False
    )


def _finish(axis: Any, box: Any, title: str) -> None:
    west, south, east, north = box
    axis.set_xlim(west, east)
    axis.set_ylim(south, north)
    axis.set_aspect(_stretch(box))
    axis.set_xlabel("longitude (°)")
    axis.set_ylabel("latitude (°)")
    axis.set_title(title, loc="left", size=11, weight="bold")


def _title(scenes: Scenes, fields: _Fields | None) -> str:
    parts = [counted(scenes.items)]
    without = sum(one is None for one in scenes.geometry)
    if without:
        parts.append(f"{without:,} without a footprint")
    if fields is not None:
        parts.append(fields.title)
    return "  ·  ".join(parts)
