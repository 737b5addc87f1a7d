"""Figures of parcels: profiles, pictures, maps and distributions."""

from cbmcube.plotting._calendar import calendar
from cbmcube.plotting._choropleth import choropleth
from cbmcube.plotting._histograms import histograms
from cbmcube.plotting._profile import profile
from cbmcube.plotting._scatter import scatter_red_nir

__all__ = [
    "calendar",
    "choropleth",
    "histograms",
    "profile",
    "scatter_red_nir",
]
