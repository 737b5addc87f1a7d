"""Stores of invented numbers for tests, and the tables that must come out of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

import cbmcube as cbm
from cbmcube.observations._table import observation_table
from cbmcube.observations.store import Store, canonical_json, create_store

Holes = Mapping[tuple[int, int], str]
"""By time step and group: ``pending``, ``beyond`` (not planned), ``torn`` (corrupt, but with rows
of what could be read), or a status without rows."""


def recipe_of(stats: xr.Dataset) -> dict:
    return {
        "product": stats.attrs["product"],
        "bands": [str(b) for b in stats.band.values],
        "mask": False,
        "statistics": [str(s) for s in stats.statistic.values],
        "pixels": "exact",
        "buffer": None,
        "percentiles": "weighted",
        "offset": None,
        "engine": 1,
        "parcel_crs": "EPSG:32632",
    }


def frame_of(stats: xr.Dataset) -> gpd.GeoDataFrame:
    """The parcels of a vector cube, as a user would have given them."""
    columns = {n: stats[n].values for n in ("crop", "area_m2") if n in stats.coords}
    index = pd.Index(stats.parcel.values, name="parcel")
    crs = stats.xindexes["geometry"].crs
    return gpd.GeoDataFrame(columns, index=index, geometry=stats.geometry.values, crs=crs)


def put_frame(store: Store, frame: gpd.GeoDataFrame) -> str:
    buffer = io.BytesIO()
    frame.reset_index().to_parquet(buffer, index=False)
    return store.put_blob("parcels", buffer.getvalue(), "parquet")


def put_table(store: Store, columns: dict) -> str:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return store.put_blob("index", buffer.getvalue(), "parquet")


def item_of(name: str, time: str, box: Sequence[float]) -> dict:
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": name,
        "collection": "SENTINEL",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": list(box),
        "properties": {"datetime": time},
        "links": [{"rel": "self", "href": f"https://stac.example.org/items/{name}?token=s3cret"}],
        "assets": {},
    }


def make_store(
    folder: Path | Store,
    stats: xr.Dataset,
    groups: Sequence[Sequence[int]],
    holes: Holes | None = None,
    *,
    listed: bool = True,
) -> Store:
    """Commit a vector cube unit by unit and publish it.

    Parameters
    ----------
    stats
        A computed vector cube.
    groups
        Positions of the parcels of each group; a parcel in none is outside every grid.
    listed
        Whether the plan tells the items of an acquisition, as well as the parts.
    """
    store = folder if isinstance(folder, Store) else create_store(folder, recipe_of(stats))
    publish(store, stats, groups, holes, listed=listed)
    return store


def publish(store, stats, groups, holes=None, *, listed=True):
    holes = holes or {}
    frame = frame_of(stats)
    facts = [_acquisition(store, stats, t, listed=listed) for t in range(stats.sizes["time"])]
    planned = [
        (t, g)
        for t in range(stats.sizes["time"])
        for g in range(len(groups))
        if holes.get((t, g)) != "beyond"
    ]
    keys = {pair: _key(stats, pair, groups[pair[1]], holes) for pair in planned}
    plan = {
        "format": 1,
        "recipe": store.recipe_hash,
        "groups": [_group(store, frame, g, members) for g, members in enumerate(groups)],
        "acquisitions": facts,
        "units": _units(store, stats, keys, groups),
        "parcels": _placed(store, frame, groups),
        "all_parcels": put_frame(store, frame),
    }
    name = store.put_blob("plans", canonical_json(plan), "json")
    done = []
    for (t, g), key in keys.items():
        hole = holes.get((t, g))
        if hole == "pending":
            continue
        done.append(key)
        info = {"acquisition": facts[t]["acquisition"], "time": facts[t]["time"], "group": g}
        info |= {"platform": facts[t]["platform"], "versions": {"cbmcube": cbm.__version__}}
        info |= {"items": [str(stats["items"].values[t])]}
        if hole in (None, "torn"):
            table = observation_table(stats.isel(time=[t], parcel=list(groups[g])))
            said = {"status": "ok"} if hole is None else {"status": "corrupt", "reason": "torn"}
            store.commit(key, table, info=info, **said)
        else:
            reason = "the file is torn" if hole in ("corrupt", "refused") else None
            store.commit(key, None, status=hole, reason=reason, info=info)
    return store.publish(plan=name, keys=done)


def _key(stats, pair, members, holes):
    t, g = pair
    text = f"{stats.acquisition.values[t]} {g} {list(members)} {holes.get(pair)}"
    numbers = [stats[str(b)].values[t][list(members)].tobytes() for b in stats.band.values]
    return hashlib.sha256(text.encode() + b"".join(numbers)).hexdigest()


def _acquisition(store, stats, t, *, listed):
    one = stats.isel(time=t)
    time = pd.Timestamp(one.time.values, tz="UTC").floor("us").isoformat()
    items = str(one["items"].values)
    features = [item_of(name, time, (9, 53, 10, 54)) for name in items.split()]
    data = canonical_json({"type": "FeatureCollection", "features": features})
    reference = one["reference_time"].values if "reference_time" in one.coords else None
    facts = {
        "acquisition": str(one.acquisition.values),
        "time": time,
        "platform": str(one.platform.values) or None,
        "relative_orbit": int(one.relative_orbit.values),
        "orbit_state": str(one.orbit_state.values) or None,
        "reference_time": None
        if reference is None
        else pd.Timestamp(reference, tz="UTC").floor("us").isoformat(),
        "items": store.put_blob("items", data, "json"),
    }
    return facts | ({"listed": items} if listed else {})


def _group(store, frame, number, members):
    here = frame.iloc[list(members)]
    window = {"shape": [10, 10], "affine": [10.0, 0.0, 5e5, 0.0, -10.0, 5.9e6]}
    return {
        "group": number,
        "parcels": put_frame(store, here),
        "count": len(members),
        "grid": "EPSG:32632",
        "bounds": [float(v) for v in here.to_crs(4326).total_bounds],
        "windows": {"EPSG32632_10m": window},
    }


def _units(store, stats, keys, groups):
    pairs = list(keys)
    sizes = [len(groups[g]) * stats.sizes["band"] for _, g in pairs]
    return put_table(
        store,
        {
            "key": pa.array([keys[pair] for pair in pairs], pa.string()),
            "acquisition": pa.array([t for t, _ in pairs], pa.int32()),
            "group": pa.array([g for _, g in pairs], pa.int32()),
            "records": pa.array(sizes, pa.int64()),
        },
    )


def _placed(store, frame, groups):
    group = np.full(len(frame), -1, "int32")
    position = np.full(len(frame), -1, "int32")
    for number, members in enumerate(groups):
        group[list(members)] = number
        position[list(members)] = np.arange(len(members))
    ids = frame.index.to_numpy()
    kind = pa.int64() if ids.dtype.kind in "iu" else pa.string()
    columns = {"parcel": pa.array(ids.tolist(), kind), "group": group, "position": position}
    return put_table(store, columns)


def expected_table(stats: xr.Dataset, groups: Sequence[Sequence[int]], holes: Holes | None = None):
    """The whole table by pandas alone: the cube's rows without what has none, holes filled in."""
    holes = holes or {}
    frames = []
    for t in range(stats.sizes["time"]):
        table = cbm.to_observations(stats.isel(time=[t]))
        of_parcel = dict(
            zip(stats.parcel.values.tolist(), range(stats.sizes["parcel"]), strict=True)
        )
        place = np.array([of_parcel[name] for name in table["parcel"]])
        kept = np.zeros(len(table), dtype=bool)
        for g, members in enumerate(groups):
            mine = np.isin(place, list(members))
            hole = holes.get((t, g))
            if hole not in ("pending", "beyond"):
                kept |= mine
            if hole in ("nodata", "empty", "corrupt", "refused"):
                _blank(table, mine, hole, _told(holes, stats, g))
        frames.append(table[kept])
    return pd.concat(frames, ignore_index=True)


def _told(holes, stats, g):
    """Whether some unit of the group has rows."""
    return any((t, g) not in holes for t in range(stats.sizes["time"]))


def _blank(table, mine, hole, told):
    table.loc[mine, "state"] = "NO_DATA" if hole in ("nodata", "empty") else "READ_FAILED"
    table.loc[mine, ["n_valid"]] = 0
    zero = ["observed", *(n for n in table.columns if n == "count" or n.startswith("SCL_"))]
    table.loc[mine, zero] = 0.0
    fixed = {"n_total", "n_valid", "items", *zero}
    numbers = [
        n for n in table.columns if n not in fixed and str(table[n].dtype).startswith("float")
    ]
    table.loc[mine, numbers] = None
    if not told:
        table.loc[mine, "n_total"] = None
