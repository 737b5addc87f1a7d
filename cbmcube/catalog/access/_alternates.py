"""Which address of an asset is used: its own, an alternate, or a member of a ZIP archive."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributed import get_client

from cbmcube.catalog.access._access import Gate, show
from cbmcube.exceptions import AccessError, Error, UnsupportedAssetError

ORIGINAL = "cbmcube:href"
"""Field of an asset that keeps its own href where another address is used."""

_ZIP = "/vsizip/"
_ZIP_TYPE = re.compile(r"^application/(x-)?zip\b|^zip$", flags=re.IGNORECASE)
_ARCHIVES = re.compile(r"\.(zip|kmz|tar|tgz|gz|7z|rar|bz2|xz)$", flags=re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\{}]")

_RASTERS = frozenset(
    {"image/tiff", "image/jp2", "image/geotiff", "image/vnd.stac.geotiff", "application/geotiff"}
)
_UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_OFFLINE = re.compile(r"tape|offline|archive|deep[ _-]?archive|glacier")
_NOT_THERE = frozenset({"orderable", "ordered", "pending", "failed", "canceled"})

_answers: dict[tuple[str, str], bool] = {}
"""What workers said: by client, and the beginning of the path."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One address of an asset."""

    name: str
    """Name of the alternate; empty for the asset's own address."""
    fields: Mapping[str, Any] = field(repr=False)
    """The alternate, or the asset."""

    @property
    def href(self) -> object:
        """The address as the item has it."""
        # an asset that went through here before starts again from what its item said
        own = self.fields.get(ORIGINAL) if not self.name else None
        return self.fields.get("href") if own is None else own

    @property
    def kind(self) -> str:
        """``"local"``, or the scheme of the address; relative ones have none."""
        if not isinstance(self.href, str):
            return ""
        scheme = re.match(r"([A-Za-z][A-Za-z0-9+.\-]*):", self.href)
        if self.href.startswith("/") or (scheme and scheme[1].lower() == "file"):
            return "local"
        return scheme[1].lower() if scheme else ""


def final_asset(asset: Mapping[str, Any], gate: Gate, base: object = None) -> dict[str, Any]:
    """Return a copy of an asset whose href is the absolute, allowed address to read.

    Where that is not the asset's own, the field ``cbmcube:href`` keeps its own.

    Parameters
    ----------
    asset
        The asset, as JSON.
    gate
        What is allowed and preferred.
    base
        What a relative href starts from, if not the catalogue.

    Raises
    ------
    AccessError
        If none of its addresses is allowed.
    UnsupportedAssetError
        If its only address is an archive of another kind than ZIP.
    """
    problems: list[tuple[str, Error]] = []
    for candidate in _ordered(_candidates(asset), gate):
        try:
            href = _final(candidate, gate, base)
        except (AccessError, UnsupportedAssetError) as error:
            problems.append((candidate.name, error))
            continue
        final = {key: value for key, value in asset.items() if key != ORIGINAL}
        if candidate.name or href.startswith(_ZIP):
            final[ORIGINAL] = Candidate("", asset).href
        return final | {"href": href}
    if len(problems) == 1:
        raise problems[0][1]
    listed = (f"alternate {name!r}: {error}" if name else str(error) for name, error in problems)
    raise AccessError("; ".join(listed))


def _candidates(asset: Mapping[str, Any]) -> Iterator[Candidate]:
    yield Candidate("", asset)
    alternates = asset.get("alternate") or {}
    if not isinstance(alternates, Mapping):
        raise AccessError("its alternates are not named addresses")
    for name, fields in alternates.items():
        if not isinstance(fields, Mapping):
            raise AccessError(f"its alternate {name!r} is no address")
        if fields.get("alternate"):
            raise AccessError(f"its alternate {name!r} has alternates of its own")
        yield Candidate(str(name), fields)


def _ordered(candidates: Iterable[Candidate], gate: Gate) -> list[Candidate]:
    """Put the candidates in the order of preference, equals as they come."""
    found, prefer = list(candidates), gate.policy.prefer
    if prefer == "auto":
        prefer = ("local",)
        if not _local_is_seen(found, gate):
            found.sort(key=lambda one: one.kind == "local")
            prefer = ()
    ranks = {name: rank for rank, name in reversed(list(enumerate(prefer)))}
    last = len(ranks)
    return sorted(found, key=lambda c: min(ranks.get(c.name, last), ranks.get(c.kind, last)))


def _local_is_seen(candidates: Iterable[Candidate], gate: Gate) -> bool:
    for candidate in candidates:
        if candidate.kind == "local":
            try:
                return _workers_see(gate.resolve(candidate.href))
            except AccessError:  # what may not be read is not asked for either
                continue
    return False


def _final(candidate: Candidate, gate: Gate, base: object) -> str:
    href = gate.resolve(candidate.href, base)
    member = candidate.fields.get("archive:href")
    if member is None:
        return href
    kind = str(candidate.fields.get("archive:format") or "application/zip")
    if not _ZIP_TYPE.search(kind):
        raise UnsupportedAssetError(f"it lies in an archive of type {kind!r}, which is not ZIP")
    return zip_path(href, member)


def zip_path(archive: str, member: object) -> str:
    """Return GDAL's path of a member of a ZIP archive.

    Parameters
    ----------
    archive
        Absolute path or address of the archive, allowed already.
    member
        Name of the member, exactly as in the archive; a leading slash is left out.

    Raises
    ------
    AccessError
        If the name leads out of the archive or into another one.

    Examples
    --------
    >>> zip_path("s3://bucket/scene.zip", "/scene.SAFE/B04.jp2")
    '/vsizip/{/vsis3/bucket/scene.zip}/scene.SAFE/B04.jp2'
    """
    name = member.removeprefix("/") if isinstance(member, str) else ""
    parts = name.split("/")
    if not name or _UNSAFE.search(name) or any(part in ("", ".", "..") for part in parts):
        raise AccessError(f"it names no member of its archive: {member!r:.200}")
    if any(_ARCHIVES.search(part) for part in parts):
        raise AccessError(f"it names an archive within its archive: {member!r:.200}")
    if _UNSAFE.search(archive):
        raise AccessError(
            f"its archive's name has characters that are not allowed: {show(archive)}"
        )
    scheme, parted, rest = archive.partition("://")
    if parted:
        archive = f"/vsis3/{rest}" if scheme.lower() == "s3" else f"/vsicurl/{archive}"
    return f"{_ZIP}{{{archive}}}/{name}"


def raster_problem(fields: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
    """Say why an asset is no raster file at hand; ``None`` if nothing tells.

    Parameters
    ----------
    fields
        The asset, as JSON.
    properties
        Properties of the item.

    Examples
    --------
    >>> raster_problem({"href": "https://example.org/a.zarr", "type": "application/vnd+zarr"}, {})
    'is no raster file: application/vnd+zarr'
    """
    member = fields.get("archive:type") if "archive:href" in fields else None
    media = str(member or fields.get("type") or "").partition(";")[0].strip().lower()
    if any(name.startswith(("xarray:", "zarr:")) for name in fields):
        return f"is no raster file: {media or 'Zarr'}"
    if media not in _UNTOLD and media not in _RASTERS:
        return f"is no raster file: {media}"
    for name, absent in (("storage:tier", _is_offline), ("order:status", _NOT_THERE.__contains__)):
        stated = fields.get(name) or properties.get(name)
        if isinstance(stated, str) and absent(stated.lower()):
            return f"is not at hand: {name} {stated!r}"
    return None


def _is_offline(tier: str) -> bool:
    return _OFFLINE.fullmatch(tier) is not None


def _workers_see(path: str) -> bool:
    """Whether the workers of the Dask client in use, or else this computer, see a file's folder.

    They are asked once for all files below the same two folders.
    """
    folder = str(Path(path).parent)
    try:
        client = get_client()
    except ValueError:
        return Path(folder).is_dir()
    key = (str(client.id), "/".join(Path(path).parts[:3]))
    if key not in _answers:
        # pure=False: the answer is that of these workers today
        _answers[key] = bool(client.submit(os.path.isdir, folder, pure=False).result())
    return _answers[key]
