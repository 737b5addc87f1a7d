"""What to read: the assets of each item, grouped by the native grid they lie on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pystac
from odc.geo.geobox import GeoBox

from cbmcube.cube.grids._grid import Bounds, GridKey, covering_geobox, geobox_bounds, grid_key
from cbmcube.cube.grids._projection import asset_geobox
from cbmcube.cube.grids._refuse import require_footprint, require_projected
from cbmcube.exceptions import BadItemError, NoGridError
from cbmcube.products import Band, Product, Profile

GridReader = Callable[[pystac.Item, str, Band, Profile], GeoBox]
"""Reads the grid of an asset from its file."""


@dataclass(frozen=True, slots=True)
class Source:
    """One asset to read: a band of an item, with the grid it was written on."""

    item: pystac.Item
    """The item, its addresses final."""
    key: str
    """Asset key in the item."""
    band: Band
    """The product's band."""
    profile: Profile
    """How the item's provider spells the product."""
    geobox: GeoBox | None
    """The asset's own grid; ``None`` where nothing says it and the output grid is given."""


@dataclass(frozen=True, slots=True)
class CubeGrid:
    """One grid of the result, with all sources that are read onto it."""

    name: str
    """Name of the grid and of its node."""
    geobox: GeoBox
    """The grid; a native one covers every source of its CRS."""
    sources: tuple[Source, ...]
    """The assets to read."""
    resampling: Mapping[str, str] = field(default_factory=dict)
    """How each band comes onto the grid; empty for a native grid."""

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands on this grid, in the product's order."""
        return tuple({source.band.name: source.band for source in self.sources}.values())


def item_profile(item: pystac.Item, product: Product) -> Profile:
    """Return the profile that spells an item.

    Raises
    ------
    UnprojectedProductError
        If the item is a radar scene that was never put on a map grid.
    BadItemError
        If no profile of `product` fits.
    """
    require_projected(item)
    profile = product.profile_for(item.collection_id, item.assets, item.properties)
    if profile is None:
        raise BadItemError(
            f"item {item.id!r} does not spell its assets as any known provider of {product.name}",
            given=f"collection {item.collection_id!r}, assets {', '.join(item.assets) or 'none'}",
            allowed="; ".join(_spelling(known) for known in product.profiles),
            hint="load items of this product only, or add a Profile to the product",
        )
    return profile


def item_sources(
    item: pystac.Item,
    product: Product,
    bands: Sequence[Band],
    read_grid: GridReader | None = None,
    *,
    grid_needed: bool = True,
) -> list[Source]:
    """Return the assets of an item that hold `bands`.

    Parameters
    ----------
    item
        An item of `product`.
    product
        What the item holds.
    bands
        Bands of the product.
    read_grid
        Reads the grid of an asset that states none.
    grid_needed
        Whether an asset without a grid is an error.

    Raises
    ------
    BadItemError, NoGridError, UnprojectedProductError
        If the item cannot be used; the message names it.
    """
    profile = item_profile(item, product)
    sources = []
    for band in bands:
        key = _asset_key(item, profile, band)
        geobox = _geobox(item, key, band, profile, read_grid, needed=grid_needed)
        sources.append(Source(item, key, band, profile, geobox))
    for source in {id(source.geobox): source for source in sources}.values():
        if source.geobox is not None:
            require_footprint(item, source.key, source.geobox)
    return sources


def native_grids(sources: Sequence[Source]) -> list[CubeGrid]:
    """Group sources by native grid, sorted by CRS and resolution.

    Every grid of one CRS covers the same extent, so that the pixels of a coarse
    grid nest in whole blocks of a fine one. Bands keep the order of `sources`.
    """
    by_key: dict[GridKey, list[Source]] = {}
    members: dict[GridKey, dict[GeoBox, None]] = {}
    known: dict[int, GridKey] = {}  # by identity: the hash of a GeoBox spells out its CRS
    for source in sources:
        if source.geobox is None:
            continue
        key = known.get(id(source.geobox))
        if key is None:
            key = known[id(source.geobox)] = grid_key(source.geobox)
            members.setdefault(key, {})[source.geobox] = None
        by_key.setdefault(key, []).append(source)
    extents = _extents(members)
    keys = sorted(by_key, key=lambda key: (key.crs, abs(key.step_x), abs(key.step_y)))
    return [
        CubeGrid(
            name=key.name,
            geobox=covering_geobox(key, members[key], extents[key.crs]),
            sources=tuple(by_key[key]),
        )
        for key in keys
    ]


def _geobox(
    item: pystac.Item,
    key: str,
    band: Band,
    profile: Profile,
    read_grid: GridReader | None,
    *,
    needed: bool,
) -> GeoBox | None:
    try:
        return asset_geobox(item, key)
    except NoGridError:
        if read_grid is None and needed:
            raise
        return None if read_grid is None else read_grid(item, key, band, profile)


def _asset_key(item: pystac.Item, profile: Profile, band: Band) -> str:
    key = profile.assets.get(band.name)
    if key is not None and key in item.assets:
        return key
    raise BadItemError(
        f"item {item.id!r} has no asset for band {band.name}",
        given=", ".join(item.assets) or "no assets",
        allowed=f"asset key {key!r} (profile {profile.name!r})"
        if key
        else f"bands of profile {profile.name!r}: {', '.join(profile.assets)}",
        hint="leave the band out, or leave the item out",
    )


def _spelling(profile: Profile) -> str:
    return f"{profile.name}: {', '.join(profile.assets.values())}"


def _extents(members: Mapping[GridKey, Mapping[GeoBox, None]]) -> dict[str, Bounds]:
    """Return the extent of all sources of each CRS."""
    boxes: dict[str, list[Bounds]] = {}
    for key, geoboxes in members.items():
        boxes.setdefault(key.crs, []).extend(map(geobox_bounds, geoboxes))
    return {crs: _union(found) for crs, found in boxes.items()}


def _union(boxes: Sequence[Bounds]) -> Bounds:
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)
