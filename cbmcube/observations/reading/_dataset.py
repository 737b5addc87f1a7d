"""The files of a snapshot for other engines: a pyarrow dataset and a DuckDB relation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from cbmcube.observations.reading._facts import OF_UNIT
from cbmcube.observations.reading._source import Source

if TYPE_CHECKING:
    import duckdb

_FORMAT = ds.ParquetFileFormat()


def dataset(source: Source) -> ds.Dataset:
    """Return one fragment for each unit, which knows its acquisition and time.

    These are the parts, also of a compacted store: they stay beside the files of several units.
    Of such a file a fragment could be some groups of rows, but pyarrow 26.0.1 counts all of them.
    """
    units = source.units
    filesystem = source.store.filesystem
    moment = source.schema.field("time").type
    parts = units.index["part"].to_pylist()
    fragments = []
    for unit in np.flatnonzero(units.has_rows & (units.rows > 0)):
        known = (ds.field("acquisition") == str(units.acquisition[unit])) & (
            ds.field("time") == pa.scalar(units.time[unit].item(), moment)
        )
        fragments.append(_FORMAT.make_fragment(parts[unit], filesystem, partition_expression=known))
    return ds.FileSystemDataset(fragments, source.schema, _FORMAT, filesystem)


def duckdb_relation(source: Source, connection: duckdb.DuckDBPyConnection | None) -> Any:
    """Return stored rows, and with them the rows of units that have none in a file."""
    try:
        import duckdb  # noqa: PLC0415  # an optional package
    except ImportError as error:
        raise ImportError("this needs one more package: pip install duckdb") from error
    own = duckdb.connect() if connection is None else connection
    label = f"observations_{source.snapshot.root[:12]}"
    own.register(label, dataset(source))
    columns = ", ".join(_quoted(name) for name in source.schema.names)
    query = f"SELECT {columns} FROM {label}"  # noqa: S608  # names of a schema, quoted
    absent = np.flatnonzero(~source.units.has_rows)
    if len(absent):
        own.register(f"{label}_units", _blank_units(source, absent))
        own.register(f"{label}_rows", _blank_rows(source, absent))
        query += f" UNION ALL BY NAME {_blank_query(source, label)}"
    return own.sql(query)


def _blank_units(source: Source, absent: Any) -> pa.Table:
    """Return one row for each unit without a file, with all that its rows share."""
    units = source.units
    columns: dict[str, Any] = {
        "unit_group": pa.array(units.group[absent]),
        "state": pa.array([units.state(int(unit)) for unit in absent]),
    }
    for name in OF_UNIT:
        if name in source.schema.names:
            kind = source.schema.field(name).type
            values = source.facts.column(name, absent) or [None] * len(absent)
            if pa.types.is_timestamp(kind):
                moments = [np.datetime64("NaT") if v is None else v for v in values]
                columns[name] = pa.array(np.array(moments, dtype="datetime64[us]")).cast(kind)
            else:
                columns[name] = pa.array(values, type=kind)
    return pa.table(columns)


def _blank_rows(source: Source, absent: Any) -> pa.Table:
    """Return parcels and bands of the groups of such units, with their pixel counts."""
    group, position = source.plan.placed
    ids = source.plan.parcels["parcel"]
    tables = []
    for number in np.unique(source.units.group[absent]):
        mine = np.flatnonzero(group == number)
        mine = mine[np.argsort(position[mine])]
        total = source.totals(int(number))
        bands = len(source.bands)
        tables.append(
            pa.table(
                {
                    "unit_group": pa.array(np.full(len(total), number)),
                    "parcel": ids.take(pa.array(np.repeat(mine, bands))).combine_chunks(),
                    "band": pa.array(list(source.bands) * len(mine)),
                    "n_total": pa.array(total, mask=total < 0).cast(pa.int32()),
                }
            )
        )
    return pa.concat_tables(tables)


def _blank_query(source: Source, label: str) -> str:
    zero = {"n_valid", "observed", *source.classes}
    zero |= {"count"} if "count" in source.statistics else set()
    chosen = []
    for field in source.schema:
        if field.name in ("parcel", "band", "n_total"):
            chosen.append(f"r.{_quoted(field.name)}")
        elif field.name in ("state", *OF_UNIT):
            chosen.append(f"u.{_quoted(field.name)}")
        else:
            kind = "INTEGER" if pa.types.is_integer(field.type) else "REAL"
            value = 0 if field.name in zero else "NULL"
            chosen.append(f"CAST({value} AS {kind}) AS {_quoted(field.name)}")
    return (
        f"SELECT {', '.join(chosen)} FROM {label}_units AS u "  # noqa: S608  # quoted
        f"JOIN {label}_rows AS r USING (unit_group)"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
