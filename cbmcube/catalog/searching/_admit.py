"""Items that may be used: their hrefs made absolute and checked, others refused with a reason."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pystac

from cbmcube.catalog.access import AccessPolicy, Gate, final_asset, raster_problem
from cbmcube.catalog.filters import Feature, Json
from cbmcube.catalog.searching._report import Dropped
from cbmcube.exceptions import AccessError, Error, UnsupportedAssetError
from cbmcube.products import Product
from cbmcube.warnings import RefusedItemWarning

_SHOWN = 3

_admitted: weakref.WeakSet[pystac.Item] = weakref.WeakSet()
"""Items that a search of this process let in; copies of them are looked at again."""


@dataclass(slots=True)
class Admitted:
    """Items that may be used, and what may not."""

    items: list[pystac.Item] = field(default_factory=list)
    """The items, with absolute hrefs."""
    refused: list[Dropped] = field(default_factory=list)
    """Items that may not be used."""
    assets_removed: int = 0
    """Assets of `items` that nobody asked for and that may not be read."""


def admit(features: Iterable[Feature], gate: Gate, product: Product | None) -> Admitted:
    """Sort items into those that may be used and those that may not.

    The assets that `product` names decide; without a product, those with role ``data``, or all
    where none has it. Other assets that may not be read are removed from the item.
    """
    found = Admitted()
    for feature in features:
        try:
            item = _item(feature, gate, product)
        except (Error, pystac.STACError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = str(error) if isinstance(error, Error) else f"not an item: {error!r}"
            found.refused.append(Dropped(str(feature.json["id"]), reason))
        else:
            found.items.append(item)
            found.assets_removed += len(feature.json["assets"]) - len(item.assets)
    if found.refused:
        first = "; ".join(f"{one.id}: {one.reason}" for one in found.refused[:_SHOWN])
        warnings.warn(
            f"{len(found.refused)} items were refused: {first}", RefusedItemWarning, stacklevel=3
        )
    return found


def gate_items(
    items: Iterable[pystac.Item],
    access: AccessPolicy | None = None,
    product: Product | None = None,
) -> list[pystac.Item]:
    """Return items whose hrefs are absolute, allowed and final, as those of `search` are.

    Items that `search` returned pass as they are. Others may name what the items of a remote
    catalogue may, if their self link or root is on the web; local files only if they have
    neither, for then the caller made them.

    Parameters
    ----------
    items
        STAC items; not modified.
    access
        Where they may point at; the default policy for ``None``. With a policy, items of
        `search` are looked at again.
    product
        Product whose assets must be usable; without one, those with role ``data``, or all.

    Returns
    -------
    list of pystac.Item
        Copies, without the other assets that may not be read.

    Raises
    ------
    AccessError
        If an asset that is needed points where it may not; the message names item and asset.
    UnsupportedAssetError
        If an asset of `product` is no raster file, or is on tape.

    Examples
    --------
    >>> from datetime import datetime
    >>> item = pystac.Item("scene", None, None, datetime(2024, 3, 5), {})
    >>> item.add_asset("B04", pystac.Asset("http://169.254.169.254/B04.tif"))
    >>> gate_items([item])
    Traceback (most recent call last):
    cbmcube.exceptions.AccessError: item 'scene', asset 'B04': host '169.254.169.254' is not ...
    """
    return [
        item if access is None and item in _admitted else _gated(item, access, product)
        for item in items
    ]


def _gated(item: pystac.Item, access: AccessPolicy | None, product: Product | None) -> pystac.Item:
    content = item.to_dict(include_self_link=True, transform_hrefs=False)
    home = _home(item)
    remote = home is not None and home.lower().startswith(("http://", "https://"))
    gate = Gate(
        access or AccessPolicy(), home if remote else None, any_file=not remote, opened=False
    )
    try:
        assets = _assets(content, gate, product, home)
        _require_rasters(content, assets, product)
    except AccessError as error:
        raise AccessError(
            f"item {item.id!r}, {error}",
            hint="allow it with access=AccessPolicy(…), if you trust whoever made the item",
        ) from None
    except UnsupportedAssetError as error:
        raise UnsupportedAssetError(
            f"item {item.id!r}, {error}",
            allowed="GeoTIFF and JPEG 2000, also in ZIP archives, that can be read at once",
            hint="choose a collection that offers such files, or leave the item out",
        ) from None
    return pystac.Item.from_dict({**content, "assets": assets}, migrate=False)


def _home(item: pystac.Item) -> str | None:
    """Return where an item comes from: its own address, or that of its catalogue."""
    if item.get_self_href():
        return item.get_self_href()
    root = item.get_root_link()
    href = root.get_href(transform_href=False) if root is not None else None
    return href if isinstance(href, str) else None


def _item(feature: Feature, gate: Gate, product: Product | None) -> pystac.Item:
    item = feature.json
    if feature.span is None:
        raise AccessError("it states no time")
    assets = _assets(item, gate, product, _self_href(item))
    if product is not None:
        _require_rasters(item, assets, product)
    version = str(item.get("stac_version", ""))
    # items are kept as they were served; only drafts of STAC lack what later readers need
    draft = version.startswith(("0.", "1.0.0-"))
    found = pystac.Item.from_dict({**item, "assets": assets}, migrate=draft)
    _admitted.add(found)
    return found


def _assets(item: Mapping[str, Any], gate: Gate, product: Product | None, base: object) -> Json:
    """Return the assets that may be read, with final hrefs; no needed one is missing."""
    deciding = _deciding(item, product)
    if not deciding:
        raise AccessError(f"it has none of the assets of {product and product.name}")
    assets: Json = {}
    for key, asset in item["assets"].items():
        try:
            assets[key] = final_asset(asset, gate, base)
        except (AccessError, UnsupportedAssetError) as error:
            if key in deciding:
                raise type(error)(f"asset {key!r}: {error}") from None
    return assets


def _require_rasters(item: Mapping[str, Any], assets: Json, product: Product | None) -> None:
    """Refuse an item of which an asset of `product`, or without one every asset, is no raster."""
    keys = sorted(_deciding(item, product) & {*assets})
    found = {key: raster_problem(assets[key], item["properties"]) for key in keys}
    problems = [f"asset {key!r} {problem}" for key, problem in found.items() if problem]
    if problems and (product is not None or len(problems) == len(keys)):
        raise UnsupportedAssetError(problems[0])


def _deciding(item: Mapping[str, Any], product: Product | None) -> set[str]:
    assets = item["assets"]
    if product is None:
        data = {key for key, asset in assets.items() if "data" in (asset.get("roles") or ())}
        return data or set(assets) or {""}
    profile = product.profile_for(item.get("collection"), assets, item.get("properties"))
    spellings = product.profiles if profile is None else (profile,)
    return {key for one in spellings for key in one.assets.values() if key in assets}


def _self_href(item: Mapping[str, Any]) -> str | None:
    links = item.get("links") or ()
    found = (link.get("href") for link in links if isinstance(link, dict))
    kinds = (link.get("rel") for link in links if isinstance(link, dict))
    return next((href for href, rel in zip(found, kinds, strict=True) if rel == "self"), None)
