"""Names of a store's objects: hashes and numbers only, so that no text of others becomes a path."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from cbmcube.exceptions import OptionError

STORE = "store.json"

BLOB_KINDS = ("parcels", "items", "plans", "index")
"""What content-addressed inputs can be."""

_HASH = "[0-9a-f]{64}"
_FORMS = {
    "store": re.escape(STORE),
    "blob": rf"blobs/(?:{'|'.join(BLOB_KINDS)})/{_HASH}\.[a-z0-9]{{1,16}}",
    "part": rf"parts/[0-9a-f]{{2}}/{_HASH}-[0-9a-f]{{16}}\.parquet",
    "pack": rf"packs/[0-9a-f]{{2}}/{_HASH}\.parquet",
    "commit": rf"commits/[0-9a-f]{{2}}/{_HASH}\.json",
    "snapshot": r"snapshots/[0-9]{12}\.json",
    "run": r"runs/[a-z0-9][a-z0-9_-]{0,63}/[A-Za-z0-9][A-Za-z0-9._-]{0,127}",
    "probe": r"probe/[0-9a-f]{32}",
}
_ANY = re.compile("|".join(f"(?:{form})" for form in _FORMS.values()), re.ASCII)
_KEY = re.compile(_HASH, re.ASCII)
_BLOB = re.compile(rf"{_HASH}\.[a-z0-9]{{1,16}}", re.ASCII)
_FILE = re.compile(f"(?:{_FORMS['part']})|(?:{_FORMS['pack']})", re.ASCII)

FOLDERS = ("blobs", "parts", "packs", "commits", "snapshots", "runs", "probe", "tmp")
"""What a store may have at its top besides `STORE`."""


def canonical_json(value: Any) -> bytes:
    """Return the one spelling of a JSON value: sorted keys, no spaces, UTF-8.

    Examples
    --------
    >>> canonical_json({"b": [1, None], "a": "å"}).decode()
    '{"a":"å","b":[1,null]}'
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def checked(name: str) -> str:
    """Return `name` if it is the name of an object of a store; every back end asks this."""
    if not _ANY.fullmatch(name):
        raise OptionError("no object of a store has this name", given=repr(name[:100]))
    return name


def checked_key(key: str) -> str:
    """Return `key` if it is one: 64 hexadecimal digits."""
    if not _KEY.fullmatch(str(key)):
        raise OptionError(
            "the key of a unit must be a SHA-256",
            given=repr(key)[:100],
            allowed="64 hexadecimal digits, lower case",
        )
    return key


def is_blob(name: object) -> bool:
    """Return whether this is what `put_blob` returns: a hash and a suffix."""
    return isinstance(name, str) and _BLOB.fullmatch(name) is not None


def is_file(name: object) -> bool:
    """Return whether this names a file with rows: a part, or a pack of several."""
    return isinstance(name, str) and _FILE.fullmatch(name) is not None


def commit_name(key: str) -> str:
    """Return the name of the commit of a unit."""
    return f"commits/{checked_key(key)[:2]}/{key}.json"


def part_name(key: str, digest: str) -> str:
    """Return the name of the part of a unit whose bytes have this SHA-256."""
    return f"parts/{checked_key(key)[:2]}/{key}-{digest[:16]}.parquet"


def pack_name(digest: str) -> str:
    """Return the name of a file of several units."""
    return f"packs/{digest[:2]}/{digest}.parquet"


def blob_name(kind: str, name: str) -> str:
    """Return where a blob lies."""
    if kind not in BLOB_KINDS:
        raise OptionError("blobs have kinds", given=repr(kind), allowed=", ".join(BLOB_KINDS))
    if not is_blob(name):
        raise OptionError("this is no blob's name", given=repr(name)[:100])
    return f"blobs/{kind}/{name}"


def snapshot_name(number: int) -> str:
    """Return the name of a snapshot."""
    return f"snapshots/{number:012d}.json"
