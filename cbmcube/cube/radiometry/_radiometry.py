"""Scale, offset and form: decided for each item and band, recorded, applied to each source."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pystac
from numpy.typing import NDArray

from cbmcube.catalog import identify
from cbmcube.cube.radiometry._nodata import can_hold, stated, stated_number, stored_dtype
from cbmcube.exceptions import BadItemError, UnknownOffsetError, UnknownScaleError
from cbmcube.products import Band, Form, Profile, Stored
from cbmcube.warnings import IgnoredOffsetWarning

OFFSET_BASELINE = 4.0
"""First Sentinel-2 processing baseline whose numbers carry an offset.

Copernicus product notice of 25 January 2022: reflectance = (DN - 1000) / 10000.
"""
BASELINE_OFFSET = -0.1
"""Reflectance to add from that baseline on."""

_APPLIED = "earthsearch:boa_offset_applied"
"""Property that says whether a provider's GeoTIFFs are already without the offset."""

_BASELINE = re.compile(r"N?(\d\d)\.?(\d\d)")
_BASELINE_IN_NAME = re.compile(r"_N(\d{4})_")
_DECIBEL = frozenset({"db", "decibel", "decibels"})
_POWER = frozenset({"linear", "power", "linear power", "1", "m2/m2", "m2 m-2"})


@dataclass(frozen=True, slots=True)
class Radiometry:
    """How stored numbers become values: ``number * scale + offset``, then the form."""

    scale: float
    """Factor, in units of the band (or dB, or amplitude) per stored step."""
    offset: float
    """Term, in the units of the scale."""
    reason: str
    """What decided."""
    form: Form = "linear"
    """``"linear"``, or how decibels or amplitudes become linear power; see `Stored`."""
    rule: int = 0
    """Number of the offset rule that decided, 1 to 4; 0 for bands without such rules."""

    def __str__(self) -> str:
        form = "" if self.form == "linear" else f", {self.form}"
        rule = f"rule {self.rule}: " if self.rule else ""
        return f"scale {self.scale:g}, offset {self.offset:g}{form} ({rule}{self.reason})"


def decide(
    item: pystac.Item, key: str, band: Band, profile: Profile, offset: float | None
) -> Radiometry:
    """Decide scale, offset and form of one asset, from facts and never from the sensing date.

    For reflectance the first rule that applies gives the offset: 1. the caller's `offset`;
    2. the item says that its GeoTIFFs are already without it; 3. the asset declares it, or
    the profile does; 4. the processing baseline is known. Backscatter needs an item or a
    profile that says how power is stored. Class codes are never scaled.

    Parameters
    ----------
    item
        The item.
    key
        Key of the asset.
    band
        The product's band that the asset holds.
    profile
        Spelling of the item's provider.
    offset
        Reflectance offset given by the caller, in units of reflectance.

    Raises
    ------
    UnknownOffsetError
        If `band` is a reflectance and no rule applies.
    UnknownScaleError
        If `band` is backscatter or coherence and nothing says how it is stored.
    BadItemError
        If the asset states a scale or offset that is no usable number.

    Warns
    -----
    IgnoredOffsetWarning
        If the asset of another band than a reflectance states an offset: it is left out.
    """
    own = profile.stored.get(band.name, Stored())
    if band.kind == "reflectance":
        value, rule, reason = _reflectance_offset(item, key, profile, own, offset)
        return Radiometry(_scale(item, key, band, own), value, reason, "linear", rule)
    _warn_of_offset(item, key, band)
    if band.kind == "classes":
        return Radiometry(1.0, 0.0, "class codes are never scaled")
    form, reason = _form(item, key, band, profile, own)
    scale = _scale(item, key, band, own)
    if form == "linear":
        _require_scale(item, key, band, profile, scale)
    return Radiometry(scale, own.offset or 0.0, reason, form)


def calibrate(numbers: NDArray[Any], radiometry: Radiometry, nodata: float) -> NDArray[np.float32]:
    """Turn stored numbers into float32 values, NaN where there are none.

    The offset is added in stored steps before scaling, so that the same ground in two
    baselines gives the same bits.

    Parameters
    ----------
    numbers
        Stored numbers, of any shape and real type; not modified.
    radiometry
        What was decided.
    nodata
        Stored number that means "no data"; NaN for NaN.

    Returns
    -------
    numpy.ndarray
        Values in units of the band, linear power for backscatter, of the shape of `numbers`:
        `numbers` itself where float32 values are stored as they are.
    """
    scale, offset, form = radiometry.scale, radiometry.offset, radiometry.form
    # NaN marks itself, and a number that the type cannot hold marks nothing.
    marked = not math.isnan(nodata) and can_hold(numbers.dtype, nodata)
    if numbers.dtype == np.float32 and not marked and (scale, offset, form) == (1, 0, "linear"):
        return numbers
    values = numbers.astype(np.float32)
    steps = np.float32(offset / scale)
    if steps:
        values += steps
    if scale != 1:
        values *= np.float32(scale)
    if form == "decibel":
        values *= np.float32(math.log(10) / 10)
        np.exp(values, out=values)
    elif form == "amplitude":
        np.square(values, out=values)
    if marked:
        values[numbers == numbers.dtype.type(nodata)] = np.nan
    return values


def _reflectance_offset(
    item: pystac.Item, key: str, profile: Profile, own: Stored, offset: float | None
) -> tuple[float, int, str]:
    """Return the offset, the number of the rule that gave it, and the rule in words."""
    if offset is not None:
        return float(offset), 1, "given by the caller"
    if item.properties.get(_APPLIED) is not None and not _is_geotiff(item.assets[key]):
        # The flag speaks of the provider's own GeoTIFFs, the declared offset does not tell
        # them from the originals: for these nothing in the item can be trusted.
        raise _unknown_offset(item, key, "the asset is the original behind a corrected GeoTIFF")
    if item.properties.get(_APPLIED) is True:
        return 0.0, 2, "already applied, says the item"
    declared = _finite(item, key, "offset")
    if declared is not None:
        return declared, 3, "declared by the asset"
    if own.offset is not None:
        return own.offset, 3, f"declared by profile {profile.name!r}"
    baseline = None if profile.processed_further else _baseline(item, key)
    if baseline is not None:
        value = BASELINE_OFFSET if baseline >= OFFSET_BASELINE else 0.0
        return value, 4, f"processing baseline {baseline:05.2f}"
    raise _unknown_offset(item, key, "no offset, flag or processing baseline")


def _unknown_offset(item: pystac.Item, key: str, found: str) -> UnknownOffsetError:
    return UnknownOffsetError(
        f"item {item.id!r}, asset {key!r}: nothing says which offset its numbers carry",
        given=found,
        allowed=f"{_APPLIED} with GeoTIFFs; raster:offset on the asset; s2:processing_baseline, "
        "processing:version or _Nxxxx_ in the product's name, other than 99.99",
        hint="pass offset=-0.1 or offset=0.0 to load, if you know it",
    )


def _is_geotiff(asset: pystac.Asset) -> bool:
    path, kind = urlsplit(asset.href).path.lower(), (asset.media_type or "").lower()
    if path.endswith(".jp2") or kind == "image/jp2":
        return False
    return path.endswith((".tif", ".tiff")) or kind.startswith("image/tiff")


def _baseline(item: pystac.Item, key: str) -> float | None:
    """Return the processing baseline as a number, ``None`` where nothing says it.

    Baseline 99.99 marks test processing, with or without the offset.
    """
    for text in _baseline_texts(item, key):
        match = _BASELINE.fullmatch(text)
        if match is not None:
            number = float(f"{match[1]}.{match[2]}")
            return None if number == 99.99 else number
    return None


def _baseline_texts(item: pystac.Item, key: str) -> Iterator[str]:
    yield identify(item).baseline or ""
    yield from _BASELINE_IN_NAME.findall(item.assets[key].href)


def _scale(item: pystac.Item, key: str, band: Band, own: Stored) -> float:
    declared = _finite(item, key, "scale")
    if declared is None:
        return band.scale if own.scale is None else own.scale
    if declared == 0:
        raise BadItemError(
            f"item {item.id!r}, asset {key!r}: a scale of 0 leaves nothing of its numbers",
            given="scale 0",
            allowed="any other number",
            hint="leave this item out, or mend it",
        )
    # Below 1 it can only be the factor: such a provider has mended its items since.
    return 1 / declared if own.scale_divides and abs(declared) >= 1 else declared


def _finite(item: pystac.Item, key: str, name: str) -> float | None:
    number = stated_number(item, key, name)
    if number is None or math.isfinite(number):
        return number
    raise BadItemError(
        f"item {item.id!r}, asset {key!r}: {name} must be a finite number",
        given=number,
        hint="leave this item out, or mend it",
    )


def _form(
    item: pystac.Item, key: str, band: Band, profile: Profile, own: Stored
) -> tuple[Form, str]:
    """Return how power is stored and who says so; the asset's unit before the profile."""
    if band.kind != "backscatter":
        return own.form or "linear", "declared by the asset or the product"
    unit = str(stated(item.assets[key], "unit") or "").strip().lower()
    if unit in _DECIBEL and own.form != "amplitude":
        return "decibel", "unit of the asset"
    if own.form is not None:
        notes = ["reconstructed"] * profile.reconstructed + [profile.note] * bool(profile.note)
        return own.form, ", ".join([f"profile {profile.name!r}", *notes])
    if unit in _POWER:
        return "linear", "unit of the asset"
    raise _unknown_scale(item, key, band, f"unit {unit!r}, profile {profile.name!r}")


def _require_scale(item: pystac.Item, key: str, band: Band, profile: Profile, scale: float) -> None:
    """Refuse whole numbers that would pass for shares or power as they are."""
    dtype = stored_dtype(band, profile, item, key)
    if band.kind in ("backscatter", "coherence") and scale == 1 and dtype[0] in "iu":
        raise _unknown_scale(item, key, band, f"type {dtype}, no scale")


def _unknown_scale(item: pystac.Item, key: str, band: Band, found: str) -> UnknownScaleError:
    return UnknownScaleError(
        f"item {item.id!r}, asset {key!r}: nothing says how {band.kind} is stored",
        given=found,
        allowed='unit "dB" or "linear" on the asset, or a profile that says it',
        hint=f"add a profile: product.with_profile(Profile(…, stored={{{band.name!r}: "
        'Stored(form="linear")}))',
    )


def _warn_of_offset(item: pystac.Item, key: str, band: Band) -> None:
    declared = stated_number(item, key, "offset")
    if declared:
        warnings.warn(
            f"item {item.id!r}, asset {key!r} states an offset of {declared:g}, which only "
            f"reflectance has; it is left out of band {band.name} ({band.kind})",
            IgnoredOffsetWarning,
            stacklevel=4,
        )
