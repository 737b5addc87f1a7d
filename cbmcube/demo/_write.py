"""Files that hold the same bytes each time: COGs, parcels, tables and JSON."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

_FIXED = "2025-01-01T00:00:00.000Z"
"""Time that files state as that of their making, so that equal content is equal bytes."""


def write_cog(
    path: Path, values: NDArray[Any], *, crs: Any, transform: Affine, nodata: float
) -> None:
    """Write one band as a cloud-optimised GeoTIFF, blocks of 256 pixels, no overviews."""
    predictor = "FLOATING_POINT" if values.dtype.kind == "f" else "STANDARD"
    with rasterio.open(
        path,
        "w",
        driver="COG",
        height=values.shape[0],
        width=values.shape[1],
        count=1,
        dtype=values.dtype,
        crs=crs,
        transform=transform,
        nodata=nodata,
        compress="DEFLATE",
        level=6,
        predictor=predictor,
        blocksize=256,
        overviews="NONE",
    ) as target:
        target.write(values, 1)


def keep_bits(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Round to `bits` bits of the mantissa, so that noise compresses.

    Ten bits keep 1 part in 2048: 0.002 dB, far below speckle.
    """
    drop = 23 - bits
    raw = values.view(np.uint32)
    rounded = (raw + np.uint32(1 << (drop - 1))) & np.uint32((0xFFFFFFFF << drop) & 0xFFFFFFFF)
    return rounded.view(np.float32)


def write_parcels(path: Path, parcels: gpd.GeoDataFrame) -> None:
    """Write the parcels as the only layer of a GeoPackage."""
    path.unlink(missing_ok=True)
    with _fixed_date():
        parcels.to_file(
            path,
            layer=path.stem,
            driver="GPKG",
            engine="pyogrio",
            geometry_type="Unknown",
            promote_to_multi=False,
        )


@contextmanager
def _fixed_date() -> Iterator[None]:
    # GDAL writes the time into every GeoPackage and takes it from the environment if it is there.
    before = os.environ.get("OGR_CURRENT_DATE")
    os.environ["OGR_CURRENT_DATE"] = _FIXED
    try:
        yield
    finally:
        del os.environ["OGR_CURRENT_DATE"]
        if before is not None:
            os.environ["OGR_CURRENT_DATE"] = before


def write_table(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(list(header))
        writer.writerows(rows)


def write_json(path: Path, content: object) -> None:
    """Write JSON with sorted keys."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
