"""Find the ids of parcels among the columns of a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from cbmcube.exceptions import DuplicateIdError, MissingIdError
from cbmcube.parcels._check import check_ids, some

FEATURE_ID = "fid"
"""How the feature id that a file keeps beside its columns is called."""

ROW = "row"
"""How the number of the row is asked for, where nothing else tells parcels apart."""

USUAL_NAMES = ("parcel", "parcel_id", "field_id", "localId")
"""Columns that are taken as ids when none is named; ``localId`` is prescribed by INSPIRE.

No other name is guessed, but for `ONLY_NAME`.
"""

ONLY_NAME = "id"
"""What fiboa prescribes, and usual for the key of a database's table.

Taken only where no feature id stands beside the columns: GeoJSON, for one, calls that ``id``, and
it may be no more than the number of the row.
"""

_OFFERED = 5


def identify(
    columns: pd.DataFrame, features: pd.Series[int] | None, names: str | Sequence[str] | None
) -> tuple[pd.Index[Any], list[str]]:
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
    ids, names
        Unique ids, whose name is the column they come from, None if there were several;
        and the columns.
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
    if not ids.is_unique and not ids.hasnans:
        raise _repeated(ids, columns, features, listed)
    check_ids(ids, what=f"the id {'/'.join(listed)!r}")
    return ids, listed


def _usual(columns: pd.DataFrame, features: pd.Series[int] | None) -> str:
    usual = [name for name in USUAL_NAMES if name in columns]
    if len(usual) == 1:
        return usual[0]
    if not usual and features is None and ONLY_NAME in columns:
        return ONLY_NAME
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
    if name == ROW:
        return pd.Series(np.arange(len(columns)), name=ROW)
    raise MissingIdError(
        f"there is no column {name!r} to take the parcel ids from",
        given=f"columns {list(columns.columns)}",
        allowed=_choices(columns, features),
        hint="name an existing column as id",
    )


def _repeated(
    ids: pd.Index[Any],
    columns: pd.DataFrame,
    features: pd.Series[int] | None,
    listed: list[str],
) -> DuplicateIdError:
    """Return the error for ids that repeat, with the ways out that this file has."""
    surplus = ids[ids.duplicated(keep="first")]
    values = surplus.unique()
    partners = _partners(columns, listed)
    ways = [f"name the rows instead: id={ROW!r}, from 0 in the order of the file"]
    if partners:
        joined = [*listed, partners[0]]
        ways.insert(0, f"join columns, if that is what names a parcel: id={joined}")
    beside = f"; unique beside {'/'.join(listed)}: {', '.join(partners)}" if partners else ""
    return DuplicateIdError(
        f"the id {'/'.join(listed)!r} is not unique: {len(values):,} values repeat, "
        f"in {len(surplus):,} surplus rows",
        given=some(values),
        allowed=_choices(columns, features) + beside,
        hint="; or ".join(ways),
    )


def _partners(columns: pd.DataFrame, listed: list[str]) -> list[str]:
    """Name columns that are unique together with the listed ones, though not alone."""
    present = [name for name in listed if name in columns]
    found: list[str] = []
    for name in columns:
        column = columns[name]
        if name in listed or not _names_things(column) or column.is_unique:
            continue
        if not columns[[*present, name]].duplicated().any():
            found.append(str(name))
        if len(found) == _OFFERED:
            break
    return found


def _choices(columns: pd.DataFrame, features: pd.Series[int] | None) -> str:
    """Name the columns whose values could be ids, as text."""
    unique = [str(n) for n in columns if _names_things(columns[n]) and columns[n].is_unique]
    if features is not None and FEATURE_ID not in columns:
        unique.append(f"{FEATURE_ID} (the feature id of the file)")
    return f"unique in every row: {', '.join(unique)}" if unique else "no column is unique"


def _names_things(column: pd.Series[Any]) -> bool:
    # Areas and coordinates are unique by chance; only whole numbers and text name a parcel.
    # Lists, which some formats hold, cannot be compared.
    kind = pd.api.types.infer_dtype(_whole(column), skipna=False)
    return kind in ("string", "integer")


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
