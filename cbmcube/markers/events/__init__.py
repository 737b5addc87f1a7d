"""The event table, and what is done with events of many parcels at once."""

from cbmcube.markers.events._apart import keep_apart
from cbmcube.markers.events._intervals import OPEN, Intervals, overlaps, union, without
from cbmcube.markers.events._select import earlier_by, match_once, select_apart
from cbmcube.markers.events._table import (
    EVENT_COLUMNS,
    NOT_EXECUTED,
    REASONS,
    check_events,
    empty_events,
    make_events,
)

__all__ = [
    "EVENT_COLUMNS",
    "NOT_EXECUTED",
    "OPEN",
    "REASONS",
    "Intervals",
    "check_events",
    "earlier_by",
    "empty_events",
    "keep_apart",
    "make_events",
    "match_once",
    "overlaps",
    "select_apart",
    "union",
    "without",
]
