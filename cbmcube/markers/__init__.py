"""Markers of farming activity, and the table they are reported in."""

from cbmcube.markers._catch_crop import CATCH_CROP_PRESETS, catch_crop
from cbmcube.markers._catch_crop_weeks import CatchCropRule
from cbmcube.markers._class_runs import ClassRunRule, class_runs
from cbmcube.markers._coherence import coherence_noise, coherence_tests, mowing_coherence
from cbmcube.markers._coherence_rule import COHERENCE_PRESETS, CoherenceRule
from cbmcube.markers._events import EVENT_COLUMNS, check_events, empty_events, make_events
from cbmcube.markers._harvest import HARVEST_PRESETS, harvest
from cbmcube.markers._harvest_weeks import HarvestRule
from cbmcube.markers._ploughing import PLOUGHING_PRESETS, PloughingRule, ploughing
from cbmcube.markers._threshold import ThresholdRule, threshold_runs
from cbmcube.markers._triangle import TRIANGLE_PRESETS, TriangleRule, triangles

__all__ = [
    "CATCH_CROP_PRESETS",
    "COHERENCE_PRESETS",
    "EVENT_COLUMNS",
    "HARVEST_PRESETS",
    "PLOUGHING_PRESETS",
    "TRIANGLE_PRESETS",
    "CatchCropRule",
    "ClassRunRule",
    "CoherenceRule",
    "HarvestRule",
    "PloughingRule",
    "ThresholdRule",
    "TriangleRule",
    "catch_crop",
    "check_events",
    "class_runs",
    "coherence_noise",
    "coherence_tests",
    "empty_events",
    "harvest",
    "make_events",
    "mowing_coherence",
    "ploughing",
    "threshold_runs",
    "triangles",
]
