"""The two UTM zones: pixel lattices, tiles cut out of them, and land cover labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize

from cbmcube.demo._parcels import Ground
from cbmcube.demo._sizes import Recipe

SITE_CRS = "EPSG:32632"
"""CRS of the site's plane, in which all fields and land are described."""
BORDER = (12.0, 48.66)
"""Longitude and latitude of the point where the site meets the zone border."""
EDGE = 120
"""Distance by which tiles reach beyond the declared land, metres."""
TILE_OVERLAP = 240
"""Distance over which the two tiles of the western zone overlap, metres."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a zone's lattice, in pixels of 10 m; even numbers, so that 20 m nests."""

    row: int
    column: int
    rows: int
    columns: int

    def cut(self, values: NDArray[Any], pixel: int) -> NDArray[Any]:
        """Return the part of a lattice of `pixel` metres (10 or 20) in the window."""
        step = pixel // 10
        rows = slice(self.row // step, (self.row + self.rows) // step)
        return values[rows, self.column // step : (self.column + self.columns) // step]


@dataclass(frozen=True, slots=True)
class Tile:
    """A Sentinel-2 tile, scaled down."""

    name: str
    """Name in the military grid, such as ``"32UQU"``."""
    window: Window
    """Its place in the zone's lattice."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Where the pixels of a lattice lie in the site's plane."""

    x: tuple[float, float, float]
    """Coordinate of the first pixel's centre, step per row, step per column, metres."""
    y: tuple[float, float, float]
    """The same for the other coordinate."""
    shape: tuple[int, int]
    """Rows and columns."""

    def grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return both coordinates of every pixel."""
        rows, columns = np.ogrid[: self.shape[0], : self.shape[1]]
        x, y = (c[0] + c[1] * rows + c[2] * columns for c in (self.x, self.y))
        return x, y


@dataclass(frozen=True, slots=True)
class Zone:
    """One UTM zone: its lattice, its tiles and what lies under each pixel."""

    epsg: int
    """EPSG code of the zone."""
    origin: tuple[int, int]
    """Upper left corner of the lattice, a multiple of 60 m."""
    lattice: Window
    """The whole lattice."""
    tiles: tuple[Tile, ...]
    """Sentinel-2 tiles."""
    planes: dict[int, Plane]
    """Place of the pixels on the ground, by pixel size in metres."""
    labels: dict[int, NDArray[np.int32]]
    """Piece of land under each pixel's centre, by pixel size in metres."""

    @property
    def crs(self) -> str:
        """CRS of the zone."""
        return f"EPSG:{self.epsg}"

    def transform(self, window: Window, pixel: int) -> Affine:
        """Return the transform of a window's pixels of `pixel` metres."""
        west = self.origin[0] + 10 * window.column
        north = self.origin[1] - 10 * window.row
        return Affine(float(pixel), 0.0, float(west), 0.0, -float(pixel), float(north))


def border_point() -> tuple[float, float]:
    """Return where the site meets the zone border, in the site's plane."""
    x, y = Transformer.from_crs("EPSG:4326", SITE_CRS, always_xy=True).transform(*BORDER)
    return float(x), float(y)


def site_centre(recipe: Recipe) -> tuple[float, float]:
    """Return the middle of the declared land; most of it lies in the western zone."""
    x, y = border_point()
    return x - 0.07 * recipe.width, y


def make_zones(recipe: Recipe, ground: Ground) -> tuple[Zone, Zone]:
    """Lay lattices and tiles over the land and label their pixels."""
    border = border_point()[0]
    x, y = site_centre(recipe)
    south, north = (y + sign * (recipe.height / 2 + EDGE) for sign in (-1, 1))
    west, east = (x + sign * (recipe.width / 2 + EDGE) for sign in (-1, 1))
    reach = recipe.zone_overlap
    western = _zone(32632, (west, south, border + reach, north), ground)
    eastern = _zone(32633, (border - reach, south, east, north), ground)
    return western, eastern


def _zone(epsg: int, bounds: tuple[float, float, float, float], ground: Ground) -> Zone:
    to_zone = Transformer.from_crs(SITE_CRS, f"EPSG:{epsg}", always_xy=True)
    west, south, east, north = to_zone.transform_bounds(*bounds)
    origin = int(west // 60) * 60, int(-(-north // 60)) * 60
    columns, rows = int(-(-(east - origin[0]) // 60)) * 6, int(-(-(origin[1] - south) // 60)) * 6
    lattice = Window(0, 0, rows, columns)
    planes = {pixel: _plane(to_zone, origin, lattice, pixel) for pixel in (10, 20)}
    labels = {
        pixel: _labels(to_zone, origin, planes[pixel].shape, pixel, ground) for pixel in (10, 20)
    }
    return Zone(epsg, origin, lattice, _tiles(epsg, lattice), planes, labels)


def _tiles(epsg: int, lattice: Window) -> tuple[Tile, ...]:
    if epsg != 32632:
        return (Tile("33UTP", lattice),)
    # The square row border of the military grid runs through the site: two tiles meet there.
    half = lattice.rows // 12 * 6
    reach = TILE_OVERLAP // 120 * 6
    north = Window(0, 6, half + reach, lattice.columns - 6)
    south = Window(half - reach, 0, lattice.rows - half + reach, lattice.columns - 6)
    return Tile("32UQU", south), Tile("32UQV", north)


def _plane(to_zone: Transformer, origin: tuple[int, int], lattice: Window, pixel: int) -> Plane:
    """Fit the place of the pixels by an affine map, true to a metre over a few kilometres."""
    shape = lattice.rows * 10 // pixel, lattice.columns * 10 // pixel
    first = origin[0] + pixel / 2, origin[1] - pixel / 2
    last = first[0] + pixel * (shape[1] - 1), first[1] - pixel * (shape[0] - 1)
    corners = to_zone.transform(
        [first[0], first[0], last[0]], [first[1], last[1], first[1]], direction="INVERSE"
    )
    x, y = (
        (float(c[0]), float(c[1] - c[0]) / (shape[0] - 1), float(c[2] - c[0]) / (shape[1] - 1))
        for c in corners
    )
    return Plane(x, y, shape)


def _labels(
    to_zone: Transformer,
    origin: tuple[int, int],
    shape: tuple[int, int],
    pixel: int,
    ground: Ground,
) -> NDArray[np.int32]:
    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(to_zone.transform(*points.T), axis=1)

    covered = np.flatnonzero(~shapely.is_empty(ground.geometry))
    shapes = shapely.transform(ground.geometry[covered], move)
    transform = Affine(pixel, 0, origin[0], 0, -pixel, origin[1])
    burnt = rasterize(
        zip(shapes, covered.tolist(), strict=True),
        out_shape=shape,
        transform=transform,
        dtype="int32",
    )
    return np.asarray(burnt)
