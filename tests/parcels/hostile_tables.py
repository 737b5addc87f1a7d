"""Hostile GeoPackages: views, computed columns, lies about counts and geometries."""

from __future__ import annotations

import sqlite3
import struct

from shapely import box

from tests.parcels.hostile_place import HARMLESS, package


def geopackage(*statements):
    def make(place):
        package(place)
        path = (place.folder / "good.gpkg").rename(place.folder / "p.gpkg")
        with sqlite3.connect(path) as database:
            names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (name,) in names.fetchall():
                database.execute(f'DROP TRIGGER "{name}"')
            for statement in statements:
                database.execute(*((statement,) if isinstance(statement, str) else statement))
        database.close()
        return path

    return make


def as_layer(view):
    """Register a view in place of the table."""
    return (
        view,
        "UPDATE gpkg_contents SET table_name = 'q'",
        "UPDATE gpkg_geometry_columns SET table_name = 'q'",
        "DELETE FROM gpkg_ogr_contents",
    )


def blob(wkb):
    return b"GP\x00\x01" + struct.pack("<i", 32632) + wkb


def nested(depth):
    return b"".join(struct.pack("<BII", 1, 7, 1) for _ in range(depth)) + box(0, 0, 9, 9).wkb


ENDLESS = (
    "CREATE VIEW q AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
    "SELECT x AS fid, (SELECT geom FROM p LIMIT 1) AS geom, x AS number FROM c"
)
COMPUTED = "computed while it is read"
LIES_WKB = struct.pack("<BIII", 1, 3, 1, 2**32 - 1) + bytes(64)
LIES_RINGS = struct.pack("<BII", 1, 3, 2**32 - 1) + bytes(64)
GEOPACKAGES = {
    "a view without end": (geopackage(*as_layer(ENDLESS)), COMPUTED),
    "a view that must be sorted first": (
        geopackage(*as_layer(ENDLESS + " ORDER BY x DESC")),
        COMPUTED,
    ),
    "a view that squares its table": (
        geopackage(*as_layer("CREATE VIEW q AS SELECT a.* FROM p a, p b, p c, p d")),
        COMPUTED,
    ),
    "a view that nothing lists": (geopackage(ENDLESS), COMPUTED),
    "a view under an honest name": (
        geopackage(ENDLESS.replace("VIEW q", "VIEW st_geometry_columns")),
        COMPUTED,
    ),
    "an honest view": (
        geopackage(
            "CREATE VIEW st_geometry_columns AS SELECT column_name FROM gpkg_geometry_columns"
        ),
        HARMLESS,
    ),
    "a view that opens a file": (
        geopackage(
            *as_layer("CREATE VIEW q AS SELECT fid, geom, readfile('OUT/canary.txt') FROM p")
        ),
        COMPUTED,
    ),
    "a column that is computed": (
        geopackage("ALTER TABLE p ADD COLUMN big AS (hex(zeroblob(number * 1000000000)))"),
        "a computed column",
    ),
    "a virtual table of another module": (
        geopackage(
            "CREATE VIRTUAL TABLE v USING fts5(x)",
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET sql = 'CREATE VIRTUAL TABLE v USING VirtualShape(''/x'')' "
            "WHERE name = 'v'",
        ),
        "a virtual table",
    ),
    "an index of coordinates": (
        geopackage("CREATE VIRTUAL TABLE extra USING rtree(id, a, b)"),
        HARMLESS,
    ),
    "a trigger that deletes": (
        geopackage("CREATE TRIGGER t AFTER INSERT ON p BEGIN DELETE FROM p; END"),
        HARMLESS,
    ),
    "a layer named as SQL": (
        geopackage(
            "ALTER TABLE p RENAME TO 'x\"; DROP TABLE p; --'",
            "UPDATE gpkg_contents SET table_name = 'x\"; DROP TABLE p; --'",
            "UPDATE gpkg_geometry_columns SET table_name = 'x\"; DROP TABLE p; --'",
            "DELETE FROM gpkg_ogr_contents",
        ),
        HARMLESS,
    ),
    "a count that is a lie": (
        geopackage("UPDATE gpkg_ogr_contents SET feature_count = 1000000000000"),
        "too many features|HARMLESS|holds no parcels",  # as the release of GDAL counts
    ),
    "a count below nothing": (
        geopackage("UPDATE gpkg_ogr_contents SET feature_count = -5"),
        "holds parcels|HARMLESS",
    ),
    "four thousand million vertices": (
        geopackage(("UPDATE p SET geom = ? WHERE fid = 1", (blob(LIES_WKB),))),
        "HARMLESS|cannot be read",
    ),
    "four thousand million rings": (
        geopackage(("UPDATE p SET geom = ? WHERE fid = 1", (blob(LIES_RINGS),))),
        "HARMLESS|cannot be read",
    ),
    "geometries a hundred thousand deep": (
        geopackage(("UPDATE p SET geom = ? WHERE fid = 1", (blob(nested(100_000)),))),
        "HARMLESS|cannot be read",
    ),
    "a geometry of text": (
        geopackage("UPDATE p SET geom = 'POLYGON ((0 0, 1 0, 1 1, 0 0))' WHERE fid = 1"),
        "HARMLESS|cannot be read",
    ),
    "a database that is no GeoPackage": (
        lambda p: (
            p.folder / "p.gpkg",
            sqlite3.connect(p.folder / "p.gpkg").execute("CREATE TABLE a (b)").connection.close(),
        )[0],
        "cannot be read|holds parcels",
    ),
    "a CRS that is a file": (
        geopackage(
            "UPDATE gpkg_spatial_ref_sys SET definition = '/etc/hostname', organization = 'x', "
            "organization_coordsys_id = 7 WHERE srs_id = 32632"
        ),
        "no coordinate reference system|HARMLESS|cannot be read",
    ),
}
