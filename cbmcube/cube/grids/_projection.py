"""What an item says about the grid of an asset: the one reader of ``proj:`` fields."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pyproj
import pyproj.exceptions
import pystac
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from cbmcube.exceptions import NoGridError

MAX_SIDE = 2**20
"""Most rows or columns of one raster: 10,486 km of 10 m pixels, more than a quarter of the
Earth's circumference."""
MAX_PIXELS = 2**36
"""Most pixels of one raster: a whole UTM zone from equator to pole at 10 m has fewer."""

_CRS_FIELDS = ("proj:code", "proj:epsg", "proj:wkt2", "proj:projjson")


def asset_geobox(item: pystac.Item, key: str) -> GeoBox:
    """Return the grid on which the asset `key` of `item` was written.

    The asset's own metadata go before the item's; nothing is computed from a
    bounding box, and no file is opened.

    Raises
    ------
    NoGridError
        If CRS, transform or shape are missing, unusable or absurd.
    """
    transform = item_affine(item, key)
    shape = item_shape(item, key)
    crs = item_crs(item, key)
    missing = [
        name
        for name, value in (
            ("CRS", crs),
            ("proj:transform", transform),
            ("proj:shape", shape),
        )
        if value is None
    ]
    if transform is None or shape is None or crs is None:
        raise NoGridError(
            f"item {item.id!r} states no {' and no '.join(missing)} for asset {key!r}",
            allowed="proj:code, proj:transform and proj:shape on the asset or the item",
            hint="pass read_headers=True to read it from the file, or load(..., like=geobox)",
        )
    _require_one_level(item, key)
    return _geobox(shape, tuple(transform[:6]), crs)


def item_crs(item: pystac.Item, key: str | None = None) -> str | None:
    """Return the CRS of an asset, as an authority code or as WKT; ``None`` if none is stated.

    Parameters
    ----------
    item
        The item.
    key
        Key of the asset, whose word goes before the item's; ``None`` asks the item alone.

    Raises
    ------
    NoGridError
        If a stated CRS is unknown, or the asset (or the item) names two.
    """
    for fields in _levels(item, key):
        found = {
            name: _crs_text(item, key, name, fields[name])
            for name in _CRS_FIELDS
            if fields.get(name) not in (None, "", {})
        }
        if len(set(found.values())) > 1:
            raise NoGridError(
                f"item {item.id!r}, {_place(key)}: two different CRS are stated",
                given="; ".join(f"{name}={fields[name]!r}" for name in found),
                allowed="one CRS",
                hint="correct the projection metadata of the item",
            )
        if found:
            return next(iter(found.values()))
    return None


def item_affine(item: pystac.Item, key: str) -> Affine | None:
    """Return the transform of an asset, of 6 or 9 stated elements; ``None`` if none is stated.

    Raises
    ------
    NoGridError
        If it is not a pixel lattice: elements that are not finite numbers, steps of zero,
        or a rotation.
    """
    stated = _stated(item, key, "proj:transform")
    if stated is None:
        return None
    try:
        numbers = [float(value) for value in stated]
    except (TypeError, ValueError):
        numbers = []
    plain = len(numbers) == 6 or (len(numbers) == 9 and numbers[6:] == [0, 0, 1])
    if plain and all(map(math.isfinite, numbers)):
        affine = Affine(*numbers[:6])
        if affine.a and affine.e and not affine.b and not affine.d:
            return affine
    raise NoGridError(
        f"item {item.id!r}, asset {key!r}: the transform is not a pixel lattice",
        given=str(stated)[:200],
        allowed="6 or 9 finite numbers, pixel steps other than zero, no rotation",
        hint="correct proj:transform in the item",
    )


def item_shape(item: pystac.Item, key: str) -> tuple[int, int] | None:
    """Return rows and columns of an asset; ``None`` if they are not stated.

    Raises
    ------
    NoGridError
        If they are not two whole positive numbers, or absurdly large.
    """
    stated = _stated(item, key, "proj:shape")
    if stated is None:
        return None
    whole = isinstance(stated, list | tuple) and all(
        isinstance(size, int | float) and math.isfinite(size) and size == int(size) and size > 0
        for size in stated
    )
    if not whole or len(stated) != 2:
        problem, allowed = "is not a number of rows and columns", "two whole positive numbers"
    elif max(stated) > MAX_SIDE or stated[0] * stated[1] > MAX_PIXELS:
        problem = "is larger than any raster of a satellite"
        allowed = f"sides up to {MAX_SIDE:,}, together up to {MAX_PIXELS:,} pixels"
    else:
        return int(stated[0]), int(stated[1])
    raise NoGridError(
        f"item {item.id!r}, asset {key!r}: proj:shape {problem}",
        given=stated,
        allowed=allowed,
        hint="correct proj:shape in the item, or leave the item out",
    )


def _levels(item: pystac.Item, key: str | None) -> list[Mapping[str, Any]]:
    own = [] if key is None else [item.assets[key].extra_fields]
    return [*own, item.properties]


def _stated(item: pystac.Item, key: str, field: str) -> Any:
    """Return a field of the asset, else of the item; empty values count as absent."""
    for fields in _levels(item, key):
        if fields.get(field) not in (None, [], ""):
            return fields[field]
    return None


def _require_one_level(item: pystac.Item, key: str) -> None:
    """Refuse an asset whose own shape would meet the item's transform for another shape."""
    own, common = item.assets[key].extra_fields, item.properties
    for one, other in (("proj:shape", "proj:transform"), ("proj:transform", "proj:shape")):
        stated = common.get(one)
        if own.get(one) and not own.get(other) and stated and list(stated) != list(own[one]):
            raise NoGridError(
                f"item {item.id!r}, asset {key!r}: {other} is stated for another grid only",
                given=f"{one} {own[one]} of the asset, {stated} of the item",
                allowed="both on the asset, or both on the item",
                hint="pass read_headers=True to read the grid from the file",
            )


def _crs_text(item: pystac.Item, key: str | None, field: str, stated: Any) -> str:
    try:
        if field == "proj:projjson":
            return _canonical("", json.dumps(stated, sort_keys=True))
        if field == "proj:epsg":
            return _canonical(f"EPSG:{str(stated).upper().removeprefix('EPSG:').strip()}", "")
        if isinstance(stated, str):
            return _canonical(stated, "")
    except (pyproj.exceptions.CRSError, TypeError, ValueError) as error:
        cause: Exception | None = error
    else:
        cause = None
    raise NoGridError(
        f"item {item.id!r}, {_place(key)}: {field} is not a known CRS",
        given=repr(stated)[:200],
        hint=f"correct {field} in the item",
    ) from cause


def _place(key: str | None) -> str:
    return "properties" if key is None else f"asset {key!r}"


@lru_cache(maxsize=256)
def _canonical(text: str, projjson: str) -> str:
    """Return one text for all spellings of a CRS: an EPSG code, or WKT where it has none."""
    crs = pyproj.CRS.from_json(projjson) if projjson else pyproj.CRS.from_user_input(text)
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else crs.to_wkt()


@lru_cache(maxsize=4096)
def _geobox(shape: tuple[int, int], transform: tuple[float, ...], crs: str) -> GeoBox:
    return GeoBox(shape, Affine(*transform), CRS(crs))
