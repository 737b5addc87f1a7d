"""One function for each engine, all on the same files, parcels and statistics.

Each is a context manager that makes everything ready (parcels in memory, files in the system's
page cache, compiled code loaded by a run on three parcels) and yields a `Job`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray

import cbmcube as cbm
from benchmarks import data, rivals, scenes
from benchmarks.jobs import STATISTICS, Job


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
    items = scenes.items(work, codec, dates=dates, bands=bands)
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
    items = scenes.items(work, codec, dates=dates)
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
    names = scenes.band_names(codec, bands)
    items = scenes.items(work, codec, dates=dates, bands=bands)
    cube = cbm.load(items, scenes.product(codec), bands=names)
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
    cube = cbm.load(items, scenes.product(codec), bands=scenes.band_names(codec, bands))
    return cbm.reduce_parcels(cube, parcels, statistics=STATISTICS)


def _warm(work: data.Work, codec: str, bands: int) -> None:
    """Load compiled code, with a cache of its own so that the true one stays as it is."""
    cache = os.environ["CBMCUBE_CACHE"]
    few = work.parcels().head(500)  # so that some straddle blocks
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CBMCUBE_CACHE"] = folder
        items = scenes.items(work, codec, dates=1, bands=bands)
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


ENGINES: dict[str, Callable[..., Any]] = {
    "cbmcube": cbmcube,
    "cbmcube workers": cbmcube_workers,
    "cbmcube return": cbmcube_return,
    "decode": rivals.decode,
    "exactextract": rivals.exactextract_files,
    "xvec": rivals.xvec_exactextract,
    "rasterstats": rivals.rasterstats_layer,
}
