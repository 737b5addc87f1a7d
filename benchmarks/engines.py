"""One function for each engine, all on the same files, parcels and statistics.

Each is a context manager that makes everything ready (parcels in memory, files in the system's
page cache, compiled code loaded by a run on three parcels) and yields a `Job`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import exactextract
import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import rasterstats
import rioxarray
import shapely
import xarray as xr
import xvec  # noqa: F401  # registers the accessor
from exactextract.raster import NumPyRasterSource, RasterioRasterSource
from numpy.typing import NDArray
from rasterio.windows import Window

import cbmcube as cbm
from benchmarks import data
from cbmcube.cube._load import DEFAULT_BLOCK

STATISTICS = ("count", "mean", "std", "min", "max", "p25", "p50", "p75")
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


def _no_facts(_result: Any) -> dict[str, float]:
    return {}


def _no_values(_result: Any) -> NDArray[np.float64]:
    return np.empty((0, len(STATISTICS)))


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is ready to run."""

    run: Callable[[], Any]
    """What is timed."""
    first_layer: Callable[[Any], NDArray[np.float64]] = _no_values
    """From the result to (parcel, statistic) of the first layer."""
    facts: Callable[[Any], dict[str, float]] = _no_facts
    """From the result to other numbers."""


# --- cbmcube ----------------------------------------------------------------------------------


@contextmanager
def cbmcube(
    work: data.Work,
    *,
    codec: str,
    dates: int,
    bands: int = 1,
    write: bool = False,
    threads: int = 1,
) -> Iterator[Job]:
    """Run items -> load -> reduce_parcels -> compute on threads; `write` streams to Zarr."""
    items = data.items(work, codec, dates=dates, bands=bands)
    parcels = work.parcels()
    data.touch(work.paths(codec, dates))
    _warm(work, codec, bands)
    scheduler: dict[str, Any] = {"scheduler": "synchronous"}
    if threads > 1:
        scheduler = {"scheduler": "threads", "num_workers": threads}

    def to_memory() -> xr.Dataset:
        return _reduced(items, codec, bands, parcels).compute(**scheduler)

    with tempfile.TemporaryDirectory() as folder:

        def to_store() -> Path:
            with dask.config.set(**scheduler):
                stats = _reduced(items, codec, bands, parcels)
                return cbm.write_vector_cube(stats, Path(folder) / "stats.zarr")

        yield Job(to_store) if write else Job(to_memory, _cube_layer, _cube_facts)


@contextmanager
def cbmcube_workers(work: data.Work, *, codec: str, dates: int, workers: int) -> Iterator[Job]:
    """Do the same on a local cluster of processes of one thread."""
    items = data.items(work, codec, dates=dates)
    parcels = work.parcels()
    data.touch(work.paths(codec, dates))
    shared = {"CBMCUBE_CACHE": os.environ["CBMCUBE_CACHE"]}
    with cbm.local_cluster(workers=workers, dashboard=False, env=shared) as client:
        client.run(_warm, work, codec, 1)
        yield Job(lambda: _reduced(items, codec, 1, parcels).compute(), _cube_layer, _cube_facts)


@contextmanager
def cbmcube_return(work: data.Work, *, codec: str, dates: int, bands: int) -> Iterator[Job]:
    """Let `reduce_parcels` return and count what it asks for; nothing is computed."""
    _warm(work, codec, bands)
    names = data.band_names(codec, bands)
    items = data.items(work, codec, dates=dates, bands=bands)
    cube = cbm.load(items, data.product(codec), bands=names)
    parcels = work.parcels()

    def counts(stats: xr.Dataset) -> dict[str, float]:
        (optimised,) = dask.optimize(stats)
        return {
            "tasks": len(dict(stats.__dask_graph__())),
            "tasks_optimised": len(dict(optimised.__dask_graph__())),
            "blocks": _blocks_with_parcels(cube[names[0]], parcels) * dates * bands,
        }

    yield Job(lambda: cbm.reduce_parcels(cube, parcels, statistics=STATISTICS), facts=counts)


def _reduced(items: Any, codec: str, bands: int, parcels: gpd.GeoDataFrame) -> xr.Dataset:
    cube = cbm.load(items, data.product(codec), bands=data.band_names(codec, bands))
    return cbm.reduce_parcels(cube, parcels, statistics=STATISTICS)


def _warm(work: data.Work, codec: str, bands: int) -> None:
    """Load compiled code, with a cache of its own so that the true one stays as it is."""
    cache = os.environ["CBMCUBE_CACHE"]
    few = work.parcels().head(3)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CBMCUBE_CACHE"] = folder
        items = data.items(work, codec, dates=1, bands=bands)
        _reduced(items, codec, bands, few).compute(scheduler="synchronous")
    os.environ["CBMCUBE_CACHE"] = cache


def _cube_layer(stats: xr.Dataset) -> NDArray[np.float64]:
    return stats[str(stats["band"].values[0])].values[0].astype(float)


def _cube_facts(stats: xr.Dataset) -> dict[str, float]:
    return {"pixels": int(stats["n_total"].values[0].sum()), "result_mb": stats.nbytes / 1e6}


def _blocks_with_parcels(band: xr.DataArray, parcels: gpd.GeoDataFrame) -> int:
    _, rows, columns = band.chunks
    x, y = band["x"].values, band["y"].values
    bottoms, rights = np.cumsum(rows), np.cumsum(columns)
    blocks = [
        shapely.box(x[right - wide], y[bottom - 1], x[right - 1], y[bottom - high])
        for bottom, high in zip(bottoms, rows, strict=True)
        for right, wide in zip(rights, columns, strict=True)
    ]
    tree = shapely.STRtree(parcels.geometry.array)
    return len(np.unique(tree.query(blocks, predicate="intersects")[0]))


# --- the others -------------------------------------------------------------------------------


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


ENGINES: dict[str, Callable[..., Any]] = {
    "cbmcube": cbmcube,
    "cbmcube workers": cbmcube_workers,
    "cbmcube return": cbmcube_return,
    "decode": decode,
    "exactextract": exactextract_files,
    "xvec": xvec_exactextract,
    "rasterstats": rasterstats_layer,
}
