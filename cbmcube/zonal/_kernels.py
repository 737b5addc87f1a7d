"""Compiled loops over the pixels of parcels; they know neither Dask nor xarray.

A parcel's pixels come as runs of whole pixels and as edge pixels with a weight. They are
gathered in this order, whole pixels first, each kind in raster order; every sum is taken
in float64 and in that order. So a result depends on nothing but a parcel's own pixels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cbmcube.zonal._quantiles import merged_quantiles, window_quantiles

Pixels = tuple[
    NDArray[np.int64],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int64],
    NDArray[np.int32],
    NDArray[np.float32],
]

MOMENT_COLUMNS = 5  # count, mean, std, min, max: cbmcube.zonal._statistics.MOMENTS


@njit(nogil=True, cache=True)
def summarise(
    raster: NDArray[Any],
    nodata: float,
    pixels: Pixels,
    quantiles: NDArray[np.float64],
    merge_ties: bool,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return statistics (parcel, column) and the number of valid pixels (parcel).

    Columns are count (sum of weights), mean, population standard deviation, minimum,
    maximum, then `quantiles`. A pixel is valid if it is finite and not `nodata` (NaN for
    none). A parcel without valid pixels has count 0 and NaN.

    Parameters
    ----------
    raster
        Values of a block, flattened; any number type, never copied.
    nodata
        Number that means "no data".
    pixels
        Where each parcel's runs of whole pixels start, first cell and length of each run;
        where each parcel's edge pixels start, cell and weight of each.
    quantiles
        Quantiles, 0 to 1, ascending.
    merge_ties
        Use exactextract's definition of a quantile instead of ours.
    """
    run_start, run_cell, run_length, edge_start, edge_cell, edge_weight = pixels
    parcels = run_start.size - 1
    out = np.full((parcels, MOMENT_COLUMNS + quantiles.size), np.nan)
    valid = np.zeros(parcels, np.int32)
    room = _largest(run_start, run_length, edge_start)
    values = np.empty(room, np.float64)
    weights = np.empty(room, np.float64)
    bins = np.empty(room, np.int32)
    for i in range(parcels):
        whole = 0
        for r in range(run_start[i], run_start[i + 1]):
            first = run_cell[r]
            for cell in range(first, first + run_length[r]):
                value = float(raster[cell])
                if math.isfinite(value) and value != nodata:
                    values[whole] = value
                    whole += 1
        n = whole
        for e in range(edge_start[i], edge_start[i + 1]):
            value = float(raster[edge_cell[e]])
            if math.isfinite(value) and value != nodata:
                values[n] = value
                weights[n] = edge_weight[e]
                n += 1
        valid[i] = n
        out[i, 0] = 0.0
        if n > 0:
            _describe(values[:n], weights[:n], whole, bins, quantiles, merge_ties, out[i])
    return out, valid


@njit(nogil=True, cache=True)
def summarise_flat(
    values: NDArray[Any],
    nodata: float,
    start: NDArray[np.int64],
    weights: NDArray[np.float32],
    quantiles: NDArray[np.float64],
    merge_ties: bool,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Do what `summarise` does for pixels that are already gathered, in the same order."""
    parcels = start.size - 1
    out = np.full((parcels, MOMENT_COLUMNS + quantiles.size), np.nan)
    valid = np.zeros(parcels, np.int32)
    room = 1
    for i in range(parcels):
        room = max(room, start[i + 1] - start[i])
    kept = np.empty(room, np.float64)
    shares = np.empty(room, np.float64)
    bins = np.empty(room, np.int32)
    for i in range(parcels):
        n, whole = 0, 0
        for j in range(start[i], start[i + 1]):
            value = float(values[j])
            if math.isfinite(value) and value != nodata:
                kept[n] = value
                shares[n] = weights[j]
                n += 1
                if weights[j] == 1.0:
                    whole += 1
        valid[i] = n
        out[i, 0] = 0.0
        if n > 0:
            _describe(kept[:n], shares[:n], whole, bins, quantiles, merge_ties, out[i])
    return out, valid


@njit(nogil=True, cache=True)
def expand(
    pixels: Pixels,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Write out runs and edges: where each parcel's pixels start, their cells and weights."""
    run_start, run_cell, run_length, edge_start, edge_cell, edge_weight = pixels
    parcels = run_start.size - 1
    n = run_length.sum() + edge_cell.size
    start = np.zeros(parcels + 1, np.int64)
    cells = np.empty(n, np.int64)
    weights = np.ones(n, np.float32)
    k = 0
    for i in range(parcels):
        for r in range(run_start[i], run_start[i + 1]):
            for cell in range(run_cell[r], run_cell[r] + run_length[r]):
                cells[k] = cell
                k += 1
        for e in range(edge_start[i], edge_start[i + 1]):
            cells[k] = edge_cell[e]
            weights[k] = edge_weight[e]
            k += 1
        start[i + 1] = k
    return start, cells, weights


@njit(nogil=True, cache=True)
def _largest(
    run_start: NDArray[np.int64], run_length: NDArray[np.int32], edge_start: NDArray[np.int64]
) -> int:
    """Return the largest number of pixels of a parcel, at least 1."""
    room = 1
    for i in range(run_start.size - 1):
        n = edge_start[i + 1] - edge_start[i]
        for r in range(run_start[i], run_start[i + 1]):
            n += run_length[r]
        room = max(room, n)
    return room


@njit(nogil=True, cache=True)
def _describe(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    whole: int,
    bins: NDArray[np.int32],
    quantiles: NDArray[np.float64],
    merge_ties: bool,
    out: NDArray[np.float64],
) -> None:
    """Write all columns of one parcel; the first `whole` pixels weigh 1."""
    squares = _moments(values, weights, whole, out)
    if quantiles.size == 0:
        return
    if merge_ties:
        weights[:whole] = 1.0
        merged_quantiles(values, weights, quantiles, out[MOMENT_COLUMNS:])
    else:
        window_quantiles(
            values, weights, whole, bins, quantiles, out[0], squares, out[MOMENT_COLUMNS:]
        )


@njit(nogil=True, cache=True)
def _moments(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    whole: int,
    out: NDArray[np.float64],
) -> float:
    """Write count, mean, std, min, max; return the sum of squared weights.

    Two passes keep std exact for large means. Four sums at a time let the processor work
    in parallel, in an order that is the same on every machine.
    """
    n = values.size
    low, high = values[0], values[0]
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    body = whole - whole % 4
    for k in range(0, body, 4):
        a += values[k]
        b += values[k + 1]
        c += values[k + 2]
        d += values[k + 3]
    for k in range(body, whole):
        a += values[k]
    for k in range(n):
        value = values[k]
        low = min(low, value)
        high = max(high, value)
    total, squares, weighted = float(whole), float(whole), (a + b) + (c + d)
    for k in range(whole, n):
        total += weights[k]
        squares += weights[k] * weights[k]
        weighted += weights[k] * values[k]
    # Rounding must neither push a mean out of [min, max] nor give constants a spread.
    mean = min(max(weighted / total, low), high)
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for k in range(0, body, 4):
        a += (values[k] - mean) ** 2
        b += (values[k + 1] - mean) ** 2
        c += (values[k + 2] - mean) ** 2
        d += (values[k + 3] - mean) ** 2
    for k in range(body, whole):
        a += (values[k] - mean) ** 2
    spread = (a + b) + (c + d)
    for k in range(whole, n):
        spread += weights[k] * (values[k] - mean) ** 2
    out[0], out[1], out[2] = total, mean, math.sqrt(spread / total)
    out[3], out[4] = low, high
    return squares


@njit(nogil=True, cache=True)
def class_weights(
    raster: NDArray[Any],
    pixels: Pixels,
    position: NDArray[np.int64],
    classes: int,
) -> NDArray[np.float64]:
    """Return the weight of each class (parcel, class); ``position`` maps code to class.

    Codes that map to -1 belong to no class and count nowhere.
    """
    run_start, run_cell, run_length, edge_start, edge_cell, edge_weight = pixels
    parcels = run_start.size - 1
    out = np.zeros((parcels, classes))
    for i in range(parcels):
        for r in range(run_start[i], run_start[i + 1]):
            first = run_cell[r]
            for cell in range(first, first + run_length[r]):
                k = position[raster[cell]]
                if k >= 0:
                    out[i, k] += 1.0
        for e in range(edge_start[i], edge_start[i + 1]):
            k = position[raster[edge_cell[e]]]
            if k >= 0:
                out[i, k] += edge_weight[e]
    return out


@njit(nogil=True, cache=True)
def class_weights_flat(
    codes: NDArray[Any],
    start: NDArray[np.int64],
    weights: NDArray[np.float32],
    position: NDArray[np.int64],
    classes: int,
) -> NDArray[np.float64]:
    """Do what `class_weights` does for pixels that are already gathered, in the same order."""
    parcels = start.size - 1
    out = np.zeros((parcels, classes))
    for i in range(parcels):
        for j in range(start[i], start[i + 1]):
            k = position[codes[j]]
            if k >= 0:
                out[i, k] += weights[j]
    return out
