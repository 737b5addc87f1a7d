"""The country of the scale bench: as much land and as many fields as Denmark, of invented shape.

Outlines are crude polygons of Jutland and the larger islands. Fields are shrunken Voronoi cells
of clustered points. Everything is drawn from a fixed seed, for whole arrays at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

CRS = "EPSG:25832"
"""CRS in which Denmark publishes its field parcels."""
SEED = 20_180_101
VERSION = 1
"""Raised with every change of this module that changes the parcels."""
PARCELS = 560_000
"""Danish field parcels, as the published season counts them."""
MEAN_HECTARES = 4.7
"""Mean size of a parcel; all of them cover 2.6 million hectares."""

OUTLINES = {
    "Jutland": (
        (8.65, 54.91), (9.42, 54.83), (9.80, 54.90), (9.75, 55.05), (9.45, 55.05), (9.60, 55.25),
        (9.55, 55.45), (9.85, 55.62), (10.05, 55.80), (10.30, 55.95), (10.25, 56.10),
        (10.75, 56.15), (10.95, 56.40), (10.40, 56.55), (10.30, 56.75), (10.32, 56.98),
        (10.55, 57.25), (10.60, 57.72), (10.00, 57.58), (9.60, 57.27), (9.00, 57.15),
        (8.60, 57.12), (8.25, 56.80), (8.12, 56.50), (8.12, 56.00), (8.15, 55.58), (8.45, 55.45),
        (8.62, 55.25),
    ),
    "Funen": (
        (9.75, 55.50), (10.10, 55.58), (10.40, 55.62), (10.75, 55.45), (10.83, 55.20),
        (10.70, 55.05), (10.30, 55.05), (9.98, 55.15), (9.80, 55.30),
    ),
    "Langeland": ((10.68, 54.75), (10.80, 54.85), (10.95, 55.13), (10.85, 55.13), (10.66, 54.80)),
    "Zealand": (
        (11.10, 55.68), (11.45, 55.95), (11.75, 55.95), (11.90, 55.75), (12.00, 55.97),
        (12.30, 56.12), (12.60, 56.04), (12.55, 55.80), (12.60, 55.55), (12.20, 55.42),
        (12.45, 55.30), (12.20, 55.20), (12.10, 55.00), (11.75, 55.05), (11.65, 55.18),
        (11.25, 55.20), (11.15, 55.35),
    ),
    "Lolland and Falster": (
        (11.00, 54.85), (11.10, 54.95), (11.60, 54.90), (11.85, 54.97), (12.10, 54.90),
        (12.15, 54.80), (11.95, 54.57), (11.75, 54.68), (11.45, 54.62), (11.05, 54.75),
    ),
    "Moen": ((12.20, 54.95), (12.35, 55.03), (12.55, 54.97), (12.35, 54.92)),
    "Bornholm": ((14.70, 55.12), (14.75, 55.29), (14.95, 55.22), (15.15, 55.12), (15.08, 54.99)),
}  # fmt: skip
"""Corners of the land, longitude and latitude."""

_CLUSTER = 2_000.0
"""Side of the squares of equal density of fields, metres."""
_UNEVEN = 0.85
"""Standard deviation of the logarithm of that density."""
_STRETCH = 1.8
"""How much longer than wide fields are, in the mean."""


def land() -> Any:
    """Return the land as one geometry in `CRS`."""
    shapes = gpd.GeoSeries([shapely.Polygon(ring) for ring in OUTLINES.values()], crs="EPSG:4326")
    return shapely.union_all(shapes.to_crs(CRS).to_numpy())


def make_parcels(count: int = PARCELS, seed: int = SEED) -> gpd.GeoDataFrame:
    """Return `count` parcels of realistic sizes and outlines, in random order.

    Cells of clustered points are shrunk about their centroids until parcels measure
    `MEAN_HECTARES` on average; neighbours touch now and then. Fewer parcels cover as much less
    of the country, from the south of Jutland on, so that their density stays.
    """
    rng = np.random.default_rng(seed)
    ground = _ground(count)
    points = _points(ground, count, rng)
    outlines = _roughen(_shrink(_cells(points, ground), rng), rng)
    order = rng.permutation(count)
    ids = pd.Index([f"DK{number:06d}" for number in range(count)], name="parcel")
    return gpd.GeoDataFrame(geometry=outlines[order], index=ids, crs=CRS)


def stored_parcels(folder: Path, count: int = PARCELS) -> Path:
    """Return the GeoParquet file of the parcels, made if it is not there."""
    path = folder / f"parcels_{count}_v{VERSION}.parquet"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        make_parcels(count).to_parquet(part)
        part.replace(path)
    return path


def _ground(count: int) -> Any:
    """Return the land, or as much of it as `count` parcels need."""
    whole = land()
    if count >= PARCELS:
        return whole
    west, south, east, north = whole.bounds
    wanted = whole.area * count / PARCELS
    low, high = south, north
    for _ in range(40):
        middle = (low + high) / 2
        part = shapely.intersection(whole, shapely.box(west, south, east, middle))
        low, high = (middle, high) if part.area < wanted else (low, middle)
    return shapely.intersection(whole, shapely.box(west, south, east, high))


def _points(ground: Any, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return points on land, denser in some squares than in others."""
    west, south, east, north = ground.bounds
    corners = np.stack(
        np.meshgrid(np.arange(west, east, _CLUSTER), np.arange(south, north, _CLUSTER)), axis=-1
    ).reshape(-1, 2)
    squares = shapely.box(*corners.T, *(corners + _CLUSTER).T)
    shapely.prepare(ground)
    corners = corners[shapely.intersects(ground, squares)]
    density = rng.lognormal(0.0, _UNEVEN, len(corners))
    found: list[NDArray[np.float64]] = []
    missing = count
    while missing > 0:
        owner = rng.choice(len(corners), size=2 * missing, p=density / density.sum())
        drawn = corners[owner] + rng.uniform(0.0, _CLUSTER, (owner.size, 2))
        drawn = drawn[shapely.contains_xy(ground, drawn)][:missing]
        found.append(drawn)
        missing -= len(drawn)
    return np.concatenate(found)


def _cells(points: NDArray[np.float64], ground: Any) -> NDArray[Any]:
    """Return the cell of each point, longer than wide, within the land."""
    squeezed = points / (_STRETCH, 1.0)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(squeezed), ordered=True))
    corners = shapely.get_coordinates(cells) * (_STRETCH, 1.0)
    cells = shapely.set_coordinates(cells, corners)
    coastal = ~shapely.contains_properly(ground, cells)
    # A bay may cut a cell in two; a field lies on one side of it.
    parts, owner = shapely.get_parts(
        shapely.intersection(cells[coastal], ground), return_index=True
    )
    by_size = np.lexsort((-shapely.area(parts), owner))
    cells[coastal] = parts[by_size][np.unique(owner[by_size], return_index=True)[1]]
    return cells


def _shrink(cells: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Shrink cells about their centroids: what remains of them are roads, woods and towns."""
    wanted = MEAN_HECTARES * 1e4 / shapely.area(cells).mean()
    share = rng.beta(2.0, 1.2, cells.size)
    # What is cut off above 0.98 is little; the scale makes up for it.
    for _ in range(8):
        area = shapely.area(cells) * np.minimum(share, 0.98)
        share *= wanted * shapely.area(cells).mean() / area.mean()
    middle = shapely.get_coordinates(shapely.centroid(cells))
    corners, owner = shapely.get_coordinates(cells, return_index=True)
    factor = np.sqrt(np.minimum(share, 0.98))[owner, None]
    return shapely.set_coordinates(cells, middle[owner] + (corners - middle[owner]) * factor)


def _roughen(fields: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Add up to some twenty vertices along the edges and move all of them by a few metres."""
    pieces = rng.integers(3, 24, fields.size)
    finer = shapely.segmentize(fields, shapely.length(fields) / pieces)
    ring, owner = shapely.get_coordinates(finer, return_index=True)
    step = 0.012 * np.sqrt(shapely.area(fields))[owner, None]
    moved = ring + rng.normal(0.0, 1.0, ring.shape) * step
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    moved[np.append(first[1:], owner.size) - 1] = moved[first]  # a ring ends where it begins
    rough = shapely.set_coordinates(finer.copy(), moved)
    return np.where(shapely.is_valid(rough), rough, finer)
