"""Read rows of parts: only the row groups that hold them, several units of a file at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cbmcube.exceptions import StoreCorruptError
from cbmcube.observations.store import Store

REMOTE_THREADS = 16
"""Files that are read at once from an object store, which answers after tens of milliseconds."""


@dataclass(frozen=True)
class Wanted:
    """Rows of one unit: those of some parcels, some of their bands."""

    unit: int
    group: int
    file: str
    first_row: int
    row: NDArray[np.int64]
    """The wanted rows, ascending, counted from the first of the unit."""


@dataclass(frozen=True)
class Rows:
    """What was read of some units of one file."""

    table: pa.Table
    """The wanted rows, unit by unit."""
    wanted: Sequence[Wanted]
    """The units."""


def threads(store: Store) -> int:
    """Return how many files to read at once."""
    if store.url.startswith("s3:"):
        return REMOTE_THREADS
    return max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


def read_all(store: Store, wanted: Sequence[Wanted], columns: Sequence[str]) -> list[Rows]:
    """Read the rows of some units, several files at once, and return them file by file."""
    files = list(by_file(wanted))
    filesystem = store.filesystem
    remote = store.url.startswith("s3:")

    def read(some: list[Wanted]) -> Rows:
        with open_part(store, some[0].file, filesystem, remote=remote) as file:
            return read_file(store, file, some, columns)

    if len(files) < 2:
        return [read(some) for some in files]
    with ThreadPoolExecutor(min(threads(store), len(files))) as pool:
        return list(pool.map(read, files))


def by_file(wanted: Iterable[Wanted]) -> Iterator[list[Wanted]]:
    """Bring units of one file together, in the order of their rows."""
    ordered = sorted(wanted, key=lambda one: (one.file, one.first_row))
    for _, some in groupby(ordered, key=lambda one: one.file):
        yield list(some)


def open_part(store: Store, name: str, filesystem: Any, *, remote: bool) -> pq.ParquetFile:
    """Open a file of rows.

    Raises
    ------
    StoreCorruptError
        If it is missing, or is not what was written.
    """
    try:
        # From afar, the ranges of all columns are fetched together.
        return pq.ParquetFile(filesystem.open_input_file(name), pre_buffer=remote)
    except FileNotFoundError as error:
        raise _damaged(store, name, "is missing") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(store, name, f"cannot be read: {error}") from error


def read_file(
    store: Store, file: pq.ParquetFile, wanted: Sequence[Wanted], columns: Sequence[str]
) -> Rows:
    """Read rows of units that share a file."""
    places = [one.first_row + one.row for one in wanted]
    try:
        table = _take(file, places[0] if len(places) == 1 else np.concatenate(places), columns)
        return Rows(table.select(columns), wanted)
    except (pa.ArrowInvalid, OSError, IndexError, KeyError) as error:
        raise _damaged(store, wanted[0].file, f"cannot be read: {error}") from error


def _take(file: pq.ParquetFile, places: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
    """Return rows of a file, ascending, from the row groups that hold them."""
    meta = file.metadata
    groups = range(meta.num_row_groups)
    sizes = np.array([meta.row_group(number).num_rows for number in groups], dtype=np.int64)
    ends = sizes.cumsum()
    if len(places) and places[-1] >= meta.num_rows:
        raise IndexError("it has fewer rows than its index says")
    group = np.searchsorted(ends, places, side="right")
    needed = sorted(set(group.tolist())) if len(group) < 1000 else np.unique(group).tolist()
    table = file.read_row_groups(needed, columns=list(columns), use_threads=False)
    if len(table) == len(places):
        return table
    sizes[needed] = 0
    inside = places - sizes.cumsum()[group]
    if inside[-1] - inside[0] + 1 == len(inside):
        return table.slice(int(inside[0]), len(inside))
    # Small answers are taken from one chunk: Arrow copies the whole of a column otherwise.
    return table.combine_chunks().take(pa.array(inside))


def _damaged(store: Store, name: str, what: str) -> StoreCorruptError:
    return StoreCorruptError(
        f"{name} {what}",
        given=store.url,
        hint="verify(store) lists all that is damaged",
    )


def read_unit(store: Store, wanted: Wanted, columns: Sequence[str]) -> tuple[pa.Table, pa.Schema]:
    """Read rows of one unit, and the columns of its file."""
    remote = store.url.startswith("s3:")
    with open_part(store, wanted.file, store.filesystem, remote=remote) as file:
        return read_file(store, file, [wanted], columns).table, file.schema_arrow
