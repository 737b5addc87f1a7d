"""Maps of parcels."""

from cbmcube.plotting.maps._choropleth import choropleth
from cbmcube.plotting.maps._shapes import group_paths

__all__ = [
    "choropleth",
    "group_paths",
]
