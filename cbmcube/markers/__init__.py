"""Markers of farming activity, and the table they are reported in."""

from cbmcube.markers._combine import aggregate, confirm, merge
from cbmcube.markers._events import EVENT_COLUMNS, check_events, empty_events, make_events
from cbmcube.markers._evidence import EVIDENCE, window_evidence
from cbmcube.markers._fuse import fuse
from cbmcube.markers._fuse_rule import FUSE_PRESETS, FuseRule
from cbmcube.markers._hull import mowing_hull
from cbmcube.markers._hull_rule import HULL_PRESETS, HullRule
from cbmcube.markers._mowing import mowing
from cbmcube.markers._mowing_rule import MOWING_PRESETS, MowingRule
from cbmcube.markers._threshold import ThresholdRule, threshold_runs

__all__ = [
    "EVENT_COLUMNS",
    "EVIDENCE",
    "FUSE_PRESETS",
    "HULL_PRESETS",
    "MOWING_PRESETS",
    "FuseRule",
    "HullRule",
    "MowingRule",
    "ThresholdRule",
    "aggregate",
    "check_events",
    "confirm",
    "empty_events",
    "fuse",
    "make_events",
    "merge",
    "mowing",
    "mowing_hull",
    "threshold_runs",
    "window_evidence",
]
