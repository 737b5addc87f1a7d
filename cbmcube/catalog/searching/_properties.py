"""Filters that leave nothing: properties that no item carries, conditions that none meets."""

from __future__ import annotations

import difflib
import itertools
import logging
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace

from cbmcube.catalog.filters import Feature, Json, both
from cbmcube.catalog.opening import ApiCatalog, Catalog, Pages
from cbmcube.catalog.searching._request import Request
from cbmcube.exceptions import CatalogError
from cbmcube.warnings import FilteredOutWarning, UnknownPropertyWarning

_log = logging.getLogger(__name__)

_PROBE = 100
"""Items whose property names are compared with a name that none carries."""


def warn_unknown_properties(source: Catalog, request: Request, sample: Iterable[Feature]) -> bool:
    """Warn of properties that the filter reads and that no item of the collections carries.

    Most engines answer a misspelt property with no items and no error. Returns whether all are
    known.
    """
    known = True
    for name in sorted(request.properties):
        carried = any(one.value(name) is not None for one in sample)
        if carried or _is_carried(source, request, name):
            continue
        known = False
        close = difflib.get_close_matches(name, _names(source, request), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        warnings.warn(
            f"no item carries the property {name!r} that the filter reads{hint}",
            UnknownPropertyWarning,
            stacklevel=3,
        )
    return known


def warn_filtered_out(source: Catalog, request: Request) -> None:
    """Warn if a search with a filter found nothing, and would find something without."""
    if request.filter is None:
        return
    free = replace(request, filter=None)
    features: Iterable[Feature] = ()
    if isinstance(source, ApiCatalog):
        found = (one for condition in free.conditions for one in _probe(source, condition, 1))
        features = map(Feature, itertools.islice(found, 1))
    else:
        features = source.features
    judge = free.judge()
    try:
        left = any(judge(feature) in ("yes", "beyond") for feature in features)
    except CatalogError as error:
        _log.info("whether the filter is at fault cannot be asked: %s", error)
        return
    if left:
        warnings.warn(
            "no item passes the filter, and there are items without it",
            FilteredOutWarning,
            stacklevel=3,
        )


def _is_carried(source: Catalog, request: Request, name: str) -> bool:
    """Ask a server for one item with the property; a frozen catalogue was looked through."""
    if not isinstance(source, ApiCatalog):
        return False
    absent = {"op": "isNull", "args": [{"property": name}]}
    condition = both(request.of_collections(), {"op": "not", "args": [absent]})
    try:
        items = list(itertools.islice(_probe(source, condition, 1), 1))
    except CatalogError as error:
        _log.info("whether items carry %r cannot be asked: %s", name, error)
        return name in (source.queryables or ())
    return any(Feature(item).value(name) is not None for item in items)


def _names(source: Catalog, request: Request) -> set[str]:
    """Properties that items of the collections carry, as far as a sample tells."""
    if isinstance(source, ApiCatalog):
        condition = request.of_collections()
        sample = list(itertools.islice(_probe(source, condition, _PROBE), _PROBE))
    else:
        sample = [dict(feature.json) for feature in source.features]
    offered = (source.queryables or ()) if isinstance(source, ApiCatalog) else ()
    return {name for item in sample for name in item["properties"]} | set(offered)


def _probe(source: ApiCatalog, condition: Json | None, size: int) -> Iterator[Json]:
    return iter(Pages(replace(source, page_size=size), condition))
