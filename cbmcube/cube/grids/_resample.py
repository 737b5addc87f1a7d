"""The one grid a caller asks for, and how each band comes onto it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import pyproj.exceptions
import xarray as xr
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.warp import resampling_s2rio

from cbmcube.cube.grids._grid import Bounds, crs_text, geobox_bounds, grid_key, require_size
from cbmcube.cube.grids._grid import whole_pixels as whole
from cbmcube.cube.grids._sources import CubeGrid, Source
from cbmcube.exceptions import GridMismatchError, NoGridError, OptionError, SeveralGridsError
from cbmcube.products import Band, BandKind

SAME = 0.01
"""Relative difference of pixel sizes below which neither is the coarser."""

Resampling = str | Mapping[str, str]
Like = xr.Dataset | xr.DataArray | GeoBox


def asked_geobox(
    sources: Sequence[Source],
    *,
    resolution: float | None = None,
    crs: Any = None,
    like: Like | None = None,
) -> GeoBox:
    """Return the grid that a caller asks for.

    Without `like` the grid covers all sources. Its pixel edges lie on multiples of
    `resolution`, counted from 0 or, where the sources' own edges do not lie on
    multiples of their pixel size, from one of those; so another search gives pixels on
    the same lattice.

    Raises
    ------
    OptionError
        If the arguments contradict each other or are not usable.
    SeveralGridsError
        If several CRS are there and none is asked for.
    NoGridError
        If a source without a grid leaves the extent unknown.
    TooLargeError
        If the grid would be absurdly large.
    """
    if like is not None:
        if resolution is not None or crs is not None:
            raise OptionError(
                "like names a whole grid",
                given=f"like and {'resolution' if resolution is not None else 'crs'}",
                allowed="like alone, or resolution and crs",
                hint="leave one of them out",
            )
        return _like(like)
    stated = _stated_grids(sources)
    target = _asked_crs(crs, stated)
    step = _asked_step(resolution, stated, target)
    west, south, east, north = _union(_bounds_in(geobox, target) for geobox in stated)
    anchor_x, anchor_y = _anchor(stated, target)
    column, columns = whole(west, east, anchor_x, step)
    row, rows = whole(north, south, anchor_y, -step)
    require_size(crs_text(stated[0]), rows, columns)
    affine = Affine(step, 0.0, anchor_x + column * step, 0.0, -step, anchor_y - row * step)
    return GeoBox((rows, columns), affine, target)


def choose_resampling(
    sources: Sequence[Source], geobox: GeoBox, asked: Resampling | None
) -> dict[str, str]:
    """Return how each band comes onto `geobox`: as asked, else as its kind demands.

    Class codes are never averaged: ``"nearest"``. Other bands are averaged (weighted by
    area, without missing pixels) where the grid is coarser than the source, and
    interpolated (``"bilinear"``) where it is finer or shifted; on the source's own
    lattice pixels are taken as they are (``"nearest"``).

    Raises
    ------
    OptionError
        If a way of resampling is not known, or would mix class codes.
    """
    bands = list({source.band.name: source.band for source in sources}.values())
    _require_known(asked, bands)
    chosen = {}
    for band in bands:
        wanted = asked if isinstance(asked, str) else None
        if isinstance(asked, Mapping):
            wanted = asked.get(band.name, asked.get(band.kind))
        chosen[band.name] = wanted or _default(band, sources, geobox)
        if band.kind == "classes" and chosen[band.name] not in ("nearest", "mode"):
            if isinstance(asked, str):
                chosen[band.name] = "nearest"
                continue
            raise OptionError(
                f"class codes of band {band.name} cannot be mixed",
                given=chosen[band.name],
                allowed="nearest, mode",
                hint="leave the band out of resampling=",
            )
    return chosen


def source_bounds(grid: CubeGrid) -> tuple[Bounds, ...]:
    """Return the distinct extents of a grid's sources in its CRS, sorted.

    A source whose grid is not known counts as the whole grid.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.cube import find_grids, source_bounds
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_BS)
    >>> grid, *_ = find_grids(items, cbm.CARD_BS)
    >>> source_bounds(grid)[0]
    (719700.0, 5393220.0, 721280.0, 5394760.0)
    """
    target = CRS(grid.geobox.crs)
    whole_grid = geobox_bounds(grid.geobox)
    distinct = {source.geobox: None for source in grid.sources}
    found = {whole_grid if g is None else _bounds_in(g, target) for g in distinct}
    return tuple(sorted(found))


def _default(band: Band, sources: Sequence[Source], geobox: GeoBox) -> str:
    if band.kind == "classes":
        return "nearest"
    own = {s.geobox: None for s in sources if s.band.name == band.name and s.geobox is not None}
    sizes = [_pixel_area(source, geobox) for source in own]
    area = abs(geobox.affine.a * geobox.affine.e)
    if sizes and min(sizes) < area * (1 - SAME):
        return "average"
    return "nearest" if sizes and all(_on_lattice(s, geobox) for s in own) else "bilinear"


def _pixel_area(source: GeoBox, target: GeoBox) -> float:
    """Return the area of a source's mean pixel in units of the target's CRS."""
    rows, columns = source.shape
    outline = source.footprint(CRS(target.crs)) if source.crs != target.crs else source.extent
    return float(outline.area) / (rows * columns)


def _on_lattice(source: GeoBox, target: GeoBox) -> bool:
    if grid_key(source) != grid_key(target):
        return False
    shift_x = (source.affine.c - target.affine.c) / target.affine.a
    shift_y = (source.affine.f - target.affine.f) / target.affine.e
    return max(abs(shift_x - round(shift_x)), abs(shift_y - round(shift_y))) <= SAME


def _require_known(asked: Resampling | None, bands: Sequence[Band]) -> None:
    names = {band.name for band in bands} | set(get_args(BandKind))
    if isinstance(asked, Mapping) and not set(asked) <= names:
        raise OptionError(
            "resampling= names what is not loaded",
            given=", ".join(sorted(set(asked) - names)),
            allowed=", ".join(sorted(names)),
            hint="name bands that are loaded, or kinds of bands",
        )
    for name in asked.values() if isinstance(asked, Mapping) else [asked] if asked else []:
        try:
            resampling_s2rio(name)
        except (ValueError, KeyError, AttributeError) as error:
            raise OptionError(
                "there is no such way of resampling",
                given=repr(name),
                allowed="nearest, bilinear, cubic, average, mode, med, …",
                hint="choose one of GDAL's",
            ) from error


def _like(like: Like) -> GeoBox:
    geobox = like if isinstance(like, GeoBox) else getattr(like, "odc", None) and like.odc.geobox
    if not isinstance(geobox, GeoBox) or geobox.crs is None:
        raise GridMismatchError(
            "like carries no regular grid with a CRS",
            given=type(like).__name__,
            allowed="a GeoBox, or a cube with x, y and spatial_ref, as load returns",
            hint="write the CRS with .odc.assign_crs(...), if you know it",
        )
    require_size("like", *geobox.shape)
    return geobox


def _stated_grids(sources: Sequence[Source]) -> list[GeoBox]:
    found = {source.geobox: source for source in sources}
    if None in found:
        source = found[None]
        raise NoGridError(
            f"item {source.item.id!r} states no grid for asset {source.key!r}",
            allowed="proj:code, proj:transform and proj:shape on the asset or the item",
            hint="pass like= with the whole grid, or read_headers=True",
        )
    return [geobox for geobox in found if geobox is not None]


def _asked_crs(crs: Any, stated: Sequence[GeoBox]) -> CRS:
    if crs is not None:
        try:
            return CRS(crs)
        except (pyproj.exceptions.CRSError, TypeError, ValueError) as error:
            raise OptionError(
                "crs= is not a known CRS", given=repr(crs), hint='pass one such as "EPSG:32632"'
            ) from error
    systems = {crs_text(geobox): grid_key(geobox).name for geobox in stated}
    if len(systems) > 1:
        raise SeveralGridsError(
            "the items lie in several CRS, and none is asked for",
            given=", ".join(sorted(systems.values())),
            allowed="crs= with one of them, or another",
            hint="pass crs=, or use load_native, which keeps each grid",
        )
    return CRS(stated[0].crs)


def _asked_step(resolution: float | None, stated: Sequence[GeoBox], target: CRS) -> float:
    if resolution is None:
        own = {abs(g.affine.a) for g in stated if CRS(g.crs) == target}
        if own:
            return min(own)
    if not isinstance(resolution, int | float) or not math.isfinite(resolution) or resolution <= 0:
        raise OptionError(
            "resolution must be a pixel size in units of the CRS",
            given=resolution,
            allowed="a positive number",
            hint="pass resolution=10 for pixels of 10 m",
        )
    return float(resolution)


def _anchor(stated: Sequence[GeoBox], target: CRS) -> tuple[float, float]:
    """Return a corner of the lattice: 0, or where the finest sources' own lattice starts."""
    own = [geobox for geobox in stated if CRS(geobox.crs) == target]
    if not own:
        return 0.0, 0.0
    finest = min(own, key=lambda geobox: (abs(geobox.affine.a), geobox.affine.c, geobox.affine.f))
    return (
        _phase(finest.affine.c, abs(finest.affine.a)),
        _phase(finest.affine.f, abs(finest.affine.e)),
    )


def _phase(origin: float, step: float) -> float:
    phase = origin % step
    return 0.0 if math.isclose(phase, step) or math.isclose(phase, 0.0, abs_tol=1e-9) else phase


def _bounds_in(geobox: GeoBox, target: CRS) -> Bounds:
    if CRS(geobox.crs) == target:
        return geobox_bounds(geobox)
    box = geobox.footprint(target).boundingbox
    return box.left, box.bottom, box.right, box.top


def _union(boxes: Iterable[Bounds]) -> Bounds:
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)
