"""The difference of two stores, unit by unit and number by number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

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
        strange = set(map(str, tables[0].schema)) ^ set(map(str, tables[1].schema))
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
    numbers = all(pa.types.is_floating(c.type) or pa.types.is_integer(c.type) for c in (one, other))
    if not numbers:
        same = pc.fill_null(pc.equal(one.cast(pa.string()), other.cast(pa.string())), False)
        both_null = pc.and_(pc.is_null(one), pc.is_null(other))
        unlike = pc.sum(pc.invert(pc.or_(same, both_null))).as_py() or 0
        if unlike:
            yield _difference(row, "values", column=name, rows=unlike)
        return
    first, second = (c.to_numpy().astype("float64") for c in (one, other))
    unlike = (first != second) & ~(np.isnan(first) & np.isnan(second))
    if unlike.any():
        gaps = np.abs(first[unlike] - second[unlike])
        largest = np.nanmax(gaps) if not np.isnan(gaps).all() else np.nan
        yield _difference(row, "values", column=name, rows=int(unlike.sum()), largest=largest)


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
