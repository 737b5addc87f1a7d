"""Attributes of a store's vector cube: what recipe, plan and product say of its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
from affine import Affine

from cbmcube.indices import Index
from cbmcube.observations.reading._blocks import Axes
from cbmcube.observations.reading._source import Source
from cbmcube.products import Product, list_products
from cbmcube.zonal import PERCENTILES

_LONG_NAMES = {
    "observed": "share of the parcel with source data before masking",
    "n_valid": "pixels with a valid value",
    "n_failed": "pixels that could not be read",
    "n_total": "pixels that the pixel rule selects",
}


def class_bands(columns: Sequence[str]) -> dict[str, dict[int, str]]:
    """Return the column of each code of each class band, from names such as ``SCL_4``."""
    found: dict[str, dict[int, str]] = {}
    for column in columns:
        band, _, code = column.rpartition("_")
        found.setdefault(band, {})[int(code)] = column
    return found


def cube_attributes(source: Source, parcels: gpd.GeoDataFrame) -> dict[str, Any]:
    """Return the attributes that `reduce_parcels` gives the same numbers."""
    recipe = source.store.recipe
    attrs = {
        "product": recipe.get("product"),
        "pixels": recipe.get("pixels"),
        "buffer_m": _buffer(recipe, parcels),
        "percentiles": PERCENTILES.get(recipe.get("percentiles", "weighted")),
        "mask": _mask(recipe),
        "grids": ", ".join(_grids(source)) or None,
        "cbmcube_version": _version(source),
    }
    return {name: value for name, value in attrs.items() if value is not None}


def _buffer(recipe: Mapping[str, Any], parcels: gpd.GeoDataFrame) -> float | str:
    if recipe.get("buffer") is not None:
        return float(recipe["buffer"])
    if "buffer_m" not in parcels:
        return 0.0
    distances = np.unique(parcels["buffer_m"].fillna(0.0).to_numpy(dtype=float))
    return float(distances[0]) if distances.size == 1 else "per parcel"


def _mask(recipe: Mapping[str, Any]) -> str:
    product = known_product(recipe.get("product"))
    rule = product.mask_rule if product else None
    if not recipe.get("mask") or rule is None:
        return "none"
    return f"{rule.band} in {{{', '.join(map(str, sorted(rule.masked)))}}} ({rule.source})"


def _grids(source: Source) -> list[str]:
    """Return the names of all grids, the finest first."""
    found = {}
    for group in source.plan.groups:
        for name, window in group.get("windows", {}).items():
            affine = Affine(*window["affine"])
            found[name] = abs(affine.a * affine.e)
    return sorted(found, key=lambda name: (found[name], name))


def _version(source: Source) -> str | None:
    told = source.units.info(0).get("versions", {}) if len(source.units) else {}
    return told.get("cbmcube")


def known_product(name: Any) -> Product | None:
    """Return the library's product of this name."""
    return {one.name: one for one in list_products()}.get(name)


def band_attributes(source: Source, band: str) -> dict[str, Any]:
    """Return long name and units of a band, and of an index its formula."""
    told = {one["name"]: one for one in source.store.recipe.get("indices", ())}
    if band in told:
        return Index(**told[band]).attributes()
    product = known_product(source.store.recipe.get("product"))
    if product is None or band not in product.band_names:
        return {}
    known = product.band(band)
    return {"long_name": known.long_name, "units": known.units}


def variable_attributes(source: Source, axes: Axes) -> dict[str, dict[str, Any]]:
    """Return the attributes of each variable."""
    attrs = {band: band_attributes(source, band) for band in axes.bands}
    for name in ("observed", *axes.counts, "n_total"):
        attrs[name] = {"long_name": _LONG_NAMES[name], "units": "1"}
    for band in axes.classes:
        described = band_attributes(source, band).get("long_name", band)
        attrs[f"{band}_fraction"] = {
            "long_name": f"share of each class, {described}",
            "units": "1",
        }
    return attrs
