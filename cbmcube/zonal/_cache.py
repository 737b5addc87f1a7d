"""Pixel indexes on disk, found again by what they were built from."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import logging
import mmap
import os
import struct
import tempfile
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cbmcube.zonal._coverage import PixelRule
from cbmcube.zonal._index import (
    Block,
    BlockIndex,
    InnerPixels,
    Lattice,
    StraddlingPixels,
    build_index,
)
from cbmcube.zonal._parcels import BlockParcels

_log = logging.getLogger(__name__)

ENVIRONMENT = "CBMCUBE_CACHE"
"""Variable that names the folder of the cache; an empty one switches the cache off."""

CAPACITY = 2 << 30
"""Bytes that the cache may take; what was not used for longest goes first.

The indexes of 600,000 parcels on one 10 m grid take about 0.7 GB.
"""

_FIELDS = [
    (part, field.name)
    for part, kind in (("inner", InnerPixels), ("straddling", StraddlingPixels))
    for field in dataclasses.fields(kind)
]
_FORMAT = 6  # raised whenever the same input gives another index, or another file
_HEAD = "<Q56x"  # the checksum, and room up to the next aligned place
_TABLE = 1024  # bytes of the table of contents
_ALIGNMENT = 64


def cached_index(
    parcels: BlockParcels, block: Block, lattice: Lattice, rule: PixelRule
) -> BlockIndex:
    """Return the index of a block, from the cache if it was built before.

    A file that cannot be read is built again; a folder that cannot be written is no error
    but a line in the log (level INFO), because the cache saves time and nothing else.
    """
    folder = cache_folder()
    if folder is None:
        return build_index(parcels, block, lattice, rule)
    path = _path(folder, parcels, block, lattice, rule)
    index = _read(path)
    if index is None:
        index = build_index(parcels, block, lattice, rule)
        _write(path, index)
    return _renumbered(index, parcels)


def has_index(parcels: BlockParcels, block: Block, lattice: Lattice, rule: PixelRule) -> bool:
    """Return whether the index of a block is in the cache of this computer."""
    folder = cache_folder()
    return folder is not None and _path(folder, parcels, block, lattice, rule).is_file()


def cache_folder() -> Path | None:
    """Return the folder of the cache, ``None`` where it is switched off.

    ``$CBMCUBE_CACHE``, else ``cbmcube`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
    """
    named = os.environ.get(ENVIRONMENT)
    if named is not None:
        return Path(named) if named else None
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cbmcube" / "pixel-index"


def _path(
    folder: Path, parcels: BlockParcels, block: Block, lattice: Lattice, rule: PixelRule
) -> Path:
    place = (dataclasses.astuple(block), dataclasses.astuple(lattice))
    made_of = repr((*_engine(), rule, *place, parcels.digest))
    return folder / f"{hashlib.sha256(made_of.encode()).hexdigest()}.index"


@functools.cache
def _engine() -> tuple[int, str, str]:
    """Return what decides which index the same parcels give."""
    return _FORMAT, version("exactextract"), version("shapely")


def _renumbered(index: BlockIndex, parcels: BlockParcels) -> BlockIndex:
    """Give parcels the numbers they have in this call; the cache counts them from 0."""
    return BlockIndex(
        dataclasses.replace(index.inner, parcel=parcels.parcel[~parcels.straddles]),
        dataclasses.replace(index.straddling, parcel=parcels.parcel[parcels.straddles]),
    )


def _read(path: Path) -> BlockIndex | None:
    try:
        with path.open("rb") as file:
            # Pages stay those that the system holds for all processes, and are not copied.
            stored = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        index = _unpack(stored)
        os.utime(path)
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None
    return index


def _write(path: Path, index: BlockIndex) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            file.writelines(_pack(index))
        Path(file.name).replace(path)
        _prune(path.parent)
    except OSError as error:
        _log.info("the pixel index was not kept in %s: %s", path.parent, error)


def _pack(index: BlockIndex) -> list[bytes]:
    """Return a file: a checksum of the rest, its table of contents, and the arrays."""
    arrays = [getattr(getattr(index, part), name) for part, name in _FIELDS]
    table = json.dumps([(array.dtype.str, array.size) for array in arrays]).encode()
    rows = [array.tobytes().ljust(_aligned(array.nbytes), b"\0") for array in arrays]
    body = [table.ljust(_TABLE), *rows]
    return [struct.pack(_HEAD, zlib.crc32(b"".join(body))), *body]


def _unpack(stored: mmap.mmap) -> BlockIndex:
    whole = memoryview(stored)
    start = struct.calcsize(_HEAD)
    (checksum,) = struct.unpack(_HEAD, whole[:start])
    if zlib.crc32(whole[start:]) != checksum:
        raise ValueError("the file is torn")
    table = json.loads(bytes(whole[start : start + _TABLE]))
    start += _TABLE
    parts: dict[str, dict[str, Any]] = {"inner": {}, "straddling": {}}
    for (part, name), (dtype, size) in zip(_FIELDS, table, strict=True):
        array = np.frombuffer(whole, np.dtype(dtype), size, start)
        start += _aligned(array.nbytes)
        parts[part][name] = array
    return BlockIndex(InnerPixels(**parts["inner"]), StraddlingPixels(**parts["straddling"]))


def _aligned(size: int) -> int:
    """Round up to where an array of any type may begin."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _prune(folder: Path) -> None:
    """Remove what was not used for longest while the folder is over its capacity."""
    files = sorted(folder.glob("*.index"), key=lambda path: path.stat().st_mtime, reverse=True)
    kept = 0
    for path in files:
        kept += path.stat().st_size
        if kept > CAPACITY:
            path.unlink(missing_ok=True)
