"""Scale and offset: decided for each item and band, recorded, applied lazily."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import pystac
from numpy.typing import NDArray

from cbmcube.catalog import identify
from cbmcube.exceptions import MixedOffsetError, UnknownOffsetError
from cbmcube.products import Band

OFFSET_BASELINE = 4.0
"""First Sentinel-2 processing baseline whose numbers carry an offset.

Copernicus product notice of 25 January 2022: reflectance = (DN - 1000) / 10000.
"""
BASELINE_OFFSET = -0.1
"""Reflectance to add from that baseline on."""


@dataclass(frozen=True, slots=True)
class Radiometry:
    """How stored numbers become values: ``value = number * scale + offset``."""

    scale: float
    """Factor, in units of the band per stored step."""
    offset: float
    """Term, in units of the band."""
    reason: str
    """Which rule decided."""

    def __str__(self) -> str:
        return f"scale {self.scale:g}, offset {self.offset:g} ({self.reason})"


def decide(item: pystac.Item, key: str, band: Band, offset: float | None) -> Radiometry:
    """Decide scale and offset of one asset; the first rule that applies wins.

    1. the caller's `offset`; 2. the item says that the offset was already applied;
    3. the asset declares an offset; 4. the processing baseline is known. The sensing
    date never decides: reprocessed scenes of earlier years carry the offset too.

    Raises
    ------
    UnknownOffsetError
        If `band` is a reflectance and no rule applies.
    """
    scale = _declared(item.assets[key], "scale")
    scale = band.scale if scale is None else float(scale)
    if band.kind == "classes":
        return Radiometry(1.0, 0.0, "class codes are never scaled")
    if band.kind != "reflectance":
        declared = _declared(item.assets[key], "offset")
        return Radiometry(scale, float(declared or 0.0), "declared by the asset or the product")
    return Radiometry(scale, *_reflectance_offset(item, key, offset))


def _reflectance_offset(item: pystac.Item, key: str, offset: float | None) -> tuple[float, str]:
    if offset is not None:
        return offset, "given by the caller"
    if item.properties.get("earthsearch:boa_offset_applied") is True:
        return 0.0, "already applied, says the item"
    declared = _declared(item.assets[key], "offset")
    if declared is not None:
        return float(declared), "declared by the asset"
    baseline = _baseline(item)
    if baseline is not None:
        value = BASELINE_OFFSET if baseline >= OFFSET_BASELINE else 0.0
        return value, f"processing baseline {baseline:05.2f}"
    raise UnknownOffsetError(
        f"item {item.id!r}, asset {key!r}: nothing says which offset its numbers carry",
        allowed="raster:offset on the asset, s2:processing_baseline or processing:version",
        hint="pass offset=-0.1 or offset=0.0 to load, if you know it",
    )


def _baseline(item: pystac.Item) -> float | None:
    """Return the processing baseline as a number, ``None`` where it says nothing.

    Baseline 99.99 marks test processing, with or without the offset.
    """
    match = re.fullmatch(r"N?(\d\d)\.?(\d\d)", identify(item).baseline or "")
    if match is None or match[0].endswith("99.99"):
        return None
    return float(f"{match[1]}.{match[2]}")


def _declared(asset: pystac.Asset, name: str) -> Any:
    """Return ``raster:<name>`` of an asset in the spellings of STAC 1.0 and 1.1."""
    fields = asset.extra_fields
    if fields.get(f"raster:{name}") is not None:
        return fields[f"raster:{name}"]
    for container, key in (("bands", f"raster:{name}"), ("raster:bands", name)):
        entries = fields.get(container) or [{}]
        if entries[0].get(key) is not None:
            return entries[0][key]
    return None


def agree(decisions: dict[str, Radiometry], band: Band) -> Radiometry:
    """Return the one radiometry of the items, by id, that form one plane.

    Raises
    ------
    MixedOffsetError
        If the items differ: their stored numbers must not meet in one plane.
    """
    distinct = {(decision.scale, decision.offset) for decision in decisions.values()}
    if len(distinct) > 1:
        listed = "; ".join(f"{name}: {decision}" for name, decision in decisions.items())
        raise MixedOffsetError(
            f"items of one acquisition carry different offsets in band {band.name}",
            given=listed,
            allowed="one scale and offset for all items of an acquisition",
            hint="search again so that reprocessed twins are dropped, or load them apart",
        )
    return next(iter(decisions.values()))


def calibrate(data: da.Array, decisions: Sequence[Radiometry], nodata: float) -> da.Array:
    """Turn stored numbers (time, y, x) into float32 values, NaN where there are none.

    The offset is added in stored steps before scaling, so that the same ground in
    two baselines gives the same bits.
    """
    plain = all(decision.scale == 1.0 and decision.offset == 0.0 for decision in decisions)
    if plain and data.dtype == np.float32 and np.isnan(nodata):
        return data
    scales = np.array([decision.scale for decision in decisions])
    steps = np.array([decision.offset / decision.scale for decision in decisions])
    per_plane = np.stack([np.round(steps, 6), scales], axis=1).astype("float32")
    return da.blockwise(
        _calibrate_block,
        "tyx",
        data,
        "tyx",
        da.from_array(per_plane, chunks=(data.chunks[0], 2)),
        "tc",
        nodata=nodata,
        concatenate=True,
        dtype="float32",
        meta=np.empty((0, 0, 0), "float32"),
    )


def _calibrate_block(
    numbers: NDArray[Any], per_plane: NDArray[np.float32], *, nodata: float
) -> NDArray[np.float32]:
    steps, scales = (per_plane[:, column, None, None] for column in (0, 1))
    values = numbers.astype("float32")
    if not np.isnan(nodata):
        values[numbers == nodata] = np.nan
    values += steps
    values *= scales
    return values
