"""Compiled loops over the pixels of parcels; they know neither Dask nor xarray.

Pixels of parcel ``i`` are ``cells[start[i]:start[i + 1]]``, positions in a flat raster,
each with a weight. Sums are taken in float64 and in the order of the cells, so that a
result depends on nothing but a parcel's own pixels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_MOMENTS = 5  # count, mean, std, min, max: the columns of cbmcube.zonal._statistics.MOMENTS


@njit(nogil=True, cache=True)
def summarise(
    raster: NDArray[Any],
    cells: NDArray[np.int64],
    weights: NDArray[np.float64],
    start: NDArray[np.int64],
    quantiles: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return statistics (parcel, column) and the number of finite pixels (parcel).

    Columns are count (sum of weights), mean, population standard deviation, minimum,
    maximum, then `quantiles`. A parcel without finite pixels has count 0 and NaN.
    """
    parcels = start.size - 1
    out = np.full((parcels, _MOMENTS + quantiles.size), np.nan)
    valid = np.zeros(parcels, np.int32)
    longest = 0
    for i in range(parcels):
        longest = max(longest, start[i + 1] - start[i])
    values = np.empty(longest, np.float64)
    shares = np.empty(longest, np.float64)
    for i in range(parcels):
        n = 0
        for j in range(start[i], start[i + 1]):
            value = raster[cells[j]]
            if math.isfinite(value):
                values[n] = value
                shares[n] = weights[j]
                n += 1
        valid[i] = n
        out[i, 0] = 0.0
        if n > 0:
            _moments(values[:n], shares[:n], out[i])
            if quantiles.size > 0:
                _quantiles(values[:n], shares[:n], quantiles, out[i])
    return out, valid


@njit(nogil=True, cache=True)
def _moments(
    values: NDArray[np.float64], weights: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Write count, mean, std, min and max; two passes keep std exact for large means."""
    total, weighted = 0.0, 0.0
    low, high = values[0], values[0]
    for k in range(values.size):
        total += weights[k]
        weighted += weights[k] * values[k]
        low, high = min(low, values[k]), max(high, values[k])
    # Rounding must neither push a mean out of [min, max] nor give constants a spread.
    mean = min(max(weighted / total, low), high)
    spread = 0.0
    for k in range(values.size):
        spread += weights[k] * (values[k] - mean) ** 2
    out[0], out[1], out[2] = total, mean, math.sqrt(spread / total)
    out[3], out[4] = low, high


@njit(nogil=True, cache=True)
def _quantiles(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    quantiles: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write weighted quantiles (type 7 with Kish's effective size; Akinshin 2023).

    Each sorted value stands for its share of the total weight; a quantile is the mean
    of the values over a window of width one effective pixel. Equal weights give NumPy's
    ``linear``; the order among equal values does not matter.
    """
    order = np.argsort(values, kind="mergesort")
    total, squares = 0.0, 0.0
    for k in range(weights.size):
        total += weights[k]
        squares += weights[k] * weights[k]
    size = total * total / squares
    for q in range(quantiles.size):
        left = quantiles[q] * (size - 1.0) / size
        right = left + 1.0 / size
        done, result, used = 0.0, 0.0, 0.0
        for k in range(order.size):
            share = weights[order[k]] / total
            inside = min(done + share, right) - max(done, left)
            if inside > 0.0:
                result += inside * values[order[k]]
                used += inside
            done += share
            if done >= right:
                break
        low, high = values[order[0]], values[order[-1]]
        out[_MOMENTS + q] = min(max(result / used, low), high)


@njit(nogil=True, cache=True)
def class_weights(
    raster: NDArray[Any],
    cells: NDArray[np.int64],
    weights: NDArray[np.float64],
    start: NDArray[np.int64],
    position: NDArray[np.int64],
    classes: int,
) -> NDArray[np.float64]:
    """Return the weight of each class (parcel, class); ``position`` maps code to class.

    Codes that map to -1 belong to no class and count nowhere.
    """
    parcels = start.size - 1
    out = np.zeros((parcels, classes))
    for i in range(parcels):
        for j in range(start[i], start[i + 1]):
            k = position[raster[cells[j]]]
            if k >= 0:
                out[i, k] += weights[j]
    return out


@njit(nogil=True, cache=True)
def flagged_weight(
    flags: NDArray[np.bool_],
    cells: NDArray[np.int64],
    weights: NDArray[np.float64],
    start: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the weight of the pixels (parcel) where `flags` is true."""
    parcels = start.size - 1
    out = np.zeros(parcels)
    for i in range(parcels):
        for j in range(start[i], start[i + 1]):
            if flags[cells[j]]:
                out[i] += weights[j]
    return out
