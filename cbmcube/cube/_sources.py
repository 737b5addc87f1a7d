"""What to read: the assets of each item, grouped by the native grid they lie on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pystac
from odc.geo.geobox import GeoBox

from cbmcube.cube._grid import GridKey, asset_geobox, covering_geobox, grid_key
from cbmcube.exceptions import BadItemError
from cbmcube.products import Band, Product, Profile

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Source:
    """One asset to read: a band of an item, with the grid it was written on."""

    item: pystac.Item
    """The item as given."""
    key: str
    """Asset key in the item."""
    band: Band
    """The product's band."""
    geobox: GeoBox
    """The asset's own grid."""


@dataclass(frozen=True, slots=True)
class NativeGrid:
    """All sources that lie on one native grid."""

    key: GridKey
    """CRS and pixel steps."""
    geobox: GeoBox
    """The grid that covers every source of the CRS."""
    sources: tuple[Source, ...]
    """The assets to read."""

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands on this grid, in the product's order."""
        return tuple({source.band.name: source.band for source in self.sources}.values())

    @property
    def footprints(self) -> tuple[Bounds, ...]:
        """Distinct extents of the sources (west, south, east, north), sorted."""
        return tuple(sorted({_bounds(source.geobox) for source in self.sources}))


def native_grids(
    items: Sequence[pystac.Item], product: Product, bands: Sequence[Band]
) -> list[NativeGrid]:
    """Group the wanted assets of all items by native grid, sorted by CRS and resolution.

    Every grid of one CRS covers the same extent, so that the pixels of a coarse
    grid nest in whole blocks of a fine one.
    """
    by_key: dict[GridKey, list[Source]] = {}
    for item in items:
        for source in _item_sources(item, product, bands):
            by_key.setdefault(grid_key(source.geobox), []).append(source)
    order = {band.name: rank for rank, band in enumerate(bands)}
    for sources in by_key.values():
        sources.sort(key=lambda source: order[source.band.name])
    extents = _extents(by_key)
    keys = sorted(by_key, key=lambda key: (key.crs, abs(key.step_x), abs(key.step_y)))
    return [
        NativeGrid(
            key=key,
            geobox=covering_geobox(key, (s.geobox for s in by_key[key]), extents[key.crs]),
            sources=tuple(by_key[key]),
        )
        for key in keys
    ]


def _item_sources(item: pystac.Item, product: Product, bands: Sequence[Band]) -> list[Source]:
    profile = product.profile_for(item.collection_id, item.assets)
    if profile is None:
        raise BadItemError(
            f"item {item.id!r} does not spell its assets as any known provider of {product.name}",
            given=", ".join(item.assets) or "no assets",
            allowed="; ".join(_spelling(known) for known in product.profiles),
            hint="load items of this product only, or add a Profile to the product",
        )
    return [_source(item, profile, band) for band in bands]


def _source(item: pystac.Item, profile: Profile, band: Band) -> Source:
    key = profile.assets.get(band.name)
    if key is None or key not in item.assets:
        raise BadItemError(
            f"item {item.id!r} has no asset for band {band.name}",
            given=", ".join(item.assets) or "no assets",
            allowed=f"asset key {key!r} (profile {profile.name!r})",
            hint="leave the band out, or leave the item out",
        )
    return Source(item, key, band, asset_geobox(item, key))


def _spelling(profile: Profile) -> str:
    return f"{profile.name}: {', '.join(profile.assets.values())}"


def _extents(by_key: dict[GridKey, list[Source]]) -> dict[str, Bounds]:
    """Return the extent of all sources of each CRS."""
    extents: dict[str, Bounds] = {}
    for key, sources in by_key.items():
        boxes = [_bounds(source.geobox) for source in sources]
        if key.crs in extents:
            boxes.append(extents[key.crs])
        west, south, east, north = zip(*boxes, strict=True)
        extents[key.crs] = (min(west), min(south), max(east), max(north))
    return extents


def _bounds(geobox: GeoBox) -> Bounds:
    box = geobox.boundingbox
    return (box.left, box.bottom, box.right, box.top)
