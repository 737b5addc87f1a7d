"""Hostile archives, and paths that are no files."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile

from tests.parcels.hostile_place import HARMLESS, package, pointer
from tests.parcels.hostile_text import (
    BESIDE,
    ELSEWHERE,
    FEATURE,
    GML,
    INCLUDES,
    LINK,
    NAMED,
    OGR_VRT,
    geojson,
)


def archive(*members, damage=None):
    """Members are (name, content or function of the place, attributes)."""

    def make(place):
        path = place.folder / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
            for name, content, *rest in members:
                info = zipfile.ZipInfo("x")
                info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
                for field, value in (rest[0] if rest else {}).items():
                    setattr(info, field, value)
                target.writestr(info, content(place) if callable(content) else content)
        if damage is not None:
            path.write_bytes(damage(path.read_bytes()))
        return path

    return make


def lies_about_size(data):
    """The directory and the header say 1,000 bytes."""
    whole = zipfile.ZipFile(io.BytesIO(data)).infolist()[0].file_size
    return data.replace(struct.pack("<I", whole), struct.pack("<I", 1000))


def says_huge(data):
    for info in zipfile.ZipFile(io.BytesIO(data)).infolist():
        data = data.replace(struct.pack("<I", info.file_size), struct.pack("<I", 2**32 - 2))
    return data


def encrypted(data):
    """Set the bit that says so, in the header and in the directory."""
    found = bytearray(data)
    found[6] |= 1
    found[found.index(b"PK\x01\x02") + 8] |= 1
    return bytes(found)


def zip_in_zip(place):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as target:
        target.writestr("p.gpkg", package(place))
    return inner.getvalue()


def overlapping(data):
    """One member under 10,000 names would be a bomb; five show it: all begin at one place."""
    found = bytearray(data)
    place = found.index(b"PK\x01\x02")
    for _ in range(5):
        struct.pack_into("<I", found, place + 42, 0)
        place = found.find(b"PK\x01\x02", place + 4)
        if place < 0:
            break
    return bytes(found)


OUTSIDE = "outside of it"
ARCHIVES = {
    "a member that climbs": (archive(("../p.gpkg", package)), OUTSIDE),
    "a member that climbs later": (archive(("a/../../p.gpkg", package)), OUTSIDE),
    "an absolute member": (archive(("/p.gpkg", package)), OUTSIDE),
    "a member that climbs by backslashes": (archive(("..\\..\\p.gpkg", package)), "cannot be read"),
    "a member of a drive": (archive(("C:/p.gpkg", package)), HARMLESS),
    "a member that closes the braces": (
        archive(("x}/../../p.gpkg", package)),
        OUTSIDE,
    ),
    "a member named as a path of GDAL": (
        archive(("vsicurl/http://127.0.0.1/p.gpkg", package)),
        "HARMLESS|cannot be read",
    ),
    "a link as a member": (
        archive(
            ("p.gpkg", "../outside/canary.gpkg", {"external_attr": (stat.S_IFLNK | 0o777) << 16})
        ),
        "vector formats",
    ),
    "a zip in a zip": (archive(("i.zip", zip_in_zip)), "vector formats"),
    "a zip in a zip, named gpkg": (archive(("p.gpkg", zip_in_zip)), "vector formats"),
    "a virtual file beside the data": (
        archive(("p.gpkg", package), ("p.vrt", OGR_VRT)),
        "points at other data",
    ),
    "a schema that includes an address": (
        archive(
            (
                "p.gml",
                GML.replace("DOCTYPE", "").replace("SCHEMA", "").replace('"CRS"', f'"{NAMED}"'),
            ),
            ("p.xsd", BESIDE.replace("WHAT", '<xs:include schemaLocation="http://127.0.0.1/a"/>')),
        ),
        INCLUDES,
    ),
    "a CRS by link in an archive": (
        archive(("p.geojson", lambda p: geojson(extra=f'"crs":{LINK},')(p).read_text())),
        ELSEWHERE,
    ),
    "a size that is a lie": (
        archive(
            (
                "p.geojson",
                '{"type":"FeatureCollection","features":[' + ",".join([FEATURE] * 20_000) + "]}",
            ),
            damage=lies_about_size,
        ),
        "zip archive of parcels cannot be read|cannot be read",
    ),
    "twenty gigabytes": (
        archive(*[(f"{n}.geojson", b" " * (100_000 + n)) for n in range(5)], damage=says_huge),
        "too many bytes",
    ),
    "a size of four gigabytes": (
        archive(*[(f"{n}.geojson", b" " * (100_000 + n)) for n in range(1)], damage=says_huge),
        "vector formats|cannot be read",
    ),
    "an encrypted member": (archive(("p.gpkg", package), damage=encrypted), "cannot be read"),
    "members that share their bytes": (
        archive(*[(f"{n}.gpkg", package) for n in range(5)], damage=overlapping),
        "cannot be read",
    ),
    "the first half": (
        archive(("p.gpkg", package), damage=lambda data: data[: len(data) // 2]),
        "zip archive of parcels cannot be read",
    ),
    "nothing but an end": (
        lambda p: (p.folder / "a.zip", (p.folder / "a.zip").write_bytes(b"PK\x05\x06" + bytes(18)))[
            0
        ],
        "vector formats",
    ),
    "names that differ in case": (
        archive(("p.gpkg", package), ("P.gpkg", package)),
        "several data sets",
    ),
    "a geodatabase of garbage": (
        archive(("p.gdb/a00000001.gdbtable", b"\x03\x00\x00\x00" + b"\xff" * 400)),
        "cannot be read|holds parcels",
    ),
    "a tar named zip": (pointer("ustar" + "\x00" * 600, "a.zip"), "vector formats"),
}


def pipe(place):
    path = place.folder / "p.gpkg"
    os.mkfifo(path)
    return path


def link_to(target, name="p.gpkg"):
    def make(place):
        path = place.folder / name
        path.symlink_to(target)
        return path

    return make


def ring_of_links(place):
    (place.folder / "a.gpkg").symlink_to(place.folder / "b.gpkg")
    (place.folder / "b.gpkg").symlink_to(place.folder / "a.gpkg")
    return place.folder / "a.gpkg"


PATHS = {
    "a pipe": (pipe, "a device or a pipe"),
    "a device without end": (link_to("/dev/zero"), "a device or a pipe"),
    "the environment of the process": (link_to("/proc/self/environ"), "vector formats"),
    "links in a ring": (ring_of_links, "cannot be opened"),
    "a link to nothing": (link_to("/nowhere/p.gpkg"), "cannot be opened"),
    "a folder named parquet": (
        lambda p: ((p.folder / "p.parquet").mkdir(), p.folder / "p.parquet")[1],
        "folder is read only if",
    ),
    "a path of GDAL": (lambda _: "/vsistdin/", "meaning of its own"),
    "XML as a path": (lambda p: OGR_VRT.replace("OUT", str(p.outside)), "cannot be opened"),
}
