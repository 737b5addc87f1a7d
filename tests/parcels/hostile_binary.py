"""Hostile GeoParquet, Shapefiles and FlatGeobuf files."""

from __future__ import annotations

import base64
import json
import pickle
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from shapely import box

from tests.parcels.hostile_place import HARMLESS, SQUARE, squares
from tests.parcels.hostile_tables import LIES_RINGS, LIES_WKB, nested


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def parquet(change=None, wkb=None, name="p.parquet", damage=None):
    """Write a GeoParquet; `change` gets its metadata, as decoded JSON where they are JSON."""

    def make(place):
        path = place.folder / name
        squares().to_parquet(path)
        table = pq.read_table(path)
        if wkb is not None:
            table = table.set_column(
                table.schema.get_field_index("geometry"),
                "geometry",
                pa.array([wkb, SQUARE], pa.binary()),
            )
        if change is not None:
            notes = {k: json.loads(v) for k, v in pq.read_table(path).schema.metadata.items()}
            notes = change(notes, place)
            texts = {
                k: v if isinstance(v, bytes) else json.dumps(v).encode() for k, v in notes.items()
            }
            table = table.replace_schema_metadata(texts)
        pq.write_table(table, path)
        if damage is not None:
            path.write_bytes(damage(bytearray(path.read_bytes())))
        return path

    return make


def geo(**fields):
    def change(notes, place):
        column = notes[b"geo"]["columns"]["geometry"]
        for key, value in fields.items():
            text = value.replace("OUT", str(place.outside)).replace("URL", place.server.url)
            column[key] = text
        return notes

    return change


def pandas(**fields):
    def change(notes, _):
        notes[b"pandas"].update(fields)
        return notes

    return change


def range_index(stop):
    index = {"kind": "range", "name": None, "start": 0, "stop": stop, "step": 1}
    return pandas(index_columns=[index])


def extension(name, payload):
    """Give the ids an extension type; `payload` gets the folder."""

    def make(place):
        path = place.folder / "p.parquet"
        squares().to_parquet(path)
        table = pq.read_table(path)
        field = table.schema.field("number").with_metadata(
            {"ARROW:extension:name": name, "ARROW:extension:metadata": payload(place.folder)}
        )
        schema = table.schema.set(table.schema.get_field_index("number"), field)
        pq.write_table(table.cast(schema), path)
        return path

    return make


def pickled(folder):
    return pickle.dumps(Bomb(folder / "exploded"))


def other_file(place):
    """Metadata whose column chunks lie in another file."""
    path = place.folder / "p.parquet"
    notes = pq.read_metadata(place.outside / "canary.parquet")
    notes.set_file_path("../../outside/canary.parquet")
    notes.write_metadata_file(path)
    return path


def flipped(seed):
    def damage(data):
        dice = np.random.default_rng(seed)
        for place in dice.integers(4, len(data) - 4, 6):
            data[place] ^= 1 << int(dice.integers(8))
        return bytes(data)

    return damage


def footer_of(length):
    return lambda data: bytes(data[:-8] + struct.pack("<I", length) + data[-4:])


def million_rings():
    """72 bytes each."""
    ring = struct.pack("<I8d", 4, 1, 1, 2, 1, 2, 2, 1, 1)
    outer = struct.pack("<I8d", 4, 0, 0, 90, 0, 90, 50, 0, 0)
    return struct.pack("<BII", 1, 3, 1_000_001) + outer + ring * 1_000_000


NAMES = "a form that could name files"
NO_GEOMETRIES = "no geometries that can be read"
ANY = "no geometries|HARMLESS|cannot|CRS|no parcels"
PARQUETS = {
    "geometries two hundred thousand deep": (parquet(wkb=nested(200_000)), "nested too deeply"),
    "the same behind an honest member": (
        parquet(
            wkb=b"".join(struct.pack("<BII", 1, 6, 2) + box(0, 0, 9, 9).wkb for _ in range(50_000))
        ),
        "nested too deeply",
    ),
    "the same in the other byte order": (
        parquet(wkb=b"".join(struct.pack(">BII", 0, 7, 1) for _ in range(200_000))),
        "nested too deeply",
    ),
    "the same with heights": (
        parquet(wkb=b"".join(struct.pack("<BII", 1, 1007, 1) for _ in range(200_000))),
        "nested too deeply",
    ),
    "a million rings": (parquet(wkb=million_rings()), HARMLESS),
    "four thousand million vertices": (parquet(wkb=LIES_WKB), NO_GEOMETRIES),
    "four thousand million rings": (parquet(wkb=LIES_RINGS), NO_GEOMETRIES),
    "four thousand million members": (
        parquet(wkb=struct.pack("<BII", 1, 7, 2**32 - 1) + bytes(64)),
        NO_GEOMETRIES,
    ),
    "no geometry at all": (parquet(wkb=b"\x00"), NO_GEOMETRIES),
    "a pickle as the type of a column": (
        extension("arrow.py_extension_type", pickled),
        "HARMLESS|no geometries",
    ),
    "a type that nobody knows": (extension("evil.type", lambda _: b"x"), HARMLESS),
    "a pickle among the notes": (
        parquet(lambda notes, p: notes | {b"pickle": base64.b64encode(pickled(p.folder))}),
        HARMLESS,
    ),
    "an index of a million million rows": (parquet(range_index(10**12)), "HARMLESS"),
    "an index that is not there": (parquet(pandas(index_columns=["none"])), ANY),
    "notes that are no notes": (parquet(lambda n, _: n | {b"pandas": b"{"}), ANY),
    "a CRS that is a file": (parquet(geo(crs="OUT/canary.txt")), NAMES),
    "a CRS that is an address": (parquet(geo(crs="URL/canary.wkt")), NAMES),
    "a CRS of a grid file": (
        parquet(geo(crs="+proj=longlat +nadgrids=OUT/canary.txt +type=crs")),
        NAMES,
    ),
    "a CRS that is a code": (parquet(geo(crs="EPSG:32632")), HARMLESS),
    "a CRS of an init file": (parquet(geo(crs="+init=OUT/canary.txt:x")), NAMES),
    "a column that is not there": (
        parquet(lambda n, _: n | {b"geo": n[b"geo"] | {"primary_column": "none"}}),
        NO_GEOMETRIES,
    ),
    "geo without columns": (parquet(lambda n, _: n | {b"geo": {}}), NO_GEOMETRIES),
    "geo that is no JSON": (parquet(lambda n, _: n | {b"geo": b"\xff{"}), NO_GEOMETRIES),
    "geo of brackets": (parquet(lambda n, _: n | {b"geo": b"[" * 100_000}), NO_GEOMETRIES),
    "geo that is a list": (parquet(lambda n, _: n | {b"geo": b"[1]"}), NO_GEOMETRIES),
    "an encoding that nobody knows": (parquet(geo(encoding="pickle")), NO_GEOMETRIES),
    "columns that lie in another file": (other_file, NO_GEOMETRIES),
    "a footer of four gigabytes": (parquet(damage=footer_of(2**32 - 1)), NO_GEOMETRIES),
    "a footer of nothing": (parquet(damage=footer_of(0)), NO_GEOMETRIES),
    "an encrypted footer": (parquet(damage=lambda d: bytes(d[:-4] + b"PARE")), NO_GEOMETRIES),
    "the first half": (parquet(damage=lambda d: bytes(d[: len(d) // 2])), NO_GEOMETRIES),
} | {
    f"flipped bits {seed}": (parquet(damage=flipped(seed)), ANY + "|too many") for seed in range(12)
}


def shapefile(**damages):
    """Write a Shapefile and change the files of these extensions."""

    def make(place):
        path = place.folder / "p.shp"
        squares().to_file(path)
        for suffix, damage in damages.items():
            beside = path.with_suffix(f".{suffix}")
            data = bytearray(beside.read_bytes()) if beside.exists() else bytearray()
            found = damage(data, place)
            if found is not None:
                beside.write_bytes(found)
        return path

    return make


def packed(form, at, number):
    def damage(data, _):
        struct.pack_into(form, data, at, number)
        return data

    return damage


def linked(name):
    def damage(_, place):
        path = place.folder / f"p.{name}"
        path.unlink()
        path.symlink_to(place.outside / f"canary.{name}")

    return damage


def flatgeobuf(damage):
    def make(place):
        path = place.folder / "p.fgb"
        squares().to_file(path)
        path.write_bytes(damage(bytearray(path.read_bytes())))
        return path

    return make


def written(form, at, number):
    def damage(data):
        struct.pack_into(form, data, at, number)
        return data

    return damage


BROKEN = "cannot be read|HARMLESS|no parcels|holds parcels|too many|not polygons|no coordinate"
SHAPEFILES = {
    "a length that is a lie": (shapefile(shp=packed(">i", 24, 2**31 - 1)), BROKEN),
    "a shape of two gigabytes": (shapefile(shp=packed(">i", 104, 2**30)), BROKEN),
    "a thousand million points": (shapefile(shp=packed("<i", 148, 10**9)), BROKEN),
    "points below nothing": (shapefile(shp=packed("<i", 148, -5)), BROKEN),
    "an offset beyond the end": (shapefile(shx=packed(">i", 100, 2**31 - 1)), BROKEN),
    "an offset below nothing": (shapefile(shx=packed(">i", 100, -100)), BROKEN),
    "a table of four thousand million rows": (shapefile(dbf=packed("<I", 4, 2**32 - 1)), BROKEN),
    "rows of 64 kB": (shapefile(dbf=packed("<H", 10, 65_535)), BROKEN),
    "a header of nothing": (shapefile(dbf=packed("<H", 8, 0)), BROKEN),
    "a CRS that is an address": (
        shapefile(prj=lambda _, p: f"{p.server.url}/canary.wkt".encode()),
        "no coordinate reference system",
    ),
    "a CRS that is a file": (
        shapefile(prj=lambda _, p: f"{p.outside}/canary.txt".encode()),
        "no coordinate reference system",
    ),
    "an encoding that is a path": (shapefile(cpg=lambda _, p: f"{p.outside}/x".encode()), BROKEN),
    "an index of garbage": (shapefile(qix=lambda *_: b"SQT\x01" + b"\xff" * 500), BROKEN),
    "half of its table": (shapefile(dbf=lambda data, _: data[: len(data) // 2]), BROKEN),
}
FLATGEOBUFS = {
    "a header of two gigabytes": (flatgeobuf(written("<I", 8, 2**31 - 1)), BROKEN),
    "the first half": (flatgeobuf(lambda data: data[: len(data) // 2]), BROKEN),
    "nothing but the signature": (flatgeobuf(lambda data: data[:8]), BROKEN),
    "a header of noise": (
        flatgeobuf(lambda data: data[:12] + np.random.default_rng(1).bytes(len(data))),
        BROKEN,
    ),
} | {
    f"flipped bits {seed}": (flatgeobuf(lambda data, seed=seed: flipped(seed)(data)), BROKEN)
    for seed in range(6)
}
