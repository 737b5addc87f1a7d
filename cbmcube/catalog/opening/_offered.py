"""Which of a product's collections a server has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from cbmcube.catalog.opening._catalog import ApiCatalog, Catalog
from cbmcube.exceptions import UnknownCollectionError
from cbmcube.products import Product

_CLOSE = 5


def offered_collections(source: Catalog, product: Product) -> tuple[str, ...]:
    """Return the collections of `product` that a server lists, or all where it lists none.

    A product is spelled by several providers, each under names of its own; many servers refuse
    a search that names a collection they do not have.

    Raises
    ------
    UnknownCollectionError
        If the server lists its collections, and none is the product's.
    """
    listed = source.collections if isinstance(source, ApiCatalog) else None
    if listed is None:
        return product.collections
    found = tuple(name for name in product.collections if name in listed)
    if found:
        return found
    close = _closest(product.collections, listed)
    raise UnknownCollectionError(
        f"the server has no collection of {product.name}",
        given=f"{product.name} is known as {', '.join(product.collections)}",
        allowed=source.holds,
        hint=f"search collections={close!r} if one of them holds the product under another name"
        if close
        else "open a server that has it, or name a collection with collections=",
    )


def _closest(wanted: Iterable[str], listed: Iterable[str]) -> list[str]:
    """Return names of the list that look like one that is wanted, whatever their case."""
    names = {name.lower(): name for name in listed}
    found = (difflib.get_close_matches(name.lower(), names, _CLOSE) for name in wanted)
    return list(dict.fromkeys(names[name] for close in found for name in close))[:_CLOSE]
