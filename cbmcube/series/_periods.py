"""Calendar periods: regular ones from an anchor, ISO weeks, and dekads of the month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError

_ISO_MONDAY = np.datetime64("1970-01-05", "D")
_FORM = re.compile(r"(\d+)D(-iso)?")


@dataclass(frozen=True, slots=True)
class Periods:
    """Neighbouring periods, closed on the left and open on the right."""

    edges: NDArray[np.datetime64]
    """Left edges, and the right edge of the last period: one more than there are periods."""

    @property
    def start(self) -> NDArray[np.datetime64]:
        """Left edge of each period, to the nanosecond."""
        return self.edges[:-1].astype("datetime64[ns]")

    @property
    def days(self) -> NDArray[np.int64]:
        """Length of each period in days."""
        return np.diff(self.edges).astype("int64")

    def number(self, times: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """Return the number of the period that each time falls into."""
        edges = self.edges.astype("datetime64[ns]")
        return (np.searchsorted(edges, times, side="right") - 1).astype("int64")


def periods_of(
    times: NDArray[np.datetime64], period: str, anchor: str | np.datetime64 | None = None
) -> Periods:
    """Return the periods from the first to the last of `times`, without a hole between.

    Parameters
    ----------
    times
        Acquisition times, in any order; at least one.
    period
        ``"5D"``, ``"7D"`` or another number of days from the anchor; ``"7D-iso"`` for weeks
        from Monday; ``"10D"`` for dekads: days 1 to 10, 11 to 20 and 21 to the month's end.
    anchor
        A day on which a period starts; by default the day of the first acquisition. Periods
        go on before it as after it.

    Raises
    ------
    OptionError
        If the period has another form, or an anchor is given where the calendar decides.
    """
    form = _FORM.fullmatch(period)
    days = int(form[1]) if form else 0
    if form is None or days < 1 or (form[2] and days != 7):
        raise OptionError(
            "this period is not known",
            given=repr(period),
            allowed="'5D', '7D' or another number of days; '7D-iso' for weeks; '10D' for dekads",
            hint="write the number of days followed by D",
        )
    by_calendar = bool(form[2]) or days == 10
    if by_calendar and anchor is not None:
        raise OptionError(
            f"periods {period!r} are fixed by the calendar and take no anchor",
            given=f"anchor={anchor!r}",
            hint="leave anchor=None, or choose another number of days",
        )
    first, last = times.min().astype("datetime64[D]"), times.max().astype("datetime64[D]")
    if days == 10:
        return Periods(_dekads(first, last))
    zero = _ISO_MONDAY if form[2] else first if anchor is None else _day(anchor)
    return Periods(_regular(first, last, zero, days))


def _day(anchor: str | np.datetime64) -> np.datetime64:
    stamp: Any = pd.to_datetime(anchor)
    if pd.isna(stamp) or stamp.tz is not None or stamp != stamp.normalize():
        raise OptionError(
            "the anchor must be a day in UTC",
            given=repr(anchor),
            allowed="a date such as '2024-03-01'",
            hint="periods start at 00:00 UTC",
        )
    return np.datetime64(stamp.date(), "D")


def _regular(
    first: np.datetime64, last: np.datetime64, zero: np.datetime64, days: int
) -> NDArray[np.datetime64]:
    low = (first - zero).astype(int) // days
    high = (last - zero).astype(int) // days + 2  # one past the right edge of the last period
    return np.asarray(zero + (np.arange(low, high) * days).astype("timedelta64[D]"))


def _dekads(first: np.datetime64, last: np.datetime64) -> NDArray[np.datetime64]:
    months = np.arange(first.astype("datetime64[M]"), last.astype("datetime64[M]") + 2)
    starts = months.astype("datetime64[D]")[:, None] + np.array([0, 10, 20], "timedelta64[D]")
    edges = starts.ravel()
    begin = np.searchsorted(edges, first, side="right") - 1
    end = np.searchsorted(edges, last, side="right")
    return np.asarray(edges[begin : end + 1])
