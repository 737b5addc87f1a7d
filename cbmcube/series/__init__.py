"""Time series of parcels: one copy of each acquisition, composites, gaps, outliers, smoothing."""

from cbmcube.series._colour import COLOURS, ColourRule, colour_class, dropped_colours
from cbmcube.series._composite import composite
from cbmcube.series._cube import (
    RADAR,
    band_names,
    is_radar,
    orbit_table,
    refuse_mixed_orbits,
    select_bands,
    select_statistics,
    statistic_names,
    valid_share,
)
from cbmcube.series._duplicates import deduplicate
from cbmcube.series._gaps import CAUSES, gap_summary, gaps
from cbmcube.series._looks import KINDS
from cbmcube.series._outliers import Outlier, OutlierRule, outliers
from cbmcube.series._smooth import Method, smooth
from cbmcube.series._states import LEDGER, states
from cbmcube.series._window import Moment, moment, time_window, up_to

__all__ = [
    "CAUSES",
    "COLOURS",
    "KINDS",
    "LEDGER",
    "RADAR",
    "ColourRule",
    "Method",
    "Moment",
    "Outlier",
    "OutlierRule",
    "band_names",
    "colour_class",
    "composite",
    "deduplicate",
    "dropped_colours",
    "gap_summary",
    "gaps",
    "is_radar",
    "moment",
    "orbit_table",
    "outliers",
    "refuse_mixed_orbits",
    "select_bands",
    "select_statistics",
    "smooth",
    "states",
    "statistic_names",
    "time_window",
    "up_to",
    "valid_share",
]
