"""The season of the scale bench: tiles, orbits, and the items of a year over the country.

Sentinel-1A and 1B repeat their tracks every 6 days. Tiles are those of the military grid as
Sentinel-2 uses them, 10980 x 10980 pixels of 10 m, in two UTM zones; each item is one pass over
one tile. Every tile has one blank file of real size, to which its items point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pystac
import rasterio
import shapely
from affine import Affine
from shapely.geometry import mapping

from benchmarks.season import country
from cbmcube.catalog import freeze
from cbmcube.products import CARD_BS

VERSION = 1
"""Raised with every change of this module that changes items."""
YEAR = 2018
PIXELS = 10_980
STEP = 10.0
BANDS = ("VV", "VH")

_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_COLUMNS = {32: "JKLMNPQR", 33: "STUVWXYZ"}
_ORIGIN = (530_000.0, 6_220_000.0)
"""Where the swath of the first track of each direction is centred, in `country.CRS`."""
_SPACING = 123_700.0
"""Distance between neighbouring tracks at 56 N: 2.06 degrees of longitude, across the track."""
_SWATH = 245_000.0
"""Width of an image, metres."""
_HEADING = 15.0
"""Degrees between the track and north."""
_REVOLUTION = timedelta(days=12) / 175
_FIRST = datetime(2017, 12, 19, 16, 44, tzinfo=UTC)
"""Start of a cycle of Sentinel-1A: the time at which orbit 0 would have come by."""
_LEAST = 0.01
"""A pass that sees less of a tile makes no item of it."""

# Neighbours to the west have numbers higher by 73: 73 revolutions are 5 turns of the Earth and 2
# degrees.
_TRACKS = {
    "ascending": (73, 146, 44, 117, 15, 88),
    "descending": (22, 95, 168, 66, 139, 37),
}
_CENTRAL = {"ascending": 117, "descending": 66}


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a zone."""

    name: str
    """Name in the military grid, such as ``"32VNH"``."""
    epsg: int
    """EPSG code of the zone."""
    west: float
    """Left edge, metres."""
    north: float
    """Upper edge, metres."""

    @property
    def transform(self) -> Affine:
        """From column and row to metres."""
        return Affine(STEP, 0.0, self.west, 0.0, -STEP, self.north)

    @property
    def box(self) -> Any:
        """The ground it covers, in the zone."""
        side = PIXELS * STEP
        return shapely.box(self.west, self.north - side, self.west + side, self.north)


@dataclass(frozen=True, slots=True)
class Track:
    """One relative orbit over the country."""

    number: int
    """Relative orbit."""
    state: str
    """``"ascending"`` or ``"descending"``."""
    swath: Any
    """Ground it sees, in `country.CRS`."""

    def passes(self, year: int) -> Iterator[tuple[str, int, datetime]]:
        """Yield platform, absolute orbit and time of every pass of a year."""
        late = timedelta(minutes=19 if self.state == "descending" else 0)
        first = _FIRST + self.number * _REVOLUTION + late
        for turn in range(70):
            at = first + turn * timedelta(days=6)
            platform = "sentinel-1a" if turn % 2 == 0 else "sentinel-1b"
            if at.year == year:
                yield platform, 19_700 + self.number + 175 * (turn // 2), at


def tracks() -> list[Track]:
    """Return the tracks of both directions, from east to west."""
    return [
        Track(number, state, _swath(state, numbers.index(_CENTRAL[state]) - place))
        for state, numbers in _TRACKS.items()
        for place, number in enumerate(numbers)
    ]


def _swath(state: str, steps_east: int) -> Any:
    x, y = _ORIGIN
    strip = shapely.box(-_SWATH / 2, -600_000.0, _SWATH / 2, 600_000.0)
    turn = np.radians(_HEADING if state == "ascending" else -_HEADING)
    across = steps_east * _SPACING / np.cos(turn)

    def place(points: Any) -> Any:
        east = points[:, 0] * np.cos(turn) - points[:, 1] * np.sin(turn)
        north = points[:, 0] * np.sin(turn) + points[:, 1] * np.cos(turn)
        return np.stack([x + across + east, y + north], axis=1)

    return shapely.transform(shapely.segmentize(strip, 50_000.0), place)


def tiles() -> list[Tile]:
    """Return the tiles that hold land, in the zones in which it lies."""
    land = gpd.GeoSeries([country.land()], crs=country.CRS)
    # Tiles of Sentinel-2 reach a little beyond the border of the zone.
    reach = {32: shapely.box(6.0, 50.0, 12.3, 60.0), 33: shapely.box(11.7, 50.0, 18.0, 60.0)}
    found = []
    for zone, columns in _COLUMNS.items():
        epsg = 32600 + zone
        here = land.to_crs("EPSG:4326").intersection(reach[zone]).to_crs(epsg).iloc[0]
        shapely.prepare(here)
        for column, letter in enumerate(columns, start=1):
            for row in range(58, 66):
                name = f"{zone}{_band(row)}{letter}{_ROWS[(row + 5 * (zone % 2 == 0)) % 20]}"
                # Edges are multiples of 60 m, so that all pixel sizes nest.
                tile = Tile(
                    name, epsg, column * 100_000 // 60 * 60, -(-(row + 1) * 100_000 // 60) * 60
                )
                if shapely.intersects(here, tile.box):
                    found.append(tile)
    return found


def _band(row: int) -> str:
    return "U" if row < 62 else "V"  # 56 N is at a northing of 6,207 km


def season_items(folder: Path, year: int = YEAR) -> list[pystac.Item]:
    """Return the items of CARD-BS of a year; their files lie below `folder`."""
    found = []
    for track in tracks():
        views = [view for tile in tiles() if (view := _view(tile, track))]
        for platform, orbit, at in track.passes(year):
            found += [_item(folder, view, track, platform, orbit, at) for view in views]
    return sorted(found, key=lambda item: (item.datetime, item.id))


@dataclass(frozen=True, slots=True)
class _View:
    tile: Tile
    outline: Any
    """Footprint in longitude and latitude, counterclockwise."""
    slice: int
    """Seconds after the start of the pass."""


def _view(tile: Tile, track: Track) -> _View | None:
    swath = gpd.GeoSeries([track.swath], crs=country.CRS).to_crs(tile.epsg).iloc[0]
    seen = tile.box.intersection(swath)
    if seen.area < _LEAST * tile.box.area:
        return None
    ring = gpd.GeoSeries([seen.segmentize(60_000.0)], crs=tile.epsg).to_crs("EPSG:4326").iloc[0]
    outline = shapely.geometry.polygon.orient(shapely.set_precision(ring, 1e-6))
    along = (tile.north - 5_900_000.0) / 6_900.0  # the track on the ground, metres per second
    return _View(tile, outline, round(along if track.state == "ascending" else 120 - along))


def _item(
    folder: Path, view: _View, track: Track, platform: str, orbit: int, at: datetime
) -> pystac.Item:
    time = at + timedelta(seconds=view.slice)
    tile = view.tile
    name = (
        f"S1{platform[-1].upper()}_CARD-BS_{time:%Y%m%dT%H%M%S}"
        f"_{track.state[0].upper()}{track.number:03d}_{tile.name}"
    )
    item = pystac.Item(
        id=name,
        geometry=mapping(view.outline),
        bbox=[round(value, 6) for value in view.outline.bounds],
        datetime=time,
        properties=_facts(tile, track, platform, orbit, time),
        collection=CARD_BS.name,
        stac_extensions=[
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
            "https://stac-extensions.github.io/sar/v1.0.0/schema.json",
            "https://stac-extensions.github.io/sat/v1.0.0/schema.json",
            "https://stac-extensions.github.io/grid/v1.1.0/schema.json",
        ],
    )
    for band in BANDS:
        item.add_asset(band, asset(blank_file(folder, tile), tile))
    return item


def _facts(tile: Tile, track: Track, platform: str, orbit: int, time: datetime) -> dict[str, Any]:
    made = f"{time + timedelta(hours=7):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "platform": platform,
        "constellation": "sentinel-1",
        "instruments": ["c-sar"],
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:polarizations": list(BANDS),
        "sar:product_type": "GRD",
        "sat:relative_orbit": track.number,
        "sat:absolute_orbit": orbit,
        "sat:orbit_state": track.state,
        "grid:code": f"MGRS-{tile.name}",
        "proj:code": f"EPSG:{tile.epsg}",
        "processing:datetime": made,
        "created": made,
        "updated": made,
    }


def asset(path: Path, tile: Tile) -> pystac.Asset:
    """Describe one file of a tile."""
    facts = {
        "data_type": "float32",
        "nodata": "nan",
        "gsd": STEP,
        "proj:code": f"EPSG:{tile.epsg}",
        "proj:shape": [PIXELS, PIXELS],
        "proj:transform": list(tile.transform)[:6],
    }
    return pystac.Asset(
        str(path), media_type=pystac.MediaType.COG, roles=["data"], extra_fields=facts
    )


def blank_file(folder: Path, tile: Tile) -> Path:
    """Return where the blank file of a tile is."""
    return folder / "blank" / f"{tile.name}.tif"


def write_blank(folder: Path, tile: Tile) -> None:
    """Write a file of real size and grid, all of one value."""
    path = blank_file(folder, tile)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="COG", width=PIXELS, height=PIXELS, count=1, dtype="float32",
        crs=f"EPSG:{tile.epsg}", transform=tile.transform, nodata=float("nan"), blocksize=512,
        compress="DEFLATE", predictor="FLOATING_POINT", overviews="NONE",
    ) as target:  # fmt: skip
        stripe = np.full((512, PIXELS), 0.05, np.float32)
        for row in range(0, PIXELS, 512):
            rows = min(512, PIXELS - row)
            window = rasterio.windows.Window(0, row, PIXELS, rows)
            target.write(stripe[:rows], 1, window=window)


def stored_catalogue(folder: Path) -> Path:
    """Return the frozen catalogue of the season, made with its files if it is not there."""
    path = folder / f"season_{YEAR}_v{VERSION}.parquet"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for tile in tiles():
            write_blank(folder, tile)
        freeze(pystac.ItemCollection(season_items(folder), clone_items=False), path)
    return path
