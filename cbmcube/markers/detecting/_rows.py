"""From what was found to rows of an event table: every parcel has events, or one row without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.markers.detecting._outcome import Found, reason_code
from cbmcube.markers.events import EVENT_COLUMNS, NOT_EXECUTED, REASONS

_DAY_MICROSECONDS = 86_400e6

_Floats = NDArray[np.float64]


def to_rows(
    found: Sequence[Found], relevant: NDArray[np.bool_], begin: np.datetime64
) -> pd.DataFrame:
    """Return a row for each event, and one for each parcel without."""
    first = np.cumsum([0, *(len(one.reason) for one in found)])
    tables = [
        _rows(one, relevant[low : low + len(one.reason)], low)
        for one, low in zip(found, first, strict=False)
    ]
    table = pd.concat(tables, ignore_index=True)
    for name in table:
        if str(name).endswith("_date"):
            table[name] = dates(table[name].to_numpy(), begin)
    code = table["reason"].to_numpy()
    table["reason"] = np.array([None, *REASONS], dtype=object)[code + 1]
    executed = np.isin(code, [reason_code(name) for name in NOT_EXECUTED])
    table["status"] = np.where(code < 0, "OK", np.where(executed, "NOT_EXECUTED", "NOT_VALID"))
    return table


_STILL_LISTED = ("GAP", "CLASS_POOR")  # reasons that do not hide the events of a parcel


def _rows(found: Found, relevant: NDArray[np.bool_], first: int) -> pd.DataFrame:
    reason = np.where(relevant, found.reason, reason_code("NOT_RELEVANT"))
    events = _events(found, reason)
    number = np.setdiff1d(np.arange(len(reason)), events["number"])
    others = pd.DataFrame({"number": number, "reason": reason[number]})
    for rows in (events, others):
        for name, values in found.extra.items():
            rows[name] = np.asarray(values)[rows["number"]]
    table = pd.concat([events, others], ignore_index=True)
    number = table["number"].to_numpy()
    sizes = np.bincount(events["number"], minlength=len(reason))
    for column in table:
        if EVENT_COLUMNS.get(str(column)) in ("flag", "count"):
            table[column] = table[column].fillna(0).astype("int64")
    return table.assign(
        number=number + first,
        open=table["open"].astype(bool),
        provisional=(table["provisional"] | table["open"]).astype(bool),
        n_events=sizes[number],
        n_obs_window=found.n_obs[number],
        max_gap_days=found.longest[number],
    )


def _events(found: Found, reason: NDArray[np.int8]) -> pd.DataFrame:
    """Return the events of parcels that can be judged, or that are too small to be sure."""
    listed = np.isin(reason, [-1, *map(reason_code, _STILL_LISTED)])
    unsaid = {"reason": -1, "open": 0, "provisional": 0, "main_date": np.nan}
    columns: dict[str, Any] = {n: np.full(len(found.parcel), value) for n, value in unsaid.items()}
    columns |= {name: np.asarray(values) for name, values in found.columns.items()}
    columns |= {name: columns[name].astype("int64") for name in ("open", "provisional")}
    events = pd.DataFrame({"number": found.parcel, **columns})[listed[found.parcel]]
    poor = reason[events["number"]] == reason_code("CLASS_POOR")
    return events.assign(reason=np.where(poor, reason_code("CLASS_POOR"), events["reason"]))


def dates(days: _Floats, begin: np.datetime64) -> NDArray[np.datetime64]:
    """Return days after `begin` as dates to the microsecond, NaN as NaT.

    Observations come back as they are: days keep microseconds over centuries, nanoseconds not.
    """
    days = np.asarray(days, dtype="float64")
    known = np.isfinite(days)
    after = np.round(np.where(known, days, 0.0) * _DAY_MICROSECONDS).astype("int64")
    moments = begin + after.astype("timedelta64[us]").astype("timedelta64[ns]")
    return np.asarray(np.where(known, moments, np.datetime64("NaT", "ns")))
