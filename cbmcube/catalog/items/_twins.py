"""Reprocessed twins: one scene offered twice, of which one may be used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pystac
import shapely
import shapely.geometry

from cbmcube.catalog.filters import to_time
from cbmcube.catalog.items._facts import Dropped
from cbmcube.catalog.items._identity import Identity, identify, item_time

SAME_FOOTPRINT = 0.9
"""Share of common over joint area above which two footprints are one scene's.

Used where an item names no datastrip. Two datastrips of one tile are halves of it that overlap
by a few kilometres at most; reprocessing moves a footprint by some pixels.
"""

_OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Scene:
    item: pystac.Item
    identity: Identity
    liking: int
    """Higher where a product's profiles name the collection earlier."""

    @property
    def rank(self) -> tuple[datetime, str, int, str]:
        """Sorts the version to keep last."""
        facts = self.item.properties
        # where nothing says when a product was made, the catalogue says when it came
        listed = to_time(facts.get("created")) or to_time(facts.get("published"))
        made = self.identity.generation_time or listed or _OLDEST
        return made, self.identity.baseline or "", self.liking, self.item.id


def drop_twins(
    items: Iterable[pystac.Item],
    family: Callable[[pystac.Item], str],
    liking: Callable[[pystac.Item], int] = lambda _: 0,
) -> tuple[list[pystac.Item], list[Dropped]]:
    """Keep the latest version of every scene.

    Two items are versions of one scene if they are of one `family` and share platform, tile,
    datatake and datastrip sensing time, or, where no datastrip is named, sensing time, CRS,
    names of assets and footprint. Items that name no platform are never twins. The latest
    generation time stays, then the higher baseline, then the one more liked, then the later id.
    """
    scenes: dict[tuple[object, ...], list[_Scene]] = defaultdict(list)
    for item in items:
        scene = _Scene(item, identify(item), liking(item))
        scenes[family(item), *_key(scene)].append(scene)
    kept: list[pystac.Item] = []
    dropped: list[Dropped] = []
    for group in scenes.values():
        known = group[0].identity.platform is not None
        for versions in _versions(group) if known else [[scene] for scene in group]:
            *old, best = sorted(versions, key=lambda scene: scene.rank)
            kept.append(best.item)
            dropped += [Dropped(one.item.id, _reason(one), best.item.id) for one in old]
    return kept, sorted(dropped, key=lambda one: one.id)


def _key(scene: _Scene) -> tuple[object, ...]:
    who = scene.identity
    if who.datatake_time and who.datastrip_time:
        # orbit and direction follow from these, and some providers state them wrongly or not
        return who.platform, who.tile, who.datatake_time, who.datastrip_time
    where = (who.platform, who.tile, who.relative_orbit, who.orbit_state)
    # providers round sensing times differently, to seconds at most
    start = (who.datatake_time or item_time(scene.item)).replace(microsecond=0)
    parts = frozenset(scene.item.assets)  # a scene may be cut into items by band
    return *where, start, parts, who.reference_time, _grids(scene.item)


def _grids(item: pystac.Item) -> frozenset[str]:
    """Return the CRSs of an item: one pass is often written once for each UTM zone it meets."""
    places = [item.properties, *(asset.extra_fields for asset in item.assets.values())]
    names = (place.get(key) for place in places for key in ("proj:code", "proj:epsg"))
    return frozenset(str(name).removeprefix("EPSG:") for name in names if name)


def _versions(group: Sequence[_Scene]) -> list[list[_Scene]]:
    if group[0].identity.datastrip_time and group[0].identity.datatake_time:
        return [list(group)]
    versions: list[list[_Scene]] = []
    for scene in sorted(group, key=lambda one: one.item.id):
        same = next((found for found in versions if _overlap(found[0], scene)), None)
        if same is None:
            versions.append([scene])
        else:
            same.append(scene)
    return versions


def _overlap(a: _Scene, b: _Scene) -> bool:
    if a.item.geometry is None or b.item.geometry is None:
        return False
    if a.item.geometry == b.item.geometry:
        return True
    one, other = (
        shapely.make_valid(shapely.geometry.shape(scene.item.geometry or {})) for scene in (a, b)
    )
    joint = shapely.area(shapely.union(one, other))
    common = shapely.area(shapely.intersection(one, other))
    return bool(common >= SAME_FOOTPRINT * joint > 0)


def _reason(old: _Scene) -> str:
    if old.identity.datastrip_time and old.identity.datatake_time:
        return "reprocessed twin"
    return "twin by sensing time and footprint (no datastrip is named)"
