"""One search: the condition that is sent, and the tests that each answer must pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cbmcube.catalog.filters import (
    TIMES,
    Feature,
    Json,
    Period,
    Truth,
    bare,
    both,
    compile_condition,
    conjuncts,
    parse_filter,
    parse_period,
    property_names,
)
from cbmcube.catalog.searching._area import Area, parse_area
from cbmcube.exceptions import OptionError
from cbmcube.products import Product

Verdict = Literal["yes", "no", "elsewhere", "another time", "beyond"]
"""``no``: the item fails the filter or the collection. The others fail only place or time;
``beyond`` meets the outline that a server is asked for, and not the area itself."""

_TIMES = frozenset(TIMES)
_SHOWN = 300
_ALWAYS_THERE = _TIMES | {"geometry", "id", "collection"}


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks a catalogue for."""

    product: Product | None
    """Product whose assets are wanted."""
    collections: tuple[str, ...]
    """Collections to search, all of them if empty."""
    area: Area | None
    """Where."""
    period: Period | None
    """When."""
    filter: Json | None
    """The user's own condition."""
    text: str
    """The request in words."""

    @property
    def conditions(self) -> tuple[Json | None, ...]:
        """The whole request in CQL2-JSON: one expression for each shape of the area."""
        places = (None,) if self.area is None else self.area.conditions()
        when = None if self.period is None else self.period.condition()
        return tuple(both(self.of_collections(), place, when, self.filter) for place in places)

    def of_collections(self) -> Json | None:
        """Return the condition on the collection alone."""
        if not self.collections:
            return None
        name = {"property": "collection"}
        if len(self.collections) == 1:
            return {"op": "=", "args": [name, self.collections[0]]}
        return {"op": "in", "args": [name, list(self.collections)]}

    @property
    def properties(self) -> frozenset[str]:
        """Properties that the user's condition reads and that an item may lack."""
        return frozenset(map(bare, property_names(self.filter))) - _ALWAYS_THERE

    def judge(self) -> Callable[[Feature], Verdict]:
        """Return the test that an item must pass; literals are prepared once."""
        rules: list[Callable[[Feature], Truth]] = []
        places: list[Callable[[Feature], Truth]] = []
        times: list[Callable[[Feature], Truth]] = []
        parts = [] if self.filter is None else conjuncts(self.filter)
        for part in [*parts, *filter(None, [self.of_collections()])]:
            names = set(property_names(part))
            spatial, temporal = names == {"geometry"}, names <= _TIMES
            group = places if spatial else times if temporal else rules
            group.append(compile_condition(part))
        area = self.area
        if area is not None:
            places.append(_area_test(area))
        if self.period is not None:
            times.append(_period_test(self.period))

        def verdict(feature: Feature) -> Verdict:
            if not all(rule(feature) for rule in rules):
                return "no"
            if not all(time(feature) for time in times):
                return "another time"
            footprint = feature.geometry
            if not all(place(feature) for place in places):
                return "elsewhere"
            return "beyond" if area and footprint and not area.meets(footprint) else "yes"

        return verdict


def build_request(
    product: Product | None,
    *,
    aoi: Any,
    period: Any,
    condition: str | Mapping[str, Any] | None,
    collections: str | Collection[str] | None,
) -> Request:
    """Read everything that a user can ask for, before anything is sent."""
    if product is not None and not isinstance(product, Product):
        raise OptionError(
            "the second argument of a search is a product",
            given=repr(product)[:200],
            allowed="CARD_2A, CARD_BS, CARD_COH6, a Product, or None",
            hint='give names of collections as collections=["…"]',
        )
    names = _collections(product, collections)
    area = None if aoi is None else parse_area(aoi)
    when = None if period is None else parse_period(period)
    parts = [
        product.name if product else "",
        f"collections {' '.join(names)}" if collections else "",
        str(area) if area else "",
        f"period {when}" if when else "",
        "" if condition is None else f"filter {condition}"[:_SHOWN],
    ]
    return Request(
        product=product,
        collections=names,
        area=area,
        period=when,
        filter=None if condition is None else parse_filter(condition),
        text="; ".join(part for part in parts if part) or "everything",
    )


def _collections(product: Product | None, given: str | Collection[str] | None) -> tuple[str, ...]:
    if given is None:
        return () if product is None else product.collections
    names: tuple[Any, ...] = (given,) if isinstance(given, str) else tuple(given)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise OptionError(
            "collections are named by their ids",
            given=repr(given),
            allowed="one or more names, or None for the product's own",
        )
    return tuple(dict.fromkeys(names))


def _area_test(area: Area) -> Callable[[Feature], Truth]:
    return lambda feature: feature.geometry is not None and area.asks_for(feature.geometry)


def _period_test(period: Period) -> Callable[[Feature], Truth]:
    return lambda feature: feature.span is not None and period.overlaps(feature.span)
