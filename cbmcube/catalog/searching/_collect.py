"""What a catalogue offers for a request, held against it item by item."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cbmcube.catalog.access import show
from cbmcube.catalog.filters import Feature, Json
from cbmcube.catalog.items import Dropped
from cbmcube.catalog.opening import ApiCatalog, Catalog, Pages
from cbmcube.catalog.searching._request import Request
from cbmcube.exceptions import FilterIgnoredError
from cbmcube.warnings import UnfilteredServerWarning

_SENSELESS = 100
"""Items outside place or time, and none inside, after which a server is not read further."""

WRONG = {
    "elsewhere": "the server sent it, but it lies outside the area",
    "another time": "the server sent it, but it lies outside the period",
}
"""Why an item is left out that a server should not have sent."""


@dataclass(slots=True)
class Found:
    """What a catalogue offered."""

    features: list[Feature] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    sample: list[Feature] = field(default_factory=list)
    repeated: int = 0


def collect(source: Catalog, request: Request, max_items: int | None) -> Found:
    """Return what `source` offers for `request`, at most `max_items` that fit.

    Raises
    ------
    FilterIgnoredError
        If a server sends an item that does not satisfy the filter.
    """
    if isinstance(source, ApiCatalog):
        return _collect_api(source, request, max_items)
    judge = request.judge()
    matching = (one for one in source.features if judge(one) == "yes")
    found = Found(sample=list(source.features))
    seen: set[tuple[object, object]] = set()
    for feature in sorted(matching, key=_order):
        key = (feature.json.get("collection"), feature.json["id"])
        if key in seen:
            found.repeated += 1
        elif len(seen) < (max_items or len(source.features)):
            seen.add(key)
            found.features.append(feature)
    return found


def _order(feature: Feature) -> tuple[bool, datetime, str]:
    start = feature.span[0] if feature.span else datetime.max.replace(tzinfo=UTC)
    return feature.span is None, start, str(feature.json["id"])


def _collect_api(source: ApiCatalog, request: Request, max_items: int | None) -> Found:
    if not source.filters:
        warnings.warn(
            f"{show(source.href or 'the server')} does not say that it can filter with CQL2-JSON; "
            "what it sends is checked all the same",
            UnfilteredServerWarning,
            stacklevel=4,
        )
    found = Found()
    searches = [Pages(source, condition) for condition in request.conditions]
    features = map(Feature, _each_once(searches))
    _sort_out(source, request, features, found, max_items)
    found.repeated = sum(pages.repeated for pages in searches)
    return found


def _each_once(searches: Iterable[Pages]) -> Iterator[Json]:
    """Yield the items of several searches; a scene may meet several shapes of one area."""
    seen: set[tuple[object, object]] = set()
    for item in itertools.chain.from_iterable(searches):
        key = (item.get("collection"), item["id"])
        if key not in seen:
            seen.add(key)
            yield item


def _sort_out(
    source: ApiCatalog,
    request: Request,
    features: Iterable[Feature],
    found: Found,
    max_items: int | None,
) -> None:
    """Hold what a server sends against the request, and end where that is senseless."""
    judge = request.judge()
    for feature in features:
        verdict = judge(feature)
        if verdict == "no":
            raise _ignored(feature, request)
        found.sample.append(feature)
        if verdict == "yes":
            found.features.append(feature)
        elif verdict != "beyond":
            found.dropped.append(Dropped(str(feature.json["id"]), WRONG[verdict]))
        _check_sense(source, request, found)
        if max_items is not None and len(found.features) == max_items:
            return


def _check_sense(source: ApiCatalog, request: Request, found: Found) -> None:
    """End a search whose place and time the server ignores: it would send its whole archive."""
    if len(found.dropped) < max(_SENSELESS, source.page_size) or found.features:
        return
    last = found.dropped[-1]
    raise FilterIgnoredError(
        f"none of the first {len(found.dropped)} items that the server sent was asked for",
        given=f"{last.id}: {last.reason}",
        allowed=request.text,
        hint="the server ignores the filter: use another API that serves these collections",
    )


def _ignored(feature: Feature, request: Request) -> FilterIgnoredError:
    facts = {name: feature.value(name) for name in sorted(request.properties)}
    item = feature.json
    return FilterIgnoredError(
        "the server sent an item that does not satisfy the filter",
        given=f"item {item['id']!r} of collection {item.get('collection')!r} with {facts}",
        allowed=request.text,
        hint="the server ignores the filter, or part of it: ask for collections, aoi and period "
        "only, freeze the items and search the frozen catalogue with the filter",
    )
