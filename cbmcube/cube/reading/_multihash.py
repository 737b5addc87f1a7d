"""Checksums as STAC items write them: multihashes, and bare digests of older catalogues."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

_NAMES = {
    0x11: "sha1",
    0x12: "sha256",
    0x13: "sha512",
    0x14: "sha3_512",
    0x15: "sha3_384",
    0x16: "sha3_256",
    0x17: "sha3_224",
    0x20: "sha384",
    0xD5: "md5",
}
_BARE = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
"""Digests without the prefix of a multihash, as older catalogues write them, by hex digits."""

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest, and how it is computed."""

    name: str
    """Name in `hashlib`."""
    value: bytes
    """The digest."""

    def new(self) -> Any:
        """Return an empty hash of this kind; none of them guards a secret."""
        if self.name in ("blake2b", "blake2s"):
            return getattr(hashlib, self.name)(digest_size=len(self.value), usedforsecurity=False)
        return hashlib.new(self.name, usedforsecurity=False)


def parse_checksum(text: str) -> Digest | None:
    """Return the digest that a ``file:checksum`` holds, None for a form that is not known.

    Examples
    --------
    >>> parse_checksum("1220" + 32 * "ab").name
    'sha256'
    >>> parse_checksum("an etag") is None
    True
    """
    if not _HEX.fullmatch(text):
        return None
    data = bytes.fromhex(text)
    try:
        code, rest = _varint(data)
        length, value = _varint(rest)
    except IndexError:
        code, length, value = -1, -1, b""
    if length == len(value) > 0:
        return _known(code, value)
    name = _BARE.get(len(text))
    return Digest(name, data) if name else None


def _varint(data: bytes) -> tuple[int, bytes]:
    number = 0
    for place in range(9):  # the longest that a multihash may have
        number |= (data[place] & 0x7F) << (7 * place)
        if not data[place] & 0x80:
            return number, data[place + 1 :]
    raise IndexError


def _known(code: int, value: bytes) -> Digest | None:
    name = _NAMES.get(code)
    if name and hashlib.new(name, usedforsecurity=False).digest_size == len(value):
        return Digest(name, value)
    # blake2 has a code for each length: from 0xb201 for one byte, s after b.
    for kind, first, longest in (("blake2b", 0xB200, 64), ("blake2s", 0xB240, 32)):
        if code == first + len(value) and len(value) <= longest:
            return Digest(kind, value)
    return None
