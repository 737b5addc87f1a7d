"""STAC in: open, search, check again, drop duplicates, freeze."""

from cbmcube.catalog._access import AccessPolicy
from cbmcube.catalog._acquisitions import Acquisition, group_acquisitions
from cbmcube.catalog._admit import gate_items
from cbmcube.catalog._catalog import ApiCatalog, Catalog, FrozenCatalog, open_catalog
from cbmcube.catalog._expression import Condition, Property, prop
from cbmcube.catalog._facts import REPORT_KEY, Dropped
from cbmcube.catalog._fingerprint import fingerprint, item_changes
from cbmcube.catalog._freeze import freeze, unsigned_item
from cbmcube.catalog._gaps import Gap, find_gaps
from cbmcube.catalog._hosts import is_inside, leads_inside
from cbmcube.catalog._identity import Identity, identify
from cbmcube.catalog._opensearch import from_opensearch
from cbmcube.catalog._period import parse_period
from cbmcube.catalog._report import SearchReport, report
from cbmcube.catalog._search import search

__all__ = [
    "REPORT_KEY",
    "AccessPolicy",
    "Acquisition",
    "ApiCatalog",
    "Catalog",
    "Condition",
    "Dropped",
    "FrozenCatalog",
    "Gap",
    "Identity",
    "Property",
    "SearchReport",
    "find_gaps",
    "fingerprint",
    "freeze",
    "from_opensearch",
    "gate_items",
    "group_acquisitions",
    "identify",
    "is_inside",
    "item_changes",
    "leads_inside",
    "open_catalog",
    "parse_period",
    "prop",
    "report",
    "search",
    "unsigned_item",
]
