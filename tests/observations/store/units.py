"""Units of work for tests of the store: small tables that follow from a name alone."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cbmcube.observations.store import Commit, Store

_DAY = datetime(2018, 5, 1, 5, 30, tzinfo=UTC)
RECIPE = {"product": "CARD-BS", "bands": ["VV", "VH"], "engine": 1}


def key_of(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def rows_of(name: object, rows: int = 6) -> pa.Table:
    """Return a table like that of a unit; equal for equal names."""
    random = np.random.default_rng(list(str(name).encode()))
    mean = random.random(rows).astype("float32")
    return pa.table(
        {
            "parcel": pa.array([f"P{number // 2}" for number in range(rows)], pa.string()),
            "time": pa.array([_DAY] * rows, pa.timestamp("us", "UTC")),
            "band": pa.array((["VV", "VH"] * rows)[:rows], pa.string()),
            "count": np.arange(rows, dtype="float32"),
            "n_valid": pa.array(range(rows), pa.int32()),
            "mean": pa.array(mean, mask=mean < 0.1),
            "items": pa.array([f"item of {name}"] * rows, pa.string()),
        }
    )


def info_of(name: object, group: int = 0) -> dict:
    day = 1 + int(key_of(name)[:4], 16) % 28
    return {"acquisition": f"a-{name}", "time": f"2018-05-{day:02d}T05:30:00Z", "group": group}


def commit(store: Store, name: object, **given: object) -> Commit:
    """Commit the unit of this name with its own rows."""
    options = {"status": "ok", "info": info_of(name), **given}
    table = options.pop("table", rows_of(name)) if options["status"] == "ok" else None
    return store.commit(key_of(name), table, **options)


def put_plan(store: Store, names: list[object]) -> str:
    """Write a plan of these units, as a season's plan is written; return its blob."""
    units = io.BytesIO()
    pq.write_table(pa.table({"key": [key_of(name) for name in names]}), units)
    parcels = store.put_blob("parcels", b"parcels", "parquet")
    items = store.put_blob("items", b"{}", "json")
    plan = {
        "format": 1,
        "groups": [{"group": 0, "parcels": parcels}],
        "acquisitions": [{"acquisition": "a", "items": items}],
        "units": store.put_blob("index", units.getvalue(), "parquet"),
        "all_parcels": store.put_blob("parcels", b"parcels of all", "parquet"),
    }
    return store.put_blob("plans", json.dumps(plan, sort_keys=True).encode(), "json")
