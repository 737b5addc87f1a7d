"""Check that a GeoDataFrame can serve as parcels, whoever made it."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from cbmcube.exceptions import DuplicateIdError, MissingCRSError, MissingIdError, ParcelsError

INDEX_NAME = "parcel"
"""The name of the index of every set of parcels."""

_POLYGONAL = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
_SHOWN = 5


def check_parcels(parcels: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Check that parcels can be used, and name their index.

    Missing and empty geometries are legal: such parcels count no pixels. The validity of
    the others is not looked at; that is the work of `prepare_parcels`.

    Parameters
    ----------
    parcels
        Polygons or MultiPolygons in any CRS, one row per parcel. The index holds the
        parcel ids; a plain row number will do.

    Returns
    -------
    geopandas.GeoDataFrame
        The same rows and columns with the index named ``parcel``. The data are not
        copied, and what was given is not changed.

    Raises
    ------
    ParcelsError
        It is not a GeoDataFrame, has no rows or no active geometry, has an index of several
        levels, a column that is named like the index, or geometries other than polygons.
    MissingCRSError
        It has no coordinate reference system.
    MissingIdError
        Some ids are null.
    DuplicateIdError
        Some ids repeat.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import box
    >>> from cbmcube.parcels import check_parcels
    >>> fields = gpd.GeoDataFrame(geometry=[box(0, 0, 90, 50)], index=["a"], crs="EPSG:32632")
    >>> check_parcels(fields).index
    Index(['a'], dtype='...', name='parcel')
    """
    _check_frame(parcels)
    check_ids(parcels.index, what="the index of the parcels")
    _check_polygonal(parcels)
    clean = parcels.copy(deep=False)
    clean.index = parcels.index.rename(INDEX_NAME)
    return clean


def check_ids(ids: pd.Index[Any], *, what: str) -> None:
    """Refuse ids that are null or that repeat; `what` names where they come from."""
    missing = np.asarray(ids.isna())
    if missing.any():
        raise MissingIdError(
            f"{what} is null for {missing.sum():,} of {len(ids):,} parcels",
            given=f"rows {some(np.flatnonzero(missing))}",
            hint="give these parcels an id, or leave them out",
        )
    if ids.is_unique:
        return
    repeated = ids[ids.duplicated(keep="first")]
    values = repeated.unique()
    raise DuplicateIdError(
        f"{what} is not unique: {len(values):,} values repeat, in {len(repeated):,} surplus rows",
        given=some(values),
        hint="use another id, or join several columns: read_parcels(path, id=['farm', 'field'])",
    )


def some(values: Any) -> str:
    """List the first few values, and say how many more there are."""
    shown = ", ".join(repr(v) for v in list(values[:_SHOWN]))
    more = len(values) - _SHOWN
    return f"{shown}, and {more:,} more" if more > 0 else shown


def _check_frame(parcels: Any) -> None:
    if not isinstance(parcels, gpd.GeoDataFrame):
        raise ParcelsError(
            "the parcels are not a GeoDataFrame",
            given=type(parcels).__name__,
            hint="read a file with cbmcube.read_parcels, or make a geopandas.GeoDataFrame",
        )
    if parcels.active_geometry_name not in parcels.columns:
        raise ParcelsError(
            "the parcels have no active geometry",
            given=f"columns {list(parcels.columns)}",
            hint="choose one with parcels.set_geometry(column)",
        )
    if parcels.crs is None:
        raise MissingCRSError(
            "the parcels have no coordinate reference system",
            hint="state the one their coordinates are in: parcels.set_crs('EPSG:...')",
        )
    if parcels.empty:
        raise ParcelsError("there are no parcels: the GeoDataFrame has no rows")
    _check_index(parcels)


def _check_index(parcels: gpd.GeoDataFrame) -> None:
    if parcels.index.nlevels > 1:
        raise ParcelsError(
            "the parcels have an index of several levels",
            given=list(parcels.index.names),
            hint="join the levels: parcels.index = ['/'.join(map(str, i)) for i in parcels.index]",
        )
    if INDEX_NAME in parcels.columns:
        raise ParcelsError(
            f"a column is named {INDEX_NAME!r}, as the index must be",
            hint=f"make it the index with parcels.set_index({INDEX_NAME!r}), or rename it",
        )


def _check_polygonal(parcels: gpd.GeoDataFrame) -> None:
    geometry = parcels.geometry.to_numpy()
    kinds = shapely.get_type_id(geometry)
    # An empty geometry has no area whatever its type, so its type does no harm.
    present = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
    other = present & ~np.isin(kinds, _POLYGONAL)
    if not other.any():
        return
    found = sorted({shapely.GeometryType(k).name.capitalize() for k in kinds[other]})
    raise ParcelsError(
        f"{other.sum():,} of {len(parcels):,} parcels are not polygons but {', '.join(found)}",
        given=f"parcels {some(parcels.index[other])}",
        allowed="Polygon, MultiPolygon",
        hint="keep the polygonal parts only, or leave these parcels out",
    )
