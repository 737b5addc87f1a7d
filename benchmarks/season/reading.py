"""Reading a finished season: one parcel through the year, and all parcels on one date."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from benchmarks.season.probe import Clock, status
from cbmcube.observations.reading import open_observations
from cbmcube.observations.season import open_plan

TIMES = 7
"""Parcels that are read, each of them once; the median counts."""


def measure(store: Path, parcels: Path) -> dict[str, Any]:
    """Read parcels of a group that the dry run did whole, and a date that it did whole."""
    season = open_plan(store)
    units = season.units.assign(real=_real(season))
    group = units.groupby("group")["real"].sum().idxmax()
    date = units.groupby("acquisition")["real"].sum().idxmax()
    acquisition = season.facts["acquisitions"][date]
    rng = np.random.default_rng(1)
    names = _parcels_of(season, group)
    chosen = rng.choice(names, TIMES, replace=False)
    with Clock() as opening:
        observations = open_observations(store)
    with Clock() as first:
        table = observations.table(chosen[0])
    times = []
    for name in chosen[1:]:
        with Clock() as clock:
            observations.table(name)
        times.append(clock.wall)
    with Clock() as image:
        dated = observations.table(acquisitions=acquisition["acquisition"], bands="VV")
    with Clock() as wide:
        whole = observations.table(acquisitions=acquisition["acquisition"])
    plain = [name for name in observations.schema.names if name != "items"]
    with Clock() as short:
        observations.table(acquisitions=acquisition["acquisition"], columns=plain)
    return {
        "open": opening.wall,
        "first_parcel": first.wall,
        "parcel": statistics.median(times),
        "parcel_longest": max(times),
        "parcel_rows": len(table),
        "date": image.wall,
        "date_rows": len(dated),
        "date_all_bands": wide.wall,
        "date_all_rows": len(whole),
        "date_plain": short.wall,
        "items_bytes": whole["items"].array.nbytes,
        "parcels": len(gpd.read_parquet(parcels, columns=["geometry"])),
        "peak": status("VmHWM"),
    }


def _real(season: Any) -> Any:
    """Return how many rows of each unit lie in a file."""
    commits = {one.key: one.rows for one in season.store.commits(season.units["key"])}
    return season.units["key"].map(commits)


def _parcels_of(season: Any, group: int) -> Any:
    from cbmcube.observations.season._blobs import get_parcels  # noqa: PLC0415  # only here

    return get_parcels(season.store, season.facts["groups"][group]["parcels"]).index.to_numpy()
