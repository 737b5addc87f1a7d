"""Properties that a filter reads and that no item carries."""

from __future__ import annotations

import difflib
import itertools
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace

from cbmcube.catalog._catalog import ApiCatalog, Catalog
from cbmcube.catalog._cql2 import Json, both
from cbmcube.catalog._feature import Feature
from cbmcube.catalog._fetch import Pages
from cbmcube.catalog._request import Request
from cbmcube.warnings import UnknownPropertyWarning

_PROBE = 100
"""Items whose property names are compared with a name that none carries."""


def warn_unknown_properties(source: Catalog, request: Request, sample: Iterable[Feature]) -> None:
    """Warn of properties that the filter reads and that no item of the collections carries.

    Most engines answer a misspelt property with no items and no error.
    """
    for name in sorted(request.properties):
        carried = any(one.value(name) is not None for one in sample)
        if carried or _is_carried(source, request, name):
            continue
        close = difflib.get_close_matches(name, _names(source, request), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        warnings.warn(
            f"no item carries the property {name!r} that the filter reads{hint}",
            UnknownPropertyWarning,
            stacklevel=3,
        )


def _is_carried(source: Catalog, request: Request, name: str) -> bool:
    """Ask a server for one item with the property; a frozen catalogue was looked through."""
    if not isinstance(source, ApiCatalog):
        return False
    absent = {"op": "isNull", "args": [{"property": name}]}
    condition = both(request.of_collections(), {"op": "not", "args": [absent]})
    items = itertools.islice(_probe(source, condition, 1), 1)
    return any(Feature(item).value(name) is not None for item in items)


def _names(source: Catalog, request: Request) -> set[str]:
    """Properties that items of the collections carry, as far as a sample tells."""
    if isinstance(source, ApiCatalog):
        condition = request.of_collections()
        sample = list(itertools.islice(_probe(source, condition, _PROBE), _PROBE))
    else:
        sample = [dict(feature.json) for feature in source.features]
    return {name for item in sample for name in item["properties"]}


def _probe(source: ApiCatalog, condition: Json | None, size: int) -> Iterator[Json]:
    return iter(Pages(replace(source, page_size=size), condition))
