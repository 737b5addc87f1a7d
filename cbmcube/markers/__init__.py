"""Markers of farming activity, and the table they are reported in."""

from cbmcube.markers._catch_crop import CATCH_CROP_PRESETS, catch_crop
from cbmcube.markers._catch_crop_weeks import CatchCropRule
from cbmcube.markers._changes import CHANGES, changes, keep_settled
from cbmcube.markers._class_runs import ClassRunRule, class_runs
from cbmcube.markers._coherence import coherence_noise, coherence_tests, mowing_coherence
from cbmcube.markers._coherence_rule import COHERENCE_PRESETS, CoherenceRule
from cbmcube.markers._combine import aggregate, confirm, merge
from cbmcube.markers._events import EVENT_COLUMNS, check_events, empty_events, make_events
from cbmcube.markers._evidence import EVIDENCE, window_evidence
from cbmcube.markers._fuse import fuse
from cbmcube.markers._fuse_rule import FUSE_PRESETS, FuseRule
from cbmcube.markers._harvest import HARVEST_PRESETS, harvest
from cbmcube.markers._harvest_weeks import HarvestRule
from cbmcube.markers._hull import mowing_hull
from cbmcube.markers._hull_rule import HULL_PRESETS, HullRule
from cbmcube.markers._mowing import mowing
from cbmcube.markers._mowing_rule import MOWING_PRESETS, MowingRule
from cbmcube.markers._ploughing import PLOUGHING_PRESETS, PloughingRule, ploughing
from cbmcube.markers._threshold import ThresholdRule, threshold_runs
from cbmcube.markers._triangle import TRIANGLE_PRESETS, TriangleRule, triangles

__all__ = [
    "CATCH_CROP_PRESETS",
    "CHANGES",
    "COHERENCE_PRESETS",
    "EVENT_COLUMNS",
    "EVIDENCE",
    "FUSE_PRESETS",
    "HARVEST_PRESETS",
    "HULL_PRESETS",
    "MOWING_PRESETS",
    "PLOUGHING_PRESETS",
    "TRIANGLE_PRESETS",
    "CatchCropRule",
    "ClassRunRule",
    "CoherenceRule",
    "FuseRule",
    "HarvestRule",
    "HullRule",
    "MowingRule",
    "PloughingRule",
    "ThresholdRule",
    "TriangleRule",
    "aggregate",
    "catch_crop",
    "changes",
    "check_events",
    "class_runs",
    "coherence_noise",
    "coherence_tests",
    "confirm",
    "empty_events",
    "fuse",
    "harvest",
    "keep_settled",
    "make_events",
    "merge",
    "mowing",
    "mowing_coherence",
    "mowing_hull",
    "ploughing",
    "threshold_runs",
    "triangles",
    "window_evidence",
]
