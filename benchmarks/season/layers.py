"""The files of the real slice: two polarisations of some dates over one whole tile, as COGs.

A layer is a mean for each field, a slow texture, and the speckle of radar, which compresses as
badly as that of real images. Dates beyond the distinct layers repeat them under names of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pystac
import rasterio
import rasterio.features
import rasterio.windows
import shapely
from numpy.typing import NDArray

from benchmarks.season.country import SEED
from benchmarks.season.passes import BANDS, PIXELS, Tile, asset

VERSION = 1
"""Raised with every change of this module that changes a file."""
DISTINCT = 4
"""Layers with contents of their own: two for each band."""
BLOCK = 512
"""Side of the blocks of the files, pixels."""
_KNOT = 30
"""Pixels between the knots of the texture."""
_LOOKS = 20


def tile_parcels(parcels: gpd.GeoDataFrame, tile: Tile) -> gpd.GeoDataFrame:
    """Return the parcels that lie wholly on a tile."""
    shapes = parcels.geometry.to_crs(tile.epsg)
    inside = shapely.within(shapes.to_numpy(), tile.box)
    return parcels[inside]


def slice_items(
    items: Sequence[pystac.Item], tile: Tile, folder: Path, dates: int
) -> list[pystac.Item]:
    """Return the items of the first passes that see a whole tile, with files of their own."""
    ground = gpd.GeoSeries([tile.box.segmentize(20_000.0)], crs=tile.epsg).to_crs("EPSG:4326")
    whole = 0.999 * ground.iloc[0].area
    code = f"MGRS-{tile.name}"
    chosen = []
    for item in items:
        here = item.properties["grid:code"] == code
        if here and shapely.geometry.shape(item.geometry).area > whole:
            found = item.clone()
            number = len(chosen)
            for band in BANDS:
                found.assets[band] = asset(_name(folder, tile, number, band), tile)
            chosen.append(found)
        if len(chosen) == dates:
            break
    return chosen


def write_layers(parcels: gpd.GeoDataFrame, tile: Tile, folder: Path, dates: int) -> None:
    """Write the files to which `slice_items` point, unless they are there."""
    target = folder / tile.name
    stamp = target / f"complete_v{VERSION}_{len(parcels)}"
    if not stamp.exists():
        target.mkdir(parents=True, exist_ok=True)
        labels = _labels(parcels, tile)
        for number in range(DISTINCT):
            _write(_layer(target, number), tile, labels, len(parcels), number)
        stamp.touch()
    for date in range(dates):
        for place, band in enumerate(BANDS):
            name = _name(folder, tile, date, band)
            name.unlink(missing_ok=True)
            name.hardlink_to(_layer(target, (date * len(BANDS) + place) % DISTINCT))


def compression(folder: Path, tile: Tile) -> float:
    """Return how much smaller than its pixels a file is."""
    return PIXELS**2 * 4 / _layer(folder / tile.name, 0).stat().st_size


def _layer(target: Path, number: int) -> Path:
    return target / f"layer_{number}.tif"


def _name(folder: Path, tile: Tile, date: int, band: str) -> Path:
    return folder / tile.name / f"{date:03d}_{band}.tif"


def _labels(parcels: gpd.GeoDataFrame, tile: Tile) -> NDArray[np.int32]:
    shapes = parcels.geometry.to_crs(tile.epsg)
    return rasterio.features.rasterize(
        zip(shapes, range(1, len(parcels) + 1), strict=True),
        out_shape=(PIXELS, PIXELS),
        transform=tile.transform,
        dtype="int32",
    )


def _write(path: Path, tile: Tile, labels: NDArray[np.int32], parcels: int, number: int) -> None:
    rng = np.random.default_rng([SEED, number])
    level = rng.normal(0.0, 1.0, parcels + 1).astype("float32")
    coarse = rng.normal(0.0, 0.3, (PIXELS // _KNOT + 2,) * 2).astype("float32")
    path.unlink(missing_ok=True)  # its other names are links to the same bytes
    profile: dict[str, Any] = {
        "driver": "COG", "width": PIXELS, "height": PIXELS, "count": 1, "dtype": "float32",
        "crs": f"EPSG:{tile.epsg}", "transform": tile.transform, "nodata": float("nan"),
        "blocksize": BLOCK, "compress": "DEFLATE", "predictor": "FLOATING_POINT",
        "overviews": "NONE", "num_threads": "ALL_CPUS",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        for row in range(0, PIXELS, BLOCK):
            rows = min(BLOCK, PIXELS - row)
            decibels = 2.5 * (level[labels[row : row + rows]] + _texture(coarse, row, rows)) - 13
            speckle = rng.standard_gamma(_LOOKS, decibels.shape, dtype="float32") / _LOOKS
            values = 10 ** (decibels / 10) * speckle
            window = rasterio.windows.Window(0, row, PIXELS, rows)
            target.write(values.astype("float32"), 1, window=window)


def _texture(coarse: NDArray[np.float32], row: int, rows: int) -> NDArray[np.float32]:
    """Return some rows of a smooth surface: knots, interpolated linearly."""
    down, across = np.arange(row, row + rows) / _KNOT, np.arange(PIXELS) / _KNOT
    i, j = down.astype(int), across.astype(int)
    fy, fx = (down % 1).astype("float32")[:, None], (across % 1).astype("float32")
    upper, lower = coarse[i], coarse[i + 1]
    mixed = upper * (1 - fy) + lower * fy
    return mixed[:, j] * (1 - fx) + mixed[:, j + 1] * fx


def decode(paths: Sequence[Path], blocks: NDArray[np.bool_]) -> int:
    """Decode blocks of files, each once, with rasterio and nothing else; return the pixels."""
    pixels = 0
    for path in paths:
        with rasterio.open(path) as source:
            for i, j in np.argwhere(blocks):
                pixels += source.read(1, window=source.block_window(1, i, j)).size
    return pixels


def blocks_met(parcels: gpd.GeoDataFrame, tile: Tile) -> NDArray[np.bool_]:
    """Return which blocks of a file hold a pixel of a parcel, by the boxes around parcels."""
    count = -(-PIXELS // BLOCK)
    bounds = shapely.bounds(parcels.geometry.to_crs(tile.epsg).to_numpy())
    side = BLOCK * tile.transform.a
    first_j, last_j = ((bounds[:, k] - tile.west) // side for k in (0, 2))
    first_i, last_i = ((tile.north - bounds[:, k]) // side for k in (3, 1))
    met = np.zeros((count, count), np.bool_)
    edges = np.stack([first_i, last_i, first_j, last_j], axis=1).clip(0, count - 1).astype(int)
    for i0, i1, j0, j1 in np.unique(edges, axis=0):
        met[i0 : i1 + 1, j0 : j1 + 1] = True
    return met
