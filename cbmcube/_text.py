"""Sizes and addresses as people read them."""

from __future__ import annotations

import re

_QUERY = re.compile(r"(?<=[^\s?'\"`])\?[^\s'\"`}]*")
_USER = re.compile(r"(?<=://)[^\s/'\"`]*@")


def byte_size(count: float) -> str:
    """Return a number of bytes in the largest unit that leaves it at 1 or more.

    Units are powers of 1000, as disks and networks are sold.

    Examples
    --------
    >>> byte_size(999), byte_size(1_234_000), byte_size(4.2e15)
    ('999 B', '1.23 MB', '4,200 TB')
    """
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.4g} TB"


def without_secrets(text: str) -> str:
    """Return a text without the queries and users of the addresses in it.

    Signatures and tokens travel there.

    Examples
    --------
    >>> without_secrets("cannot open '/vsicurl/https://me:word@host.org/a.tif?sig=abc'")
    "cannot open '/vsicurl/https://host.org/a.tif'"
    """
    return _USER.sub("", _QUERY.sub("", text))
