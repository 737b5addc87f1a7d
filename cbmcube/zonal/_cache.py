"""Pixel indexes on disk, found again by what they were built from."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import logging
import os
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cbmcube.zonal._coverage import PixelRule
from cbmcube.zonal._index import (
    Block,
    BlockIndex,
    BlockParcels,
    InnerPixels,
    Lattice,
    StraddlingPixels,
    build_index,
)

_log = logging.getLogger(__name__)

ENVIRONMENT = "CBMCUBE_CACHE"
"""Variable that names the folder of the cache; an empty one switches the cache off."""

CAPACITY = 2 << 30
"""Bytes that the cache may take; what was not used for longest goes first.

The indexes of 600,000 parcels on one 10 m grid take about 0.7 GB.
"""

_FORMAT = 2  # raised whenever the same input gives another index


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
    path = folder / f"{_key(parcels, block, lattice, rule)}.npz"
    index = _read(path)
    if index is None:
        index = build_index(parcels, block, lattice, rule)
        _write(path, index)
    return _renumbered(index, parcels)


def cache_folder() -> Path | None:
    """Return the folder of the cache, ``None`` where it is switched off.

    ``$CBMCUBE_CACHE``, else ``cbmcube`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
    """
    named = os.environ.get(ENVIRONMENT)
    if named is not None:
        return Path(named) if named else None
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cbmcube" / "pixel-index"


def _key(parcels: BlockParcels, block: Block, lattice: Lattice, rule: PixelRule) -> str:
    place = (dataclasses.astuple(block), dataclasses.astuple(lattice))
    return hashlib.sha256(repr((*_engine(), rule, *place, parcels.digest)).encode()).hexdigest()


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
        # Opened here, because NumPy 2.4 leaves a file open that proves not to be an archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            index = BlockIndex(
                InnerPixels(**_part(stored, "inner")),
                StraddlingPixels(**_part(stored, "straddling")),
            )
        os.utime(path)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return None
    return index


def _part(stored: Any, name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): stored[key] for key in stored.files if key.startswith(prefix)}


def _write(path: Path, index: BlockIndex) -> None:
    arrays = {
        f"{part}.{field.name}": getattr(getattr(index, part), field.name)
        for part in ("inner", "straddling")
        for field in dataclasses.fields(getattr(index, part))
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            np.savez(file, **arrays)
        Path(file.name).replace(path)
        _prune(path.parent)
    except OSError as error:
        _log.info("the pixel index was not kept in %s: %s", path.parent, error)


def _prune(folder: Path) -> None:
    """Remove what was not used for longest while the folder is over its capacity."""
    files = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    kept = 0
    for path in files:
        kept += path.stat().st_size
        if kept > CAPACITY:
            path.unlink(missing_ok=True)
