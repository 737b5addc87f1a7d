"""Acquisitions joined to passes, and passes of two sources paired by time, orbit and platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

UNKNOWN: dict[str, str | int] = {"platform": "", "relative_orbit": -1, "baseline_days": -1}
"""What stands for a fact of an acquisition that a source does not state."""

_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Passes:
    """The passes of one source."""

    table: pd.DataFrame
    """A row for each, in order of time: `time`, `acquisition`, `platform`, `relative_orbit`,
    `orbit_state`, `baseline_days`, `items`, of its first part, and the number of `parts`."""
    steps: tuple[_Ints, ...]
    """Positions of its parts on the time axis, in order of their item ids."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which pass of one source is which of the other: positions in both tables."""

    a: _Ints
    b: _Ints


def join_parts(steps: pd.DataFrame, parts: pd.Timedelta) -> Passes:
    """Join acquisitions of one platform and orbit that follow each other at once.

    Parameters
    ----------
    steps
        A row for each acquisition, as `Source` has it.
    parts
        Longest time to the acquisition before.
    """
    keys = list(UNKNOWN)
    order = steps.sort_values([*keys, "time", "items", "acquisition"], kind="stable").index
    ordered = steps.loc[order]
    fresh = (ordered[keys] != ordered[keys].shift()).any(axis=1)
    fresh |= ordered["time"].diff() > parts
    fresh.iloc[:1] = True
    number = fresh.cumsum().to_numpy()
    table = ordered[fresh.to_numpy()].assign(parts=np.bincount(number)[1:])
    # Ties between parts go to the smallest item id, so that a shuffled input gives the same.
    inner = np.lexsort((ordered["items"].to_numpy(dtype=str), number))
    groups = np.split(order.to_numpy()[inner], np.cumsum(table["parts"].to_numpy())[:-1])
    ranks = table.reset_index(drop=True).sort_values(["time", *keys], kind="stable").index
    return Passes(
        table.iloc[ranks].reset_index(drop=True),
        tuple(groups[rank].astype("int64") for rank in ranks),
    )


def match(a: pd.DataFrame, b: pd.DataFrame, tolerance: pd.Timedelta, same: Sequence[str]) -> Pairs:
    """Pair passes one to one, the nearest in time first.

    Parameters
    ----------
    a, b
        Tables of `Passes`.
    tolerance
        Longest time between the two passes of a pair.
    same
        Columns that must be equal where both sources know them.

    Returns
    -------
    Pairs
        In order of the time in `a`. Ties go to the earlier pass of `a`, then of `b`.
    """
    apart = _apart(a, b, same)
    rows, columns = np.nonzero(np.abs(apart) <= tolerance.total_seconds())
    distance = np.abs(apart[rows, columns])
    times_a, times_b = a["time"].to_numpy(), b["time"].to_numpy()
    order = np.lexsort((columns, rows, times_b[columns], times_a[rows], distance))
    chosen = _greedy(rows[order], columns[order])
    chosen = chosen[np.argsort(chosen[:, 0], kind="stable")]
    return Pairs(chosen[:, 0], chosen[:, 1])


def nearest(alone: pd.DataFrame, others: pd.DataFrame, same: Sequence[str]) -> pd.Series:
    """Return how much later the nearest pass of the other source is; NaT if it has none."""
    if others.empty:
        return pd.Series(pd.NaT, alone.index, dtype="timedelta64[ns]")
    apart = _apart(alone, others, same)
    closest = np.abs(apart).argmin(axis=1)
    seconds = apart[np.arange(len(alone)), closest]
    return pd.Series(pd.to_timedelta(np.where(np.isinf(seconds), np.nan, seconds), unit="s"))


def _apart(a: pd.DataFrame, b: pd.DataFrame, same: Sequence[str]) -> NDArray[np.float64]:
    """Return the seconds from each pass of `a` to each of `b`; infinite if they cannot be one."""
    step = np.timedelta64(1, "s")
    apart = (b["time"].to_numpy()[None, :] - a["time"].to_numpy()[:, None]) / step
    for name in same:
        first, second = a[name].to_numpy()[:, None], b[name].to_numpy()[None, :]
        unlike = (first != second) & (first != UNKNOWN[name]) & (second != UNKNOWN[name])
        apart[unlike] = np.inf
    return np.asarray(apart, dtype="float64")


def _greedy(rows: _Ints, columns: _Ints) -> _Ints:
    # A loop over acquisitions, of which a season has hundreds at most.
    used_a: set[int] = set()
    used_b: set[int] = set()
    chosen = []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if row not in used_a and column not in used_b:
            used_a.add(row)
            used_b.add(column)
            chosen.append((row, column))
    return np.array(chosen, dtype="int64").reshape(-1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    """All passes of both sources, each once, in order of time."""

    table: pd.DataFrame
    """`time` (the earlier one), `time_a`, `time_b`, `platform`, `relative_orbit`, `orbit_state`,
    `date` (UTC day) and `month`."""
    steps_a: tuple[_Ints, ...]
    """Positions of the parts in the first source; empty where it lacks the pass."""
    steps_b: tuple[_Ints, ...]
    """The same in the second source."""

    @property
    def matched(self) -> NDArray[np.bool_]:
        """Which passes both sources have."""
        pairs = zip(self.steps_a, self.steps_b, strict=True)
        return np.array([bool(len(a) and len(b)) for a, b in pairs], dtype=bool)


def unite(a: Passes, b: Passes, pairs: Pairs) -> Union:
    """Return the passes of both sources, matched ones as one row."""
    places_a = np.arange(len(a.table))
    places_b = np.arange(len(b.table))
    alone_a, alone_b = np.setdiff1d(places_a, pairs.a), np.setdiff1d(places_b, pairs.b)
    rows_a = np.concatenate([pairs.a, alone_a, np.full(len(alone_b), -1)])
    rows_b = np.concatenate([pairs.b, np.full(len(alone_a), -1), alone_b])
    table = pd.DataFrame(
        {
            "time_a": _fact(a.table["time"], rows_a, np.datetime64("NaT", "ns")),
            "time_b": _fact(b.table["time"], rows_b, np.datetime64("NaT", "ns")),
        }
    )
    table.insert(0, "time", table.min(axis=1))
    for name, unknown in {"acquisition": "", "orbit_state": "", **UNKNOWN}.items():
        first, second = _fact(a.table[name], rows_a, unknown), _fact(b.table[name], rows_b, unknown)
        table[name] = np.where(first != unknown, first, second)  # what one does not state
    table["date"] = table["time"].dt.normalize()
    table["month"] = table["time"].dt.strftime("%Y-%m")
    order = table.sort_values(["time", "platform", "relative_orbit"], kind="stable").index
    none = np.zeros(0, dtype="int64")
    return Union(
        table.loc[order].reset_index(drop=True),
        tuple(none if rows_a[row] < 0 else a.steps[rows_a[row]] for row in order),
        tuple(none if rows_b[row] < 0 else b.steps[rows_b[row]] for row in order),
    )


def _fact(column: pd.Series, rows: _Ints, unknown: Any) -> NDArray[Any]:
    """Return a fact of each pass, by position; the unknown for -1."""
    return np.append(column.to_numpy(), unknown)[rows]
