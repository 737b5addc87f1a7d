"""A map of more parcels than can be moved about: a picture of all, and shapes where one looks."""

from __future__ import annotations

import base64
import io
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
from numpy.typing import NDArray

from cbmcube.plotting.interactive._shapes import (
    GEOGRAPHIC,
    TILE,
    mercator,
    polygon_layer,
    shapes_table,
)

AT_ONCE = 5_000
"""Shapes that even a processor without a graphics card moves; borders would cost ten times more."""
_SEEN = (600, 400)
"""Pixels from the middle of the screen to its edges, for screens that are not small."""
_AHEAD = 1.5  # so much further than one sees, shapes are drawn
_SIDE = 2048  # pixels of the picture, at most


class Crowd:
    """Layers of a map of many parcels, changed as one moves about."""

    def __init__(self, parcels: gpd.GeoDataFrame, rgba: NDArray[np.uint8]) -> None:
        """Place the parcels; their shapes stay as they are until one looks at them."""
        self.parcels, self._rgba = parcels, rgba
        bounds = parcels.geometry.bounds.to_numpy()
        x, y = (bounds[:, :2] + bounds[:, 2:]).T / 2
        self._to_degrees = pyproj.Transformer.from_crs(parcels.crs, GEOGRAPHIC, always_xy=True)
        longitude, latitude = self._to_degrees.transform(x, y)
        # The plane of the screen: both in widths of the whole map.
        self.places = np.column_stack([longitude / 360, mercator(latitude)])
        self.picture = _picture(self.places, rgba)
        # A click is answered by where it is: no shape has to be told from others.
        table, colours = self._filled(np.array([0]))
        self.shapes = polygon_layer(table, colours, pickable=False, visible=False)
        self._held: NDArray[np.float64] | None = None

    def corners(self) -> NDArray[np.float64]:
        """Return the extent in longitude and latitude, (2, 2)."""
        return np.array([_degrees(self.places.min(axis=0)), _degrees(self.places.max(axis=0))])

    def move(self, view: Any) -> None:
        """Show what a view of the map (`lonboard.view_state.MapViewState`) asks for."""
        middle = np.array([view.longitude / 360, float(mercator(view.latitude))])
        reach = np.array(_SEEN) / (TILE * 2.0**view.zoom)
        if self._held is not None and self._holds(middle, reach):
            return
        inside = (np.abs(self.places - middle) <= _AHEAD * reach).all(axis=1)
        few = np.count_nonzero(inside) <= AT_ONCE
        if few or self._held is not None:
            self._held = middle + _AHEAD * np.array([-reach, reach]) if few else None
            self._show(np.flatnonzero(inside) if few else np.array([], dtype="int64"))

    def _holds(self, middle: NDArray[np.float64], reach: NDArray[np.float64]) -> bool:
        low, high = self._held if self._held is not None else (middle, middle)
        return bool((middle - reach >= low).all() and (middle + reach <= high).all())

    def _show(self, chosen: NDArray[np.int64]) -> None:
        from arro3.core import Table  # noqa: PLC0415 - comes with lonboard

        if chosen.size:
            table, rgba = self._filled(chosen)
            with self.shapes.hold_sync():
                self.shapes.table, self.shapes.get_fill_color = Table.from_arrow(table), rgba
        self.shapes.visible = self._held is not None
        self.picture.visible = self._held is None

    def _filled(self, chosen: NDArray[np.int64]) -> tuple[Any, NDArray[np.uint8]]:
        """Return shapes and colours, always as many, for the map may pair old with new ones.

        Those that are too many repeat one shape, without a colour.
        """
        rows = np.append(chosen, np.repeat(chosen[:1], AT_ONCE - chosen.size))
        rgba = self._rgba[rows]
        rgba[chosen.size :] = 0
        return shapes_table(self.parcels.iloc[rows]), rgba


def _degrees(place: NDArray[np.float64]) -> tuple[float, float]:
    return float(place[0]) * 360, float(np.degrees(np.arctan(np.sinh(place[1] * 2 * np.pi))))


def _picture(places: NDArray[np.float64], rgba: NDArray[np.uint8]) -> Any:
    """Return a layer with the mean colour of the parcels in each pixel.

    There are half as many pixels as parcels: more would leave holes, and lose single parcels.
    """
    import matplotlib.image  # noqa: PLC0415 - lonboard brings it along
    from lonboard import BitmapLayer  # noqa: PLC0415 - an extra

    low, span = places.min(axis=0), np.maximum(np.ptp(places, axis=0), 1e-9)
    pixel = max(float(np.sqrt(2 * span.prod() / len(places))), float(span.max()) / _SIDE)
    width, height = np.maximum(np.ceil(span / pixel), 1).astype(int)
    column, row = np.minimum((places - low) // pixel, [width - 1, height - 1]).astype(int).T
    cells = (height - 1 - row) * width + column
    count = np.bincount(cells, minlength=width * height)
    sums = [np.bincount(cells, band, minlength=width * height) for band in rgba.T]
    image = np.stack(sums, axis=-1) / np.maximum(count, 1)[:, None]
    target = io.BytesIO()
    grid = image.round().astype("uint8").reshape(height, width, 4)
    matplotlib.image.imsave(target, grid, format="png")
    west, south = _degrees(low)
    east, north = _degrees(low + pixel * np.array([width, height]))
    text = base64.b64encode(target.getvalue()).decode()
    layer = BitmapLayer(
        image=f"data:image/png;base64,{text}", bounds=(west, south, east, north), pickable=False
    )
    # Notebooks keep the text of a widget too, where a picture has no place.
    layer._repr_keys = lambda: iter(("bounds",))  # noqa: SLF001
    return layer
