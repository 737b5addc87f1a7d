"""What an item says of its pixels, as a fingerprint: items change behind their ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import pandas as pd
import pystac

_PLACES = ("alternate", "auth:", "storage:", "cbmcube:", "href")
"""Fields that say where a file lies and who may read it, not what is in it."""


def fingerprint(item: pystac.Item) -> str:
    """Return a short text that changes when an item says something else of its pixels.

    It covers the properties (``updated``, ``version``, processing) and the metadata of the
    assets (``file:checksum``, ``file:size``, grid, scale, offset), and leaves out addresses: a
    copy of the files elsewhere, or a signed address, has the same fingerprint.

    Parameters
    ----------
    item
        A STAC item.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Examples
    --------
    >>> from datetime import datetime
    >>> import pystac
    >>> from cbmcube.catalog import fingerprint
    >>> item = pystac.Item("scene", None, None, datetime(2024, 3, 5), {"updated": "2024-03-06"})
    >>> changed = item.clone()
    >>> changed.properties["updated"] = "2025-01-01"
    >>> fingerprint(item) == fingerprint(item.clone()), fingerprint(item) == fingerprint(changed)
    (True, False)
    """
    text = json.dumps(_content(item), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def item_changes(before: Iterable[pystac.Item], after: Iterable[pystac.Item]) -> pd.DataFrame:
    """Compare two lists of items, such as a frozen one and the same search today.

    Parameters
    ----------
    before, after
        STAC items, in any order.

    Returns
    -------
    pandas.DataFrame
        One row for each item that is not the same in both, by id: columns ``collection``, ``id``,
        ``change`` (``"added"``, ``"removed"`` or ``"changed"``) and ``fields``, the names of what
        changed, as text.

    Examples
    --------
    >>> from datetime import datetime
    >>> import pystac
    >>> from cbmcube.catalog import item_changes
    >>> item = pystac.Item("scene", None, None, datetime(2024, 3, 5), {"version": "1"})
    >>> newer = item.clone()
    >>> newer.properties["version"] = "2"
    >>> item_changes([item], [newer])[["id", "change", "fields"]].values.tolist()
    [['scene', 'changed', 'version']]
    """
    old, new = (
        {(one.collection_id or "", one.id): one for one in items} for items in (before, after)
    )
    rows = []
    for key in sorted(old.keys() | new.keys()):
        if key not in new or key not in old:
            rows.append((*key, "removed" if key in old else "added", ""))
        elif fields := _differing(old[key], new[key]):
            rows.append((*key, "changed", " ".join(fields)))
    return pd.DataFrame(rows, columns=["collection", "id", "change", "fields"])


def _content(item: pystac.Item) -> dict[str, Any]:
    facts = {key: value for key, value in item.properties.items() if not key.startswith(_PLACES)}
    content: dict[str, Any] = {**facts, "id": item.id, "collection": item.collection_id}
    content["datetime"] = None if item.datetime is None else item.datetime.isoformat()
    for key, asset in item.assets.items():
        fields = {n: v for n, v in asset.extra_fields.items() if not n.startswith(_PLACES)}
        content |= {f"{key}.{name}": value for name, value in fields.items()}
        content[f"{key}.type"] = asset.media_type
    return content


def _differing(one: pystac.Item, other: pystac.Item) -> list[str]:
    # through JSON, because a frozen item holds lists where a fresh one may hold tuples
    old, new = (json.loads(json.dumps(_content(item), default=str)) for item in (one, other))
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
