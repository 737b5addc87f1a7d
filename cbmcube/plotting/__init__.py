"""Figures of parcels: profiles, pictures, maps and distributions."""

from cbmcube.plotting._calendar import calendar
from cbmcube.plotting._choropleth import choropleth
from cbmcube.plotting._profile import profile

__all__ = [
    "calendar",
    "choropleth",
    "profile",
]
