"""Markers of farming activity, and the table they are reported in."""

from cbmcube.markers._class_runs import ClassRunRule, class_runs
from cbmcube.markers._events import EVENT_COLUMNS, check_events, empty_events, make_events
from cbmcube.markers._threshold import ThresholdRule, threshold_runs
from cbmcube.markers._triangle import TRIANGLE_PRESETS, TriangleRule, triangles

__all__ = [
    "EVENT_COLUMNS",
    "TRIANGLE_PRESETS",
    "ClassRunRule",
    "ThresholdRule",
    "TriangleRule",
    "check_events",
    "class_runs",
    "empty_events",
    "make_events",
    "threshold_runs",
    "triangles",
]
