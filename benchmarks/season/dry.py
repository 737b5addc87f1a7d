"""The dry run: the real plan, commits and snapshots of a season, with rows that are made up."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely

from benchmarks.season.probe import Clock, folder_size, sampled, status, worker_facts
from benchmarks.season.synthetic import Synthetic
from cbmcube.cluster import local_cluster
from cbmcube.observations.season import Plan, open_plan
from cbmcube.observations.season._blobs import get_items
from cbmcube.observations.store import compact

WORKERS = 2
WHOLE_DATES = 3
"""Acquisitions of which a part of the season holds every unit, so that a date can be read."""


class Part(Plan):
    """A plan of which only some units are given out."""

    def __init__(self, whole: Plan, keys: set[str]) -> None:
        super().__init__(whole.store, whole.recipe, whole.name)
        self._keys = keys

    def left(self) -> pd.DataFrame:
        """Return the chosen units that are not committed yet."""
        left = super().left()
        return left[left["key"].isin(self._keys)]


def choose(units: pd.DataFrame, records: int) -> set[str]:
    """Return units of about so many records: a few dates whole, then the whole season of groups."""
    if not 0 < records < int(units["records"].sum()):
        return set(units["key"])
    size = units.groupby("acquisition")["records"].sum().sort_values(ascending=False)
    dates = units["acquisition"].isin(size.index[:WHOLE_DATES])
    chosen = units[dates]
    middling = units.groupby("group")["records"].sum().sort_values()
    order = middling.index[np.argsort(np.abs(np.arange(len(middling)) - len(middling) // 2))]
    for group in order:
        if chosen["records"].sum() >= records:
            break
        chosen = units[units["key"].isin(chosen["key"]) | (units["group"] == group)]
    return set(chosen["key"])


def seen(season: Plan) -> int:
    """Return the records of parcels whose middle lies in an image; others say that it does not."""
    parcels = season.parcels()
    middles = np.stack(
        [parcels.centroid.to_crs("EPSG:4326").x, parcels.centroid.to_crs("EPSG:4326").y]
    )
    tree = shapely.STRtree(shapely.points(middles.T))
    count, known = 0, {}
    for one in season.facts["acquisitions"]:
        if one["items"]:
            shapes = [
                shapely.geometry.shape(i.geometry) for i in get_items(season.store, one["items"])
            ]
            outline = shapely.set_precision(shapely.union_all(shapes), 1e-6)
            name = shapely.to_wkb(outline)  # passes of one track see the same ground
            if name not in known:
                known[name] = tree.query(outline, predicate="contains").size
            count += known[name]
    return count * season.recipe.rows_per_parcel


def run(store: Path, records: int) -> dict[str, Any]:
    """Run units of about so many records on two worker processes; 0 for the whole season."""
    whole = open_plan(store)
    season = Part(whole, choose(whole.units, records))
    with local_cluster(workers=WORKERS, dashboard=False) as client, sampled() as samples:
        client.register_plugin(Synthetic())

        def watch(state: Any) -> None:
            samples.records = state.records

        before = worker_facts(client)
        with Clock() as clock:
            report = season.run(client, progress=watch)
        after = worker_facts(client)
    assert report.ok, report  # noqa: S101  # a bench that fails has nothing to say
    size = folder_size(store, "parts")
    return {
        "records": report.records,
        "seen": _with_data(store),
        "units": report.done,
        "seconds": clock.wall,
        "client_cpu": clock.cpu,
        "worker_cpu": sum(after[name]["cpu"] - before[name]["cpu"] for name in after),
        "client_first": samples.at(0.1),
        "client_last": samples.at(1.0),
        "client_peak": status("VmHWM"),
        "worker_peak": max(facts["peak"] for facts in after.values()),
        "bytes": size["bytes"],
        "commit_bytes": folder_size(store, "commits")["bytes"],
        "root": report.to_dict()["root"],
    }


def _with_data(store: Path) -> int:
    """Return the rows that have data."""
    files = sorted((store / "parts").rglob("*.parquet"))
    states = (pq.read_table(path, columns=["state"])["state"] for path in files)
    return sum(pc.sum(pc.equal(column, "OK")).as_py() or 0 for column in states)


def pack(store: Path) -> dict[str, Any]:
    """Write the parts into fewer files, from which one parcel is read sooner."""
    home = open_plan(store).store
    with Clock() as clock:
        compact(home)
    size = folder_size(store, "packs")
    return {"seconds": clock.wall, "cpu": clock.cpu, **size}


def fill(store: Path) -> dict[str, Any]:
    """Commit all units that are left as seeing nothing, without rows, and publish."""
    season = open_plan(store)
    left = season.left()
    passes, groups = season.facts["acquisitions"], season.facts["groups"]

    def commit(row: Any) -> None:
        one = passes[row.acquisition]
        season.store.commit(
            row.key,
            None,
            status="nodata",
            info={
                "acquisition": one["acquisition"],
                "time": one["time"],
                "platform": one["platform"],
                "group": groups[row.group]["group"],
                "bands": list(season.recipe.bands),
                "items": [],
                "versions": {},
            },
        )

    with Clock() as clock, ThreadPoolExecutor(4) as pool:
        list(pool.map(commit, left.itertuples()))
    with Clock() as publishing:
        snapshot = season.store.publish(plan=season.name, keys=season.units["key"])
    return {
        "filled": len(left),
        "seconds": clock.wall,
        "publish": publishing.wall,
        "units": len(season.units),
        "snapshot": json.loads(json.dumps(snapshot.number)),
    }
