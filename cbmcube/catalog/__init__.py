"""STAC in: open, search, check again, drop duplicates, freeze."""

from cbmcube.catalog.access import AccessPolicy, is_inside, leads_inside
from cbmcube.catalog.filters import Condition, Property, parse_period, prop
from cbmcube.catalog.items import (
    REPORT_KEY,
    Acquisition,
    Dropped,
    Gap,
    Identity,
    find_gaps,
    fingerprint,
    group_acquisitions,
    identify,
    item_changes,
)
from cbmcube.catalog.opening import (
    ApiCatalog,
    Catalog,
    FrozenCatalog,
    freeze,
    from_opensearch,
    open_catalog,
    unsigned_item,
)
from cbmcube.catalog.searching import SearchReport, gate_items, report, search

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
