"""The truth behind the files, for tests and examples to compare with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pystac

from cbmcube.demo._parcels import Ground
from cbmcube.demo._passes import missing_pass, optical_passes
from cbmcube.demo._phenology import EVENT_KINDS, Season
from cbmcube.demo._scenes import special_dates
from cbmcube.demo._sizes import Recipe
from cbmcube.demo._stac import OFFSET_BASELINE, PLAIN_BASELINE
from cbmcube.demo._zones import Zone


def season_events(chosen: Recipe, ground: Ground, season: Season) -> Iterator[tuple[str, str, str]]:
    """Yield the events of the declared parcels in the season, by parcel and date."""
    names = dict(zip(ground.piece.tolist(), ground.declared["field_id"], strict=True))
    for piece, code, day in season.events.tolist():
        when = date(2024, 1, 1) + timedelta(days=day - 1)
        if piece in names and chosen.start <= when <= chosen.end:
            yield names[piece], EVENT_KINDS[code], when.isoformat()


def truth(
    chosen: Recipe, ground: Ground, zones: tuple[Zone, Zone], items: list[pystac.Item]
) -> dict[str, Any]:
    """Return what the country is and what happens in it, ready for JSON."""
    missing = missing_pass(chosen)
    special = special_dates(chosen)
    passes = optical_passes(chosen)
    stamp = passes[special.twin].stamp
    versions = {
        item.properties["s2:processing_baseline"]: item.id
        for item in items
        if item.collection_id == "CARD-2A" and stamp in item.id and "33UTP" in item.id
    }
    return {
        "complete": True,
        "recipe": chosen.identity,
        "period": f"{chosen.start}/{chosen.end}",
        "n_items": len(items),
        "n_parcels": len(ground.declared),
        "missing": {
            "platform": missing.platform,
            "relative_orbit": missing.relative_orbit,
            "orbit_state": missing.state,
            "datetime": missing.time.isoformat(),
        },
        "twin": {
            "kept": versions[OFFSET_BASELINE],
            "superseded": versions[PLAIN_BASELINE],
        },
        "baseline_change": chosen.baseline_change.isoformat(),
        "swath_edge": passes[special.swath].time.isoformat(),
        "tiles": {tile.name: zone.crs for zone in zones for tile in zone.tiles},
        "faults": ground.faults,
    }
