"""Read a GeoParquet file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import geopandas as gpd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cbmcube.exceptions import Error, ReadError
from cbmcube.parcels._files import Source
from cbmcube.parcels._layers import READ_FAILURES, refuse_none
from cbmcube.parcels._limits import ReadLimits
from cbmcube.parcels._traps import refuse_nesting

_WKB_VERTEX = 16
_HEADERS = 2
"""WKB of simple polygons is up to 1.4 times their vertices, because of its headers."""
_BATCH = 65_536
_WKT = re.compile(r"\s*(?:[A-Za-z_]+\s*\[|[A-Za-z]+:\w+\s*$)")


def read_parquet(source: Source, limits: ReadLimits) -> gpd.GeoDataFrame:
    """Return the rows of a GeoParquet file; an index that has a name is kept."""
    try:
        with pq.ParquetFile(source.address) as file:
            _check_size(file, source, limits)
            _check_vertices(file, _geometries(file.schema_arrow, source), source, limits)
        table = gpd.read_parquet(Path(source.address))
    except (*READ_FAILURES, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, Error):
            raise
        raise ReadError(
            "the Parquet file holds no geometries that can be read",
            given=source.given,
            allowed="GeoParquet, whose metadata have an entry 'geo'",
            hint="write it again with geopandas.GeoDataFrame.to_parquet",
        ) from error
    refuse_none(table, source.given)
    named = any(name is not None for name in table.index.names)
    return table.reset_index(drop=not named)


def _check_size(file: pq.ParquetFile, source: Source, limits: ReadLimits) -> None:
    meta = file.metadata
    limits.check("features", meta.num_rows, given=source.given)
    groups = [meta.row_group(i).total_byte_size for i in range(meta.num_row_groups)]
    limits.check("bytes", sum(groups), given=f"{source.given}, unpacked")


def _check_vertices(
    file: pq.ParquetFile, names: list[str], source: Source, limits: ReadLimits
) -> None:
    # A dictionary can repeat one large value for a few bits, so sizes on disk prove nothing.
    found = 0
    for batch in file.iter_batches(_BATCH, columns=names) if names else ():
        for column in batch.columns:
            refuse_nesting(column, source.given)
        lengths = [pc.sum(pc.binary_length(column)).as_py() or 0 for column in batch.columns]
        found += sum(lengths) // (_HEADERS * _WKB_VERTEX)
        limits.check("vertices", found, given=source.given)


def _geometries(schema: pa.Schema, source: Source) -> list[str]:
    """Return the columns that hold geometries as WKB; there may be none, never no geometry."""
    binary = [field.name for field in schema if _is_binary(field.type)]
    stored = (schema.metadata or {}).get(b"geo")
    if stored is not None:
        columns = json.loads(stored)["columns"]
        for name in columns:
            _check_crs(columns[name].get("crs"), source)
        return [name for name in binary if name in columns]
    column = binary[0] if binary else "geometry"
    raise ReadError(
        "the Parquet file does not say which column holds geometries, nor in which CRS",
        given=f"{source.given}; binary columns {binary}",
        allowed="GeoParquet, whose metadata have an entry 'geo'",
        hint="if you know both: table = pandas.read_parquet(path); geopandas.GeoDataFrame(table, "
        f"geometry=geopandas.GeoSeries.from_wkb(table[{column!r}], crs='EPSG:...'))"
        ".to_parquet(new_path)",
    )


def _check_crs(crs: object, source: Source) -> None:
    """Refuse a text that is a file's name to PROJ, or names files; GeoParquet has PROJJSON."""
    if isinstance(crs, str) and not _WKT.match(crs):
        raise ReadError(
            "the Parquet file states its CRS in a form that could name files",
            given=f"{source.given}, {crs[:80]!r}",
            allowed="PROJJSON, WKT, or a code such as EPSG:25832",
            hint="write it again with geopandas.GeoDataFrame.to_parquet",
        )


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
