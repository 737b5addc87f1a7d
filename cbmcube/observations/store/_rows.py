"""The rows of one unit, wherever a snapshot says that they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from cbmcube.exceptions import StoreCorruptError
from cbmcube.observations.store._parts import row_groups_of

if TYPE_CHECKING:
    from cbmcube.observations.store._store import Store


def read_rows(store: Store, row: Mapping[str, Any], columns: list[str] | None = None) -> pa.Table:
    """Return the rows of one unit of a snapshot.

    Parameters
    ----------
    row
        A row of `Snapshot.parts`, as a mapping, of a unit that has rows.
    columns
        Columns to return; all by default.
    """
    name = row["file"]
    if row["first_row_group"] == 0 and name == row["part"]:
        return store.read_part(name, columns)
    wanted = row_groups_of(row["rows"])
    first = row["first_row_group"]
    try:
        with store.filesystem.open_input_file(name) as source, pq.ParquetFile(source) as file:
            groups = range(first, first + len(wanted))
            table = file.read_row_groups(list(groups), columns=columns)
    except (pa.ArrowException, OSError, IndexError) as error:
        raise StoreCorruptError(
            f"{name} cannot be read: {error}",
            given=store.url,
            hint="verify(store) lists all that is damaged, and repair(store) has it made again",
        ) from error
    return table.replace_schema_metadata().combine_chunks()
