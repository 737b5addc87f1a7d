"""Find the ids of parcels among the columns of a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from cbmcube.exceptions import MissingIdError
from cbmcube.parcels._check import check_ids

FEATURE_ID = "fid"
"""How the feature id that a file keeps beside its columns is called."""

USUAL_NAMES = ("parcel", "parcel_id", "field_id")
"""Columns that are taken as ids when none is named; no other name is guessed."""


def identify(
    columns: pd.DataFrame, features: pd.Series[int] | None, names: str | Sequence[str] | None
) -> pd.Index[Any]:
    """Return the ids of parcels.

    Parameters
    ----------
    columns
        The columns of the file without its geometries.
    features
        The feature id of each row, named as the file names it; None if there is none.
    names
        The column of the ids, or several whose values are joined with ``/``.

    Returns
    -------
    pandas.Index
        Unique ids; its name is the column they come from, None if there were several.
    """
    wanted = _usual(columns, features) if names is None else names
    listed = [wanted] if isinstance(wanted, str) else list(wanted)
    parts = [_whole(_column(columns, features, name)) for name in listed]
    if len(parts) == 1:
        ids = pd.Index(parts[0], name=listed[0])
    else:
        for part, name in zip(parts, listed, strict=True):
            _refuse_missing(part, name)
        joined = reduce(lambda left, right: left + "/" + right, (p.astype(str) for p in parts))
        ids = pd.Index(joined.to_numpy())
    check_ids(ids, what=f"the id {'/'.join(listed)!r}")
    return ids


def _usual(columns: pd.DataFrame, features: pd.Series[int] | None) -> str:
    usual = [name for name in USUAL_NAMES if name in columns]
    if len(usual) == 1:
        return usual[0]
    raise MissingIdError(
        "nothing says which column holds the parcel ids",
        given=f"columns {list(columns.columns)}",
        allowed=_choices(columns, features),
        hint="name it: read_parcels(path, id='...'), or several: id=['farm', 'field']",
    )


def _column(columns: pd.DataFrame, features: pd.Series[int] | None, name: str) -> pd.Series[Any]:
    if name in columns:
        return columns[name]
    if features is not None and name in (FEATURE_ID, features.name):
        return features
    raise MissingIdError(
        f"there is no column {name!r} to take the parcel ids from",
        given=f"columns {list(columns.columns)}",
        allowed=_choices(columns, features),
        hint="name an existing column as id",
    )


def _choices(columns: pd.DataFrame, features: pd.Series[int] | None) -> str:
    """Name the columns whose values could be ids, as text."""
    unique = [str(name) for name in columns if _could_be_id(columns[name])]
    if features is not None and FEATURE_ID not in columns:
        unique.append(f"{FEATURE_ID} (the feature id of the file)")
    return f"unique in every row: {', '.join(unique)}" if unique else "no column is unique"


def _could_be_id(column: pd.Series[Any]) -> bool:
    # Areas and coordinates are unique by chance; only whole numbers and text name a parcel.
    # The kind comes first because lists, which some formats hold, cannot be compared.
    kind = pd.api.types.infer_dtype(_whole(column), skipna=False)
    return kind in ("string", "integer") and column.is_unique


def _whole(column: pd.Series[Any]) -> pd.Series[Any]:
    """Turn whole numbers that a file stores as floats back into integers."""
    if not pd.api.types.is_float_dtype(column.dtype):
        return column
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    exact = np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < 2.0**53)
    return column.astype(np.int64) if exact.all() else column


def _refuse_missing(part: pd.Series[Any], name: str) -> None:
    missing = int(part.isna().sum())
    if missing:
        raise MissingIdError(
            f"the id column {name!r} is null in {missing:,} of {len(part):,} rows",
            hint="give these parcels an id, or leave them out",
        )
