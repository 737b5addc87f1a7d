"""The real slice: one whole tile of Sentinel-1 with all its parcels, from COG to committed rows."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from benchmarks.season import layers, passes
from benchmarks.season.probe import Clock, worker_facts
from cbmcube.catalog import open_catalog, search
from cbmcube.cluster import local_cluster
from cbmcube.observations.season import Plan, plan
from cbmcube.observations.season._blobs import windows_from_json
from cbmcube.products import CARD_BS

TILE = "32VNH"
"""The tile: the middle of Jutland, almost all of it land."""
MEMORY = "1.5GiB"
"""Limit of each worker: beyond it, Dask would end the worker."""


def make(folder: Path, parcels: Path, dates: int) -> dict[str, Any]:
    """Write the files of the slice, or find them."""
    here, tile = _parcels(folder, parcels), _tile()
    with Clock() as clock:
        layers.write_layers(here, tile, folder / "tile", dates)
    return {
        "seconds": clock.wall,
        "parcels": len(here),
        "blocks": int(layers.blocks_met(here, tile).sum()),
        "compression": layers.compression(folder / "tile", tile),
    }


def decode(folder: Path, parcels: Path, dates: int) -> dict[str, Any]:
    """Decode each block that holds a parcel once, in this process, with one thread."""
    here, tile = _parcels(folder, parcels), _tile()
    met = layers.blocks_met(here, tile)
    files = [
        folder / "tile" / tile.name / f"{n:03d}_{b}.tif" for n in range(dates) for b in passes.BANDS
    ]
    for path in {path.stat().st_ino: path for path in files}.values():
        path.read_bytes()
    with Clock() as clock:
        pixels = layers.decode(files, met)
    return {"seconds": clock.wall, "cpu": clock.cpu, "pixels": pixels}


def run(folder: Path, parcels: Path, dates: int, workers: int) -> dict[str, Any]:
    """Plan and run some dates; the pixel index is built before, as a season builds it once."""
    here = _parcels(folder, parcels)
    items = list(
        search(open_catalog(passes.stored_catalogue(folder)), CARD_BS, period="2018-01/2018-02")
    )
    chosen = layers.slice_items(items, _tile(), folder / "tile", dates)
    shutil.rmtree(folder / "index", ignore_errors=True)  # the first run shows what it takes
    with local_cluster(workers=workers, dashboard=False, memory_limit=MEMORY) as client:
        cold = _run(folder / "tile-cold", chosen[:1], here, client)
        warm = _run(folder / "tile-warm", chosen, here, client)
    return {f"index_{name}": cold[name] for name in ("seconds", "cpu")} | warm


def _run(store: Path, items: Any, parcels: gpd.GeoDataFrame, client: Any) -> dict[str, Any]:
    shutil.rmtree(store, ignore_errors=True)
    season = plan(items, CARD_BS, parcels, store=store)
    before = worker_facts(client)
    with Clock() as clock:
        report = season.run(client, progress=False)
    after = worker_facts(client)
    assert report.ok, report  # noqa: S101  # a bench that fails has nothing to say
    files = [path.stat().st_size for path in (store / "parts").rglob("*.parquet")]
    return {
        "seconds": clock.wall,
        "cpu": sum(after[name]["cpu"] - before[name]["cpu"] for name in after),
        "client_cpu": clock.cpu,
        "peak": max(facts["peak"] for facts in after.values()),
        "records": report.records,
        "units": report.done,
        "pixels": int(season.units["pixels"].sum()),
        "decoded": _decoded(season),
        "bytes": sum(files),
    }


def _decoded(season: Plan) -> int:
    """Return the pixels of all blocks that the windows of units meet, as often as they do."""
    tile, side = _tile(), layers.BLOCK
    sizes = np.minimum(side, passes.PIXELS - np.arange(0, passes.PIXELS, side))
    found = {}
    for number, group in enumerate(season.facts["groups"]):
        (window,) = windows_from_json(group).values()
        column, row = ~tile.transform * (window.boundingbox.left, window.boundingbox.top)
        met = [
            sizes[int(first) // side : -(-int(first + count) // side)].sum()
            for first, count in zip((row, column), window.shape, strict=True)
        ]
        found[number] = int(np.prod(met))
    return int(season.units["group"].map(found).sum()) * len(season.recipe.bands)


def _tile() -> passes.Tile:
    return next(tile for tile in passes.tiles() if tile.name == TILE)


def _parcels(folder: Path, parcels: Path) -> gpd.GeoDataFrame:
    kept = folder / f"tile_{parcels.stem}.parquet"
    if not kept.exists():
        layers.tile_parcels(gpd.read_parquet(parcels), _tile()).to_parquet(kept)
    return gpd.read_parquet(kept)
