"""What all hostile files share: where they lie, what they aim at, how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
from shapely import box

from tests.file_server import FileServer

HARMLESS = None
"""In place of an error: the file is read, and holds what a reader would see in it."""
SQUARE = box(0, 0, 90, 50).wkb


@dataclass
class Place:
    """Where an attack starts from, and what it aims at."""

    folder: Path
    outside: Path
    server: FileServer


def squares(n=2):
    shapes = [box(100 * i, 0, 100 * i + 90, 50) for i in range(n)]
    return gpd.GeoDataFrame({"number": range(n)}, geometry=shapes, crs="EPSG:32632")


def package(place):
    """Return the bytes of a sound GeoPackage."""
    path = place.folder / "good.gpkg"
    if not path.exists():
        squares().to_file(path, layer="p")
    return path.read_bytes()


def pointer(text, name):
    def make(place):
        path = place.folder / name
        inside = text.replace("OUT", str(place.outside)).replace("URL", place.server.url)
        path.write_bytes(inside.encode())
        return path

    return make
