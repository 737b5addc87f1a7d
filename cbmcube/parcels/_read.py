"""Read a file of parcels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio  # type: ignore[import-untyped]
import shapely

from cbmcube.exceptions import MissingCRSError, ParcelsError, ReadError
from cbmcube.parcels._check import check_parcels
from cbmcube.parcels._formats import GEOPARQUET, GML, Format, recognise
from cbmcube.parcels._identify import FEATURE_ID, identify

_GEOMETRY = "geometry"
# What geopandas, pyogrio, pyarrow and shapely raise for files they cannot read.
_READ_FAILURES = (OSError, RuntimeError, ValueError, shapely.errors.ShapelyError)


def read_parcels(
    path: str | PathLike[str],
    *,
    id: str | Sequence[str] | None = None,  # noqa: A002  # the word users have for it
    crop: str | None = None,
    layer: str | None = None,
) -> gpd.GeoDataFrame:
    """Read a file of farm parcels.

    GeoPackage, Shapefile, GeoJSON, GML and FlatGeobuf are read, plain or zipped, and
    GeoParquet. A file is recognised by its content. Files that only point at other data,
    such as OGR virtual files, are refused. Nothing is fetched from a network.

    Parameters
    ----------
    path
        A local file.
    id
        The column with the parcel ids. Several columns are joined with ``/``. ``fid`` is
        the feature id of the file; in a GeoPackage it is stored, in other formats it is
        the number of the row. None takes the one column named ``parcel``, ``parcel_id``
        or ``field_id``; no other name is guessed. Ids keep their type, except that whole
        numbers stored as floats become integers.
    crop
        The column with the crop codes; a copy of it is named ``crop``.
    layer
        The layer; needed if several layers hold geometries.

    Returns
    -------
    geopandas.GeoDataFrame
        One row per parcel in the order of the file, with the index ``parcel``, every other
        column of the file, and two-dimensional polygons in the file's CRS. Validity is the
        matter of `prepare_parcels`.

    Raises
    ------
    ReadError
        The file is missing, damaged, or not of these formats.
    MissingCRSError
        The file states no coordinate reference system.
    MissingIdError
        The column of the ids is not named, absent, or null in some rows.
    DuplicateIdError
        Ids repeat.
    ParcelsError
        There are no rows, no such layer or crop column, or geometries other than polygons.

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
    file = Path(path)
    kind = recognise(file)
    if kind is GEOPARQUET:
        table, features = _read_parquet(file), None
    else:
        table, features = _read_layer(file, kind, layer)
    if table.crs is None:
        raise MissingCRSError(
            "the file states no coordinate reference system",
            given=path,
            hint="add it (a Shapefile keeps it in a .prj file), or read the file with "
            "geopandas.read_file, call set_crs and continue with that GeoDataFrame",
        )
    columns = pd.DataFrame(table.drop(columns=table.active_geometry_name))
    ids = identify(columns, features, id)
    if crop is not None:
        table = _name_crop(table, crop)
    # The column that becomes the index would only repeat it.
    table = table.drop(columns=[name for name in (ids.name,) if name in columns])
    return check_parcels(_flatten(table.set_index(ids)))


def _read_parquet(path: Path) -> gpd.GeoDataFrame:
    try:
        table = gpd.read_parquet(path)
    except _READ_FAILURES as error:
        raise ReadError(
            "the Parquet file holds no geometries that can be read",
            given=path,
            allowed="GeoParquet, whose metadata have an entry 'geo'",
            hint="decode the column with geopandas.GeoSeries.from_wkb and make a GeoDataFrame",
        ) from error
    _refuse_none(table, path)
    named = any(name is not None for name in table.index.names)
    return table.reset_index(drop=not named)


def _read_layer(
    path: Path, kind: Format, layer: str | None
) -> tuple[gpd.GeoDataFrame, pd.Series[int]]:
    try:
        with warnings.catch_warnings():
            # Measures are dropped on purpose; a repeated attribute changes no parcel.
            warnings.filterwarnings("ignore", "Measured .* geometry types", UserWarning)
            warnings.filterwarnings("ignore", "Field with same name", RuntimeWarning)
            chosen = _choose_gml(path, layer) if kind is GML else _choose_layer(path, layer)
            info = pyogrio.read_info(path, layer=chosen, **kind.options)
            _check_driver(info["driver"], kind, path)
            table = pyogrio.read_dataframe(
                path, layer=chosen, fid_as_index=True, on_invalid="fix", **kind.options
            )
    except _READ_FAILURES as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(
            f"the {kind.name} cannot be read",
            given=path if layer is None else f"{path}, layer {layer!r}",
            hint="open it in a GIS; if it opens there, write it again as GeoPackage",
        ) from error
    _refuse_none(table, path)
    name = info["fid_column"] or FEATURE_ID
    features = pd.Series(table.index, name=name)
    return table.reset_index(drop=True), features


def _choose_layer(path: Path, layer: str | None) -> str:
    layers = [str(name) for name, shape in pyogrio.list_layers(path) if shape is not None]
    holding = [name for name in layers if _count(path, name)]
    chosen = holding[0] if layer is None and len(holding) == 1 else layer
    if chosen in holding:
        return chosen
    if layer is None:
        what = "several layers hold parcels" if holding else "no layer of the file holds parcels"
    else:
        what = f"layer {layer!r} holds no parcels"
        what = what if layer in layers else f"there is no layer {layer!r} with geometries"
    raise ParcelsError(
        what,
        given=path,
        allowed=f"the layers that hold parcels: {', '.join(holding) or 'none'}",
        hint=f"name the layer: read_parcels(path, layer={holding[0]!r})" if holding else None,
    )


def _choose_gml(path: Path, layer: str | None) -> str | None:
    # Listing layers takes no open options: it might fetch the schema, and writes a file.
    if layer is not None:
        return layer
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "More than one layer", UserWarning)
        try:
            return str(pyogrio.read_info(path, **GML.options)["layer_name"])
        except UserWarning as several:
            raise ParcelsError(
                "the GML holds several layers",
                given=several,
                hint="name the layer: read_parcels(path, layer='...')",
            ) from several


def _refuse_none(table: Any, path: Path) -> None:
    if not isinstance(table, gpd.GeoDataFrame) or table.empty:
        raise ParcelsError("the file, or the layer of it, holds no parcels", given=path)


def _count(path: Path, layer: str) -> int:
    return int(pyogrio.read_info(path, layer=layer, force_feature_count=True)["features"])


def _check_driver(driver: str, kind: Format, path: Path) -> None:
    if driver not in kind.drivers:
        raise ReadError(
            f"the file looks like {kind.name} and would be read as {driver}",
            given=path,
            hint="write it again as GeoPackage",
        )


def _name_crop(table: gpd.GeoDataFrame, crop: str) -> gpd.GeoDataFrame:
    if crop not in table:
        raise ParcelsError(
            f"there is no column {crop!r} to take the crop codes from",
            allowed=[name for name in table if name != table.active_geometry_name],
        )
    if crop != "crop" and "crop" in table:
        raise ParcelsError(
            "the file has a column 'crop' beside the one named as crop codes",
            given=crop,
            hint="read it without `crop`, and rename the columns afterwards",
        )
    return table.assign(crop=table[crop])


def _flatten(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Drop heights and measures, and name the geometry as everybody does."""
    name = table.active_geometry_name
    flat = table.assign(**{name: shapely.force_2d(table.geometry.to_numpy())})
    return flat if _GEOMETRY in table else flat.rename_geometry(_GEOMETRY)
