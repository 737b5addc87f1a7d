"""The known products as a short table."""

from __future__ import annotations

import pandas as pd

from cbmcube._html import html_frame
from cbmcube.products._flood import GFM
from cbmcube.products._model import Product
from cbmcube.products._optical import CARD_2A
from cbmcube.products._radar import CARD_BS, CARD_COH6

_HEADS = ("name", "bands", "profiles", "title")
_WIDTH = 44


class Products(tuple[Product, ...]):
    """Products in a fixed order, shown as a table.

    Examples
    --------
    >>> from cbmcube.products import list_products
    >>> [product.name for product in list_products()]
    ['CARD-2A', 'CARD-BS', 'CARD-COH6', 'GFM']
    """

    __slots__ = ()

    def __repr__(self) -> str:
        rows = [_HEADS, *map(_cells, self)]
        lines: list[tuple[str, ...]] = []
        for row in rows:
            columns = [_folded(cell) for cell in row]
            height = max(map(len, columns))
            filled = [column + [""] * (height - len(column)) for column in columns]
            lines += zip(*filled, strict=True)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
        return "\n".join(text)

    def _repr_html_(self) -> str:
        rows = pd.DataFrame([_cells(product) for product in self], columns=[*_HEADS])
        return html_frame(rows, rows=len(rows))


def list_products() -> Products:
    """Return the products that the library knows.

    Returns
    -------
    Products
        A tuple of `Product` that prints as a table of names, bands, profiles and titles.
        A star marks profiles that were pieced together from public code and documents,
        because no item of the provider was at hand.

    Examples
    --------
    >>> from cbmcube.products import list_products
    >>> [product.name for product in list_products()]
    ['CARD-2A', 'CARD-BS', 'CARD-COH6', 'GFM']
    >>> list_products()[3:]
    (<Product GFM: flood extent of the Global Flood Monitoring service; bands FLOOD>,)
    """
    return Products((CARD_2A, CARD_BS, CARD_COH6, GFM))


def _cells(product: Product) -> tuple[str, ...]:
    profiles = (one.name + "*" * one.reconstructed for one in product.profiles)
    return product.name, " ".join(product.band_names), " ".join(profiles), product.title


def _folded(text: str) -> list[str]:
    """Cut a cell into lines at blanks."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _WIDTH:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines
