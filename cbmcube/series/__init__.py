"""Time series of parcels: composites, gaps, smoothing."""

from cbmcube.series._composite import composite
from cbmcube.series._cube import (
    RADAR,
    band_names,
    is_radar,
    orbit_table,
    select_bands,
    select_statistics,
    statistic_names,
    valid_share,
)

__all__ = [
    "RADAR",
    "band_names",
    "composite",
    "is_radar",
    "orbit_table",
    "select_bands",
    "select_statistics",
    "statistic_names",
    "valid_share",
]
