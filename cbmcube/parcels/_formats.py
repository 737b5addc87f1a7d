"""Recognise the vector files that may be opened, by their content and not by their name.

The file library behind geopandas opens far more than files of geometries: a small text
can send it to other files, to a database or to the network. Only formats that hold their
features themselves are let through.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from cbmcube.exceptions import ReadError

_HEAD_BYTES = 1 << 16
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
    options: dict[str, str] = field(default_factory=dict)
    """GDAL open options."""


SHAPEFILE = Format("Shapefile", frozenset({"ESRI Shapefile"}))
GEOPACKAGE = Format("GeoPackage", frozenset({"GPKG"}))
FLATGEOBUF = Format("FlatGeobuf", frozenset({"FlatGeobuf"}))
GEOPARQUET = Format("GeoParquet", frozenset())
GEOJSON = Format("GeoJSON", frozenset({"GeoJSON", "GeoJSONSeq"}))
# A GML names its schema by address; the geometries can be read without fetching it, and
# without leaving a file of guesses beside the data.
GML = Format("GML", frozenset({"GML"}), {"DOWNLOAD_SCHEMA": "NO", "WRITE_GFS": "NO"})

_SIGNATURES = {
    b"\x00\x00\x27\x0a": SHAPEFILE,
    b"SQLite format 3\x00": GEOPACKAGE,
    b"fgb\x03": FLATGEOBUF,
    b"PAR1": GEOPARQUET,
}
_ZIPPED = (SHAPEFILE, GEOPACKAGE, FLATGEOBUF, GEOJSON, GML)
"""Formats that are read from a zip archive, the most telling signature first."""

_ALLOWED = "GeoPackage, Shapefile, GeoJSON, GML, FlatGeobuf, also zipped; GeoParquet"


def recognise(path: Path) -> Format:
    """Return the format of a local file, or say why it is not read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise ReadError(
            "the file of parcels cannot be opened",
            given=path,
            hint="check the path; only local files are read, so download remote ones first",
        ) from error
    zipped = head.startswith(b"PK\x03\x04")
    kind = _recognise_zip(path) if zipped else _recognise_head(head, path)
    if kind is None or path.suffix.lower() == ".vrt":
        raise ReadError(
            "the file is not one of the vector formats that are read",
            given=path,
            allowed=_ALLOWED,
            hint="convert it to GeoPackage, for example with ogr2ogr",
        )
    return kind


def _recognise_head(head: bytes, given: object) -> Format | None:
    _refuse_pointer(head, given)
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\x1e")
    if text.startswith(b"{") and any(m in text for m in (b'"Feature', b'"coordinates"')):
        return GEOJSON
    if text.startswith(b"<") and b"opengis.net/gml" in text:
        return GML
    return None


def _recognise_zip(path: Path) -> Format | None:
    found = set()
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                with archive.open(member) as file:
                    head = file.read(_HEAD_BYTES)
                kind = _recognise_head(head, f"{path}, member {member}")
                if kind is not None:
                    found.add(kind.name)
    # An encrypted member is a RuntimeError, an unknown compression a NotImplementedError.
    except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(
            "the zip archive of parcels cannot be read",
            given=path,
            hint="download it again, or unpack it and give the file inside",
        ) from error
    return next((kind for kind in _ZIPPED if kind.name in found), None)


def _refuse_pointer(head: bytes, given: object) -> None:
    if any(mark in head for mark in _POINTERS):
        raise ReadError(
            "the file points at other data instead of holding parcels",
            given=given,
            allowed=_ALLOWED,
            hint="write what it points at into a GeoPackage, for example with ogr2ogr",
        )
