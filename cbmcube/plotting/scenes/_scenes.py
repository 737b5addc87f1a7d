"""The scenes of a search as plain tables: by acquisition, what is missing, what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pystac
import shapely
import shapely.geometry

from cbmcube.catalog import report
from cbmcube.exceptions import OptionError

NO_TILE = "no tile"
_ARROWS = {"ascending": "↑", "descending": "↓"}
_FACTS = ("time", "track", "satellite")


class SceneReport(Protocol):
    """What these figures need of a search: the report of `cbmcube.report`, or its like."""

    @property
    def acquisitions(self) -> Sequence[Any]:
        """Acquisitions: `id`, `time`, `platform`, `relative_orbit`, `orbit_state`, `items`."""

    @property
    def gaps(self) -> Sequence[Any]:
        """Expected and not found: `time`, `platform`, `relative_orbit`, `orbit_state`."""

    @property
    def dropped(self) -> Sequence[Any]:
        """Left out: `id`, `reason`, and `kept`, the item that stays in its place."""

    def to_frame(self, what: str = ...) -> pd.DataFrame:
        """Return with ``"items"`` a table with `id`, `acquisition` and `tile`."""


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """What a search found, as plain tables."""

    items: pd.DataFrame
    """A row for each item: `id`, `acquisition`, `time` (UTC, without zone), `track`,
    `satellite` and `tile`."""
    gaps: pd.DataFrame
    """Acquisitions that were expected and not found: `time`, `track` and `satellite`."""
    dropped: pd.DataFrame
    """Items left out: `id`, `reason`, `kept`, and where the kept one stands: `time`, `track`,
    `tile`."""
    geometry: np.ndarray
    """Footprints of the items in their order; ``None`` where an item has none."""


def scenes_of(items: pystac.ItemCollection | Iterable[pystac.Item] | SceneReport) -> Scenes:
    """Return what a search found, from its items or from their report.

    Raises
    ------
    OptionError
        If it is neither.
    """
    told = _report(items)
    acquisitions = list(told.acquisitions)
    found = [item for one in acquisitions for item in one.items]
    table = pd.DataFrame(
        [(item.id, one.id, *_facts(one)) for one in acquisitions for item in one.items],
        columns=["id", "acquisition", *_FACTS],
    )
    # The report lists its items in the order of its acquisitions.
    tiles = told.to_frame("items")["tile"].fillna(NO_TILE).to_numpy()
    table = table.assign(tile=tiles).astype({"time": "datetime64[ns]"})
    gaps = pd.DataFrame([_facts(one) for one in told.gaps], columns=[*_FACTS]).astype(
        {"time": "datetime64[ns]"}
    )
    geometry = np.array([_footprint(item) for item in found], dtype=object)
    return Scenes(table, gaps, _dropped(told, table), geometry)


def counted(items: pd.DataFrame) -> str:
    """Tell how many items and acquisitions there are."""
    numbers = {"item": len(items), "acquisition": items["acquisition"].nunique()}
    return " in ".join(f"{n:,} {noun}{'s' * (n != 1)}" for noun, n in numbers.items())


def _report(items: Any) -> SceneReport:
    if hasattr(items, "acquisitions") and hasattr(items, "to_frame"):
        return items
    if isinstance(items, pystac.ItemCollection):
        return report(items)
    listed = list(items) if isinstance(items, Iterable) else [items]
    if all(isinstance(item, pystac.Item) for item in listed):
        return report(pystac.ItemCollection(listed))
    raise OptionError(
        "scenes are the items of a search",
        given=type(items).__name__,
        allowed="what search returned, items, or cbmcube.report(items)",
        hint="pass items = cbmcube.search(…)",
    )


def _facts(one: Any) -> tuple[datetime, str, str]:
    # The catalogue has all times in UTC; vector cubes and axes have them without a zone.
    return one.time.replace(tzinfo=None), track_name(one), satellite_name(one.platform)


def track_name(one: Any) -> str:
    """Spell the track of an acquisition or gap.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> track_name(SimpleNamespace(relative_orbit=22, orbit_state="descending"))
    'R022 ↓'
    """
    orbit = "no orbit" if one.relative_orbit is None else f"R{one.relative_orbit:03d}"
    return f"{orbit} {_ARROWS.get(one.orbit_state or '', '')}".strip()


def satellite_name(platform: str | None) -> str:
    """Spell a satellite.

    Examples
    --------
    >>> satellite_name("sentinel-2a"), satellite_name("landsat-8"), satellite_name(None)
    ('S2A', 'landsat-8', 'unknown')
    """
    name = platform or "unknown"
    return name.replace("sentinel-", "S").upper() if name.startswith("sentinel-") else name


def _dropped(told: SceneReport, items: pd.DataFrame) -> pd.DataFrame:
    """Give each item left out the place of the one that stays; ids alone say nothing."""
    rows = [(str(one.id), one.reason, one.kept) for one in told.dropped]
    table = pd.DataFrame(rows, columns=["id", "reason", "kept"])
    places = items.drop_duplicates("id").set_index("id")[["time", "track", "tile"]]
    return table.join(places, on="kept")


def _footprint(item: pystac.Item) -> object:
    if item.geometry is None:
        return None
    try:
        made = shapely.make_valid(shapely.geometry.shape(item.geometry))
    except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError):
        return None  # counted as an item without a footprint
    return None if made.is_empty else made
