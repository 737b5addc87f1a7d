"""Statistics of the pixels of parcels, compiled; they know neither Dask nor xarray.

A parcel's pixels come as runs of whole pixels and as edge pixels with a weight. They are
gathered in this order, whole pixels first, each kind in raster order; every sum is taken
in float64 and in that order. So a result depends on nothing but a parcel's own pixels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube._compiled import compiled
from cbmcube.zonal._merged import merged_quantiles
from cbmcube.zonal._moments import write_moments
from cbmcube.zonal._prefetch import prefetch
from cbmcube.zonal._quantiles import Room, make_room, window_quantiles

Pixels = tuple[
    NDArray[np.int64],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int64],
    NDArray[np.int32],
    NDArray[np.float32],
]

Table = tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]
"""Statistics (parcel, column), and the numbers of valid and of failed pixels (parcel)."""

_STEP = 8  # pixels that are copied at once
_AHEAD = 12  # runs by which memory is asked for before it is needed
_LINE = 16  # pixels of float32 that come together

MOMENT_COLUMNS = 5  # count, mean, std, min, max: cbmcube.zonal._statistics.MOMENTS


@compiled
def summarise(
    raster: NDArray[Any],
    nodata: float,
    pixels: Pixels,
    quantiles: NDArray[np.float64],
    merge_ties: bool,
) -> Table:
    """Return statistics (parcel, column), and the valid and the failed pixels (parcel).

    Columns are count (sum of weights), mean, population standard deviation, minimum,
    maximum, then `quantiles`. A pixel is valid if it is finite and not `nodata` (NaN for
    none); one that is minus infinity could not be read. A parcel without valid pixels has
    count 0 and NaN.

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
    out, valid, failed = _blank(parcels, quantiles.size)
    size = _largest(run_start, run_length, edge_start)
    values, weights = np.empty(size + _STEP, np.float64), np.empty(size, np.float64)
    room = make_room(size)
    for i in range(parcels):
        whole = _gather_runs(raster, run_cell, run_length, run_start[i], run_start[i + 1], values)
        n = whole
        for e in range(edge_start[i], edge_start[i + 1]):
            values[n] = raster[np.uint32(edge_cell[e])]
            weights[n] = edge_weight[e]
            n += 1
        valid[i], failed[i] = _describe(
            values[:n], weights[:n], whole, nodata, quantiles, merge_ties, room, out[i]
        )
    return out, valid, failed


@compiled
def summarise_flat(
    gathered: NDArray[Any],
    nodata: float,
    start: NDArray[np.int64],
    shares: NDArray[np.float32],
    quantiles: NDArray[np.float64],
    merge_ties: bool,
) -> Table:
    """Do what `summarise` does for pixels that are already gathered, in the same order."""
    parcels = start.size - 1
    out, valid, failed = _blank(parcels, quantiles.size)
    size = 1
    for i in range(parcels):
        size = max(size, start[i + 1] - start[i])
    values, weights = np.empty(size, np.float64), np.empty(size, np.float64)
    room = make_room(size)
    for i in range(parcels):
        n, whole = start[i + 1] - start[i], 0
        for k in range(n):
            values[k] = gathered[start[i] + k]
            weights[k] = shares[start[i] + k]
            whole += weights[k] == 1.0
        valid[i], failed[i] = _describe(
            values[:n], weights[:n], whole, nodata, quantiles, merge_ties, room, out[i]
        )
    return out, valid, failed


@compiled
def _blank(parcels: int, quantiles: int) -> Table:
    return (
        np.full((parcels, MOMENT_COLUMNS + quantiles), np.nan),
        np.zeros(parcels, np.int32),
        np.zeros(parcels, np.int32),
    )


@compiled
def _gather_runs(
    raster: NDArray[Any],
    run_cell: NDArray[np.int32],
    run_length: NDArray[np.int32],
    first: int,
    last: int,
    values: NDArray[np.float64],
) -> int:
    """Copy the pixels of some runs one after the other; return their number.

    Runs are copied in steps of a fixed width, which the compiler turns into single
    instructions; what a step copies too much, the next run overwrites. Each run begins in
    another row and so far away in memory, which is half of the time of this function unless
    it is asked for some runs earlier, be they those of the next parcel.
    """
    n = 0
    for r in range(first, last):
        cell, length = int(run_cell[r]), int(run_length[r])
        later = min(r + _AHEAD, run_cell.size - 1)
        start = int(run_cell[later])
        prefetch(raster, start)
        prefetch(raster, min(start + _LINE, start + int(run_length[later]) - 1))
        prefetch(raster, start + int(run_length[later]) - 1)
        if cell + length + _STEP <= raster.size:
            for k in range(0, length, _STEP):
                for j in range(_STEP):
                    values[n + k + j] = raster[cell + k + j]
        else:
            for k in range(length):
                values[n + k] = raster[cell + k]
        n += length
    return n


@compiled
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


@compiled
def _largest(
    run_start: NDArray[np.int64], run_length: NDArray[np.int32], edge_start: NDArray[np.int64]
) -> int:
    """Return the largest number of pixels of a parcel, at least 1."""
    size = 1
    for i in range(run_start.size - 1):
        n = edge_start[i + 1] - edge_start[i]
        for r in range(run_start[i], run_start[i + 1]):
            n += run_length[r]
        size = max(size, n)
    return size


@compiled
def _describe(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    whole: int,
    nodata: float,
    quantiles: NDArray[np.float64],
    merge_ties: bool,
    room: Room,
    out: NDArray[np.float64],
) -> tuple[int, int]:
    """Write all columns of one parcel; return how many pixels are valid and how many failed.

    The first `whole` pixels weigh 1. Nearly all parcels have nothing but valid pixels, so
    this is tried first.
    """
    n, failed = values.size, 0
    squares, usable = 0.0, n > 0 and not _holds(values, nodata)
    if usable:
        squares, usable = write_moments(values, weights, whole, out)
    if not usable:
        n, whole, failed = _keep_valid(values, weights, whole, nodata)
        if n == 0:
            out[:] = np.nan
            out[0] = 0.0
            return 0, failed
        squares, _ = write_moments(values[:n], weights[:n], whole, out)
    if quantiles.size and merge_ties:
        weights[:whole] = 1.0
        merged_quantiles(values[:n], weights[:n], quantiles, out[MOMENT_COLUMNS:])
    elif quantiles.size:
        window_quantiles(
            values[:n],
            weights[:n],
            whole,
            squares,
            quantiles,
            room,
            out[:MOMENT_COLUMNS],
            out[MOMENT_COLUMNS:],
        )
    return n, failed


@compiled
def _holds(values: NDArray[np.float64], number: float) -> bool:
    found = 0
    if not math.isnan(number):
        for value in values:
            found += value == number
    return found > 0


@compiled
def _keep_valid(
    values: NDArray[np.float64], weights: NDArray[np.float64], whole: int, nodata: float
) -> tuple[int, int, int]:
    """Move valid pixels to the front; return their number, that of whole ones, and of failed."""
    n, kept, failed = 0, 0, 0
    for k in range(values.size):
        value = values[k]
        if math.isfinite(value) and value != nodata:
            values[n], weights[n] = value, weights[k]
            n += 1
            kept += k < whole
        failed += value == -math.inf
    return n, kept, failed
