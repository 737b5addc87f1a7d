"""Look into a file for what would lead elsewhere, never end, or break the process that reads it.

The file library offers no option against any of this (GDAL 3.12): a GeoJSON may name an address
that describes its CRS, the schema beside a GML may include another one from the web, a view in a
GeoPackage may be without end, and geometries nested deeply enough overflow the stack of GEOS.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyogrio  # type: ignore[import-untyped]

from cbmcube.exceptions import ReadError
from cbmcube.parcels._files import Source
from cbmcube.parcels._formats import GEOJSON, GEOPACKAGE, GML

DEEPEST = 32
"""Levels of geometries within geometries, as many as GDAL allows; honest files have two."""

_CHUNK = 1 << 24
_CRS_BYTES = 1 << 16
_ZIPPED = re.compile(r"/vsizip/\{(?P<archive>[^{}]+)\}/(?P<member>.+)")

# The readers of JSON behind GDAL take escapes, single quotes and comments, so those count, too.
_CRS = re.compile(rb"""(["'])(?:c|\\u0063)(?:r|\\u0072)(?:s|\\u0073)\1\s*""")
_INCLUDE = re.compile(rb"<\s*(?:[\w.\-]+\s*:\s*)?(?:include|redefine|import)\b[^>]*", re.IGNORECASE)
_SCHEMA_OF_GML = re.compile(rb"""schemaLocation\s*=\s*["']https?://[\w./\-]+["']""")

# Views that older GeoPackages have by the rules of their time; none of them holds features.
_OWN_VIEWS = frozenset({"st_spatial_ref_sys", "st_geometry_columns", "spatial_ref_sys"})
_OWN_MODULES = ("rtree", "fts3", "fts4", "fts5")
_QUERY = """
SELECT type, name, sql FROM sqlite_master WHERE type = 'view'
OR (type = 'table' AND sql LIKE 'CREATE VIRTUAL%')
UNION ALL SELECT 'column', m.name || '.' || x.name, NULL
FROM sqlite_master m, pragma_table_xinfo(m.name) x
WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%' AND x.hidden IN (2, 3)
"""
_MODULE = re.compile(r"\busing\s+[\"'`\[]?(\w+)", re.IGNORECASE)

# A header of WKB, of either byte order, whose type is one of several geometries in one.
_FLAGS = rb"[\x00\x20\x40\x60\x80\xa0\xc0\xe0]"
_NESTING = re.compile(
    rb"\x01(?:[\x04-\x0c]\x00|[\xec-\xf4]\x03|[\xd4-\xdc]\x07|[\xbc-\xc4]\x0b)\x00"
    + _FLAGS
    + rb"|\x00"
    + _FLAGS
    + rb"\x00(?:\x00[\x04-\x0c]|\x03[\xec-\xf4]|\x07[\xd4-\xdc]|\x0b[\xbc-\xc4])"
)
_LINES, _FACES, _SEVERAL = (2, 8), (3, 17), (*range(4, 8), *range(9, 13), 15, 16)


def refuse_traps(source: Source) -> None:
    """Refuse a file that would lead elsewhere or never end.

    Raises
    ------
    ReadError
        The message says what was found.
    """
    if source.format is GEOPACKAGE:
        _refuse_views(source)
    elif source.format is GEOJSON:
        with _opened(source.address) as file:
            _refuse_crs_elsewhere(file, source)
    elif source.format is GML:
        _refuse_schema_elsewhere(source)


def refuse_nesting(values: pa.Array, given: object) -> None:
    """Refuse WKB of geometries within geometries within geometries, without reading it.

    Parameters
    ----------
    values
        Binary values.
    given
        How messages name the file.
    """
    data = values.buffers()[2]
    data = values.buffers()[2]
    if data is None:
        return
    # Most values have one such header or none; where there are many, the value is walked through.
    wide = pa.types.is_large_binary(values.type)
    places = np.frombuffer(values.buffers()[1], np.int64 if wide else np.int32)
    places = places[values.offset : values.offset + len(values) + 1]
    found = np.fromiter((one.start() for one in _NESTING.finditer(data)), np.int64)
    owners = np.searchsorted(places, found, side="right") - 1
    owners = owners[(owners >= 0) & (owners < len(values))]
    suspects = np.flatnonzero(np.bincount(owners) > DEEPEST)
    if any(levels(values[int(one)].as_py() or b"") > DEEPEST for one in suspects):
        raise ReadError(
            "the file holds geometries within geometries, nested too deeply to be parcels",
            given=given,
            allowed=f"{DEEPEST} levels",
            hint="write every parcel as Polygon or MultiPolygon",
        )


def levels(wkb: bytes) -> int:
    """Return how deeply geometries are nested in WKB; what is malformed ends the count.

    Examples
    --------
    >>> import shapely
    >>> levels(shapely.box(0, 0, 1, 1).wkb)
    0
    >>> levels(shapely.MultiPolygon([shapely.box(0, 0, 1, 1)]).wkb)
    1
    """
    place, deepest = 0, 0
    open_: list[int] = []  # how many members each level still has
    try:
        while deepest <= DEEPEST:
            order = "<" if wkb[place] else ">"
            (code,) = struct.unpack_from(f"{order}I", wkb, place + 1)
            srid = 4 if code & 0x20000000 else 0
            kind, dims = code & 0x1FFFFFFF, 2 + bool(code & 0x80000000) + bool(code & 0x40000000)
            dims, kind = dims + (0, 1, 1, 2)[kind // 1000], kind % 1000
            place += 5 + srid
            if kind in _SEVERAL:
                open_.append(_number(wkb, place, order))
                deepest, place = max(deepest, len(open_)), place + 4
            else:
                place = _behind(wkb, place, order, kind, 8 * dims)
            while open_ and not open_[-1]:
                open_.pop()
            if not open_:
                break
            open_[-1] -= 1
    except (struct.error, IndexError):
        return deepest
    return deepest


def _behind(wkb: bytes, place: int, order: str, kind: int, vertex: int) -> int:
    """Return where a simple geometry ends."""
    if kind in _LINES:
        return place + 4 + _number(wkb, place, order) * vertex
    if kind in _FACES:
        rings, place = _number(wkb, place, order), place + 4
        for _ in range(rings):
            place += 4 + _number(wkb, place, order) * vertex
        return place
    return place + vertex


def _number(wkb: bytes, place: int, order: str) -> int:
    return int(struct.unpack_from(f"{order}I", wkb, place)[0])


def _refuse_views(source: Source) -> None:
    """Refuse tables that are computed when they are read: by a query that may have no end."""
    _, _, _, (kinds, names, texts) = pyogrio.raw.read(
        source.address, sql=_QUERY, read_geometry=False
    )
    for kind, name, text in zip(kinds, names, texts, strict=True):
        if kind == "view" and name.lower() in _OWN_VIEWS and _is_plain(text):
            continue
        module = _MODULE.search(text) if kind == "table" else None
        if module and module[1].lower() in _OWN_MODULES:
            continue
        what = {"view": "a view", "table": "a virtual table"}.get(kind, "a computed column")
        raise ReadError(
            f"the GeoPackage holds {what}, which is computed while it is read",
            given=f"{source.given}, {name!r}",
            allowed="tables of stored features",
            hint="write its layer into a new GeoPackage, for example with ogr2ogr, if you trust it",
        )


def _is_plain(text: Any) -> bool:
    """Whether a view only renames the columns of one table, so that it ends with it."""
    words = re.findall(r"\w+", str(text).lower())
    return words.count("select") == 1 and not {"recursive", "join"} & set(words)


def _refuse_crs_elsewhere(file: IO[bytes], source: Source) -> None:
    """Refuse a GeoJSON whose CRS is an address: GDAL would ask it."""
    text, following = file.read(_CHUNK), file.read(_CHUNK)
    while text:
        # What begins near the end of a chunk is looked at again with the next one.
        limit = len(text) - _CRS_BYTES if following else len(text)
        for found in _CRS.finditer(text):
            if found.start() < limit and not _is_harmless(text[found.end() :][:_CRS_BYTES]):
                raise ReadError(
                    "the GeoJSON has a CRS that lies elsewhere, or that cannot be made out",
                    given=source.given,
                    allowed="a CRS by name, or none, which means longitude and latitude",
                    hint="write it again, for example with ogr2ogr",
                )
        text = text[max(limit, 0) :] + following if following else b""
        following = file.read(_CHUNK)


def _is_harmless(rest: bytes) -> bool:
    """Whether what follows the word crs is the rest of a value, or a CRS by name."""
    if rest[:1] in (b",", b"}", b"]", b""):
        return True
    text = rest[1:].decode("utf-8", errors="replace").lstrip()
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict):
        return rest[:1] == b":"
    kind = value.get("type")
    return rest[:1] == b":" and isinstance(kind, str) and kind.lower() in ("name", "epsg", "ogc")


def _refuse_schema_elsewhere(source: Source) -> None:
    """Refuse a schema beside a GML that includes others: GDAL fetches them, whatever it is told."""
    stem = source.address.rpartition(".")[0]
    try:
        with _opened(f"{stem}.xsd") as file:
            text = file.read(_CHUNK)
    except (OSError, KeyError):
        return
    for found in _INCLUDE.findall(text):
        # Its import of GML itself, which GDAL writes, is not followed.
        if b"include" in found.lower() or not _SCHEMA_OF_GML.search(found):
            raise ReadError(
                "the schema beside the GML includes another one, which may lie anywhere",
                given=f"{source.given}, its .xsd",
                hint="remove the .xsd: geometries and attributes are read without it",
            )


@contextmanager
def _opened(address: str) -> Iterator[IO[bytes]]:
    """Open a file, or a member of an archive, as bytes."""
    zipped = _ZIPPED.fullmatch(address)
    if zipped is None:
        with Path(address).open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(zipped["archive"]) as archive, archive.open(zipped["member"]) as file:
        yield file
