"""What an item shows, read from the spellings of several providers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pystac

from cbmcube.catalog.filters import compact, item_span, to_time

_PRODUCT = re.compile(
    r"(?P<mission>S2[A-D])_MSIL[12][AC]_(?P<datatake>\d{8}T\d{6})"
    r"(?:_N(?P<baseline>\d{4}))?_R(?P<orbit>\d{3})_T(?P<tile>\d{2}[A-Z]{3})"
    r"_(?P<generation>\d{8}T\d{6})"
)
_DATATAKE = re.compile(r"GS2[A-D]_(\d{8}T\d{6})_")
_DATASTRIP = re.compile(r"_S(\d{8}T\d{6})")
_SHORT_PLATFORM = re.compile(r"^s([12])([a-d])$")


@dataclass(frozen=True, slots=True)
class Identity:
    """What an item shows, in one spelling; ``None`` where the item does not say."""

    platform: str | None
    """Satellite, such as ``"sentinel-2a"``."""
    tile: str | None
    """Tile of a fixed grid, such as ``"32UPC"``."""
    datatake_time: datetime | None
    """Sensing start of the datatake."""
    datastrip_time: datetime | None
    """Sensing start of the datastrip; two datastrips of a tile are two halves of it."""
    baseline: str | None
    """Processing baseline, such as ``"05.10"``."""
    generation_time: datetime | None
    """When the product was made."""
    relative_orbit: int | None
    """Number of the orbit track."""
    orbit_state: str | None
    """``"ascending"`` or ``"descending"``."""
    reference_time: datetime | None
    """Earlier date of an interferometric pair."""


def item_time(item: pystac.Item) -> datetime:
    """Return when an item was sensed, UTC.

    That is ``datetime``, unless it lies outside the item's own ``start_datetime`` to
    ``end_datetime``: some providers put the processing time there.

    Raises
    ------
    BadItemError
        If the item states no time.
    """
    start, end = item_span(item.id, item.datetime, item.properties)
    if item.datetime is None:
        return start
    at, _ = item_span(item.id, item.datetime, {})
    return at if start <= at <= end else start


def identify(item: pystac.Item) -> Identity:
    """Read an item's identity from the spellings of several providers.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.catalog import identify
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_2A)
    >>> identity = identify(items[0])
    >>> identity.platform, identity.tile
    ('sentinel-2a', '32UQU')
    """
    facts = item.properties
    product = _product_name(item.id, facts)
    return Identity(
        platform=_platform(facts.get("platform")) or _platform(product.get("mission")),
        tile=_tile(facts) or product.get("tile"),
        datatake_time=_stamp(_DATATAKE, facts, "s2:datatake_id", "eopf:datatake_id")
        or _compact(product.get("datatake")),
        datastrip_time=_stamp(_DATASTRIP, facts, "s2:datastrip_id", "eopf:datastrip_id"),
        baseline=_baseline(facts, product),
        generation_time=_first_time(
            facts, "s2:generation_time", "processing:datetime", "s1:processing_datetime"
        )
        or _compact(product.get("generation")),
        relative_orbit=_integer(facts.get("sat:relative_orbit", product.get("orbit"))),
        orbit_state=_lower(facts.get("sat:orbit_state")),
        reference_time=_first_time(facts, "insar:reference_datetime"),
    )


def _product_name(item_id: str, facts: Mapping[str, Any]) -> dict[str, str]:
    for name in (facts.get("s2:product_uri"), facts.get("sentinel:product_id"), item_id):
        found = _PRODUCT.search(name) if isinstance(name, str) else None
        if found:
            return {key: text for key, text in found.groupdict().items() if text}
    return {}


def _platform(value: object) -> str | None:
    name = _lower(value)
    short = _SHORT_PLATFORM.match(name or "")
    return f"sentinel-{short[1]}{short[2]}" if short else name


def _tile(facts: Mapping[str, Any]) -> str | None:
    for key in ("grid:code", "s2:mgrs_tile", "sentinel:mgrs"):
        if isinstance(facts.get(key), str):
            return _tile_name(facts[key])
    for prefix in ("mgrs", "sentinel"):
        parts = [facts.get(f"{prefix}:{p}") for p in ("utm_zone", "latitude_band", "grid_square")]
        if all(part is not None for part in parts):
            return _tile_name("".join(map(str, parts)))
    return None


def _tile_name(text: str) -> str:
    """Write ``MGRS-5UPC``, ``T05UPC`` and ``05upc`` alike; other grids keep their name."""
    name = text.strip().upper().removeprefix("MGRS-")
    mgrs = re.fullmatch(r"T?(\d{1,2})([A-Z]{3})", name)
    return f"{int(mgrs[1]):02d}{mgrs[2]}" if mgrs else name


def _baseline(facts: Mapping[str, Any], product: Mapping[str, str]) -> str | None:
    for key in ("s2:processing_baseline", "processing:version"):
        if facts.get(key) is not None:
            return str(facts[key])
    digits = product.get("baseline")
    return f"{digits[:2]}.{digits[2:]}" if digits else None


def _stamp(pattern: re.Pattern[str], facts: Mapping[str, Any], *keys: str) -> datetime | None:
    for key in keys:
        found = pattern.search(str(facts.get(key, "")))
        if found:
            return _compact(found[1])
    return None


def _compact(text: str | None) -> datetime | None:
    try:
        return None if text is None else compact(text)
    except ValueError:
        return None


def _first_time(facts: Mapping[str, Any], *keys: str) -> datetime | None:
    return next((time for key in keys if (time := to_time(facts.get(key)))), None)


def _integer(value: object) -> int | None:
    try:
        return None if value is None else int(str(value))
    except ValueError:
        return None


def _lower(value: object) -> str | None:
    return value.strip().lower() if isinstance(value, str) and value.strip() else None
