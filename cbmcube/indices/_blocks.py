"""One block of an index: bands brought to one grid, combined, and guarded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.cube import FAILED
from cbmcube.indices._formula import evaluate, parse_formula
from cbmcube.indices._index import Index

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Input:
    """How the pixels of one band come into an index."""

    name: str
    """Name in the formula."""
    nodata: float
    """Number that means "no data" (NaN for none)."""
    factors: tuple[int, int]
    """Rows and columns of the band in each pixel of the index."""


def index_block(*blocks: NDArray[Any], index: Index, inputs: tuple[Input, ...]) -> Floats:
    """Return an index, float32 (time, y, x): NaN where it has no value, -inf where unread."""
    values, good, unread = _combine(blocks, index, inputs)
    found = np.where(good, values, np.float32(np.nan)).astype("float32", copy=False)
    if unread is not None:
        found[unread] = FAILED
    return found


def bad_block(*blocks: NDArray[Any], index: Index, inputs: tuple[Input, ...]) -> Floats:
    """Return 1 where all bands have a value and the index has none, and 0 where it has one.

    NaN where a band has no value, -inf where one is unread.
    """
    bands = [_band(block, one) for block, one in zip(blocks, inputs, strict=True)]
    seen = np.logical_and.reduce([np.isfinite(band) for band in bands])
    _, good, unread = _combine(blocks, index, inputs)
    found = np.where(seen, np.where(good, np.float32(0), np.float32(1)), np.float32(np.nan))
    if unread is not None:
        found[unread] = FAILED
    return found


def _combine(
    blocks: tuple[NDArray[Any], ...], index: Index, inputs: tuple[Input, ...]
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_] | None]:
    """Return the values of an index, where they are good, and where a band is unread."""
    bands = {one.name: _band(block, one) for block, one in zip(blocks, inputs, strict=True)}
    seen = np.logical_and.reduce([np.isfinite(band) for band in bands.values()])
    values, unsafe = evaluate(parse_formula(index.formula), bands)
    good = seen & np.isfinite(values)
    if unsafe is not None:
        good &= ~unsafe
    if index.limits is not None:
        good &= (values >= index.limits[0]) & (values <= index.limits[1])
    unread = None
    if not seen.all():
        unread = np.logical_or.reduce([band == FAILED for band in bands.values()])
    return values, good, unread


def _band(block: NDArray[Any], one: Input) -> Floats:
    """Return a band as numbers on the grid of the index, NaN for no data."""
    values: Floats = block.astype(np.result_type(block.dtype, np.float32), copy=False)
    if not np.isnan(one.nodata):
        values = np.where(values == one.nodata, values.dtype.type(np.nan), values)
    return values if one.factors == (1, 1) else _area_mean(values, one.factors)


def _area_mean(values: Floats, factors: tuple[int, int]) -> Floats:
    """Return the mean of the pixels in each coarser one; NaN if any of them is missing.

    A mean of what is left would be of other ground than the coarse band that it meets.
    """
    rows, columns = factors
    parts = [values[..., i::rows, j::columns] for i in range(rows) for j in range(columns)]
    total = np.zeros(parts[0].shape, np.float64)
    unread = np.zeros(parts[0].shape, bool)
    for part in parts:
        total += part
        unread |= part == FAILED
    total /= len(parts)
    total[unread] = FAILED  # also where another part is NaN
    return total.astype(values.dtype)
