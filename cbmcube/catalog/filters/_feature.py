"""An item as a search sees it: its JSON, with times and footprint read once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import shapely
import shapely.geometry

from cbmcube.catalog.filters._times import to_time

Span = tuple[datetime, datetime]

TIMES = ("datetime", "start_datetime", "end_datetime")
"""Properties that every item has, whether it states a moment or a span."""

_TOP_LEVEL = ("assets", "links", "bbox", "stac_version", "stac_extensions")
_UNREAD: Any = ...


class Feature:
    """An item's JSON, whose times and geometry are read once, when first asked for."""

    __slots__ = ("_geometry", "_span", "json")

    def __init__(self, item: Mapping[str, Any]) -> None:
        self.json = item
        self._span: Span | None = _UNREAD
        self._geometry: shapely.Geometry | None = _UNREAD

    @property
    def span(self) -> Span | None:
        """First and last moment, or ``None`` if the item states no readable time."""
        if self._span is _UNREAD:
            facts = self.json.get("properties") or {}
            start, end = to_time(facts.get("start_datetime")), to_time(facts.get("end_datetime"))
            at = to_time(facts.get("datetime"))
            if start and end:
                self._span = (start, end)
            else:
                self._span = (at, at) if at else None
        return self._span

    @property
    def geometry(self) -> shapely.Geometry | None:
        """Footprint in longitude and latitude, or ``None`` if there is no readable one."""
        if self._geometry is _UNREAD:
            self._geometry = _read_shape(self.json.get("geometry"))
        return self._geometry

    def value(self, name: str) -> Any:
        """Return a property, or ``None`` if the item lacks it."""
        if name in TIMES:
            return None if self.span is None else self.span[name == "end_datetime"]
        if name in ("id", "collection"):
            return self.json.get(name)
        facts = self.json.get("properties") or {}
        if name in facts:
            return facts[name]
        head, _, rest = name.partition(".")
        node: Any = self.json if head in _TOP_LEVEL else facts
        for key in (head, *rest.split(".")) if rest else (head,):
            node = node.get(key) if isinstance(node, Mapping) else None
        return node


def _read_shape(geometry: Any) -> shapely.Geometry | None:
    try:
        return shapely.geometry.shape(geometry) if geometry else None
    except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError):
        return None
