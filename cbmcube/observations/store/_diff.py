"""The difference of two stores, unit by unit and number by number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cbmcube.observations.store._parts import stored_bits
from cbmcube.observations.store._rows import read_rows

if TYPE_CHECKING:
    from cbmcube.observations.store._store import Store

_COLUMNS = {
    "key": "str",
    "acquisition": "str",
    "group": "int64",
    "difference": "str",
    "column": "str",
    "rows": "int64",
    "largest": "float64",
}
_Row = dict[str, Any]


def diff(
    a: Store, b: Store, *, snapshots: tuple[int | None, int | None] = (None, None)
) -> pd.DataFrame:
    """List what differs between the results in two stores, or in two snapshots of one.

    Units are paired by key. What remains, because an input or the recipe differs, is paired
    by acquisition and group of parcels.

    Parameters
    ----------
    a, b
        The stores.
    snapshots
        Numbers of their snapshots; the latest by default.

    Returns
    -------
    pandas.DataFrame
        Empty if the results are equal bit by bit. Otherwise one row for each unit and kind
        of difference: ``key`` (of `a`, or of `b` if only there), ``acquisition``, ``group``,
        ``difference`` (``only in a``, ``only in b``, ``status``, ``schema``, ``rows``,
        ``values``), ``column``, ``rows`` (how many differ) and ``largest`` (of the differences
        of numbers; NaN where one is missing or it is text).

    Examples
    --------
    >>> from cbmcube.observations.store import create_store, diff
    >>> folder = getfixture("tmp_path")
    >>> stores = [create_store(folder / name, {"product": "CARD-BS"}) for name in "ab"]
    >>> for store, value in zip(stores, (0.5, 0.75)):
    ...     plan = store.put_blob("plans", b"{}", "json")
    ...     rows = pa.table({"parcel": [1, 2], "mean": [0.25, value]})
    ...     commit = store.commit("0" * 64, rows, status="ok", info={"acquisition": "a"})
    ...     snapshot = store.publish(plan=plan, keys=[commit.key])
    >>> diff(*stores)[["difference", "column", "rows", "largest"]].to_dict("records")
    [{'difference': 'values', 'column': 'mean', 'rows': 1, 'largest': 0.25}]
    """
    left, right = (
        store.snapshot(number).parts.to_pylist()
        for store, number in zip((a, b), snapshots, strict=True)
    )
    found: list[_Row] = []
    for one, other in _pairs(left, right):
        if one is None or other is None:
            row = one or other
            found.append(_difference(row, "only in a" if one else "only in b"))
        else:
            found += _compare(a, one, b, other)
    return pd.DataFrame(found, columns=list(_COLUMNS)).astype(_COLUMNS)


def _pairs(left: list[_Row], right: list[_Row]) -> Iterator[tuple[_Row | None, _Row | None]]:
    theirs = {row["key"]: row for row in right}
    rest = []
    for row in left:
        other = theirs.pop(row["key"], None)
        if other is None:
            rest.append(row)
        else:
            yield row, other
    by_place = {(row["acquisition"], row["group"]): row for row in theirs.values()}
    for row in rest:
        other = by_place.pop((row["acquisition"], row["group"]), None)
        if other is not None:
            del theirs[other["key"]]
        yield row, other
    for row in theirs.values():
        yield None, row


def _compare(a: Store, one: _Row, b: Store, other: _Row) -> Iterator[_Row]:
    if one["status"] != other["status"]:
        yield _difference(one, "status", column=f"{one['status']}, {other['status']}")
    if one["content"] == other["content"]:
        return
    if one["file"] is None or other["file"] is None:
        yield _difference(one, "rows", rows=abs(one["rows"] - other["rows"]))
        return
    tables = read_rows(a, one), read_rows(b, other)
    if tables[0].schema != tables[1].schema:
        columns = [{f"{field.name}: {field.type}" for field in t.schema} for t in tables]
        strange = columns[0] ^ columns[1]
        yield _difference(one, "schema", column=", ".join(sorted(strange)))
    if one["rows"] != other["rows"]:
        yield _difference(one, "rows", rows=abs(one["rows"] - other["rows"]))
        return
    for name in tables[0].column_names:
        if name in tables[1].column_names:
            yield from _compare_columns(one, name, tables[0][name], tables[1][name])


def _compare_columns(
    row: _Row, name: str, one: pa.ChunkedArray, other: pa.ChunkedArray
) -> Iterator[_Row]:
    arrays = [column.combine_chunks() for column in (one, other)]
    nulls = [pc.is_null(array).to_numpy(zero_copy_only=False) for array in arrays]
    numbers = all(pa.types.is_integer(a.type) or pa.types.is_floating(a.type) for a in arrays)
    if not numbers:
        text = [pc.fill_null(array.cast(pa.string()), "") for array in arrays]
        unlike = pc.not_equal(*text).to_numpy(zero_copy_only=False)
    elif arrays[0].type == arrays[1].type:
        # By their bits, as the hash of the content: -0.0 is not 0.0, and NaN is NaN.
        unlike = stored_bits(arrays[0]) != stored_bits(arrays[1])
    else:
        values = [array.to_numpy(zero_copy_only=False) for array in arrays]
        unlike = (values[0] != values[1]) & ~(np.isnan(values[0]) & np.isnan(values[1]))
    unlike |= nulls[0] != nulls[1]
    if unlike.any():
        largest = _largest(arrays, unlike & ~nulls[0] & ~nulls[1]) if numbers else np.nan
        yield _difference(row, "values", column=name, rows=int(unlike.sum()), largest=largest)


def _largest(arrays: list[pa.Array], where: np.ndarray) -> float:
    """Return the largest difference of two numbers; NaN if there is none."""
    # Extended precision holds every int64, which float64 does not.
    one, other = (pc.fill_null(array, 0).to_numpy()[where].astype("longdouble") for array in arrays)
    gaps = np.abs(one - other)
    gaps = gaps[~np.isnan(gaps)]
    return float(gaps.max()) if gaps.size else np.nan


def _difference(
    row: _Row | None,
    kind: str,
    *,
    column: str = "",
    rows: int | None = None,
    largest: float = np.nan,
) -> _Row:
    row = row or {}
    return {
        "key": row["key"],
        "acquisition": row["acquisition"],
        "group": row["group"],
        "difference": kind,
        "column": column,
        "rows": row["rows"] if rows is None else rows,
        "largest": largest,
    }
