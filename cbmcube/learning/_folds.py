"""Folds of whole squares of land, so that neighbours never judge each other."""

from __future__ import annotations

from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.learning._channels import refuse_repeated

SIZE = 10_000.0
"""Default side of a square, metres."""
_DEGREES = 10.0  # a larger square of a geographic CRS was surely meant in metres


def spatial_folds(
    parcels: geopandas.GeoDataFrame | geopandas.GeoSeries | xr.Dataset | pd.DataFrame,
    *,
    size: float = SIZE,
    folds: int = 4,
    repeats: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Deal squares of land to folds, several times.

    Parameters
    ----------
    parcels
        Parcels with geometries, indexed by id; a vector cube; or a table with the columns ``x``
        and ``y``. The centroid decides on a parcel's square.
    size
        Side of the squares in units of the CRS: metres, or degrees of a geographic CRS.
    folds
        Groups, at least two.
    repeats
        How often to deal anew.
    seed
        Seed of the random numbers.

    Returns
    -------
    pandas.DataFrame
        Indexed by parcel, in the given order: ``block``, the square as ``<column>_<row>``, and
        ``fold_1`` … (int8, from 0). The largest squares are dealt first, each to the fold with
        the fewest parcels, equals in random order. Result and order of parcels are independent.

    Raises
    ------
    OptionError
        If the size does not fit the CRS, a parcel has no place, or there are fewer squares than
        folds.
    DuplicateIdError
        If a parcel occurs twice.

    Notes
    -----
    Folds of single parcels make results look better than they are on new land: neighbours share
    weather, soil, orbit and farmer. Squares of 10 km are a starting value; see
    Roberts et al. (2017), Ecography 40, 913.

    Examples
    --------
    >>> from cbmcube.learning import spatial_folds
    >>> from cbmcube.testing import vector_cube
    >>> spatial_folds(vector_cube(parcels=8), size=400, repeats=1)["fold_1"].value_counts().max()
    np.int64(2)
    """
    if folds < 2 or repeats < 1:
        raise OptionError(
            "there are at least two folds, dealt once",
            given=f"folds={folds}, repeats={repeats}",
        )
    index, x, y = _places(parcels, size)
    refuse_repeated(index)
    cell = np.stack([np.floor(x / size), np.floor(y / size)], axis=1).astype("int64")
    squares, number = np.unique(cell, axis=0, return_inverse=True)
    number = number.reshape(-1)
    if len(squares) < folds:
        raise OptionError(
            "there are fewer squares than folds",
            given=f"{len(squares)} squares of {size:g}",
            allowed=f"at least {folds}",
            hint="choose smaller squares, or fewer folds",
        )
    block = np.array([f"{column}_{row}" for column, row in squares])[number]
    result = pd.DataFrame({"block": block}, index=index.rename("parcel"))
    rng = np.random.default_rng(seed)
    parcels_in = np.bincount(number)
    for repeat in range(1, repeats + 1):
        result[f"fold_{repeat}"] = _deal(parcels_in, folds, rng)[number]
    return result


def _deal(size: NDArray[np.int64], folds: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Return the fold of each square; a loop over squares, of which a country has hundreds."""
    order = rng.permutation(len(size))
    order = order[np.argsort(-size[order], kind="stable")]
    fold = np.zeros(len(size), dtype="int8")
    filled = np.zeros(folds, dtype="int64")
    for square in order:
        fold[square] = filled.argmin()
        filled[fold[square]] += size[square]
    return fold


def _places(
    parcels: object, size: float
) -> tuple[pd.Index, NDArray[np.float64], NDArray[np.float64]]:
    if isinstance(parcels, pd.DataFrame) and not isinstance(parcels, geopandas.GeoDataFrame):
        if not {"x", "y"} <= {*parcels.columns}:
            raise OptionError(
                "the table has no coordinates",
                given=", ".join(map(str, parcels.columns)),
                allowed="columns x and y",
            )
        index = parcels.index
        x, y = parcels["x"].to_numpy("float64"), parcels["y"].to_numpy("float64")
        crs = None
    else:
        index, shapes, crs = _geometries(parcels)
        middle = shapely.centroid(shapes)
        x, y = shapely.get_x(middle), shapely.get_y(middle)
    if not size > 0 or (crs is not None and crs.is_geographic and size > _DEGREES):
        raise OptionError(
            "the size of squares does not fit the CRS",
            given=f"size={size:g} in {crs.name if crs is not None else 'units of x and y'}",
            allowed="a positive number in units of the CRS",
            hint="parcels.to_crs(3035) has metres; in degrees, 0.1 is some 10 km",
        )
    if not (np.isfinite(x) & np.isfinite(y)).all():
        raise OptionError(
            "parcels without a place cannot be dealt to squares",
            given=f"{int((~(np.isfinite(x) & np.isfinite(y))).sum())} parcels",
            hint="drop parcels with empty geometries",
        )
    return index, x, y


def _geometries(parcels: object) -> tuple[pd.Index, NDArray[np.object_], Any]:
    if isinstance(parcels, xr.Dataset) and "geometry" in parcels.coords:
        crs = getattr(parcels.xindexes.get("geometry"), "crs", None)
        return parcels.indexes["parcel"], parcels["geometry"].to_numpy(), crs
    if isinstance(parcels, (geopandas.GeoDataFrame, geopandas.GeoSeries)):
        return parcels.index, np.asarray(parcels.geometry.array), parcels.crs
    raise OptionError(
        "parcels have no geometries",
        given=type(parcels).__name__,
        allowed="GeoDataFrame, GeoSeries, a vector cube, or a DataFrame with x and y",
    )
