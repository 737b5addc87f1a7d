"""Markers of farming activity, and the table they are reported in."""

from cbmcube.markers._events import EVENT_COLUMNS, check_events, empty_events, make_events
from cbmcube.markers._threshold import ThresholdRule, threshold_runs

__all__ = [
    "EVENT_COLUMNS",
    "ThresholdRule",
    "check_events",
    "empty_events",
    "make_events",
    "threshold_runs",
]
