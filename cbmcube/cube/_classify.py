"""What can be done with an item: exactly one answer for each, before anything is opened."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import pystac

from cbmcube.catalog import AccessPolicy, gate_items, group_acquisitions
from cbmcube.cube.grids import Source, item_sources, native_grids, require_projected
from cbmcube.cube.radiometry import Radiometry, decide, nodata_number, stored_dtype
from cbmcube.exceptions import (
    AccessError,
    BadItemError,
    Error,
    NoGridError,
    UnknownOffsetError,
    UnknownScaleError,
    UnprojectedProductError,
    UnsupportedAssetError,
)
from cbmcube.products import Product
from cbmcube.warnings import IgnoredOffsetWarning

Outcome = Literal[
    "loadable",
    "no time",
    "unprojected",
    "not a raster",
    "other product",
    "address refused",
    "no grid",
    "unknown offset",
    "unknown scale",
    "bad item",
]

_RASTER_TYPES = ("image/tiff", "image/jp2", "image/geotiff", "image/vnd.stac.geotiff")
_RASTER_NAMES = (".tif", ".tiff", ".jp2")

# The first class that fits; derived classes come before their bases.
_OUTCOMES: tuple[tuple[type[Error], Outcome], ...] = (
    (UnsupportedAssetError, "not a raster"),
    (AccessError, "address refused"),
    (UnprojectedProductError, "unprojected"),
    (NoGridError, "no grid"),
    (UnknownOffsetError, "unknown offset"),
    (UnknownScaleError, "unknown scale"),
    (BadItemError, "bad item"),
)


@dataclass(frozen=True, slots=True)
class Classification:
    """What can be done with one item, and why."""

    item: str
    """Id of the item."""
    outcome: Outcome
    """The one answer."""
    reason: str = ""
    """Why it cannot be loaded: the message of the error that `load` would raise."""
    profile: str | None = None
    """Name of the profile that spells the item."""
    grids: tuple[str, ...] = ()
    """Native grids of its bands."""
    radiometry: dict[str, Radiometry] = field(default_factory=dict)
    """What was decided for each band, without class bands."""


def classify(
    item: pystac.Item,
    product: Product,
    *,
    offset: float | None = None,
    access: AccessPolicy | None = None,
) -> Classification:
    """Say what can be done with an item; nothing is opened, and no item raises an error.

    Parameters
    ----------
    item
        Any item.
    product
        What it should hold. Bands that the item does not have do not count.
    offset, access
        As in `load_native`.

    Returns
    -------
    Classification
        The outcome, the first that applies:

        - ``"no time"``: it states no time;
        - ``"unprojected"``: a radar scene that was never put on a map grid;
        - ``"not a raster"``: no asset, or none that holds a band, is a GeoTIFF or JPEG 2000
          at hand;
        - ``"other product"``: no known provider of `product` spells assets so;
        - ``"address refused"``: its addresses are relative to nothing, or not allowed;
        - ``"no grid"``: projection metadata are missing or cannot be true;
        - ``"unknown offset"``, ``"unknown scale"``: nothing says how numbers are stored;
        - ``"bad item"``: it contradicts itself;
        - ``"loadable"``.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.cube import classify
    >>> item = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_BS).items[0]
    >>> classify(item, cbm.CARD_BS).outcome
    'loadable'
    >>> classify(item, cbm.CARD_2A).outcome
    'other product'
    """
    try:
        group_acquisitions([item])
    except BadItemError as error:
        return Classification(item.id, "no time", str(error))
    try:
        require_projected(item)
    except NoGridError as error:
        return Classification(item.id, _outcome(error), str(error))
    if not any(_may_be_raster(asset) for asset in item.assets.values()):
        found = ", ".join(
            sorted({asset.media_type or asset.href for asset in item.assets.values()})
        )
        return Classification(item.id, "not a raster", f"assets: {found or 'none'}")
    profile = product.profile_for(item.collection_id, item.assets, item.properties)
    if profile is None:
        reason = f"no profile of {product.name} spells {', '.join(item.assets)}"
        return Classification(item.id, "other product", reason)
    try:
        sources = _sources(item, product, access)
        grids = tuple(grid.name for grid in native_grids(sources))
        radiometry = _radiometry(sources, offset)
    except Error as error:
        return Classification(item.id, _outcome(error), str(error), profile.name)
    return Classification(item.id, "loadable", "", profile.name, grids, radiometry)


def _sources(item: pystac.Item, product: Product, access: AccessPolicy | None) -> list[Source]:
    """Return the assets of the bands that the item has."""
    profile = product.profile_for(item.collection_id, item.assets, item.properties)
    keys = {} if profile is None else profile.assets
    bands = [band for band in product.bands if keys.get(band.name) in item.assets]
    (gated,) = gate_items([item], access, product)
    return item_sources(gated, product, bands)


def _radiometry(sources: Sequence[Source], offset: float | None) -> dict[str, Radiometry]:
    decisions = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IgnoredOffsetWarning)  # load says it; here it is no news
        for source in sources:
            nodata_number(source.band, source.profile, source.item, source.key)
            stored_dtype(source.band, source.profile, source.item, source.key)
            decided = decide(source.item, source.key, source.band, source.profile, offset)
            if source.band.kind != "classes":
                decisions[source.band.name] = decided
    return decisions


def _may_be_raster(asset: pystac.Asset) -> bool:
    kind = (asset.media_type or "").split(";")[0].strip().lower()
    named = asset.href.split("?")[0].lower().endswith(_RASTER_NAMES)
    return (
        kind in _RASTER_TYPES
        or (named and not kind)
        or "octet-stream" in kind
        or not (kind or "." in asset.href.rsplit("/", 1)[-1])
    )


def _outcome(error: Error) -> Outcome:
    return next((name for kind, name in _OUTCOMES if isinstance(error, kind)), "bad item")
