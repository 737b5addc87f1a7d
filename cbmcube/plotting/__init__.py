"""Figures of parcels, of scenes and of comparisons."""

from cbmcube.plotting._agreement import agreement
from cbmcube.plotting._calendar import calendar
from cbmcube.plotting._choropleth import choropleth
from cbmcube.plotting._confusion import confusion
from cbmcube.plotting._explore import explore
from cbmcube.plotting._footprints import footprints
from cbmcube.plotting._histograms import histograms
from cbmcube.plotting._profile import profile
from cbmcube.plotting._scatter import scatter_red_nir
from cbmcube.plotting._scene_calendar import scene_calendar

__all__ = [
    "agreement",
    "calendar",
    "choropleth",
    "confusion",
    "explore",
    "footprints",
    "histograms",
    "profile",
    "scatter_red_nir",
    "scene_calendar",
]
