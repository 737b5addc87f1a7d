"""Figures of parcels, of scenes and of comparisons."""

from cbmcube.plotting._agreement import agreement
from cbmcube.plotting._confusion import confusion
from cbmcube.plotting._explore import explore
from cbmcube.plotting._footprints import footprints
from cbmcube.plotting._profile import profile
from cbmcube.plotting._scene_calendar import scene_calendar

__all__ = [
    "agreement",
    "confusion",
    "explore",
    "footprints",
    "profile",
    "scene_calendar",
]
