"""Mowing by jumps of radar coherence, with a calibrated rate of false alarms."""

from cbmcube.markers.coherence._coherence import coherence_noise, coherence_tests, mowing_coherence
from cbmcube.markers.coherence._rule import COHERENCE_PRESETS, CoherenceRule

__all__ = [
    "COHERENCE_PRESETS",
    "CoherenceRule",
    "coherence_noise",
    "coherence_tests",
    "mowing_coherence",
]
