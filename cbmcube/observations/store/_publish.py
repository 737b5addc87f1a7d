"""Publish snapshots: the next number is taken by whoever creates it first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cbmcube.exceptions import StoreCorruptError, StoreNotFoundError, StoreUnavailableError
from cbmcube.observations.store._commits import Commit
from cbmcube.observations.store._failpoints import failpoint
from cbmcube.observations.store._names import blob_name, checked_key, snapshot_name
from cbmcube.observations.store._snapshots import (
    Snapshot,
    index_bytes,
    index_root,
    index_table,
    now,
)

if TYPE_CHECKING:
    from cbmcube.observations.store._store import Store

_ATTEMPTS = 100  # each lost one means that another writer published


def publish_commits(store: Store, plan: str, keys: Iterable[str]) -> Snapshot:
    """Publish the commits of some units, see `Store.publish`."""
    if store.objects.backend.entry(blob_name("plans", plan)) is None:
        raise StoreNotFoundError("the plan is not in the store", given=plan, hint="put_blob it")
    commits = _read_all(store, sorted({checked_key(key) for key in keys}))
    # Files of several units that were found damaged are gone; the parts take their place.
    packs = {entry.name for entry in store.objects.backend.entries("packs")}

    def make(latest: pa.Table | None) -> pa.Table:
        return index_table(commits, latest, packs)

    return publish_index(store, make, plan)


def publish_index(
    store: Store, make: Callable[[pa.Table | None], pa.Table], plan: str | None = None
) -> Snapshot:
    """Publish what `make` returns for the latest index, again if another comes in between.

    Without a plan, the latest snapshot's is kept.
    """
    for _ in range(_ATTEMPTS):
        # Read before the latest: if another is published in between, its number is taken.
        number = max(store.snapshots(), default=0) + 1
        latest, parts = _latest(store)
        table = make(parts)
        root, named = index_root(table), plan or (latest.plan if latest else "")
        same = latest is not None and (latest.root, latest.plan) == (root, named)
        if latest is not None and same and _same_files(parts, table):
            return latest
        snapshot = Snapshot(
            number=number,
            root=root,
            index=store.objects.put_blob("index", index_bytes(table), "parquet", "index"),
            plan=named,
            created=now(),
            units=table.num_rows,
            rows=pc.sum(table["rows"]).as_py() or 0,
            store=store,
        )
        if store.objects.create(snapshot_name(snapshot.number), snapshot.to_json(), "snapshot"):
            return snapshot
        failpoint("snapshot", "taken")
        if store.snapshot(snapshot.number).to_json() == snapshot.to_json():
            return snapshot  # our own, of which the answer was lost
    raise StoreUnavailableError(
        f"{_ATTEMPTS} times another writer published in between", hint="run again"
    )


def _same_files(parts: pa.Table | None, table: pa.Table) -> bool:
    return parts is not None and parts["file"].equals(table["file"])


def _latest(store: Store) -> tuple[Snapshot | None, pa.Table | None]:
    """Return the latest snapshot and its index, either of which may be lost."""
    try:
        latest = store.snapshot()
    except StoreNotFoundError:
        return None, None
    try:
        return latest, latest.parts
    except StoreCorruptError:
        return latest, None


def _read_all(store: Store, keys: list[str]) -> list[Commit]:
    """Read these commits; torn ones are set aside, so that the next run makes them again."""
    torn: list[str] = []

    def read(key: str) -> Commit | None:
        try:
            return store.objects.read_commit(key)
        except StoreCorruptError:
            torn.append(key)
            return None

    found = store.objects.map(read, keys)
    for key in torn:
        store.objects.set_aside(key)
    if torn:
        raise StoreCorruptError(
            f"{len(torn)} commits are torn and were set aside in runs/set-aside",
            given=min(torn),
            hint="run again: their units are computed again",
        )
    missing = [key for key, commit in zip(keys, found, strict=True) if commit is None]
    if missing:
        raise StoreNotFoundError(
            f"{len(missing)} of {len(keys)} units are not committed",
            given=missing[0],
            hint="publish those in store.committed(), or run what is left first",
        )
    return [commit for commit in found if commit is not None]
