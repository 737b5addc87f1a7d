"""Read parcels from a file or a database."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cbmcube.exceptions import MissingCRSError, OptionError
from cbmcube.parcels._check import check_parcels, some
from cbmcube.parcels._crops import check_code_list, name_crop
from cbmcube.parcels._files import locate
from cbmcube.parcels._formats import GEOPARQUET
from cbmcube.parcels._identify import ROW, identify
from cbmcube.parcels._layers import read_layer
from cbmcube.parcels._limits import ReadLimits
from cbmcube.parcels._parquet import read_parquet
from cbmcube.parcels._postgis import is_database, read_database
from cbmcube.parcels._report import remember
from cbmcube.parcels._shape import absurd, count_types, keep_polygons
from cbmcube.warnings import AbsurdCoordinatesWarning

_GEOMETRY = "geometry"


def read_parcels(
    path: str | PathLike[str],
    *,
    id: str | Sequence[str] | None = None,  # noqa: A002  # the word users have for it
    crop: str | None = None,
    layer: str | None = None,
    table: str | None = None,
    sql: str | None = None,
    limits: ReadLimits | None = None,
) -> gpd.GeoDataFrame:
    """Read farm parcels from a file or a PostGIS database.

    GeoPackage, Shapefile, GeoJSON, GML, FlatGeobuf and file geodatabase are read, plain or
    zipped, and GeoParquet. The extension of a file says what it is, and its content must agree.
    Files that only point at other data, such as OGR virtual files, are refused.
    Files are opened for reading only, nothing is unpacked, and nothing is fetched from a network.

    Parameters
    ----------
    path
        A local file, the folder of a file geodatabase, or the address of a database,
        ``postgresql://user@host/database``. Its password may stand in the address, in
        ``PGPASSWORD`` or in ``~/.pgpass``; no message or report repeats it. A database needs
        ``pip install 'cbmcube[postgis]'``.
    id
        The column with the parcel ids. Several columns are joined with ``/``. ``fid`` is
        the feature id of the file; in a GeoPackage it is stored, in other formats it is
        the number of the row. ``row`` numbers the rows of a file from 0. None takes the one
        column named ``parcel``, ``parcel_id``, ``field_id`` or ``localId`` (INSPIRE), else of
        GeoParquet (fiboa) and databases ``id``; no other name is guessed. Ids keep their type,
        except that whole numbers stored as floats become integers.
    crop
        The column with the crop codes; a copy of it is named ``crop``. Another column of that
        name is kept as ``crop_in_file``. None takes ``crop``, ``crop_code`` or ``crop:code``
        (fiboa), the first that there is.
    layer
        The layer; needed if several layers hold geometries. In an archive of several files,
        the name of one without its extension.
    table, sql
        One of them for a database: a table or view, ``"name"`` or ``"schema.name"``, or a
        ``SELECT``. It runs in a read-only transaction.
    limits
        What the source may hold at most, checked before it is read where the format tells.
        Default `ReadLimits()`: 20 million parcels, 500 million vertices, 16 GiB.

    Returns
    -------
    geopandas.GeoDataFrame
        One row per parcel in the order of the file, with the index ``parcel``, every other
        column of the file, and two-dimensional polygons in the file's CRS. Of a geometry
        collection the polygons are kept. Validity is the matter of `prepare_parcels`.
        `parcels_report` tells what was read and noticed.

    Raises
    ------
    ReadError
        The file is missing, damaged, or not of these formats; the database cannot be read.
    MissingCRSError
        The source states no coordinate reference system.
    MissingIdError
        The column of the ids is not named, absent, or null in some rows.
    DuplicateIdError
        Ids repeat.
    ParcelsTooLargeError
        The source holds more than `limits` allow.
    ParcelsError
        There are no rows, no such layer or crop column, or geometries other than polygons.
    OptionError
        `table` or `sql` goes with a file, or neither or both with a database.
    ImportError
        The packages for databases are not installed.

    Warns
    -----
    AbsurdCoordinatesWarning
        Coordinates are infinite, no numbers, or lie nowhere on Earth.
    CropListWarning
        The fiboa column ``crop:code_list`` names the list of another country.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from shapely import box
    >>> from cbmcube.parcels import read_parcels
    >>> fields = gpd.GeoDataFrame(
    ...     {"number": [7, 8], "code": ["wheat", "maize"]},
    ...     geometry=[box(0, 0, 90, 50), box(90, 0, 200, 50)],
    ...     crs="EPSG:32632",
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     fields.to_file(Path(folder, "fields.gpkg"))
    ...     parcels = read_parcels(Path(folder, "fields.gpkg"), id="number", crop="code")
    >>> parcels[["crop"]]
             crop
    parcel
    7       wheat
    8       maize
    """
    bounds = limits if limits is not None else ReadLimits()
    if is_database(path):
        rows, place = read_database(str(path), table=table, sql=sql, limits=bounds)
        features, origin = None, {"source": place, "format": "PostGIS", "layer": table}
    else:
        _refuse_query(table, sql)
        rows, features, origin = _read_file(Path(path), layer, bounds)
    if rows.crs is None:
        raise MissingCRSError(
            "the source states no coordinate reference system",
            given=origin["source"],
            hint="add it (a Shapefile keeps it in a .prj file, PostGIS in ST_SRID), or read it "
            "with geopandas, call set_crs and continue with that GeoDataFrame",
        )
    columns = pd.DataFrame(rows.drop(columns=rows.active_geometry_name))
    if is_database(path) and ROW not in columns:
        _refuse_row(id)
    ids, listed = identify(columns, features, id)
    rows, crops, kept = name_crop(rows, crop)
    # The column that becomes the index would only repeat it.
    rows = rows.drop(columns=[name for name in (ids.name,) if name in columns and name in rows])
    flat, noticed = _clean(rows.set_index(ids), bounds, origin["source"])
    parcels = check_parcels(flat)
    facts = {
        **origin,
        "features": len(parcels),
        "crs": parcels.crs.to_string(),
        "id": listed,
        "crop": crops,
        "crop_of_the_file_kept_as": kept,
        **noticed,
        "crop_list_of_another_country": check_code_list(parcels, stacklevel=3),
    }
    return remember(parcels, "read", facts)


def _read_file(
    path: Path, layer: str | None, limits: ReadLimits
) -> tuple[gpd.GeoDataFrame, pd.Series[int] | None, dict[str, str | None]]:
    source = locate(path, layer, limits)
    # Folders are the user's own affair; the report travels with the data.
    origin = {"source": path.name, "format": source.format.name, "layer": None}
    if source.format is GEOPARQUET:
        return read_parquet(source, limits), None, origin
    rows, features, name = read_layer(source, limits)
    return rows, features, {**origin, "layer": name}


def _refuse_query(table: str | None, sql: str | None) -> None:
    if table is not None or sql is not None:
        raise OptionError(
            "table and sql are for databases only",
            given=f"table={table!r}, sql={sql!r}",
            hint="choose a layer of a file with layer='…'",
        )


def _refuse_row(names: str | Sequence[str] | None) -> None:
    if names == ROW or (not isinstance(names, str) and ROW in (names or ())):
        raise OptionError(
            "the rows of a database have no order, so their numbers name no parcel",
            given=f"id={names!r}",
            hint="name the columns of the primary key",
        )


def _clean(
    rows: gpd.GeoDataFrame, limits: ReadLimits, given: str | None
) -> tuple[gpd.GeoDataFrame, dict[str, Any]]:
    """Drop heights, keep polygons only, name the geometry as everybody does; and count it."""
    name = rows.active_geometry_name
    raw = rows.geometry.to_numpy()
    vertices = int(shapely.get_num_coordinates(raw).sum())
    limits.check("vertices", vertices, given=given)
    flat, reduced = keep_polygons(shapely.force_2d(raw))
    wild = absurd(flat, geographic=rows.crs.is_geographic)
    _warn_of_absurd(rows.index, wild)
    clean = rows.assign(**{name: gpd.GeoSeries(flat, index=rows.index, crs=rows.crs)})
    clean = clean if _GEOMETRY in rows else clean.rename_geometry(_GEOMETRY)
    noticed = {
        "geometries": count_types(flat),
        "vertices": vertices,
        "heights_dropped": int(shapely.has_z(raw).sum()),
        "collections_reduced_to_polygons": reduced,
        "absurd_coordinates": int(wild.sum()),
    }
    return clean, noticed


def _warn_of_absurd(ids: pd.Index[Any], wild: NDArray[np.bool_]) -> None:
    if wild.any():
        warnings.warn(
            f"the coordinates of {wild.sum():,} of {len(ids):,} parcels are infinite, no numbers, "
            f"or lie nowhere on Earth: {some(ids[wild])}; correct them, or leave these parcels out",
            AbsurdCoordinatesWarning,
            stacklevel=4,
        )
