"""Periods as users write them, read as closed intervals of UTC."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from cbmcube.catalog.filters._cql2 import Json
from cbmcube.catalog.filters._times import as_utc, parse_time, rfc3339
from cbmcube.exceptions import OptionError

Moment = str | date | datetime
PeriodLike = Moment | tuple[Moment | None, Moment | None]

_TICK = timedelta(microseconds=1)
_CALENDAR = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


@dataclass(frozen=True, slots=True)
class Period:
    """A closed interval of time, either end open if ``None``."""

    start: datetime | None
    """First moment, UTC."""
    end: datetime | None
    """Last moment, UTC; the last microsecond of a day, month or year given by name."""

    def overlaps(self, span: tuple[datetime, datetime]) -> bool:
        """Tell whether an item that covers `span` belongs to the period."""
        return (self.end is None or span[0] <= self.end) and (
            self.start is None or span[1] >= self.start
        )

    def condition(self) -> Json:
        """Write the period as CQL2-JSON."""
        return {
            "op": "t_intersects",
            "args": [{"property": "datetime"}, {"interval": str(self).split("/")}],
        }

    def __str__(self) -> str:
        return "/".join(".." if end is None else rfc3339(end) for end in (self.start, self.end))


def parse_period(given: Any) -> Period:
    """Read a period: ``"2024"``, ``"2024-03/2024-10"``, a date, or a pair of them.

    A year, month or day given by name is meant whole, at either end; a time is an instant.

    Raises
    ------
    OptionError
        If it cannot be read, or ends before it starts.

    Examples
    --------
    >>> from cbmcube.catalog import parse_period
    >>> period = parse_period("2024-03/2024-10")
    >>> print(period.start, period.end)
    2024-03-01 00:00:00+00:00 2024-10-31 23:59:59.999999+00:00
    """
    ends = given.split("/") if isinstance(given, str) else given
    ends = list(ends) if isinstance(ends, (list, tuple)) else [ends]
    if len(ends) == 1:
        ends *= 2
    if len(ends) != 2:
        raise _unreadable(given)
    start, end = _first(ends[0], given), _last(ends[1], given)
    if start is None and end is None:
        raise _unreadable(given)
    if start is not None and end is not None and start > end:
        raise OptionError(
            "the period ends before it starts",
            given=f"{rfc3339(start)} to {rfc3339(end)}",
            hint="swap the two ends",
        )
    return Period(start, end)


def _first(end: Any, given: Any) -> datetime | None:
    found = _bounds(end, given)
    return found and found[0]


def _last(end: Any, given: Any) -> datetime | None:
    found = _bounds(end, given)
    return found and found[1]


def _bounds(end: Any, given: Any) -> tuple[datetime, datetime] | None:
    if end is None or (isinstance(end, str) and end.strip() in ("", "..")):
        return None
    try:
        if isinstance(end, str):
            return _named(end.strip())
        moment = pd.Timestamp(end)
    except (TypeError, ValueError, OverflowError) as error:
        raise _unreadable(given) from error
    if not isinstance(end, (date, datetime)) or not isinstance(moment, pd.Timestamp):
        raise _unreadable(given)  # a number would be read as nanoseconds since 1970
    at = as_utc(moment.to_pydatetime(warn=False))
    return (at, at) if isinstance(end, datetime) else (at, at + timedelta(days=1) - _TICK)


def _named(text: str) -> tuple[datetime, datetime]:
    found = _CALENDAR.fullmatch(text)
    if found is None:
        at = parse_time(text)
        return at, at
    year, month, day = (int(part) if part else None for part in found.groups())
    first = datetime(year or 0, month or 1, day or 1, tzinfo=UTC)
    if day:
        length = 1
    elif month:
        length = calendar.monthrange(first.year, month)[1]
    else:
        length = 366 if calendar.isleap(first.year) else 365
    return first, first + timedelta(days=length) - _TICK


def _unreadable(given: Any) -> OptionError:
    return OptionError(
        "the period cannot be read",
        given=repr(given),
        allowed='"2024", "2024-03", "2024-03/2024-10", "2024-03-01/..", a date, or a pair of '
        "dates or times",
        hint="times without a zone are UTC",
    )
