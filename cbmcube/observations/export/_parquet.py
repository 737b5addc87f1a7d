"""Observations as one Parquet file, or one GeoParquet file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from cbmcube.observations._files import write_whole
from cbmcube.observations.reading import Observations

_GEOMETRY = "geometry"


def to_parquet(
    observations: Observations,
    path: str | os.PathLike[str],
    *,
    parcels: Any = None,
    period: Any = None,
    bands: Iterable[str] | str | None = None,
    states: Iterable[str] | str | None = None,
    geometry: bool = False,
) -> Path:
    """Write observations as one Parquet file, piece by piece.

    The file appears whole or not at all; an existing one is replaced. `read_observations`
    reads it back, and so does all that reads Parquet.

    Parameters
    ----------
    observations
        What `open_observations` returned.
    path
        A local file.
    parcels, period, bands, states
        What to write, see `Observations`; all by default. Rows come by acquisition and
        group of parcels.
    geometry
        Repeat each parcel's geometry in every row: GeoParquet. Large; the parcels alone are
        ``observations.parcels()``.

    Returns
    -------
    pathlib.Path
        The file.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.observations.reading import open_observations
    >>> from cbmcube.observations.season import plan
    >>> store = getfixture("tmp_path") / "season"
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(3)
    >>> catalog = cbm.open_catalog(country.catalogue)
    >>> season = plan(catalog, cbm.CARD_BS, parcels, period="2024-03-01/2024-03-08", store=store)
    >>> report = season.run(progress=False)
    >>> from cbmcube.observations.export import to_parquet
    >>> path = to_parquet(open_observations(store), store.parent / "season.parquet")
    >>> len(cbm.read_observations(path))
    12
    """
    tables = observations.batches(parcels, period, bands=bands, states=states)
    schema = observations.schema
    shapes = observations.parcels() if geometry else None
    if shapes is not None:
        schema = _with_geometry(schema, shapes)

    def write(target: str) -> None:
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table if shapes is None else _join(table, shapes, schema))

    return write_whole(path, write)


def _join(table: pa.Table, shapes: gpd.GeoDataFrame, schema: pa.Schema) -> pa.Table:
    codes = table["parcel"].combine_chunks().dictionary_encode()
    ids = np.array(codes.dictionary.to_pylist(), dtype=object)
    here = shapes.geometry.array[shapes.index.get_indexer(ids)]
    wkb: NDArray[Any] = shapely.to_wkb(np.asarray(here, dtype=object), flavor="iso")
    column = pa.array(wkb, type=pa.binary()).take(codes.indices)
    return table.append_column(_GEOMETRY, column).cast(schema)


def _with_geometry(schema: pa.Schema, shapes: gpd.GeoDataFrame) -> pa.Schema:
    """Return the schema with a geometry column, described as GeoParquet 1.1 asks."""
    facts = {
        "encoding": "WKB",
        "geometry_types": sorted(shapes.geometry.geom_type.dropna().unique().tolist()),
        "crs": None if shapes.crs is None else shapes.crs.to_json_dict(),
        "bbox": [float(value) for value in shapes.total_bounds],
    }
    geo = {"version": "1.1.0", "primary_column": _GEOMETRY, "columns": {_GEOMETRY: facts}}
    described = schema.append(pa.field(_GEOMETRY, pa.binary()))
    return described.with_metadata({b"geo": json.dumps(geo).encode()})
