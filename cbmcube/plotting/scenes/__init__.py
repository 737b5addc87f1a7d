"""Scenes of a search: when and where, what is missing, what was left out."""

from cbmcube.plotting.scenes._footprints import footprints
from cbmcube.plotting.scenes._scene_calendar import scene_calendar

__all__ = [
    "footprints",
    "scene_calendar",
]
