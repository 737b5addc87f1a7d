"""Detectors without a crop in mind: triangles, thresholds, and runs of classes."""

from cbmcube.markers.generic._class_runs import ClassRunRule, class_runs
from cbmcube.markers.generic._threshold import ThresholdRule, threshold_runs
from cbmcube.markers.generic._triangle import TRIANGLE_PRESETS, TriangleRule, triangles

__all__ = [
    "TRIANGLE_PRESETS",
    "ClassRunRule",
    "ThresholdRule",
    "TriangleRule",
    "class_runs",
    "threshold_runs",
    "triangles",
]
