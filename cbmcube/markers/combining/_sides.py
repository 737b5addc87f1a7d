"""Two event tables side by side: their events, and what is said of parcels without."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.markers.events import (
    EVENT_COLUMNS,
    NOT_EXECUTED,
    OPEN,
    REASONS,
    Intervals,
    check_events,
    make_events,
)

LOOKED = 0
"""Gravity of a parcel that was looked at."""
_REASONS = (None, *(r for r in REASONS if r not in NOT_EXECUTED), *NOT_EXECUTED)
_ABSENT = len(_REASONS)  # the parcel is not in the table at all

_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Side:
    """One event table, with parcels numbered as in both."""

    events: pd.DataFrame
    """Rows with events: the event table's columns, `number` of the parcel, and `parts`."""
    gravity: _Ints
    """(parcel): 0 where somebody looked; otherwise the graver, the less was done."""
    n_obs: _Ints
    """(parcel): valid observations in the window."""
    longest: NDArray[np.float64]
    """(parcel): longest time without one in days, NaN where it is not known."""
    sources: list[list[str]]
    """(parcel): who looked, or should have."""
    optical: NDArray[np.bool_]
    """(parcel): whether one of them sees light; not where the table lacks the parcel."""
    names: dict[str, str]
    """Marker, version and parameters; empty for a table without rows."""

    @classmethod
    def of(cls, table: pd.DataFrame, parcels: pd.Index) -> Side:
        """Take the event table of one marker apart."""
        names = _names(check_events(table))
        number = parcels.get_indexer(pd.Index(table["parcel"]))
        table, number = table[number >= 0], number[number >= 0]
        parts = table["parts"] if "parts" in table else table["event_id"].map(lambda one: [one])
        is_event = table["main_date"].notna().to_numpy()
        listed = table["sources"].map(list).astype(object)
        events = table[[*EVENT_COLUMNS]].assign(number=number, parts=parts, sources=listed)
        order = {reason: gravity for gravity, reason in enumerate(_REASONS)}
        gravity = table["reason"].astype(object).map(order).where(~is_event).fillna(LOOKED)
        state = events.assign(gravity=gravity).drop_duplicates("parcel").set_index("parcel")
        state = state.reindex(parcels)
        sources = [one if isinstance(one, list) else [] for one in state["sources"]]
        return cls(
            events=events[is_event].reset_index(drop=True),
            gravity=state["gravity"].fillna(_ABSENT).to_numpy(dtype=int),
            n_obs=state["n_obs_window"].fillna(0).to_numpy(dtype=int),
            longest=state["max_gap_days"].to_numpy(dtype=float),
            sources=sources,
            optical=np.array(
                [any(not name.startswith("S1") for name in some) for some in sources], dtype=bool
            ),
            names=names,
        )

    @property
    def seen_gap(self) -> NDArray[np.float64]:
        """(parcel): longest time without observation of a table that could use them, else NaN."""
        looked = np.isin(self.gravity, [LOOKED, _REASONS.index("GAP")])
        return np.where(looked, self.longest, np.nan)

    @property
    def intervals(self) -> Intervals:
        """From start to end of each event; of an open one for ever."""
        return intervals_of(self.events)

    def has_events(self) -> NDArray[np.bool_]:
        """(parcel): whether there is any."""
        return np.bincount(self.events["number"], minlength=len(self.gravity)) > 0


def sides(
    first: pd.DataFrame, second: pd.DataFrame, *, of_both: bool = True
) -> tuple[pd.Index, Side, Side]:
    """Return the parcels of two event tables, or of the first, and both with parcels numbered."""
    ids = [pd.Index(table["parcel"].unique()) for table in (first, second)]
    filled = [one for one in ids if len(one)] or ids[:1]
    if len({pd.api.types.is_numeric_dtype(one) for one in filled}) > 1:
        raise OptionError(
            "the parcels of both tables must be called the same",
            given=f"{ids[0][0]!r} and {ids[1][0]!r}",
            hint="turn the ids of one table into the type of the other",
        )
    parcels = ids[0].append(ids[1]).unique() if of_both else ids[0]
    return parcels, Side.of(first, parcels), Side.of(second, parcels)


def _names(table: pd.DataFrame) -> dict[str, str]:
    few = table[["marker", "marker_version", "params_id"]].drop_duplicates()
    if len(few) > 1:
        raise OptionError(
            "tables of one marker and one rule each can be combined",
            given="; ".join(few.astype(str).agg(" ".join, axis=1)),
            hint="combine them one after the other",
        )
    return {str(name): str(value) for name, value in few.iloc[0].items()} if len(few) else {}


def intervals_of(events: pd.DataFrame) -> Intervals:
    """Return the intervals of rows that have a `number`, in nanoseconds."""
    start = events["start_date"].fillna(events["main_date"])
    end = np.where(events["end_date"].isna(), OPEN, nanoseconds(events["end_date"]))
    return Intervals(events["number"].to_numpy(), nanoseconds(start), end)


def nanoseconds(dates: pd.Series[Any]) -> _Ints:
    """Return dates as integers."""
    return dates.to_numpy().astype("datetime64[ns]").astype("int64")


def moments(stamps: _Ints) -> NDArray[np.datetime64]:
    """Return integers as dates, of `OPEN` as NaT."""
    known = stamps.astype("datetime64[ns]")
    return np.where(stamps >= OPEN, np.datetime64("NaT", "ns"), known)


def either(first: Side, second: Side) -> _Ints:
    """Return the gravity of parcels of which it is enough that one table looked."""
    return np.minimum(first.gravity, second.gravity)


def joined_names(first: Side, second: Side, how: str = "") -> dict[str, str]:
    """Name a marker after both: their markers, versions, and a hash of parameters and `how`.

    What only one table has stays as it is.
    """
    both = [side.names for side in (first, second) if side.names]
    keys = both[0] if both else ()
    some = {k: sorted({n for names in both for n in names[k].split("+")}) for k in keys}
    names = {key: "+".join(values) for key, values in some.items()}
    ids = some.get("params_id", [])
    if how or len(ids) > 1:
        text = "|".join([how, *ids])
        names["params_id"] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return names


def add_rest(
    rows: pd.DataFrame,
    parcels: pd.Index,
    tables: tuple[Side, Side],
    *,
    gravity: _Ints,
    names: dict[str, str],
) -> pd.DataFrame:
    """Make an event table of rows with events: add a row for each parcel without, and numbers.

    Parameters
    ----------
    rows
        Columns of an event table, `number` and `parts`.
    parcels
        All parcels.
    tables
        What was combined.
    gravity
        (parcel): what is to be said of parcels without event.
    names
        Marker, version and parameters.
    """
    number = np.setdiff1d(np.arange(len(parcels)), rows["number"])
    known = np.array([*_REASONS, "NO_INPUT"], dtype=object)
    reason = pd.Series(known[gravity[number]], dtype=object)
    ran = np.where(reason.isna(), "OK", "NOT_VALID")
    status = np.where(reason.isin(NOT_EXECUTED), "NOT_EXECUTED", ran)
    rest = make_events({"parcel": number, "status": status, "reason": reason})
    looked = [
        unite(*(side.sources[k] for side in tables if side.gravity[k] == gravity[k]))
        for k in number
    ]
    lists = {"sources": looked, "parts": [[] for _ in number]}
    columns = {name: pd.Series(some, rest.index, object) for name, some in lists.items()}
    rest = rest.assign(number=number, **columns)
    table = pd.concat([rows, rest], ignore_index=True) if len(rows) else rest
    place = table["number"].to_numpy()
    n_obs = np.minimum(sum(side.n_obs for side in tables), 65_535)
    longest = np.fmin(*(side.seen_gap for side in tables))
    longest = np.where(np.isnan(longest), np.fmin(*(side.longest for side in tables)), longest)
    filled: dict[str, Any] = {name: table[name] for name in EVENT_COLUMNS if name != "event_id"}
    filled |= {name: np.full(len(table), value) for name, value in names.items()}
    filled |= {
        "parcel": parcels.to_numpy()[place],
        "n_obs_window": n_obs[place],
        "max_gap_days": longest[place],
        "n_events": np.bincount(rows["number"], minlength=len(parcels))[place],
    }
    return make_events(filled, further={"parts": table["parts"]})


def with_lists(events: pd.DataFrame, others: pd.DataFrame, a: _Ints, b: _Ints) -> pd.DataFrame:
    """Return `events` where row a also names the sources and parts of row b of `others`."""
    lists = {name: [*events[name]] for name in ("sources", "parts")}
    for name, mine in lists.items():
        theirs = [*others[name]]
        for i, j in zip(a.tolist(), b.tolist(), strict=True):
            mine[i] = unite(mine[i], theirs[j])
    columns = {name: pd.Series(mine, events.index, object) for name, mine in lists.items()}
    return events.assign(**columns)


def unite(*lists: list[str]) -> list[str]:
    """Return what is in any of the lists, in order and once."""
    return [*dict.fromkeys(name for some in lists for name in some)]
