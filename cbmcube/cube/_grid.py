"""Native pixel grids, read from the projection metadata of items and assets."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyproj.exceptions
import pystac
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from cbmcube.exceptions import NoGridError, OffGridError

LATTICE_TOLERANCE = 0.01
"""Largest deviation from the common lattice that is taken for rounding, in pixels."""


@dataclass(frozen=True, slots=True)
class GridKey:
    """What assets share when they lie on one native grid."""

    crs: str
    """The CRS as an authority code, or as WKT where it has none."""
    step_x: float
    """Signed pixel width, in units of the CRS."""
    step_y: float
    """Signed pixel height; positive for rasters stored south-up."""

    @property
    def name(self) -> str:
        """A short name without ``/``, usable as the name of a tree node."""
        crs = CRS(self.crs)
        label = f"EPSG{crs.epsg}" if crs.epsg else crs.proj.name.replace(" ", "_").replace("/", "-")
        size = f"{abs(self.step_x):g}"
        if not math.isclose(abs(self.step_x), abs(self.step_y)):
            size += f"x{abs(self.step_y):g}"
        unit = "m" if crs.projected else "deg"
        return f"{label}_{size}{unit}" + ("_southup" if self.step_y > 0 else "")


def grid_key(geobox: GeoBox) -> GridKey:
    """Return the key under which `geobox` is grouped with others."""
    return GridKey(
        crs=crs_text(geobox),
        step_x=round(geobox.affine.a, 9),
        step_y=round(geobox.affine.e, 9),
    )


def crs_text(geobox: GeoBox) -> str:
    """Return the CRS of a grid as an authority code, or as WKT where it has none."""
    crs = CRS(geobox.crs)
    return f"EPSG:{crs.epsg}" if crs.epsg else crs.to_wkt()


def asset_geobox(item: pystac.Item, key: str) -> GeoBox:
    """Return the grid on which the asset `key` of `item` was written.

    The asset's own metadata go before the item's; nothing is computed from a
    bounding box, and no file is opened.

    Raises
    ------
    NoGridError
        If CRS, transform or shape are missing or unusable.
    """
    shape = _stated(item, key, "proj:shape")
    transform = _stated(item, key, "proj:transform")
    if shape is None or transform is None:
        missing = "proj:shape" if shape is None else "proj:transform"
        raise NoGridError(
            f"item {item.id!r} states no {missing} for asset {key!r}",
            allowed="proj:code, proj:transform and proj:shape on the asset or the item",
            hint="add the missing projection metadata to the item",
        )
    affine = Affine(*[float(value) for value in transform[:6]])
    usable = all(map(math.isfinite, affine[:6])) and affine.a and affine.e
    if not usable or affine.b or affine.d:
        raise NoGridError(
            f"item {item.id!r}, asset {key!r}: the transform is not a pixel lattice",
            given=list(transform),
            allowed="finite numbers, pixel steps other than zero, no rotation",
            hint="correct proj:transform in the item",
        )
    rows, columns = (int(size) for size in shape)
    return GeoBox((rows, columns), affine, _asset_crs(item, key))


def _asset_crs(item: pystac.Item, key: str) -> CRS:
    for field in ("proj:code", "proj:epsg", "proj:wkt2", "proj:projjson"):
        stated = _stated(item, key, field)
        if stated is None:
            continue
        try:
            return CRS(stated)
        except pyproj.exceptions.CRSError as error:
            raise NoGridError(
                f"item {item.id!r}, asset {key!r}: {field} is not a known CRS",
                given=repr(stated),
                hint=f"correct {field} in the item",
            ) from error
    raise NoGridError(
        f"item {item.id!r} states no CRS for asset {key!r}",
        allowed="proj:code, proj:epsg, proj:wkt2 or proj:projjson",
        hint="add the CRS to the item",
    )


def _stated(item: pystac.Item, key: str, field: str) -> Any:
    """Return a field of the asset, else of the item; empty values count as absent."""
    value = item.assets[key].extra_fields.get(field)
    return item.properties.get(field) if value is None else value


def covering_geobox(
    key: GridKey, members: Iterable[GeoBox], bounds: tuple[float, float, float, float]
) -> GeoBox:
    """Return the grid of `key` that covers `bounds` on the lattice of its `members`.

    Parameters
    ----------
    key
        CRS and pixel steps.
    members
        Grids of the sources; the first one defines the lattice.
    bounds
        West, south, east, north in units of the CRS; enlarged to whole pixels.

    Raises
    ------
    OffGridError
        If a member lies off the lattice by more than `LATTICE_TOLERANCE` pixels.
    """
    members = list(members)
    anchor = members[0].affine
    for member in members:
        _require_lattice(key, anchor, member)
    west, south, east, north = bounds
    x_start, x_stop = (west, east) if key.step_x > 0 else (east, west)
    y_start, y_stop = (south, north) if key.step_y > 0 else (north, south)
    column, columns = _whole_pixels(x_start, x_stop, anchor.c, key.step_x)
    row, rows = _whole_pixels(y_start, y_stop, anchor.f, key.step_y)
    origin_x = anchor.c + column * key.step_x
    origin_y = anchor.f + row * key.step_y
    affine = Affine(key.step_x, 0.0, origin_x, 0.0, key.step_y, origin_y)
    return GeoBox((rows, columns), affine, members[0].crs)


def _whole_pixels(start: float, stop: float, anchor: float, step: float) -> tuple[int, int]:
    """Return first pixel (counted from `anchor`) and number of pixels of an interval."""
    first = math.floor((start - anchor) / step + LATTICE_TOLERANCE)
    last = math.ceil((stop - anchor) / step - LATTICE_TOLERANCE)
    return first, last - first


def _require_lattice(key: GridKey, anchor: Affine, member: GeoBox) -> None:
    shift_x = (member.affine.c - anchor.c) / key.step_x
    shift_y = (member.affine.f - anchor.f) / key.step_y
    off_x, off_y = shift_x - round(shift_x), shift_y - round(shift_y)
    if max(abs(off_x), abs(off_y)) > LATTICE_TOLERANCE:
        raise OffGridError(
            f"sources of grid {key.name} do not share one pixel lattice",
            given=f"shift of {off_x * key.step_x:g} in x and {off_y * key.step_y:g} in y",
            allowed=f"less than {LATTICE_TOLERANCE:g} pixels",
            hint="load the shifted items in a call of their own",
        )
