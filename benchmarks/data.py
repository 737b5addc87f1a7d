"""The data of the benchmarks: parcels, cloud-optimised GeoTIFFs, and the items that name them.

Everything is drawn from a fixed seed. Parcels are shrunken Voronoi cells, rings of about 23
vertices in random order; layers are a mean per field, a slow texture within it and noise that
compresses about as badly as that of real images.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray

CRS = "EPSG:32632"
WEST, NORTH, STEP = 499_980.0, 5_700_000.0, 10.0
SEED = 20_240_305
VERSION = 1
"""Raised with every change of this module that changes a file."""
MOST_DATES = 100
BANDS = ("B1", "B2", "B3")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much there is to do."""

    name: str
    """Name on the command line."""
    pixels: int
    """Rows and columns of a layer."""
    parcels: int
    """Number of parcels."""
    layers: int
    """Distinct layers of each codec; more dates repeat them under other names."""
    dates: int
    """Dates of one call in the measurements of many scenes."""
    probe_dates: int
    """Dates with which the strategies of exactextract compete."""


SCALES = {
    "full": Scale("full", pixels=5490, parcels=31_323, layers=6, dates=24, probe_dates=6),
    "small": Scale("small", pixels=1500, parcels=2_340, layers=3, dates=6, probe_dates=3),
}


@dataclass(frozen=True, slots=True)
class Codec:
    """How a layer is stored."""

    name: str
    """Short name, also that of its folder."""
    dtype: str
    """Stored type."""
    compress: str
    """Compression, as GDAL's COG driver names it."""
    predictor: str
    """Predictor, likewise."""


CODECS = {
    "deflate": Codec("deflate", "float32", "DEFLATE", "FLOATING_POINT"),
    "zstd": Codec("zstd", "float32", "ZSTD", "FLOATING_POINT"),
    "uint16": Codec("uint16", "uint16", "DEFLATE", "STANDARD"),
}


@dataclass(frozen=True, slots=True)
class Work:
    """A folder with all files of one scale."""

    folder: Path
    """Where the files are."""
    scale: Scale
    """What they hold."""

    @property
    def transform(self) -> Affine:
        """From column and row to metres."""
        return Affine(STEP, 0, WEST, 0, -STEP, NORTH)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north."""
        side = self.scale.pixels * STEP
        return WEST, NORTH - side, WEST + side, NORTH

    def parcels(self) -> gpd.GeoDataFrame:
        """Return the parcels."""
        return gpd.read_parquet(self.folder / "parcels.parquet")

    def layer(self, codec: str, number: int) -> Path:
        """Return one of the distinct files of a codec."""
        return self.folder / codec / f"layer_{number}.tif"

    def path(self, codec: str, date: int, band: int = 0) -> Path:
        """Return the file of one date and band; every date has names of its own."""
        return self.folder / codec / f"{date:03d}_{BANDS[band]}.tif"

    def paths(self, codec: str, dates: int) -> list[Path]:
        """Return the files of the first band, one for each date."""
        return [self.path(codec, date) for date in range(dates)]

    def compression(self, codec: str) -> float:
        """Return how much smaller than its pixels a file is."""
        raw = self.scale.pixels**2 * np.dtype(CODECS[codec].dtype).itemsize
        return raw / self.path(codec, 0).stat().st_size


# --- making -----------------------------------------------------------------------------------


def prepare(folder: Path, scale: Scale) -> Work:
    """Make the files of `scale` in `folder`, or find them complete and leave them."""
    target = folder / scale.name
    stamp = target / "complete.json"
    content = json.dumps({"version": VERSION, "seed": SEED, **asdict(scale)}, sort_keys=True)
    work = Work(target, scale)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == content:
        return work
    stamp.unlink(missing_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    parcels = make_parcels(scale, work.bounds, rng)
    parcels.to_parquet(target / "parcels.parquet")
    labels = _labels(parcels, work)
    for number in range(scale.layers):
        _write_layer(work, number, labels, rng)
    for codec in CODECS:
        _link_dates(work, codec)
    stamp.write_text(content, encoding="utf-8")
    return work


def make_parcels(
    scale: Scale, bounds: tuple[float, float, float, float], rng: np.random.Generator
) -> gpd.GeoDataFrame:
    """Return parcels that cover about half of the ground and hardly overlap.

    Cells of random points are stretched twofold, so that fields are longer than wide, and
    shrunk about their centroids to 52 % of their area on average.
    """
    west, south, east, north = bounds
    stretch = 2.0
    points = rng.uniform((west / stretch, south), (east / stretch, north), (scale.parcels, 2))
    ground = shapely.box(west / stretch, south, east / stretch, north)
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.multipoints(points), extend_to=ground, ordered=True)
    )
    cells = shapely.intersection(cells, ground)
    share = rng.beta(1.9, 1.75, scale.parcels)
    middle = shapely.get_coordinates(shapely.centroid(cells))
    corners, owner = shapely.get_coordinates(cells, return_index=True)
    moved = middle[owner] + (corners - middle[owner]) * np.sqrt(share)[owner, None]
    moved[:, 0] *= stretch
    rings = shapely.set_coordinates(cells.copy(), moved)
    outlines = _roughen(rings, rng)
    ids = [f"P{number:05d}" for number in range(scale.parcels)]
    return gpd.GeoDataFrame(geometry=outlines, index=pd.Index(ids, name="parcel"), crs=CRS)


def _roughen(polygons: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Add vertices along the edges and move all of them by a few metres, where that is valid."""
    finer = shapely.segmentize(polygons, shapely.length(polygons) / 19)
    ring, owner = shapely.get_coordinates(finer, return_index=True)
    shift = rng.normal(0, 2.0, ring.shape)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    last = np.append(first[1:], owner.size) - 1
    shift[last] = shift[first]  # a ring ends where it begins
    rough = shapely.set_coordinates(finer.copy(), ring + shift)
    return np.where(shapely.is_valid(rough), rough, finer)


def _labels(parcels: gpd.GeoDataFrame, work: Work) -> NDArray[np.int32]:
    size = work.scale.pixels
    return rasterio.features.rasterize(
        zip(parcels.geometry, range(1, len(parcels) + 1), strict=True),
        out_shape=(size, size),
        transform=work.transform,
        dtype="int32",
    )


def _write_layer(
    work: Work, number: int, labels: NDArray[np.int32], rng: np.random.Generator
) -> None:
    level = rng.normal(0, 1, work.scale.parcels + 1).astype("float32")[labels]
    level += _texture(work.scale.pixels, rng)
    backscatter = _backscatter(level, rng)
    for codec in ("deflate", "zstd"):
        _write_cog(work, codec, number, backscatter)
    _write_cog(work, "uint16", number, _reflectance(level, rng))


def _texture(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a smooth surface: random numbers each 30 pixels, interpolated linearly."""
    knots = np.arange(size // 30 + 2)
    coarse = rng.normal(0, 0.3, (knots.size, knots.size)).astype("float32")
    at = np.arange(size) / 30
    low, part = at.astype(int), (at % 1).astype("float32")
    rows = coarse[low] * (1 - part)[:, None] + coarse[low + 1] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, low + 1] * part


def _backscatter(level: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return linear gamma0 with the speckle of 20 looks."""
    looks = 20
    speckle = rng.standard_gamma(looks, level.shape, dtype="float32") / looks
    return 10 ** ((-13 + 2.5 * level) / 10) * speckle


def _reflectance(level: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint16]:
    """Return reflectance times 10,000 plus 1,000; 0, which would mean no data, never occurs."""
    noise = rng.standard_normal(level.shape, dtype="float32")
    return np.clip(np.rint(3500 + 600 * level + 350 * noise), 1, 65535).astype("uint16")


def _write_cog(work: Work, codec: str, number: int, values: NDArray[Any]) -> None:
    """Write one layer in blocks of 512 pixels, without overviews."""
    kind = CODECS[codec]
    path = work.layer(codec, number)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)  # its other names are links to the same bytes
    profile = {
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
        "dtype": kind.dtype,
        "crs": CRS,
        "transform": work.transform,
        "nodata": 0 if kind.dtype == "uint16" else float("nan"),
    }
    with rasterio.open(
        path,
        "w",
        driver="COG",
        compress=kind.compress,
        predictor=kind.predictor,
        blocksize=512,
        overviews="NONE",
        num_threads="ALL_CPUS",
        **profile,
    ) as target:
        target.write(values, 1)


def _link_dates(work: Work, codec: str) -> None:
    """Give every date and band a name of its own, so that no reader knows the file already."""
    for date, band in itertools.product(range(MOST_DATES), range(len(BANDS))):
        target = work.path(codec, date, band)
        target.unlink(missing_ok=True)
        target.hardlink_to(work.layer(codec, (date + 2 * band) % work.scale.layers))


def read(path: Path) -> NDArray[Any]:
    """Decode one file whole, with rasterio."""
    with rasterio.open(path) as source:
        return source.read(1)


def touch(paths: Sequence[Path]) -> None:
    """Read files once, so that the system holds them in memory for everyone."""
    for path in {path.stat().st_ino: path for path in paths}.values():
        path.read_bytes()
