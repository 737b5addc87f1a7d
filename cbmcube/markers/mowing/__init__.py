"""Mowing in optical series: pairs of observations, and what lies below the hull."""

from cbmcube.markers.mowing._hull import mowing_hull
from cbmcube.markers.mowing._hull_rule import HULL_PRESETS, HullRule
from cbmcube.markers.mowing._mowing import mowing
from cbmcube.markers.mowing._mowing_rule import MOWING_PRESETS, MowingRule

__all__ = [
    "HULL_PRESETS",
    "MOWING_PRESETS",
    "HullRule",
    "MowingRule",
    "mowing",
    "mowing_hull",
]
