"""Search a catalogue, check what it answers, and say what was left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pystac
import pystac_client

from cbmcube.catalog.filters import Period
from cbmcube.catalog.items import REPORT_KEY, Facts, drop_twins, item_time
from cbmcube.catalog.opening import (
    ApiCatalog,
    Catalog,
    FrozenCatalog,
    as_catalog,
    offered_collections,
)
from cbmcube.catalog.searching._admit import admit
from cbmcube.catalog.searching._collect import WRONG, Found, collect
from cbmcube.catalog.searching._properties import warn_filtered_out, warn_unknown_properties
from cbmcube.catalog.searching._request import Request, build_request
from cbmcube.exceptions import EmptySearchError, OptionError
from cbmcube.products import Product


def search(
    catalog: Catalog | pystac_client.Client | pystac.ItemCollection,
    product: Product | None = None,
    *,
    aoi: Any = None,
    period: Any = None,
    filter: str | Mapping[str, Any] | None = None,  # noqa: A002  # the name that STAC APIs use
    collections: str | Collection[str] | None = None,
    max_items: int | None = None,
) -> pystac.ItemCollection:
    """Find the items of a product, check them, and drop reprocessed twins.

    Everything that is asked becomes one CQL2 expression. A STAC API gets it by POST; its answer
    is checked with the same expression. A frozen catalogue is searched with it.

    Parameters
    ----------
    catalog
        What `open_catalog` returns, a ``pystac_client.Client`` or a ``pystac.ItemCollection``.
    product
        Product whose collections are searched and whose assets must be readable. A server is
        asked for those of its collections that it lists.
    aoi
        Area that the footprints must meet: (west, south, east, north) in degrees, a shapely
        geometry or GeoJSON in longitude and latitude, or a GeoDataFrame or GeoSeries in any CRS.
        For an area of more than 500 vertices a server is asked for a simpler one around it,
        if need be in several searches; the true area is checked afterwards.
    period
        Closed interval of UTC: ``"2024"``, ``"2024-03"``, ``"2024-03/2024-10"``,
        ``"2024-03-01/.."``, a date, or a pair of dates or times. Years, months and days given by
        name are meant whole.
    filter
        An expression, such as ``prop("eo:cloud_cover") < 60``, the same as CQL2 text
        (``"eo:cloud_cover < 60"``), or CQL2-JSON as a dict.
    collections
        Ids of collections, instead of the product's.
    max_items
        End after so many matching items, before twins are dropped.

    Returns
    -------
    pystac.ItemCollection
        Sorted by time and id, with absolute hrefs. `report` tells what was left out.

    Raises
    ------
    EmptySearchError
        If no usable item was found; as ``UnknownCollectionError`` if the server lists its
        collections and has none of the product.
    FilterError
        If the filter cannot be read or checked.
    FilterIgnoredError
        If the server sent an item that does not satisfy the filter.
    CatalogError
        If the server fails, or sends what is not STAC.

    Warns
    -----
    RefusedItemWarning, PossiblyTruncatedWarning
        If items point where they may not, or pages may be missing.
    UnfilteredServerWarning, UnknownPropertyWarning, FilteredOutWarning
        If the server does not say that it can filter, the filter reads a property that no item
        has, or nothing passes it although there are items without it.

    Examples
    --------
    >>> from datetime import datetime
    >>> import pystac
    >>> scenes = pystac.ItemCollection(
    ...     pystac.Item(f"scene-{day}", None, None, datetime(2024, 3, day), {"eo:cloud_cover": day})
    ...     for day in (5, 15, 25)
    ... )
    >>> [item.id for item in search(scenes, period="2024-03-10/..", filter="eo:cloud_cover < 20")]
    ['scene-15']
    """
    source = as_catalog(catalog)
    request = build_request(
        product, aoi=aoi, period=period, condition=filter, collections=collections
    )
    if product is not None and collections is None:
        request = replace(request, collections=offered_collections(source, product))
    _check_size(source, request, max_items)
    found = collect(source, request, max_items)
    known = warn_unknown_properties(source, request, found.sample)
    if known and not (found.features or found.dropped):
        warn_filtered_out(source, request)
    admitted = admit(found.features, source.gate, product)
    kept, twins = drop_twins(
        admitted.items,
        lambda item: _family(item, product),
        lambda item: _liking(item, product),
    )
    facts = _facts(source, request, found, max_items)
    left_out = (*found.dropped, *admitted.refused, *twins)
    facts = replace(facts, dropped=left_out, assets_removed=admitted.assets_removed)
    if not kept:
        raise _empty(source, request, facts)
    kept.sort(key=lambda item: (item_time(item), item.id))
    extra = {REPORT_KEY: facts.to_json()}
    return pystac.ItemCollection(kept, extra_fields=extra, clone_items=False)


def _check_size(source: Catalog, request: Request, max_items: int | None) -> None:
    if max_items is not None and max_items < 1:
        raise OptionError("max_items counts items", given=max_items, allowed="1 or more, or None")
    if isinstance(source, ApiCatalog) and request.conditions == (None,) and max_items is None:
        raise OptionError(
            "the search asks a server for everything it has",
            hint="name a product, collections, an area or a period, or set max_items",
        )


def _family(item: pystac.Item, product: Product | None) -> str:
    """Twins may lie in two collections if both are spellings of one product."""
    if product is not None and item.collection_id in product.collections:
        return product.name
    return item.collection_id or ""


def _liking(item: pystac.Item, product: Product | None) -> int:
    """Of one scene in two collections, the one that the product names first is taken."""
    if product is None or item.collection_id not in product.collections:
        return 0
    return -product.collections.index(item.collection_id)


def _facts(
    source: Catalog,
    request: Request,
    found: Found,
    max_items: int | None,
) -> Facts:
    stored = source.facts if isinstance(source, FrozenCatalog) else None
    before = Facts.from_json(stored) if stored else None
    period = request.period or (before.period if before else None)
    days = request.product.repeat_days if request.product else None
    return Facts(
        asked=request.text,
        found=len(found.features) + len(found.dropped),
        repeated=found.repeated,
        period=None if period is None else _until_now(period),
        repeat_days=days or (before.repeat_days if before else None),
        filtered=request.filter is not None or bool(before and before.filtered),
        capped=max_items is not None and len(found.features) == max_items,
        earlier=(*before.earlier, *before.dropped) if before else (),
    )


def _until_now(period: Period) -> Period:
    """Nothing can be missing that has not been acquired yet."""
    now = datetime.now(UTC).replace(microsecond=0)
    if period.end is None or period.end <= now:
        return period
    return Period(period.start, now)


def _empty(source: Catalog, request: Request, facts: Facts) -> EmptySearchError:
    reasons = [f"{one.id}: {one.reason}" for one in facts.dropped[:5]]
    given = "\n           ".join([request.text, f"{facts.found} found", *reasons])
    return EmptySearchError(
        "the search found no usable item",
        given=given,
        allowed=f"the catalogue holds {source.holds}",
        hint="allow the places that these items point at with open_catalog(…, access=…)"
        if any(one.reason not in WRONG.values() for one in facts.dropped)
        else "ask with less at a time: without filter, then without aoi, then without period",
    )
