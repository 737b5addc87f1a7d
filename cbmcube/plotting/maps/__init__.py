"""Maps of parcels."""

from cbmcube.plotting.maps._choropleth import choropleth

__all__ = [
    "choropleth",
]
