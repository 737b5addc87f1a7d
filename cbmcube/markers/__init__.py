"""Markers of farming activity, and the table they are reported in."""

from cbmcube.markers._coherence import coherence_noise, coherence_tests, mowing_coherence
from cbmcube.markers._coherence_rule import COHERENCE_PRESETS, CoherenceRule
from cbmcube.markers._events import EVENT_COLUMNS, check_events, empty_events, make_events
from cbmcube.markers._threshold import ThresholdRule, threshold_runs

__all__ = [
    "COHERENCE_PRESETS",
    "EVENT_COLUMNS",
    "CoherenceRule",
    "ThresholdRule",
    "check_events",
    "coherence_noise",
    "coherence_tests",
    "empty_events",
    "make_events",
    "mowing_coherence",
    "threshold_runs",
]
