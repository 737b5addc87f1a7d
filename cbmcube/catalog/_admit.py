"""Items that may be used: their hrefs made absolute and checked, others refused with a reason."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pystac

from cbmcube.catalog._access import Gate
from cbmcube.catalog._cql2 import Json
from cbmcube.catalog._feature import Feature
from cbmcube.catalog._report import Dropped
from cbmcube.exceptions import AccessError
from cbmcube.products import Product
from cbmcube.warnings import RefusedItemWarning

_SHOWN = 3


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
        except (AccessError, pystac.STACError, ValueError, KeyError, TypeError) as error:
            reason = str(error) if isinstance(error, AccessError) else f"not an item: {error!r}"
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


def _item(feature: Feature, gate: Gate, product: Product | None) -> pystac.Item:
    item = feature.json
    if feature.span is None:
        raise AccessError("it states no time")
    deciding = _deciding(item, product)
    if not deciding:
        raise AccessError(f"it has none of the assets of {product and product.name}")
    base = _self_href(item)
    assets: Json = {}
    for key, asset in item["assets"].items():
        try:
            assets[key] = {**asset, "href": gate.resolve(asset.get("href"), base)}
        except AccessError as error:
            if key in deciding:
                raise AccessError(f"asset {key!r}: {error}") from error
    version = str(item.get("stac_version", ""))
    # items are kept as they were served; only drafts of STAC lack what later readers need
    draft = version.startswith(("0.", "1.0.0-"))
    return pystac.Item.from_dict({**item, "assets": assets}, migrate=draft)


def _deciding(item: Mapping[str, Any], product: Product | None) -> set[str]:
    assets = item["assets"]
    if product is None:
        data = {key for key, asset in assets.items() if "data" in (asset.get("roles") or ())}
        return data or set(assets) or {""}
    here = [one for one in product.profiles if item.get("collection") in one.collections]
    return {key for one in here or product.profiles for key in one.assets.values() if key in assets}


def _self_href(item: Mapping[str, Any]) -> str | None:
    links = item.get("links") or ()
    found = (link.get("href") for link in links if isinstance(link, dict))
    kinds = (link.get("rel") for link in links if isinstance(link, dict))
    return next((href for href, rel in zip(found, kinds, strict=True) if rel == "self"), None)
