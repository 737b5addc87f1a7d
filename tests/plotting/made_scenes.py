"""Invented searches: items of two tracks and what a search says of them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pystac
from shapely.geometry import box, mapping

from cbmcube.catalog.filters._period import parse_period
from cbmcube.catalog.items._facts import REPORT_KEY, Dropped, Facts

FIRST = datetime(2024, 3, 1, 10, 10)  # noqa: DTZ001 - as items from Python code have it


def scene(day, *, orbit=22, tile="33UWP", platform="sentinel-2a", place=(14, 47), name=None):
    facts = {
        "platform": platform,
        "sat:relative_orbit": orbit,
        "sat:orbit_state": "descending",
    }
    if tile:
        facts["grid:code"] = f"MGRS-{tile}"
    shape = mapping(box(*place, place[0] + 1.5, place[1] + 1)) if place else None
    return pystac.Item(
        name or f"S2_{orbit}_{platform[-1]}_{day:03d}_{tile}",
        shape,
        None,
        FIRST + timedelta(days=day),
        facts,
    )


def search(items, *, dropped=(), period="2024-03"):
    facts = Facts(
        "CARD-2A",
        found=len(items) + len(dropped),
        dropped=tuple(Dropped(*one) for one in dropped),
        period=parse_period(period),
        repeat_days=10,
    )
    return pystac.ItemCollection(items, extra_fields={REPORT_KEY: facts.to_json()})
