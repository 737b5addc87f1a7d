"""The other engines, and bare decoding, on the same files, parcels and statistics.

Each is a context manager that makes everything ready, as in `benchmarks.engines`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import exactextract
import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import rasterstats
import rioxarray
import xarray as xr
import xvec  # noqa: F401  # registers the accessor
from exactextract.raster import NumPyRasterSource, RasterioRasterSource
from numpy.typing import NDArray
from rasterio.windows import Window

from benchmarks import data
from benchmarks.jobs import Job
from cbmcube.cube._load import DEFAULT_BLOCK

EXACTEXTRACT = (
    "count",
    "mean",
    "stdev",
    "min",
    "max",
    "quantile(q=0.25)",
    "quantile(q=0.5)",
    "quantile(q=0.75)",
)
RASTERSTATS = (
    "count",
    "mean",
    "std",
    "min",
    "max",
    "percentile_25",
    "percentile_50",
    "percentile_75",
)


@contextmanager
def decode(work: data.Work, *, codec: str, dates: int) -> Iterator[Job]:
    """Decode the blocks that cbmcube loads, with rasterio, and do nothing with them."""
    paths = work.paths(codec, dates)
    data.touch(paths)
    _decode(paths[:1])
    yield Job(lambda: _decode(paths))


def _decode(paths: Sequence[Path]) -> None:
    for path in paths:
        with rasterio.open(path) as source:
            for row in range(0, source.height, DEFAULT_BLOCK):
                for column in range(0, source.width, DEFAULT_BLOCK):
                    high = min(DEFAULT_BLOCK, source.height - row)
                    wide = min(DEFAULT_BLOCK, source.width - column)
                    source.read(1, window=Window(column, row, wide, high))


@contextmanager
def exactextract_files(
    work: data.Work, *, codec: str, dates: int, strategy: str, source: str, order: str
) -> Iterator[Job]:
    """Run exactextract on all layers in one call.

    `source` is ``numpy`` (files decoded whole before) or ``rasterio`` (exactextract reads).
    `order` of the parcels is ``given``, or ``sorted`` along a Hilbert curve inside the clock.
    """
    paths = work.paths(codec, dates)
    given = work.parcels().reset_index()
    data.touch(paths)
    make = _numpy_source if source == "numpy" else _rasterio_source

    def run(wanted: gpd.GeoDataFrame = given) -> pd.DataFrame:
        if order == "sorted":
            wanted = wanted.iloc[np.argsort(wanted.hilbert_distance())]
        return exactextract.exact_extract(
            [make(work, path) for path in paths],
            wanted,
            list(EXACTEXTRACT),
            strategy=strategy,
            output="pandas",
            include_cols=["parcel"],
        )

    if strategy == "feature-sequential":
        run(given.head(3))

    def first_layer(found: pd.DataFrame) -> NDArray[np.float64]:
        first = f"{paths[0].stem}_" if dates > 1 else ""
        moments = [first + name for name in EXACTEXTRACT[:5]]
        quantiles = [f"{first}quantile_{number}" for number in (25, 50, 75)]
        as_given = found.set_index("parcel").loc[given["parcel"]]
        return as_given[moments + quantiles].to_numpy(dtype=float)

    yield Job(run, first_layer)


def _numpy_source(work: data.Work, path: Path) -> NumPyRasterSource:
    west, south, east, north = work.bounds
    return NumPyRasterSource(
        data.read(path),
        xmin=west,
        ymin=south,
        xmax=east,
        ymax=north,
        name=path.stem,
        srs_wkt=_wkt(),
    )


def _wkt() -> str:
    return rasterio.crs.CRS.from_string(data.CRS).to_wkt()


def _rasterio_source(_work: data.Work, path: Path) -> RasterioRasterSource:
    return RasterioRasterSource(rasterio.open(path), name=path.stem)


@contextmanager
def xvec_exactextract(work: data.Work, *, codec: str) -> Iterator[Job]:
    """Run xvec's zonal statistics by exactextract on one layer, decoded whole before."""
    path = work.path(codec, 0)
    parcels = work.parcels()
    data.touch([path])

    def run() -> xr.DataArray:
        with rioxarray.open_rasterio(path) as layer:
            return layer.squeeze("band", drop=True).xvec.zonal_stats(
                parcels.geometry, "x", "y", stats=list(EXACTEXTRACT), method="exactextract"
            )

    def first_layer(found: xr.DataArray) -> NDArray[np.float64]:
        return found.transpose("geometry", "zonal_statistics").values.astype(float)

    yield Job(run, first_layer)


@contextmanager
def rasterstats_layer(work: data.Work, *, codec: str, parcels: int) -> Iterator[Job]:
    """Run rasterstats (pixel centres) on some parcels of one layer, decoded whole before."""
    path = work.path(codec, 0)
    outlines = work.parcels().geometry.head(parcels)
    data.touch([path])

    def run() -> list[dict[str, float]]:
        return rasterstats.zonal_stats(
            outlines,
            data.read(path),
            affine=work.transform,
            nodata=float("nan"),
            stats=list(RASTERSTATS),
        )

    yield Job(run)
