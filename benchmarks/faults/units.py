"""Units of work whose rows come from their numbers: the store's protocol without images."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cbmcube.observations.store import (
    Commit,
    Snapshot,
    Store,
    canonical_json,
    create_store,
    read_rows,
    sha256,
)

BANDS = ("VH", "VV")
STATISTICS = ("mean", "std", "min", "max", "p25", "p50", "p75")
RECIPE = {"product": "CARD-BS", "bands": list(BANDS), "statistics": ["count", *STATISTICS]}
_START = np.datetime64("2018-01-01T05:00:00", "us")


def key(number: int, rows: int) -> str:
    """Return the key of a unit: what decides its rows."""
    return sha256(canonical_json({"unit": number, "rows": rows, "recipe": RECIPE}))


def table(number: int, rows: int) -> pa.Table:
    """Return the rows of a unit, always the same: half as many parcels, each with two bands."""
    dice = np.random.Generator(np.random.Philox(number))
    parcels = np.repeat(np.arange(rows // 2) + 10_000_000, 2)
    passed = _START + np.timedelta64(number, "h")
    columns: dict[str, Any] = {
        "parcel": pa.array(parcels, pa.int64()),
        "time": pa.array(np.full(rows, passed), pa.timestamp("us", tz="UTC")),
        "acquisition": pa.array([acquisition(number)] * rows),
        "band": pa.array(list(BANDS) * (rows // 2)),
        "state": pa.array(["OK"] * rows),
    }
    values = dice.gamma(2.0, 0.05, (len(STATISTICS), rows)).astype("float32")
    columns["count"] = pa.array(dice.uniform(20, 900, rows).astype("float32"))
    columns |= dict(zip(STATISTICS, values, strict=True))
    return pa.table(columns)


def acquisition(number: int) -> str:
    """Return the name of the acquisition that a unit is made from."""
    return f"S1_{number:06d}"


def status(number: int) -> tuple[str, str | None]:
    """Return what becomes of a unit, and why: some are corrupt or empty, for ever."""
    if number % 37 == 5:
        return "corrupt", "its file is damaged"
    return ("nodata", None) if number % 37 == 11 else ("ok", None)


def do(store: Store, number: int, rows: int, pause: float = 0.0) -> Commit:
    """Compute and commit one unit."""
    what, why = status(number)
    rowed = table(number, rows) if what == "ok" else None
    # Where a real unit reads images; most kills must hit it, as they would there.
    time.sleep(pause)
    info = {
        "acquisition": acquisition(number),
        "time": f"{(_START + np.timedelta64(number, 'h')).astype('datetime64[s]')}Z",
        "group": 0,
    }
    return store.commit(key(number, rows), rowed, status=what, reason=why, info=info)


def do_all(store: Store, numbers: Iterable[int], rows: int, pause: float = 0.0) -> int:
    """Do some units; return how many."""
    return sum(1 for number in numbers if do(store, number, rows, pause))


def expected_rows(units: int, rows: int) -> int:
    """Return how many rows all units have together."""
    return sum(rows for number in range(units) if status(number)[0] == "ok")


def make_store(url: str, endpoint: str | None = None) -> Store:
    """Make the store of these units, or open it."""
    return create_store(url, RECIPE, endpoint=endpoint)


def publish(store: Store, units: int, rows: int) -> dict[str, Any]:
    """Publish a snapshot of all units; return what it holds."""
    keys = [key(number, rows) for number in range(units)]
    index = pa.BufferOutputStream()
    pq.write_table(pa.table({"key": keys}), index)
    blob = store.put_blob("index", index.getvalue().to_pybytes(), "parquet")
    plan = store.put_blob("plans", canonical_json({"format": 1, "units": blob}), "json")
    return described(store.publish(plan=plan, keys=keys))


def described(snapshot: Snapshot) -> dict[str, Any]:
    """Return what a snapshot holds, as JSON values."""
    parts = snapshot.parts
    return {
        "root": snapshot.root,
        "number": snapshot.number,
        "units": parts.num_rows,
        "rows": int(np.sum(parts["rows"].to_numpy())),
        "statuses": dict(sorted(Counter(parts["status"].to_pylist()).items())),
    }


def audit(store: Store, units: int, rows: int) -> dict[str, int]:
    """Hold a finished store against the units themselves; every number must be 0.

    Returns
    -------
    dict
        ``lost``: units without a commit, or whose rows are missing; ``twice``: rows that are
        there more than once, or units with several parts; ``wrong``: units whose rows or status
        are not those that `table` and `status` give.
    """
    parts = store.snapshot().parts.to_pylist()
    held = {part["key"]: part for part in parts}
    found = {"lost": 0, "twice": len(parts) - len(held) + several_parts(store), "wrong": 0}
    for number in range(units):
        part = held.get(key(number, rows))
        if part is None:
            found["lost"] += 1
            continue
        what, _ = status(number)
        found["wrong"] += part["status"] != what
        if what == "ok":
            read, expected = read_rows(store, part), table(number, rows)
            found["lost"] += read.num_rows < rows
            found["twice"] += read.num_rows > rows
            found["wrong"] += any(
                read[name].to_pylist() != expected[name].to_pylist()
                for name in expected.column_names
            )
    return found


def several_parts(store: Store) -> int:
    """Return how many units of a local store have more than one part."""
    files = Path(store.url).glob("parts/*/*.parquet")
    return sum(count > 1 for count in Counter(path.name[:64] for path in files).values())
