"""STAC in: open, search, check again, drop duplicates, freeze."""

from cbmcube.catalog._access import AccessPolicy
from cbmcube.catalog._acquisitions import Acquisition, group_acquisitions
from cbmcube.catalog._catalog import ApiCatalog, Catalog, FrozenCatalog, open_catalog
from cbmcube.catalog._freeze import freeze
from cbmcube.catalog._gaps import Gap
from cbmcube.catalog._identity import Identity, identify
from cbmcube.catalog._report import Dropped, SearchReport, report
from cbmcube.catalog._search import search

__all__ = [
    "AccessPolicy",
    "Acquisition",
    "ApiCatalog",
    "Catalog",
    "Dropped",
    "FrozenCatalog",
    "Gap",
    "Identity",
    "SearchReport",
    "freeze",
    "group_acquisitions",
    "identify",
    "open_catalog",
    "report",
    "search",
]
