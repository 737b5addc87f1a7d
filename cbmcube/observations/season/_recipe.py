"""What is computed in a season: everything but the items and the parcels that changes a number."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cbmcube.exceptions import OptionError
from cbmcube.indices import Index
from cbmcube.observations.store import sha256
from cbmcube.products import Product, list_products
from cbmcube.zonal import Percentiles, PixelRule, Statistic, plan_statistics

ENGINE = 1
"""Raised whenever the same input gives other numbers: what was computed before is then old."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How items and parcels become numbers."""

    product: Product
    """What the items hold."""
    bands: tuple[str, ...]
    """Bands of which statistics are kept, in the user's order."""
    mask: bool
    """Whether the product's mask rule is applied."""
    statistics: tuple[str, ...]
    """Names of statistics."""
    pixels: PixelRule
    """The pixel rule."""
    buffer: float | None
    """Distance in metres by which all parcels are widened; ``None``: their own column."""
    percentiles: Percentiles
    """The definition of percentiles."""
    offset: float | None
    """Reflectance offset where items do not say."""
    parcel_crs: str
    """CRS of the parcels as given."""
    indices: tuple[Index, ...] = ()
    """Indices over pixels of which statistics are kept, too."""

    @property
    def read(self) -> tuple[str, ...]:
        """Bands that are read: those that are kept, then those that only indices need."""
        made = {index.name for index in self.indices}
        needed = (name for index in self.indices for name in index.bands if name not in made)
        return (*dict.fromkeys([*self.bands, *needed]),)

    @property
    def rows_per_parcel(self) -> int:
        """Rows of one parcel and acquisition: one for each band with statistics, and index."""
        bands = sum(self.product.band(name).kind != "classes" for name in self.bands)
        return bands + len(self.indices)

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as the store keeps it; equal recipes are equal text."""
        facts = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("product", "indices")
        }
        if self.indices:  # without, the recipe is that of stores made before there were any
            facts["indices"] = [_index_facts(index) for index in self.indices]
        return {
            **facts,
            "bands": list(self.bands),
            "statistics": list(self.statistics),
            "product": self.product.name,
            "product_definition": self._definition(),
            "engine": ENGINE,
        }

    def _definition(self) -> str:
        """Hash what the product says of the bands and of the mask.

        How providers spell it is left out: a new provider changes no number of another.
        """
        bands = [dataclasses.asdict(self.product.band(name)) for name in self.read]
        rule = self.product.mask_rule
        facts = [bands, None if rule is None or not self.mask else dataclasses.asdict(rule)]
        return digest(facts)


def recipe_from_json(facts: dict[str, Any], product: Product | None) -> Recipe:
    """Return the recipe of a store.

    Parameters
    ----------
    facts
        What `Recipe.to_json` gave.
    product
        The product; ``None`` takes the library's of that name.

    Raises
    ------
    OptionError
        If the product is not known, or is not the one the store was made with.
    """
    known = {one.name: one for one in list_products()}
    found = known.get(facts["product"]) if product is None else product
    if found is None or found.name != facts["product"]:
        raise OptionError(
            f"the store holds {facts['product']}",
            given="no product of that name" if found is None else found.name,
            hint="pass product=, the one the season was planned with",
        )
    recipe = Recipe(
        product=found,
        bands=tuple(facts["bands"]),
        mask=facts["mask"],
        statistics=tuple(facts["statistics"]),
        pixels=facts["pixels"],
        buffer=facts["buffer"],
        percentiles=facts["percentiles"],
        offset=facts["offset"],
        parcel_crs=facts["parcel_crs"],
        indices=tuple(_index(told) for told in facts.get("indices", ())),
    )
    if recipe.to_json() != facts:
        raise OptionError(
            f"{found.name} is defined otherwise than when the season was planned, or the numbers of"
            f" this release (engine {ENGINE}) are not those of the store",
            given=f"engine {facts.get('engine')}, definition {facts.get('product_definition')}",
            allowed=f"engine {ENGINE}, definition {recipe.to_json()['product_definition']}",
            hint="plan into a new store, so that old and new numbers stay apart",
        )
    return recipe


def _index_facts(index: Index) -> dict[str, Any]:
    """Return what a store keeps of an index: all that makes it, whatever the catalogue becomes."""
    facts = dataclasses.asdict(index)
    return facts | {"bounds": None if index.bounds is None else list(index.bounds)}


def _index(told: dict[str, Any]) -> Index:
    bounds = told["bounds"]
    return Index(**told | {"bounds": None if bounds is None else (bounds[0], bounds[1])})


def check_statistics(statistics: Iterable[Statistic] | Statistic) -> tuple[str, ...]:
    """Return the names of statistics that a store can hold: those the library defines."""
    plan = plan_statistics(statistics)
    if plan.reducers:
        raise OptionError(
            "a store holds statistics that can be computed again from their names",
            given=", ".join(own.__name__ for own in plan.reducers),
            allowed="count, mean, std, min, max, median and percentiles",
            hint="use functions of your own with reduce_parcels",
        )
    return plan.names


def digest(facts: Any) -> str:
    """Return the SHA-256 of JSON-like facts; sets are sorted, and NaN is a value as any other."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=_plain)
    return sha256(text.encode())


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set | frozenset) else dict(value)
