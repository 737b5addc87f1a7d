"""Figures of many numbers: distributions, comparisons, confusions."""

from cbmcube.plotting.numbers._agreement import agreement
from cbmcube.plotting.numbers._confusion import confusion
from cbmcube.plotting.numbers._histograms import histograms
from cbmcube.plotting.numbers._scatter import scatter_red_nir

__all__ = [
    "agreement",
    "confusion",
    "histograms",
    "scatter_red_nir",
]
