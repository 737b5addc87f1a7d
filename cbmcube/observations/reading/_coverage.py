"""How well each parcel was seen: states counted by parcel, month and acquisition, in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cbmcube._states import STATES
from cbmcube.observations.reading._assemble import STREAM_ROWS, pieces, read_rows
from cbmcube.observations.reading._selection import select
from cbmcube.observations.reading._source import Source

USABLE = 2
"""How many of `STATES`, from the first on, have a valid pixel: ``OK`` and ``PARTIAL``."""

_MINUTE = np.timedelta64(1, "m")
_DAY = 24 * 60  # minutes


@dataclass(frozen=True)
class Coverage:
    """How often each parcel was seen in a season, as `Observations.coverage` returns it.

    An acquisition counts once for a parcel, by the worst state among its bands; it is usable
    if that is ``OK`` or ``PARTIAL``.
    """

    ids: pa.Array
    """Ids of all parcels, in the order in which they were given."""
    states: NDArray[np.int32]
    """Acquisitions by parcel and state, in the order of `STATES`."""
    pending: NDArray[np.int32]
    """Acquisitions by parcel that are planned and not committed yet."""
    outside: NDArray[np.bool_]
    """Parcels of which the plan has nothing, because no image shows them."""
    longest: NDArray[np.float64]
    """Longest time without a usable acquisition in days, between the first and the last
    acquisition of the season; NaN for parcels outside."""
    months: NDArray[np.datetime64]
    """Months from the first to the last acquisition."""
    monthly: NDArray[np.uint16]
    """Usable acquisitions by parcel and month."""
    passes: pd.DataFrame
    """Parcels by state, one row for each ``time`` (UTC) and ``acquisition`` with numbers."""

    @property
    def usable(self) -> NDArray[np.int32]:
        """Usable acquisitions of each parcel."""
        return np.asarray(self.states[:, :USABLE].sum(axis=1), dtype=np.int32)

    @property
    def planned(self) -> NDArray[np.int32]:
        """Acquisitions that the plan has of each parcel."""
        return np.asarray(self.states.sum(axis=1) + self.pending, dtype=np.int32)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each parcel: ``planned, usable``, each state, ``pending, longest``.

        ``longest`` is in days.
        """
        columns = {name: self.states[:, code] for code, name in enumerate(STATES)}
        index = pd.Index(self.ids.to_pandas(), name="parcel")
        first = {"planned": self.planned, "usable": self.usable}
        last = {"pending": self.pending, "longest": self.longest}
        return pd.DataFrame(first | columns | last, index=index)


def count_coverage(source: Source) -> Coverage:
    """Count what each acquisition says of each parcel; reads the states, piece by piece."""
    plan, units = source.plan, source.units
    tally = _Tally(len(plan.placed[0]), units.time, int(units.step.max(initial=-1)) + 1)
    for unit, rank, code in _looks(source):
        tally.add(units.time[unit], int(units.step[unit]), rank, code)
    first = np.unique(units.step, return_index=True)[1]
    moments = pd.DatetimeIndex(units.time[first], tz="UTC", name="time")
    passes = pd.DataFrame(tally.by_step, columns=list(STATES))
    passes.insert(0, "time", moments)
    passes.insert(1, "acquisition", units.acquisition[first].astype(str))
    outside = plan.placed[0] < 0
    return Coverage(
        ids=plan.parcels["parcel"].combine_chunks(),
        states=tally.states,
        pending=_pending(source),
        outside=outside,
        longest=np.where(outside, np.nan, tally.longest_days()),
        months=tally.months,
        monthly=tally.monthly,
        passes=passes,
    )


class _Tally:
    """Running counts; a few dozen bytes for each parcel, whatever the number of acquisitions."""

    def __init__(self, parcels: int, times: NDArray[np.datetime64], steps: int) -> None:
        self.states = np.zeros((parcels, len(STATES)), dtype=np.int32)
        self.by_step = np.zeros((steps, len(STATES)), dtype=np.int64)
        within = times[[0, -1]].astype("M8[M]") if len(times) else times[:0].astype("M8[M]")
        self.months = np.arange(within[0], within[1] + 1) if len(within) else within
        self.monthly = np.zeros((parcels, len(self.months)), dtype=np.uint16)
        self._start = times[0] if len(times) else np.datetime64(0, "m")
        self._end = self._minutes(times[-1]) if len(times) else 0
        self._last = np.zeros(parcels, dtype=np.int32)
        self._longest = np.zeros(parcels, dtype=np.int32)

    def add(
        self, time: np.datetime64, step: int, rank: NDArray[np.int64], code: NDArray[np.int64]
    ) -> None:
        """Count one unit, which comes after all earlier ones; no parcel is in it twice."""
        self.states[rank, code] += 1
        self.by_step[step] += np.bincount(code, minlength=len(STATES))
        seen = rank[code < USABLE]
        now = self._minutes(time)
        self.monthly[seen, int((time.astype("M8[M]") - self.months[0]).astype(int))] += 1
        self._longest[seen] = np.maximum(self._longest[seen], now - self._last[seen])
        self._last[seen] = now

    def longest_days(self) -> NDArray[np.float64]:
        """Return the longest time without a usable acquisition, to the end of the season."""
        return np.maximum(self._longest, self._end - self._last) / _DAY

    def _minutes(self, time: np.datetime64) -> int:
        return int((time - self._start) // _MINUTE)


def _looks(source: Source) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield units by time: number, parcels, and the worst state among the bands of each."""
    bands = len(source.bands)
    known = pa.array(STATES)
    for piece in pieces(source, select(source.plan, source.units, None), STREAM_ROWS):
        table, places = read_rows(source, piece, ["state"])
        code = pc.index_in(table["state"], value_set=known).to_numpy().astype(np.int64)
        worst = code.reshape(-1, bands).max(axis=1)
        unit, rank = places.unit[::bands], places.rank[::bands]
        # Rows come file by file; what is counted between acquisitions needs the order of time.
        ends = np.flatnonzero(np.diff(unit, append=-1)) + 1
        starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        for number in np.argsort(unit[starts], kind="stable"):
            here = slice(int(starts[number]), int(ends[number]))
            yield int(unit[here.start]), rank[here], worst[here]


def _pending(source: Source) -> NDArray[np.int32]:
    group = source.plan.placed[0]
    found = np.bincount(
        source.pending["group"].to_numpy(dtype=np.int64), minlength=len(source.plan.groups)
    )
    counted = np.zeros(len(group), dtype=np.int32)
    inside = group >= 0
    counted[inside] = found[group[inside]]
    return counted
