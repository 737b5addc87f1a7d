"""Figures of parcels, of scenes and of comparisons."""

from cbmcube.plotting.interactive import explore
from cbmcube.plotting.maps import choropleth
from cbmcube.plotting.numbers import agreement, confusion, histograms, scatter_red_nir
from cbmcube.plotting.pictures import calendar
from cbmcube.plotting.scenes import footprints, scene_calendar
from cbmcube.plotting.seasons import profile

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
