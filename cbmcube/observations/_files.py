"""Vector cubes as CF-encoded Zarr, tables as (Geo)Parquet."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr
import xvec

from cbmcube.exceptions import ReadError

_CF_CONVENTIONS = ("Conventions",)
_CF_REMNANTS = ("grid_mapping", "geometry")


def write_vector_cube(stats: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Compute the vector cube date by date and write it as CF-encoded Zarr.

    Geometries are stored by the CF conventions (geometry containers), so that other
    software can read them. The store appears whole or not at all; an existing one at
    `path` is replaced.

    Parameters
    ----------
    stats
        A vector cube of `reduce_parcels`.
    path
        A local folder, usually ending in ``.zarr``.

    Returns
    -------
    pathlib.Path
        The store.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.testing import vector_cube
    >>> folder = getfixture("tmp_path")
    >>> path = cbm.write_vector_cube(vector_cube(), folder / "stats.zarr")
    >>> cbm.open_vector_cube(path).compute().identical(vector_cube())
    True
    """
    # xvec 0.5 drops the attributes of the Dataset on the way in and out.
    encoded = stats.xvec.encode_cf().assign_attrs(stats.attrs)
    # Zarr 3 has no stable form yet for fixed-width text and consolidated metadata.
    return write_whole(
        path, lambda target: encoded.to_zarr(target, zarr_format=2, consolidated=True)
    )


def open_vector_cube(path: str | os.PathLike[str]) -> xr.Dataset:
    """Open a vector cube that `write_vector_cube` wrote; its numbers stay lazy.

    Returns
    -------
    xarray.Dataset
        Identical, once computed, to what was written.

    Raises
    ------
    ReadError
        If there is no such store, or it holds no vector cube.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.testing import vector_cube
    >>> path = cbm.write_vector_cube(vector_cube(parcels=2), getfixture("tmp_path") / "stats.zarr")
    >>> cbm.open_vector_cube(path)["NDVI"].sel(statistic="mean", parcel="P1").dims
    ('time',)
    """
    try:
        stored = xr.open_zarr(path, consolidated=True)
        crs = stored["spatial_ref"].attrs["crs_wkt"]
        decoded = stored.xvec.decode_cf()
    except (OSError, KeyError, ValueError) as error:
        raise ReadError(
            f"no vector cube could be read: {error}",
            given=os.fspath(path),
            allowed="a store written by write_vector_cube",
            hint="check the path",
        ) from error
    cube = decoded.set_coords(["geometry", *_text_coords(decoded)])
    cube = cube.set_xindex("geometry", xvec.GeometryIndex, crs=crs)
    for variable in cube.variables.values():
        for name in _CF_REMNANTS:
            variable.attrs.pop(name, None)
    return cube.assign_attrs({n: v for n, v in stored.attrs.items() if n not in _CF_CONVENTIONS})


def _text_coords(cube: xr.Dataset) -> list[str]:
    return [str(name) for name, v in cube.data_vars.items() if v.dtype.kind in "UT"]


def write_observations(table: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write an observation table as Parquet, as GeoParquet if it has geometries.

    The file appears whole or not at all; an existing one is replaced.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.testing import vector_cube
    >>> table = cbm.to_observations(vector_cube(), geometry=True)
    >>> path = cbm.write_observations(table, getfixture("tmp_path") / "table.parquet")
    >>> cbm.read_observations(path).equals(table)
    True
    """
    if isinstance(table, gpd.GeoDataFrame):
        return write_whole(path, lambda target: table.to_parquet(target, compression="zstd"))
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    return write_whole(path, lambda target: pq.write_table(arrow, target, compression="zstd"))


def read_observations(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table that `write_observations` wrote, with the same types.

    Raises
    ------
    ReadError
        If the file is absent or is not Parquet.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.testing import vector_cube
    >>> table = cbm.to_observations(vector_cube(parcels=2, days=20))
    >>> path = cbm.write_observations(table, getfixture("tmp_path") / "table.parquet")
    >>> list(cbm.read_observations(path)["band"].unique())
    ['B04', 'B08', 'NDVI']
    """
    try:
        schema = pq.read_schema(path)
        if b"geo" in (schema.metadata or {}):
            return gpd.read_parquet(path, to_pandas_kwargs={"types_mapper": pd.ArrowDtype})
        return pq.read_table(path).to_pandas(types_mapper=pd.ArrowDtype)
    except (OSError, pa.ArrowInvalid) as error:
        raise ReadError(
            f"no observation table could be read: {error}",
            given=os.fspath(path),
            allowed="a Parquet file written by write_observations",
            hint="check the path",
        ) from error


def write_whole(path: str | os.PathLike[str], write: Callable[[str], Any]) -> Path:
    """Write beside `path`, then rename, so that readers never meet half a file.

    Parameters
    ----------
    path
        File or folder; one that exists is replaced.
    write
        Gets the address to write to.

    Examples
    --------
    >>> from pathlib import Path
    >>> from cbmcube.observations import write_whole
    >>> path = getfixture("tmp_path") / "note.txt"
    >>> write_whole(path, lambda target: Path(target).write_text("done")).read_text()
    'done'
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{final.name}-",
        dir=final.parent,
        # When a chunk fails, threads of Dask may still be writing others into the folder.
        ignore_cleanup_errors=True,
    ) as folder:
        temporary = Path(folder) / final.name
        write(os.fspath(temporary))
        if final.is_dir():
            shutil.rmtree(final)
        temporary.replace(final)
    return final
