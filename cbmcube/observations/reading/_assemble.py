"""From the rows of parts to one table: in order, with what the index already knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cbmcube.observations.reading._facts import OF_UNIT
from cbmcube.observations.reading._parts import Wanted, read_all
from cbmcube.observations.reading._selection import Selection
from cbmcube.observations.reading._source import Source

_RUN = 1000  # rows of one value in the mean, from which on they are written as runs

STREAM_ROWS = 250_000
"""Rows that are held at once while a selection streams by: some 50 MB."""


@dataclass(frozen=True)
class Places:
    """What each row of a table is of."""

    unit: NDArray[np.int64]
    rank: NDArray[np.int64]
    """Place of the parcel in the user's order."""
    band: NDArray[np.int64]
    """Number of the band among those chosen."""

    def take(self, order: NDArray[np.int64]) -> Places:
        """Return the places of some rows."""
        return Places(self.unit[order], self.rank[order], self.band[order])


def read_table(source: Source, selection: Selection, columns: Sequence[str]) -> pa.Table:
    """Read the selected rows, by time step, parcel (in the user's order) and band."""
    bands = chosen_bands(source, selection)
    told = {name: values for name in columns if (values := _told(source, selection, name))}
    read = [name for name in columns if name not in (*told, "parcel", "band")]
    if selection.states is not None and "state" not in read:
        read.append("state")
    table, places = read_rows(source, selection, read)
    order = _order(source, selection, len(bands), table, places)
    if order is not None:
        places = places.take(order)
        # One chunk: Arrow would otherwise look up the chunk of each row.
        table = table.combine_chunks().take(pa.array(order)) if read else table
    return _finish(source, selection, columns, told, table, places)


def read_rows(
    source: Source, selection: Selection, columns: Sequence[str]
) -> tuple[pa.Table, Places]:
    """Return stored columns of the selected units, unit by unit, of all states."""
    bands = chosen_bands(source, selection)
    table, wanted = _read(source, selection, bands, columns)
    return table, _places(selection, bands, wanted)


def chosen_bands(source: Source, selection: Selection) -> tuple[str, ...]:
    """Return the bands of a selection."""
    return source.bands if selection.bands is None else selection.bands


def stream(
    source: Source, selection: Selection, columns: Sequence[str], *, rows: int | None = None
) -> Iterator[pa.Table]:
    """Read the selection piece by piece, each of whole units and about `rows` rows at most."""
    for some in pieces(source, selection, rows or STREAM_ROWS):
        yield read_table(source, some, columns)


def pieces(source: Source, selection: Selection, rows: int) -> Iterator[Selection]:
    """Cut a selection between units, so that no piece has more rows unless a unit has."""
    bands = chosen_bands(source, selection)
    groups = source.units.group[selection.units]
    sizes = [len(selection.members[int(g)].rank) * len(bands) for g in groups]
    start, held = 0, 0
    for number, size in enumerate(sizes):
        if number > start and held + size > rows:
            yield selection.of(selection.units[start:number])
            start, held = number, 0
        held += size
    if start < len(sizes):
        yield selection.of(selection.units[start:])


def _told(source: Source, selection: Selection, name: str) -> list[Any] | None:
    """Return the values of a column by unit, where the index knows them all."""
    return source.facts.column(name, selection.units) if name in OF_UNIT else None


def _read(
    source: Source, selection: Selection, bands: tuple[str, ...], columns: Sequence[str]
) -> tuple[pa.Table, list[Wanted]]:
    """Return the stored columns of all selected rows, and the units in the order of the rows."""
    units = source.units
    rows = {g: source.rows_of(members, bands) for g, members in selection.members.items()}
    requests = [source.wanted(int(u), rows[int(units.group[u])]) for u in selection.units]
    if not columns:
        return pa.table({}), requests
    stored = [one for one in requests if units.file[one.unit] is not None]
    found = read_all(source.store, stored, columns)
    absent = [one for one in requests if units.file[one.unit] is None]
    schema = pa.schema([source.schema.field(name) for name in columns])
    tables = [piece.table for piece in found]
    tables += [blank_rows(source, one, schema) for one in absent]
    order = [one for piece in found for one in piece.wanted] + absent
    return (pa.concat_tables(tables).cast(schema) if tables else schema.empty_table()), order


def blank_rows(source: Source, wanted: Wanted, schema: pa.Schema) -> pa.Table:
    """Return the rows of a unit that has none in a file: not seen, or not readable."""
    size = len(wanted.row)
    values: dict[str, Any] = {"state": source.units.state(wanted.unit), "n_valid": 0, "observed": 0}
    values |= dict.fromkeys(source.classes, 0)
    if "count" in source.statistics:
        values["count"] = 0
    for name in OF_UNIT:
        told = source.facts.column(name, np.array([wanted.unit]))
        values[name] = told[0] if told else None
    arrays = [pa.repeat(pa.scalar(values.get(f.name), type=f.type), size) for f in schema]
    if "n_total" in schema.names:
        total = source.totals(wanted.group)[wanted.row]
        column = schema.get_field_index("n_total")
        arrays[column] = pa.array(total, mask=total < 0).cast(schema.field(column).type)
    return pa.Table.from_arrays(arrays, schema=schema)


def _places(selection: Selection, bands: tuple[str, ...], wanted: Sequence[Wanted]) -> Places:
    ranks = {g: np.repeat(m.rank, len(bands)) for g, m in selection.members.items()}
    parts = [ranks[one.group] for one in wanted]
    rank = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    units = np.array([one.unit for one in wanted], dtype=np.int64)
    unit = np.repeat(units, [len(one.row) for one in wanted])
    return Places(unit, rank, np.tile(np.arange(len(bands)), len(rank) // max(len(bands), 1)))


def _order(
    source: Source, selection: Selection, n_bands: int, table: pa.Table, places: Places
) -> NDArray[np.int64] | None:
    """Return which rows in which order, ``None`` for all as they are."""
    step = source.units.step[places.unit]
    key = (step * (places.rank.max(initial=0) + 1) + places.rank) * n_bands + places.band
    order = None if np.all(key[1:] > key[:-1]) else np.argsort(key, kind="stable")
    if selection.states is None:
        return order
    kept = pc.is_in(table["state"], value_set=pa.array(sorted(selection.states)))
    mask = kept.to_numpy()
    return np.flatnonzero(mask) if order is None else order[mask[order]]


def _finish(
    source: Source,
    selection: Selection,
    columns: Sequence[str],
    told: Mapping[str, list[Any]],
    table: pa.Table,
    places: Places,
) -> pa.Table:
    """Put the columns together, those of parts and those that the index knows."""
    bands = chosen_bands(source, selection)
    number = np.searchsorted(selection.units, places.unit)
    arrays = []
    fields = [source.schema.field(name) for name in columns]
    for field in fields:
        if field.name == "parcel":
            column = source.plan.parcels["parcel"].combine_chunks()
            array = column.take(pa.array(places.rank))
        elif field.name == "band":
            array = pa.array(bands, type=pa.string()).take(pa.array(places.band))
        elif field.name in told:
            array = _spread(column_of(told[field.name], field.type), number)
        else:
            array = table[field.name]
        arrays.append(array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _spread(values: pa.Array, number: NDArray[np.int64]) -> pa.Array | pa.ChunkedArray:
    """Return the value of each row; long runs of one are written at once, as their text is long."""
    coded = values.dictionary_encode(null_encoding="encode")
    code = coded.indices.to_numpy()[number]
    edges = np.flatnonzero(np.diff(code)) + 1
    if len(edges) * _RUN > len(code):
        return values.take(pa.array(number))
    starts = [0, *edges.tolist(), len(code)]
    runs = [
        pa.repeat(coded.dictionary[int(code[start])], end - start)
        for start, end in pairwise(starts)
        if end > start
    ]
    return pa.chunked_array(runs, type=values.type)


def column_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return facts of units as an Arrow array."""
    if pa.types.is_timestamp(kind):
        moments = np.array([v if v is not None else "NaT" for v in values], dtype="datetime64[us]")
        return pa.array(moments).cast(kind)
    return pa.array(values, type=kind)
