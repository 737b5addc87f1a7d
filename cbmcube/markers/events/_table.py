"""The event table: one row for each event, or for each parcel without one, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from cbmcube.exceptions import OptionError

Kind = Literal["id", "text", "status", "reason", "kind", "date", "float", "count", "flag", "list"]

EVENT_COLUMNS: Mapping[str, Kind] = {
    "parcel": "id",
    "marker": "text",
    "marker_version": "text",
    "params_id": "text",
    "event_id": "text",
    "status": "status",
    "reason": "reason",
    "start_date": "date",
    "main_date": "date",
    "end_date": "date",
    "before_date": "date",
    "value_start": "float",
    "value_main": "float",
    "value_end": "float",
    "magnitude": "float",
    "score": "float",
    "p_value": "float",
    "confidence": "float",
    "confidence_kind": "kind",
    "n_obs": "count",
    "n_obs_window": "count",
    "gap_overlap_days": "float",
    "max_gap_days": "float",
    "sources": "list",
    "provisional": "flag",
    "open": "flag",
    "n_events": "count",
}
"""Columns of an event table, in order, and what each holds: an id as in the vector cube, text,
a date (UTC, nanoseconds), a float32, a count (uint16), a flag, a list of texts, or a category."""

STATUS = ("OK", "NOT_VALID", "NOT_EXECUTED")
REASONS = (
    "TOO_FEW_OBS",
    "GAP",
    "TOO_SHORT",
    "CLASS_POOR",
    "CLASS_NONE",
    "NO_INPUT",
    "NOT_RELEVANT",
    "UNKNOWN_OFFSET",
    "FLAT_REFERENCE",
    "NO_REFERENCE",
    "UNCONFIRMED",
)
NOT_EXECUTED = ("CLASS_NONE", "NO_INPUT", "NOT_RELEVANT")
"""Reasons for which a marker does not run at all; with the others it runs and cannot tell."""
CONFIDENCE_KINDS = ("p_value", "score_exp", "fused", "none")

_CATEGORIES = {"status": STATUS, "reason": REASONS, "kind": CONFIDENCE_KINDS}
_DEFAULTS: dict[Kind, object] = {
    "text": "",
    "status": "OK",
    "reason": None,
    "kind": "none",
    "date": pd.NaT,
    "float": np.nan,
    "count": 0,
    "flag": False,
}
_ORDER = ["parcel", "marker", "start_date", "event_id"]


def empty_events() -> pd.DataFrame:
    """Return an event table without rows.

    Examples
    --------
    >>> from cbmcube.markers import empty_events
    >>> empty_events().shape
    (0, 27)
    """
    return make_events({"parcel": []})


def make_events(
    columns: Mapping[str, Any], *, further: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Build an event table from some of its columns.

    Parameters
    ----------
    columns
        Arrays of one length by column name; `parcel` is required. Other columns default to
        an event that is ``OK`` and of which nothing else is known.
    further
        Columns that an event table does not have, to follow its own as they are.

    Returns
    -------
    pandas.DataFrame
        All columns of :data:`EVENT_COLUMNS` with their types, sorted by parcel, marker, start
        and event. ``event_id`` is a hash of parcel, marker, start and end.

    Raises
    ------
    OptionError
        If a column is not one of the table's.

    Examples
    --------
    >>> import pandas as pd
    >>> from cbmcube.markers import make_events
    >>> cuts = pd.to_datetime(["2024-05-20", "2024-05-02"])
    >>> events = make_events({"parcel": ["P1", "P0"], "marker": "mowing", "start_date": cuts})
    >>> events[["parcel", "marker", "status"]]
      parcel  marker status
    0     P0  mowing     OK
    1     P1  mowing     OK
    """
    unknown = [name for name in columns if name not in EVENT_COLUMNS]
    if unknown or "parcel" not in columns:
        raise OptionError(
            "an event table is made of its own columns, parcel among them",
            given=", ".join(map(str, columns)),
            allowed=", ".join(EVENT_COLUMNS),
            hint="join further columns to the finished table",
        )
    index = pd.RangeIndex(len(columns["parcel"]))
    data = {name: _column(name, columns, index) for name in EVENT_COLUMNS}
    table = pd.DataFrame(data, index=index)
    table["event_id"] = _event_ids(table)
    for name, values in (further or {}).items():
        table[name] = pd.Series(values, index=index)
    return table.sort_values(_ORDER, kind="stable", na_position="last", ignore_index=True)


def _column(name: str, columns: Mapping[str, Any], index: pd.Index) -> pd.Series[Any]:
    kind = EVENT_COLUMNS[name]
    if kind == "list":
        rows = columns.get(name, [()] * len(index))
        return pd.Series([[*row] for row in rows], index=index, dtype=object)
    if kind == "id":
        return pd.Series(columns[name], index=index)
    values = columns.get(name, [_DEFAULTS[kind]] * len(index))
    return pd.Series(values, index=index, dtype=_dtype(kind))


def _dtype(kind: Kind) -> Any:
    if kind in _CATEGORIES:
        return pd.CategoricalDtype([*_CATEGORIES[kind]])
    plain = {"date": "datetime64[ns]", "float": "float32", "count": "uint16", "flag": "bool"}
    return plain.get(kind, str)


def _event_ids(table: pd.DataFrame) -> pd.Series[Any]:
    key = table["parcel"].astype(str) + "|" + table["marker"].astype(str)
    for name in ("start_date", "end_date"):
        key += "|" + table[name].astype("int64").astype(str)
    return key.map(_hash).astype(str)


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def check_events(events: pd.DataFrame) -> pd.DataFrame:
    """Return `events` unchanged if it is a sound event table.

    Sound means: all columns with their types; start, main and end date in order; confidence 0
    to 1; a reason exactly where the status is not ``OK``; rows sorted; and for each parcel,
    marker and parameters either events, each stating their number, or one row without event.

    Raises
    ------
    OptionError
        Naming the first rule that is broken, and a parcel where it is.

    Examples
    --------
    >>> from cbmcube.markers import check_events, make_events
    >>> events = make_events({"parcel": ["P1"], "marker": ["mowing"]})
    >>> check_events(events)["status"].item()
    'OK'
    """
    _check_columns(events)
    no_event = events["main_date"].isna()
    group = events.groupby(["parcel", "marker", "params_id"], sort=False, observed=True)["n_events"]
    stated = np.where(no_event, 0, group.transform("size"))
    dates = events[["start_date", "main_date", "end_date"]]
    rules = {
        "start, main and end date must be in order": _in_order(dates),
        "an event that is not open has a start and an end": no_event
        | (dates["start_date"].notna() & (dates["end_date"].notna() | events["open"])),
        "a row without event has no dates": ~no_event | dates.isna().all(axis=1),
        "confidence must lie between 0 and 1": ~(
            (events["confidence"] < 0) | (events["confidence"] > 1)
        ),
        "a status other than OK, and only it, needs a reason": (events["status"] == "OK")
        == events["reason"].isna(),
        "n_events must be the number of events of the parcel": events["n_events"] == stated,
        "a parcel has events or one row without": ~no_event | (group.transform("size") == 1),
    }
    for rule, good in rules.items():
        if not good.all():
            row = events.loc[~good].iloc[0]
            raise OptionError(
                f"this is no sound event table: {rule}",
                given=f"parcel {row['parcel']!r}, marker {row['marker']!r}",
                hint="build the table with make_events and one marker run at a time",
            )
    _check_sorted(events)
    return events


def _in_order(dates: pd.DataFrame) -> pd.Series[Any]:
    start, main, end = (dates[name] for name in ("start_date", "main_date", "end_date"))
    return ~((start > main) | (main > end) | (start > end))


def _check_columns(events: pd.DataFrame) -> None:
    missing = [name for name in EVENT_COLUMNS if name not in events]
    if missing:
        raise OptionError(
            "this is no event table: columns are missing",
            given=", ".join(missing),
            allowed=", ".join(EVENT_COLUMNS),
            hint="build the table with make_events",
        )
    for name, kind in EVENT_COLUMNS.items():
        if kind in ("id", "list", "text"):
            continue
        if events[name].dtype != _dtype(kind):
            raise OptionError(
                f"column {name!r} of the event table has another type",
                given=str(events[name].dtype),
                allowed=str(_dtype(kind)),
                hint="build the table with make_events",
            )


def _check_sorted(events: pd.DataFrame) -> None:
    order = events[_ORDER].sort_values(_ORDER, kind="stable", na_position="last").index
    if not order.equals(events.index):
        raise OptionError(
            "this is no sound event table: rows are not in order",
            allowed=f"sorted by {', '.join(_ORDER)}",
            hint="build the table with make_events",
        )
