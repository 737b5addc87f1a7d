"""A search: what is asked, what comes back, what is left out, and the report of it."""

from cbmcube.catalog.searching._admit import gate_items
from cbmcube.catalog.searching._report import SearchReport, report
from cbmcube.catalog.searching._search import search

__all__ = [
    "SearchReport",
    "gate_items",
    "report",
    "search",
]
