"""Recognise the vector formats that may be opened, by content and by extension.

The file library behind geopandas opens far more than files of geometries: a small text
can send it to other files, to a database or to the network. Only formats that hold their
features themselves are let through.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath

from cbmcube.exceptions import ReadError

HEAD_BYTES = 1 << 16
_POINTERS = (
    b"<OGRVRT",
    b"<VRTDataset",
    b"<OGRWFSDataSource",
    b"<GDAL_WMS",
    b"gdal_streamed_alg",
)
"""Marks of files that point elsewhere: OGR and GDAL virtual formats, services, pipelines."""


@dataclass(frozen=True, slots=True)
class Format:
    """A vector file format and how it is opened."""

    name: str
    """Its name for people."""
    drivers: frozenset[str]
    """Names of the GDAL drivers that may open it; none for GeoParquet."""
    suffixes: tuple[str, ...]
    """Extensions of its files, in lower case."""
    vertex_bytes: int
    """The fewest bytes a vertex can take in such a file, unpacked."""
    options: dict[str, str] = field(default_factory=dict)
    """GDAL open options."""


SHAPEFILE = Format("Shapefile", frozenset({"ESRI Shapefile"}), (".shp",), 16)
GEOPACKAGE = Format("GeoPackage", frozenset({"GPKG"}), (".gpkg",), 16)
FLATGEOBUF = Format("FlatGeobuf", frozenset({"FlatGeobuf"}), (".fgb",), 16)
GEOPARQUET = Format("GeoParquet", frozenset(), (".parquet", ".geoparquet", ".pq"), 16)
# The shortest vertex of GeoJSON is "[0,0]," and of GML "0 0 ".
GEOJSON = Format(
    "GeoJSON", frozenset({"GeoJSON", "GeoJSONSeq"}), (".geojson", ".json", ".geojsonl"), 6
)
# A GML names its schema by address; the geometries can be read without fetching it, and
# without leaving a file of guesses beside the data.
GML = Format(
    "GML", frozenset({"GML"}), (".gml", ".xml"), 4, {"DOWNLOAD_SCHEMA": "NO", "WRITE_GFS": "NO"}
)
# Coordinates are differences of variable length, one byte each at least.
FILE_GDB = Format("file geodatabase", frozenset({"OpenFileGDB"}), (".gdb",), 2)

FORMATS = (GEOPACKAGE, SHAPEFILE, GEOJSON, GML, FLATGEOBUF, FILE_GDB, GEOPARQUET)
ALLOWED = (
    "GeoPackage (.gpkg), Shapefile (.shp), GeoJSON (.geojson, .json), GML (.gml, .xml), "
    "FlatGeobuf (.fgb), file geodatabase (.gdb), these also zipped; GeoParquet (.parquet)"
)

_SIGNATURES = {
    b"\x00\x00\x27\x0a": SHAPEFILE,
    b"SQLite format 3\x00": GEOPACKAGE,
    b"fgb\x03": FLATGEOBUF,
    b"PAR1": GEOPARQUET,
}


def recognise(head: bytes, name: PurePath, *, given: object) -> Format | None:
    """Return the format of a file from its first bytes, or None for any other file.

    Raises
    ------
    ReadError
        The file points at other data, or is named as another format than it holds.
    """
    _refuse_pointer(head, given)
    found = _by_content(head)
    suffix = name.suffix.lower()
    named = next((kind for kind in FORMATS if suffix in kind.suffixes), None)
    # The extension decides which driver opens a file, so the content must agree with it.
    if found is None or named is None:
        return None
    if named is not found:
        raise ReadError(
            f"the file is named as {named.name} and holds {found.name}",
            given=given,
            hint=f"rename it to {found.suffixes[0]} if you trust where it comes from",
        )
    return found


def refuse(given: object) -> ReadError:
    """Return the error for a file that is none of the formats."""
    return ReadError(
        "the file is not one of the vector formats that are read",
        given=given,
        allowed=ALLOWED,
        hint="convert it to GeoPackage, for example with ogr2ogr",
    )


def _by_content(head: bytes) -> Format | None:
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\x1e")
    if text.startswith(b"{") and any(m in text for m in (b'"Feature', b'"coordinates"')):
        return GEOJSON
    if text.startswith(b"<") and b"opengis.net/gml" in text:
        return GML
    return None


def _refuse_pointer(head: bytes, given: object) -> None:
    if any(mark in head for mark in _POINTERS):
        raise ReadError(
            "the file points at other data instead of holding parcels",
            given=given,
            allowed=ALLOWED,
            hint="write what it points at into a GeoPackage, for example with ogr2ogr",
        )
