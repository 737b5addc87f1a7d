"""Tables as bytes: the same table is always the same Parquet file, and has one hash."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cbmcube.exceptions import OptionError

ROW_GROUP = 4096
"""Rows of a row group: few enough that one parcel is read fast, enough that text packs well."""

_LEVEL = 9  # of zstd; 15 saves two to five per cent more and takes three times as long


def canonical_table(table: pa.Table) -> pa.Table:
    """Return the table with plain types, one chunk a column and no metadata.

    Raises
    ------
    OptionError
        If a column has a type that a store does not hold: nested, binary or extension types.
    """
    columns = [_plain(table.schema.field(i), table.column(i)) for i in range(table.num_columns)]
    names = table.column_names
    if len(set(names)) != len(names):
        raise OptionError("a column's name appears twice", given=", ".join(names))
    return pa.table(dict(zip(names, columns, strict=True)))


def _plain(field: pa.Field, column: pa.ChunkedArray) -> pa.Array:
    kind = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        kind = pa.string()
    if pa.types.is_timestamp(kind):
        # What Parquet keeps of a timestamp: no seconds, and of a zone that there is one.
        unit = "ms" if kind.unit == "s" else kind.unit
        kind = pa.timestamp(unit, None if kind.tz is None else "UTC")
    simple = (pa.types.is_integer, pa.types.is_float32, pa.types.is_float64, pa.types.is_timestamp)
    if isinstance(kind, pa.BaseExtensionType) or not any(
        is_kind(kind)
        for is_kind in (*simple, pa.types.is_string, pa.types.is_boolean, pa.types.is_date32)
    ):
        raise OptionError(
            f"a store holds no column like {field.name!r}",
            given=str(field.type),
            allowed="numbers, text, booleans, dates, timestamps",
        )
    return column.cast(kind).combine_chunks()


def content_hash(table: pa.Table) -> str:
    """Return the SHA-256 of a canonical table's columns: names, types, nulls and values.

    It depends on no file format and on no version of a library; two tables share it if
    and only if they are equal bit by bit.
    """
    digest = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(f"{len(name.encode())} {name} {column.type} {len(column)}\n".encode())
        array = column.combine_chunks()
        valid = pc.is_valid(array).to_numpy(zero_copy_only=False)
        digest.update(np.packbits(valid).tobytes())
        if pa.types.is_string(array.type):
            _hash_text(digest, pc.fill_null(array, ""))
            continue
        values = array.cast(pa.int8()) if pa.types.is_boolean(array.type) else array
        digest.update(stored_bits(values).tobytes())
    return digest.hexdigest()


def stored_bits(values: pa.Array) -> np.ndarray:
    """Return the bits of numbers or times as unsigned integers, zero under nulls."""
    width = values.type.bit_width // 8
    data = values.buffers()[1]
    count = len(values) + values.offset
    bits = np.frombuffer(data, dtype=f"u{width}", count=count)[values.offset :]
    valid = pc.is_valid(values).to_numpy(zero_copy_only=False)
    return np.where(valid, bits, 0).astype(f"<u{width}")


def _hash_text(digest: Any, values: pa.Array) -> None:
    """Hash the distinct texts in the order in which they appear, and where each stands."""
    coded = values.dictionary_encode()
    texts = coded.dictionary.to_pylist()
    for text in texts:
        data = text.encode()
        digest.update(f"{len(data)} ".encode() + data)
    digest.update(f"\n{len(texts)}\n".encode())
    digest.update(coded.indices.to_numpy(zero_copy_only=False).astype("<i4").tobytes())


def encode(table: pa.Table, row_groups: Sequence[int] | None = None) -> bytes:
    """Return a canonical table as Parquet, the same bytes for equal tables.

    Parameters
    ----------
    row_groups
        Rows of each row group; by default `ROW_GROUP`, and what remains.
    """
    file = io.BytesIO()
    with pq.ParquetWriter(file, table.schema, **_options(table)) as writer:
        if row_groups is None:
            writer.write_table(table, row_group_size=ROW_GROUP)
        else:
            start = 0
            for rows in row_groups:
                writer.write_table(table.slice(start, rows), row_group_size=max(rows, 1))
                start += rows
    return file.getvalue()


def _options(table: pa.Table) -> dict[str, Any]:
    """Choose encodings by what the columns hold; the file's bytes depend on nothing else."""
    text = [f.name for f in table.schema if pa.types.is_string(f.type)]
    numbers = [f.name for f in table.schema if pa.types.is_floating(f.type)]
    return {
        "compression": "zstd",
        "compression_level": _LEVEL,
        "use_dictionary": [name for name in text if _repeats(table[name])],
        # Splitting bytes hides from zstd that a value is that of the row before, as the count
        # of pixels is from band to band.
        "use_byte_stream_split": [name for name in numbers if not _follows(table[name])],
        "store_schema": False,  # it would carry metadata of pandas
        "version": "2.6",
        "data_page_version": "1.0",
        # Those that a search can use; of other columns they are a tenth of the file.
        "write_statistics": [n for n in ("parcel", "time") if n in table.column_names],
    }


def _repeats(column: pa.ChunkedArray) -> bool:
    return pc.count_distinct(column, mode="all").as_py() <= len(column) // 8 + 1


def _follows(column: pa.ChunkedArray) -> bool:
    """Return whether a quarter of the values or more are those of the row before."""
    values = column.combine_chunks()
    same = pc.equal(values[1:], values[:-1])
    return (pc.sum(same).as_py() or 0) >= len(values) // 4 > 0


def row_groups_of(rows: int) -> list[int]:
    """Return the rows of each row group of a part."""
    full, rest = divmod(rows, ROW_GROUP)
    return [ROW_GROUP] * full + ([rest] if rest else [])


def decode(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the table in the bytes of a Parquet file."""
    return _decode(data, columns).replace_schema_metadata()


def decode_parcels(data: bytes) -> gpd.GeoDataFrame:
    """Return the parcels in the bytes of a GeoParquet file, with the index ``parcel``."""
    table = _decode(data)
    described = json.loads(table.schema.metadata[b"geo"])
    shapes = {
        name: gpd.GeoSeries.from_wkb(table[name].to_pylist(), crs=facts["crs"])
        for name, facts in described["columns"].items()
    }
    plain = table.drop_columns(list(shapes)).to_pandas(use_threads=False)
    frame = gpd.GeoDataFrame(plain.assign(**shapes), geometry=described["primary_column"])
    return frame.set_index("parcel")


def _decode(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    # Arrow's threads let go of bytes that Python holds some time after the table is there, and
    # a process that ends meanwhile is aborted. geopandas reads in such threads whatever is said.
    file = pq.ParquetFile(pa.BufferReader(data))
    return file.read(columns=None if columns is None else list(columns), use_threads=False)
