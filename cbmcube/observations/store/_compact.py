"""Compaction: the parts of a group of parcels, several dates in one file, beside the parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cbmcube.exceptions import OptionError, StoreCorruptError
from cbmcube.observations.store._names import pack_name, sha256
from cbmcube.observations.store._parts import content_hash, encode, row_groups_of
from cbmcube.observations.store._publish import publish_index
from cbmcube.observations.store._rows import read_rows
from cbmcube.observations.store._snapshots import Snapshot

if TYPE_CHECKING:
    from cbmcube.observations.store._store import Store

Progress = Callable[[int, int], None]
"""Called with the number of steps done and of all steps."""

_Row = dict[str, Any]
_Places = dict[tuple[str, str], tuple[str, int, int]]


def compact(store: Store, *, acquisitions: int = 16, progress: Progress | None = None) -> Snapshot:
    """Write the parts of the latest snapshot into fewer files, and publish where they are.

    A file holds one group of parcels at up to `acquisitions` dates; each unit keeps its rows
    and row groups, so that one parcel's season and one date of all parcels are both read from
    few files. Nothing is changed in place and nothing deleted: readers of earlier snapshots
    notice nothing, and results and root hash stay the same. Doing it again does only what is
    left.

    Parameters
    ----------
    store
        The store.
    acquisitions
        Units in one file, at least 2. The default makes files of 10 to 20 MB.
    progress
        Called with the files written and all files to write.

    Returns
    -------
    Snapshot
        The new snapshot, or the latest where there is nothing to do.

    Raises
    ------
    StoreCorruptError
        If a part is not what the snapshot says.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from cbmcube.observations.store import compact, create_store
    >>> store = create_store(getfixture("tmp_path") / "store", {"product": "CARD-BS"})
    >>> plan = store.put_blob("plans", b"{}", "json")
    >>> for key in ("0" * 64, "1" * 64):
    ...     rows = pa.table({"parcel": [1, 2], "mean": [0.5, 0.25]})
    ...     info = {"acquisition": key[0], "group": 0}
    ...     commit = store.commit(key, rows, status="ok", info=info)
    >>> before = store.publish(plan=plan, keys=store.committed())
    >>> after = compact(store)
    >>> after.root == before.root, len(set(after.parts["file"].to_pylist()))
    (True, 1)
    """
    if acquisitions < 2:
        raise OptionError("a file of several units holds at least 2", given=acquisitions)
    chunks = _chunks(store.snapshot().parts.to_pylist(), acquisitions)
    places: _Places = {}
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for done, found in enumerate(pool.map(lambda c: _pack(store, c), chunks), start=1):
            places |= found
            if progress is not None:
                progress(done, len(chunks))
    if not places:
        return store.snapshot()
    return publish_places(store, places)


def publish_places(store: Store, places: _Places) -> Snapshot:
    """Publish the latest snapshot with other files for some units."""

    def make(latest: pa.Table | None) -> pa.Table:
        table = store.snapshot().parts if latest is None else latest
        rows = table.to_pylist()
        for row in rows:
            place = places.get((row["key"], row["content"]))
            if place is not None:
                row["file"], row["first_row"], row["first_row_group"] = place
        return pa.Table.from_pylist(rows, schema=table.schema)

    return publish_index(store, make)


def _chunks(rows: Iterable[_Row], size: int) -> list[list[_Row]]:
    """Return the units of each file to write; rows come in order of time."""
    groups: dict[int, list[_Row]] = {}
    units_of: dict[str, int] = {}
    for row in rows:
        if row["file"] is not None:
            groups.setdefault(row["group"], []).append(row)
            units_of[row["file"]] = units_of.get(row["file"], 0) + 1
    chunks = []
    for units in groups.values():
        # A file that is full stays; one that is not is written again with what came since.
        loose = [row for row in units if units_of[row["file"]] < size]
        chunks += [loose[start : start + size] for start in range(0, len(loose), size)]
    return [chunk for chunk in chunks if len({row["file"] for row in chunk}) > 1]


@dataclass(slots=True)
class _Open:
    """A file being filled: units of one schema."""

    tables: list[pa.Table]
    rows: list[_Row]


def _pack(store: Store, chunk: Sequence[_Row]) -> _Places:
    files: list[_Open] = []
    for row in chunk:
        table = read_rows(store, row)
        if content_hash(table) != row["content"]:
            raise StoreCorruptError(
                f"{row['file']} does not hold the rows of unit {row['key']}",
                given=store.url,
                hint="verify(store) lists all that is damaged, and repair(store) has it made again",
            )
        fitting = [file for file in files if file.tables[0].schema == table.schema]
        if not fitting:
            fitting = [_Open([], [])]
            files += fitting
        fitting[0].tables.append(table)
        fitting[0].rows.append(row)
    places: _Places = {}
    for file in files:
        places |= _write(store, file)
    return places


def _write(store: Store, file: _Open) -> _Places:
    data = pack_bytes(file.tables)
    name = pack_name(sha256(data))
    store.objects.backend.put(name, data, "pack")
    rows = [table.num_rows for table in file.tables]
    first_rows = accumulate(rows, initial=0)
    first_groups = accumulate((len(row_groups_of(n)) for n in rows), initial=0)
    return {
        (row["key"], row["content"]): (name, first_row, first_group)
        for row, first_row, first_group in zip(file.rows, first_rows, first_groups, strict=False)
    }


def pack_bytes(tables: Sequence[pa.Table]) -> bytes:
    """Return the file of several units; the same units give the same bytes."""
    groups = list(chain.from_iterable(row_groups_of(table.num_rows) for table in tables))
    return encode(pa.concat_tables(tables).combine_chunks(), groups)
