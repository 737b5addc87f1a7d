"""Freeze an item list in a file, so that a run can be repeated on exactly these items."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pystac

from cbmcube.catalog.opening._files import Frozen, check_suffix, write_frozen
from cbmcube.exceptions import CatalogError

_SECRET = re.compile(
    r"(x-amz|x-goog)-.*|awsaccesskeyid|googleaccessid|signature|expires|policy|key-pair-id"
    r"|sig|s[etpvr]|sk(oid|tid|t|e|s|v)|(access_?)?token|api_?key|subscription-key",
    flags=re.IGNORECASE,
)
"""Parameters of signed addresses of S3, Google, CloudFront and Azure, and of plain tokens."""


def freeze(items: pystac.ItemCollection, path: str | Path) -> Path:
    """Write items to a file that `open_catalog` reads back exactly.

    The file is written whole or not at all. The report of the search travels with it. Hrefs of
    local files below the folder of the file become relative, so that the folder can be moved;
    all others become absolute. Signatures and tokens in addresses are not written: they end
    before a season is read, and are nobody else's. `items` is not changed.

    Parameters
    ----------
    items
        What `search` returned, or any item collection.
    path
        ``.json`` or ``.geojson`` for a GeoJSON item collection, ``.parquet`` for stac-geoparquet.
        A file that exists is replaced. The stac-geoparquet file keeps each item once more as
        text, in the column ``cbmcube:json``, because its typed columns do not tell an absent
        member from a null.

    Returns
    -------
    pathlib.Path
        The path that was written.

    Raises
    ------
    CatalogError
        If the suffix is none of these, the folder does not exist, or the items do not fit into
        one table.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import datetime
    >>> from pathlib import Path
    >>> import pystac
    >>> from cbmcube.catalog import open_catalog
    >>> items = pystac.ItemCollection([pystac.Item("a", None, None, datetime(2024, 3, 5), {})])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     open_catalog(freeze(items, Path(folder) / "season.json"))
    <FrozenCatalog season.json: 1 items, None, 2024-03-05 to 2024-03-05>
    """
    path = Path(path)
    check_suffix(path)
    if not path.parent.is_dir():
        raise CatalogError(
            "the folder for the frozen catalogue does not exist",
            given=path.parent,
            hint="make it first",
        )
    folder = os.path.realpath(path.parent)
    frozen = [_portable(item, folder) for item in items.items]
    write_frozen(path, Frozen(frozen, items.extra_fields))
    return path


def unsigned_item(item: pystac.Item) -> dict[str, Any]:
    """Return an item as JSON whose addresses carry no signature and no token.

    Examples
    --------
    >>> import pystac
    >>> from datetime import datetime
    >>> from cbmcube.catalog import unsigned_item
    >>> item = pystac.Item("a", None, None, datetime(2024, 5, 1), {})
    >>> item.add_asset("B04", pystac.Asset("https://data.example.org/B04.tif?sig=abc"))
    >>> unsigned_item(item)["assets"]["B04"]["href"]
    'https://data.example.org/B04.tif'
    """
    content: dict[str, Any] = _unsigned(item.to_dict(transform_hrefs=False))
    return content


def _portable(item: pystac.Item, folder: str) -> dict[str, Any]:
    content = unsigned_item(item)
    own = item.get_self_href() or ""
    if own.lower().startswith("http"):
        return content  # relative hrefs would start from that address
    assets = {}
    for key, asset in content["assets"].items():
        href = item.assets[key].get_absolute_href() or asset["href"] if own else asset["href"]
        assets[key] = {**asset, "href": _relative(_without_secrets(href), folder)}
    return {**content, "assets": assets}


def _unsigned(node: Any) -> Any:
    """Return JSON whose members called ``href`` carry no secret."""
    if isinstance(node, list):
        return [_unsigned(one) for one in node]
    if not isinstance(node, dict):
        return node
    clean = {key: _unsigned(value) for key, value in node.items()}
    if isinstance(clean.get("href"), str):
        clean["href"] = _without_secrets(clean["href"])
    return clean


def _without_secrets(href: str) -> str:
    """Take signatures and tokens out of the query; what remains keeps its spelling."""
    address, mark, query = href.partition("?")
    if not mark:
        return href
    kept = [one for one in query.split("&") if not _SECRET.fullmatch(one.partition("=")[0])]
    return f"{address}?{'&'.join(kept)}" if kept else address


def _relative(href: str, folder: str) -> str:
    if href.startswith("/") and Path(href).is_relative_to(folder):
        return f"./{Path(href).relative_to(folder).as_posix()}"
    return href
