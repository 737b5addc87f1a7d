"""Make a plan: find items, part parcels and acquisitions into units, keep all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import pandas as pd
import pystac

from cbmcube.catalog import (
    AccessPolicy,
    ApiCatalog,
    Condition,
    FrozenCatalog,
    group_acquisitions,
    search,
)
from cbmcube.cube import Verify, find_grids
from cbmcube.exceptions import NoOverlapError, OptionError
from cbmcube.observations.season._blobs import (
    acquisition_to_json,
    group_to_json,
    positions,
    put_items,
    put_parcels,
    put_table,
)
from cbmcube.observations.season._groups import WINDOW_BYTES, Group, group_parcels, pixel_bytes
from cbmcube.observations.season._journal import note_plan
from cbmcube.observations.season._recipe import Recipe
from cbmcube.observations.season._units import make_units
from cbmcube.observations.store import Store, canonical_json
from cbmcube.products import Product
from cbmcube.zonal import parcel_buffers

FORMAT = 1
"""Format of a plan."""

Source = ApiCatalog | FrozenCatalog | pystac.ItemCollection | Iterable[pystac.Item]
Filter = str | Mapping[str, Any] | Condition | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides how a plan is done, and no number in it."""

    size: int
    """Most rows of a unit."""
    verify: Verify = "none"
    """How closely files are looked at."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """How often units were asked for anew, by origin."""


def find_items(
    source: Source,
    product: Product,
    parcels: gpd.GeoDataFrame,
    period: str | None,
    condition: Filter,
) -> pystac.ItemCollection:
    """Search a catalogue for what shows parcels, or take items as they are."""
    if isinstance(source, ApiCatalog | FrozenCatalog):
        return search(source, product, aoi=parcels, period=period, filter=condition)
    if period is not None or condition is not None:
        raise OptionError(
            "items were found already",
            given="period= or filter=",
            allowed="these with a catalogue only",
            hint="search with them, or leave them out",
        )
    if isinstance(source, pystac.ItemCollection):
        return source
    return pystac.ItemCollection(list(source), clone_items=False)


def make_plan(
    store: Store,
    recipe: Recipe,
    parcels: gpd.GeoDataFrame,
    items: Sequence[pystac.Item],
    terms: Terms,
    access: AccessPolicy | None,
) -> str:
    """Write a plan to a store, make it the latest, and return its name.

    Parameters
    ----------
    store, recipe, parcels, items
        Where, how, and of what.
    terms
        How it is cut, and what is asked for anew.
    access
        Where items may point at.
    """
    grids = find_grids(items, recipe.product, bands=recipe.read, access=access)
    known = {source.item.id: source.item for grid in grids for source in grid.sources}
    acquisitions = group_acquisitions(known.values())
    most = max(1, terms.size // recipe.rows_per_parcel)
    groups = group_parcels(
        parcels,
        grids,
        parcel_buffers(parcels, recipe.buffer),
        most_parcels=most,
        most_pixels=WINDOW_BYTES // pixel_bytes(recipe),
    )
    units = make_units(acquisitions, grids, groups, recipe, terms.attempts)
    if units.empty:
        raise NoOverlapError(
            "no item shows a parcel",
            given=f"{len(items)} items, {len(parcels)} parcels",
            hint="search with aoi=parcels, and check that the parcels' CRS is the true one",
        )
    facts = _freeze(store, parcels, acquisitions, groups, units)
    facts |= {
        "format": FORMAT,
        "recipe": store.recipe_hash,
        "attempts": dict(terms.attempts),
        "items": len(items),
        "records_per_unit": terms.size,
        "verify": terms.verify,
    }
    name = store.put_blob("plans", canonical_json(facts), "json")
    note_plan(store, name)
    return name


def _freeze(
    store: Store,
    parcels: gpd.GeoDataFrame,
    acquisitions: Sequence[Any],
    groups: list[Group],
    units: pd.DataFrame,
) -> dict[str, Any]:
    """Write items and parcels to the store, and return what a plan says of them."""
    used = set(units["acquisition"])
    return {
        "groups": [group_to_json(g, parcels, put_parcels(store, parcels, g)) for g in groups],
        "acquisitions": [
            acquisition_to_json(one, put_items(store, one) if number in used else "")
            for number, one in enumerate(acquisitions)
        ],
        "units": put_table(store, units),
        "parcels": put_table(store, positions(parcels, groups)),
        "all_parcels": put_parcels(store, parcels),
        "parcel_count": len(parcels),
        "outside": len(parcels) - sum(g.members.size for g in groups),
    }
