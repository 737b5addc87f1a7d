"""Find the one data set of a file, folder or archive, without unpacking or opening it."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from cbmcube.exceptions import ParcelsError, ParcelsTooLargeError, ReadError
from cbmcube.parcels._formats import (
    FILE_GDB,
    HEAD_BYTES,
    SHAPEFILE,
    Format,
    recognise,
    refuse,
)
from cbmcube.parcels._limits import ReadLimits

_ENTRIES = 10_000
"""Files in an archive; a geodatabase of a whole country has some hundred."""

_CATALOGUE = "a00000001.gdbtable"
"""The file that every file geodatabase has."""

_OWN = (".gpkg", ".shp", ".geojson", ".gml", ".fgb", ".gdb")
"""Extensions that only data have."""

_SIDECARS = (".shp", ".shx", ".dbf")


@dataclass(frozen=True, slots=True)
class Source:
    """One data set in a local file."""

    given: str
    """How messages name it."""
    address: str
    """What the file library is asked to open."""
    format: Format
    """What it must be."""
    bytes: int
    """Its size, unpacked."""
    layer: str | None
    """The layer that was asked for, unless it named the member of an archive."""


def locate(path: Path, layer: str | None, limits: ReadLimits) -> Source:
    """Find the data set of a local file, or say why the file is not read.

    Parameters
    ----------
    path
        A file, a zip archive, or the folder of a file geodatabase.
    layer
        A layer, or the name without extension of a data set in an archive of several.
    limits
        Their bytes are checked here, for archives against the unpacked size.
    """
    # A link is followed once, here, so that what was looked at is what will be opened.
    try:
        whole = path.resolve()
    except RuntimeError as error:  # links in a ring, before Python 3.13
        raise _missing(path) from error
    if "!" in str(whole) or str(whole).startswith("/vsi"):
        raise ReadError(
            "the path has a meaning of its own for the file library; only local files are read",
            given=path,
            hint="use a path that has no '!' and does not begin with /vsi",
        )
    if whole.is_dir():
        return _locate_folder(path, whole, layer, limits)
    if whole.exists() and not whole.is_file():
        raise ReadError(
            "the path names a device or a pipe, which may have no end; only files are read",
            given=path,
            hint="give the path of a file",
        )
    head = _head(path, whole)
    if head.startswith(b"PK\x03\x04"):
        return _locate_member(path, whole, layer, limits)
    kind = recognise(head, whole, given=path)
    if kind is None:
        raise refuse(path)
    beside = [whole.with_suffix(s) for s in _SIDECARS] if kind is SHAPEFILE else [whole]
    size = sum(file.stat().st_size for file in beside if file.is_file())
    limits.check("bytes", size, given=path)
    return Source(str(path), str(whole), kind, size, layer)


def _head(path: Path, whole: Path) -> bytes:
    try:
        with whole.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise _missing(path) from error


def _missing(path: Path) -> ReadError:
    return ReadError(
        "the file of parcels cannot be opened",
        given=path,
        hint="check the path; only local files are read, so download remote ones first",
    )


def _locate_folder(path: Path, whole: Path, layer: str | None, limits: ReadLimits) -> Source:
    if whole.suffix.lower() != ".gdb" or not (whole / _CATALOGUE).is_file():
        raise ReadError(
            "a folder is read only if it is a file geodatabase (.gdb)",
            given=path,
            hint="give the path of the file",
        )
    size = sum(file.stat().st_size for file in whole.iterdir() if file.is_file())
    limits.check("bytes", size, given=path)
    return Source(str(path), str(whole), FILE_GDB, size, layer)


def _locate_member(path: Path, whole: Path, layer: str | None, limits: ReadLimits) -> Source:
    try:
        with zipfile.ZipFile(whole) as archive:
            _check_entries(archive.infolist(), path, limits)
            found = dict(_members(archive, path))
            size = sum(info.file_size for info in archive.infolist())
    # An encrypted member is a RuntimeError, an unknown compression a NotImplementedError.
    except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(
            "the zip archive of parcels cannot be read",
            given=path,
            hint="download it again, or unpack it and give the file inside",
        ) from error
    # Descriptions of data look like data: an .xml may be the metadata of the Shapefile beside it.
    own = {name: kind for name, kind in found.items() if PurePath(name).suffix.lower() in _OWN}
    found = own or found
    if not found:
        raise refuse(path)
    member, inner = _choose(sorted(found), layer, path)
    # Braces tell the file library where the archive's own path ends.
    return Source(
        f"{path}, member {member}", f"/vsizip/{{{whole}}}/{member}", found[member], size, inner
    )


def _check_entries(entries: list[zipfile.ZipInfo], path: Path, limits: ReadLimits) -> None:
    if len(entries) > _ENTRIES:
        raise ParcelsTooLargeError(
            "the zip archive holds too many files",
            given=f"{len(entries):,} in {path}",
            allowed=f"{_ENTRIES:,}",
            hint="unpack it and give the file inside",
        )
    limits.check("bytes", sum(info.file_size for info in entries), given=f"{path}, unpacked")
    # Readers differ in which of two files of one name they take.
    twice = [name for name, n in Counter(info.filename for info in entries).items() if n > 1]
    odd = [
        info.filename
        for info in entries
        if ".." in PurePosixPath(info.filename).parts or info.filename.startswith("/")
    ]
    if twice or odd:
        raise ReadError(
            "the zip archive has names that no honest archive has: "
            + ("repeated" if twice else "outside of it"),
            given=f"{path}, {(twice or odd)[0]!r}",
            hint="unpack it, look at what it holds, and give the file inside",
        )


def _members(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, Format]]:
    """Return the data sets in an archive, after a look into each of its files."""
    for info in archive.infolist():
        name = PurePosixPath(info.filename)
        if name.parent.suffix.lower() == ".gdb":
            if name.name == _CATALOGUE:
                yield str(name.parent), FILE_GDB
            continue
        if info.is_dir():
            continue
        with archive.open(info) as file:
            head = file.read(HEAD_BYTES)
        kind = recognise(head, name, given=f"{path}, member {info.filename}")
        if kind is not None and kind.drivers:
            yield info.filename, kind


def _choose(found: list[str], layer: str | None, path: Path) -> tuple[str, str | None]:
    """Return the data set to read, and the layer still to be chosen in it."""
    if len(found) == 1:
        return found[0], layer
    stems = {PurePath(name).stem: name for name in found}
    if layer in stems and len(stems) == len(found):
        return stems[layer], None
    raise ParcelsError(
        "the archive holds several data sets",
        given=path,
        allowed=", ".join(found),
        hint=f"name one: read_parcels(path, layer={next(iter(stems))!r}), or unpack the archive",
    )
