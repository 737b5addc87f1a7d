"""Native pixel grids: what their sources share, and the grid that covers them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from cbmcube.exceptions import OffGridError, TooLargeError

LATTICE_TOLERANCE = 0.01
"""Largest deviation from the common lattice that is taken for rounding, in pixels."""
MAX_COVER = 2**40
"""Most pixels of a grid that covers all sources: Europe at 4 m."""

Bounds = tuple[float, float, float, float]


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


def geobox_bounds(geobox: GeoBox) -> Bounds:
    """Return west, south, east and north of a grid, in units of its CRS."""
    rows, columns = geobox.shape
    a, _, c, _, e, f = geobox.affine[:6]
    xs, ys = sorted((c, c + columns * a)), sorted((f, f + rows * e))
    return xs[0], ys[0], xs[1], ys[1]


def covering_geobox(key: GridKey, members: Iterable[GeoBox], bounds: Bounds) -> GeoBox:
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
    TooLargeError
        If the grid would have more than `MAX_COVER` pixels.
    """
    distinct = list(dict.fromkeys(members))
    anchor = distinct[0].affine
    for member in distinct:
        _require_lattice(key, anchor, member)
    west, south, east, north = bounds
    x_start, x_stop = (west, east) if key.step_x > 0 else (east, west)
    y_start, y_stop = (south, north) if key.step_y > 0 else (north, south)
    column, columns = whole_pixels(x_start, x_stop, anchor.c, key.step_x)
    row, rows = whole_pixels(y_start, y_stop, anchor.f, key.step_y)
    require_size(key.name, rows, columns)
    origin_x = anchor.c + column * key.step_x
    origin_y = anchor.f + row * key.step_y
    affine = Affine(key.step_x, 0.0, origin_x, 0.0, key.step_y, origin_y)
    return GeoBox((rows, columns), affine, distinct[0].crs)


def require_size(name: str, rows: int, columns: int) -> None:
    """Refuse a grid of more than `MAX_COVER` pixels before anything is built on it."""
    if rows * columns > MAX_COVER:
        raise TooLargeError(
            f"grid {name} would cover more ground than one cube can hold",
            given=f"{rows:,} x {columns:,} pixels",
            allowed=f"{MAX_COVER:,} pixels",
            hint="narrow the search: an item far from the others stretches the grid",
        )


def whole_pixels(start: float, stop: float, anchor: float, step: float) -> tuple[int, int]:
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
