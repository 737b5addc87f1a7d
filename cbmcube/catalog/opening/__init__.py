"""Catalogues opened: STAC APIs, read page by page, and lists of items frozen in files."""

from cbmcube.catalog.opening._catalog import (
    ApiCatalog,
    Catalog,
    FrozenCatalog,
    as_catalog,
    open_catalog,
)
from cbmcube.catalog.opening._fetch import Pages
from cbmcube.catalog.opening._freeze import freeze, unsigned_item
from cbmcube.catalog.opening._offered import offered_collections
from cbmcube.catalog.opening._opensearch import from_opensearch

__all__ = [
    "ApiCatalog",
    "Catalog",
    "FrozenCatalog",
    "Pages",
    "as_catalog",
    "freeze",
    "from_opensearch",
    "offered_collections",
    "open_catalog",
    "unsigned_item",
]
