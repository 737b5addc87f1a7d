"""Raster files of strangers: few formats, bounded blocks, and what the item promised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import rasterio
from odc.geo.converters import rio_geobox
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.io import DatasetReader
from rasterio.session import DummySession

from cbmcube.exceptions import ReadError

DRIVERS = ("GTiff", "JP2OpenJPEG")
"""GDAL drivers that may open a file; others, such as VRT, name further files in their text."""

LARGEST_BLOCK = 64 * 2**20
"""Bytes of one decoded block: GDAL takes this memory for a single pixel of it.

Usual blocks hold 0.5 to 4 MiB. A file of 3 MB with one block of 16384 x 16384 float64 took
2.2 GB when one pixel of it was read.
"""

SHIFT = 0.01
"""Largest distance, in pixels, between the grid of a file and the grid its item states."""

_OPTIONS = {
    # No file beside the raster is looked for: an .ovr or .msk there may be of any format, and
    # an .aux.xml changes what the file itself says.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    # Blocks are read once.
    "VSI_CACHE": "FALSE",
}
_FRESH = {"CPL_VSIL_CURL_NON_CACHED": "/vsicurl/:/vsis3/"}


def gdal_path(href: str) -> str:
    """Return the path under which GDAL finds a local file, an address or a ZIP member."""
    scheme, parted, rest = href.partition("://")
    if parted and scheme.lower() in ("https", "http"):
        return f"/vsicurl/{href}"
    if parted and scheme.lower() == "s3":
        return f"/vsis3/{rest}"
    return href


def is_remote(href: str) -> bool:
    """Tell whether a file, or the archive that holds it, lies on a server."""
    path = gdal_path(href)
    return "/vsicurl/" in path or "/vsis3/" in path


@contextmanager
def open_raster(href: str, *, fresh: bool = False) -> Iterator[DatasetReader]:
    """Open a raster for as long as the context lasts.

    Parameters
    ----------
    href
        Absolute path, address, or ``/vsizip/{archive}/member``.
    fresh
        Forget what GDAL keeps in memory of remote files, refusals above all.

    Raises
    ------
    rasterio.errors.RasterioError
        If nothing is there, it may not be read, or it is of another format.
    ReadError
        If a single block of it would take too much memory.
    """
    options = _OPTIONS | (_FRESH if fresh else {})
    # rasterio.open takes one driver only, and looks for credentials that GDAL finds itself.
    with (
        rasterio.Env(session=DummySession(), **options),
        DatasetReader(gdal_path(href), driver=list(DRIVERS), sharing=False) as dataset,
    ):
        _check_blocks(dataset)
        yield dataset


def _check_blocks(dataset: Any) -> None:
    interleaved = dataset.count if str(dataset.interleaving).endswith("pixel") else 1
    for (rows, columns), dtype in zip(dataset.block_shapes, dataset.dtypes, strict=True):
        size = rows * columns * np.dtype(dtype).itemsize * interleaved
        if size > LARGEST_BLOCK:
            raise ReadError(
                "a single block of the file would take too much memory",
                given=f"{rows} x {columns} pixels of {dtype}, {size / 2**20:,.0f} MiB",
                allowed=f"{LARGEST_BLOCK // 2**20} MiB",
                hint="write the file anew with blocks of 512 x 512 pixels",
            )


def check_promise(dataset: Any, *, dtype: str, grid: GeoBox | None) -> GeoBox:
    """Return the grid of an open file, if it holds what its item promised.

    Parameters
    ----------
    dataset
        The open file.
    dtype
        NumPy type of the stored numbers; a smaller one of the same kind will do.
    grid
        The grid that the item states; ``None`` where it states none.

    Raises
    ------
    ReadError
        If type, CRS, shape or position differ; the message has both.
    """
    held, promised = np.dtype(dataset.dtypes[0]), np.dtype(dtype)
    if (held.kind == "f") != (promised.kind == "f") or not np.can_cast(held, promised):
        raise _broken("type", held, promised)
    if dataset.crs is None:
        raise _broken("CRS", "none", "a CRS" if grid is None else grid.crs)
    found: Any = rio_geobox(dataset)
    if grid is None:
        return found
    if tuple(found.shape) != tuple(grid.shape):
        raise _broken("shape", tuple(found.shape), tuple(grid.shape))
    if not _same_place(found, grid):
        if found.crs != grid.crs:
            raise _broken("CRS", _crs_name(found), _crs_name(grid))
        raise _broken("transform", list(found.affine[:6]), list(grid.affine[:6]))
    return grid


def _same_place(found: GeoBox, grid: GeoBox) -> bool:
    """Whether the corners of two grids of one shape lie on each other.

    A CRS has many spellings: where two differ, the corners decide.
    """
    rows, columns = grid.shape
    pixels = [(0, 0), (columns, 0), (0, rows), (columns, rows)]
    here = np.array([found.affine * pixel for pixel in pixels])
    there = np.array([grid.affine * pixel for pixel in pixels])
    if found.crs != grid.crs:
        project = transformer(str(found.crs), str(grid.crs))
        here = np.column_stack(project.transform(*here.T))
    steps = np.hypot(*np.array(grid.affine[:6]).reshape(2, 3)[:, :2])
    return bool(np.all(np.abs(here - there) <= SHIFT * steps))


def _crs_name(grid: Any) -> str:
    return f"EPSG:{grid.crs.epsg}" if grid.crs.epsg else str(grid.crs)


@lru_cache(maxsize=64)
def transformer(source: str, target: str) -> Transformer:
    """Return what turns x, y of one CRS into those of another; the last ones are kept."""
    return Transformer.from_crs(source, target, always_xy=True)


def _broken(what: str, held: object, promised: object) -> ReadError:
    return ReadError(
        f"the {what} of the file is not what its item says",
        given=f"{held} in the file, {promised} in the item",
        hint="the file may have changed since it was catalogued: search again, or leave it out",
    )
