"""What an asset states of its stored numbers: their type, and which of them means no data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pystac

from cbmcube.exceptions import BadItemError
from cbmcube.products import Band, Profile


def stated(asset: pystac.Asset, name: str) -> Any:
    """Return a raster property of an asset in the spellings of STAC 1.0 and 1.1, else ``None``.

    Parameters
    ----------
    asset
        The asset.
    name
        ``"nodata"``, ``"data_type"``, ``"unit"``, ``"scale"`` or ``"offset"``.
    """
    for fields in _statements(asset):
        for key in (f"raster:{name}", name):
            if fields.get(key) is not None:
                return fields[key]
    return None


def stated_number(item: pystac.Item, key: str, name: str) -> float | None:
    """Return a number that an asset states; ``"nan"`` and ``"inf"`` travel as text in JSON.

    Raises
    ------
    BadItemError
        If it is not a number.
    """
    value = stated(item.assets[key], name)
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise BadItemError(
            f"item {item.id!r}, asset {key!r}: {name} is not a number",
            given=repr(value),
            allowed='a number, or "nan"',
            hint="leave this item out, or mend it",
        ) from error


def stored_dtype(band: Band, profile: Profile, item: pystac.Item, key: str) -> str:
    """Return the NumPy type of an asset's stored numbers.

    The asset's statement comes first, then the profile's, then the band's.

    Raises
    ------
    BadItemError
        If the asset states a type that holds no real numbers, or for class codes no
        whole numbers from 0 on.
    """
    text = stated(item.assets[key], "data_type")
    own = profile.stored.get(band.name)
    if text is None:
        return (own and own.dtype) or band.dtype
    kinds = "u" if band.kind == "classes" else "uif"
    name = str(text).lower()
    if name not in _TYPES or np.dtype(name).kind not in kinds:
        raise BadItemError(
            f"item {item.id!r}, asset {key!r}: its numbers have no usable type",
            given=repr(text),
            allowed=", ".join(name for name in _TYPES if np.dtype(name).kind in kinds),
            hint="leave this item out, or mend it",
        )
    return name


def nodata_number(band: Band, profile: Profile, item: pystac.Item, key: str) -> float:
    """Return the stored number that means "no data" in an asset; NaN for NaN.

    The asset's statement comes first, then the profile's, then the band's.

    Raises
    ------
    BadItemError
        If the stored type cannot hold the number, for then it marks nothing.
    """
    number = stated_number(item, key, "nodata")
    own = profile.stored.get(band.name)
    if number is None:
        number = float(band.nodata if own is None or own.nodata is None else own.nodata)
    dtype = np.dtype(stored_dtype(band, profile, item, key))
    if not can_hold(dtype, number):
        raise BadItemError(
            f"item {item.id!r}, asset {key!r}: no stored number can be its nodata number",
            given=f"nodata {number:g}, type {dtype}",
            allowed=f"a number that {dtype} can hold",
            hint="leave this item out, or give the profile a Stored with dtype and nodata",
        )
    return number


def one_nodata(band: Band, numbers: Mapping[str, float]) -> float:
    """Return the one number that means "no data" in class bands that meet in a plane.

    Other bands need no such number: their sources become values, with NaN, before they meet.

    Parameters
    ----------
    band
        The class band.
    numbers
        Number of each item, by id.

    Raises
    ------
    BadItemError
        If items differ, for then a code would be data in one and none in another.
    """
    found: dict[str, str] = {}
    for name, number in numbers.items():
        found.setdefault(str(float(number)), name)
    if len(found) != 1:
        raise BadItemError(
            f"items do not agree which number of band {band.name} means no data",
            given="; ".join(f"{name}: {float(number):g}" for number, name in found.items()),
            allowed="one number for all items of a call",
            hint="load the items that differ in a call of their own",
        )
    return next(iter(numbers.values()))


def require_no_guess(band: Band, stated: Mapping[str, float], assumed: Mapping[str, float]) -> None:
    """Refuse to assume a number for some items while others state another one.

    Each item alone would be read by its own number. But an item that states none among
    items that do has most likely lost it, and its empty pixels would become values.

    Parameters
    ----------
    band
        The band.
    stated, assumed
        Number of each item, by id: of those that state one, and of the rest.

    Raises
    ------
    BadItemError
        If an assumed number is none of the stated ones.
    """
    for item, number in assumed.items():
        other = next((name for name, own in stated.items() if str(own) != str(number)), None)
        if other is not None:
            raise BadItemError(
                f"item {item!r} does not state which number of band {band.name} means no data, "
                "and what others state is not what is usual",
                given=f"{other}: {stated[other]:g}; {item}: none, usually {number:g}",
                allowed="one number for all items, or a statement by each",
                hint="leave this item out, or mend it",
            )


def can_hold(dtype: np.dtype[Any], number: float) -> bool:
    """Return whether stored numbers of a type can be `number`; floats are, or round to it."""
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype)
    return float(number).is_integer() and limits.min <= number <= limits.max


_TYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")


def _statements(asset: pystac.Asset) -> Iterator[Mapping[str, Any]]:
    """Yield an asset's own fields, then those of its only or first band."""
    yield asset.extra_fields
    for name in ("bands", "raster:bands"):
        bands = asset.extra_fields.get(name)
        if isinstance(bands, list) and bands and isinstance(bands[0], dict):
            yield bands[0]
