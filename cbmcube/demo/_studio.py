"""The place where scenes become files: pixels are cut, described and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.crs import CRS
from shapely.geometry import Polygon

from cbmcube.demo import _optical, _radar
from cbmcube.demo._sizes import Recipe
from cbmcube.demo._stac import Raster, Scene, footprint
from cbmcube.demo._write import write_cog
from cbmcube.demo._zones import SITE_CRS, Window, Zone

Layers = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Studio:
    """What every acquisition needs."""

    folder: Path
    """Where the files go."""
    recipe: Recipe
    """Size, season and seed."""
    zones: tuple[Zone, Zone]
    """The western and the eastern zone."""
    optical: _optical.Land
    """The land as Sentinel-2 sees it."""
    radar: _radar.Land
    """The land as Sentinel-1 sees it."""

    def store(self, item: pystac.Item, zone: Zone, window: Window, parts: Layers) -> None:
        """Write the files of an item."""
        crs = CRS.from_epsg(zone.epsg)
        for band, values in parts.items():
            path = self.folder / item.assets[band].href
            path.parent.mkdir(parents=True, exist_ok=True)
            transform = zone.transform(window, _pixel(window, values))
            nodata = float("nan") if values.dtype.kind == "f" else 0
            write_cog(path, values, crs=crs, transform=transform, nodata=nodata)


def scene(zone: Zone, window: Window, parts: Layers, swath: _optical.Swath | None = None) -> Scene:
    """Return the grids of an item's files and the extent of its data."""
    rasters = [
        Raster(band, zone.crs, zone.transform(window, _pixel(window, values)), values.shape)
        for band, values in parts.items()
    ]
    return Scene(rasters, footprint(rasters[0], None if swath is None else _seen(swath, zone)))


def frame(zone: Zone, seed: tuple[int, ...], *, step: int) -> Window:
    """Return the extent of a radar scene: frames differ a little from pass to pass.

    `step` is the number of 10 m pixels that the corners are multiples of.
    """
    rng = np.random.default_rng([*seed, zone.epsg, 1])
    top, left, bottom, right = (int(v) * step for v in rng.integers(0, 1 + 6 // step, 4))
    whole = zone.lattice
    return Window(top, left, whole.rows - top - bottom, whole.columns - left - right)


def _pixel(window: Window, values: NDArray[Any]) -> int:
    return 10 * window.rows // int(values.shape[0])


def _seen(swath: _optical.Swath, zone: Zone) -> Polygon:
    """Return what was seen as a large rectangle beside the edge, in the zone's CRS."""
    reach = 50_000.0
    (x, y), (dx, dy) = swath.point, swath.inward
    side = np.array([[-dy, dx], [-dy, dx], [dy, -dx], [dy, -dx]]) * reach
    ahead = np.array([[0, 0], [dx, dy], [dx, dy], [0, 0]]) * reach
    corners = np.array([x, y]) + side + ahead
    to_zone = Transformer.from_crs(SITE_CRS, zone.crs, always_xy=True)
    # Long sides bend when projected; more corners keep the edge true to centimetres.
    dense = shapely.get_coordinates(shapely.segmentize(Polygon(corners), 2000.0))
    return Polygon(np.stack(to_zone.transform(*dense.T), axis=1))
