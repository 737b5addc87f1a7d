"""Weighted quantiles of one parcel's values by windows of their weight, compiled.

Ours is the weighted type 7 of Akinshin, "Weighted quantile estimators" (2023), with
Kish's effective size: each value stands for its share of the weight, in order of value,
and a quantile is the mean over a window one effective pixel wide. It needs few values:
a histogram finds those that the windows meet, and only they are sorted.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cbmcube._compiled import compiled

MOST_BINS = 256
"""Bins of the histogram; with more, walking the bins costs more than the sorting saves."""

_FEW = 64  # values of a bin up to which insertion sorts fastest

Room = tuple[
    NDArray[np.int32],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.uint8],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.float64],
    NDArray[np.float64],
]
"""Room to work in: bin of each value; two histograms and a flag for each bin; the values
that count, by position; where those of each bin begin; in order, and with their weights."""


@compiled
def make_room(size: int) -> Room:
    """Return room for parcels of up to `size` values."""
    return (
        np.empty(size, np.int32),
        np.empty(MOST_BINS, np.float64),
        np.empty(MOST_BINS, np.float64),
        np.empty(MOST_BINS, np.uint8),
        np.empty(size + 1, np.int32),
        np.empty(MOST_BINS + 1, np.int32),
        np.empty(size, np.float64),
        np.empty(size, np.float64),
    )


@compiled
def window_quantiles(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    whole: int,
    squares: float,
    quantiles: NDArray[np.float64],
    room: Room,
    moments: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write the quantiles; the first `whole` values weigh 1.

    Parameters
    ----------
    squares
        Sum of the squared weights.
    quantiles
        Quantiles, 0 to 1, ascending.
    moments
        Count, mean, std, min and max of the values.
    """
    total, low, high = moments[0], moments[3], moments[4]
    if low == high:
        out[:] = low
        return
    bins, below, other, wanted, near, places, ordered, shares = room
    count = _fill_bins(values, low, high, bins)
    _fill_histogram(bins.view(np.uint32), weights, whole, values.size, below, other, count)
    width = squares / total  # one effective pixel: total / (total ** 2 / squares)
    wanted[:count] = 0
    for q in range(quantiles.size):
        left = quantiles[q] * (total - width)
        _mark_bins(below, count, left, left + width, wanted)
    used = _pick(bins.view(np.uint32), values.size, wanted, near)
    _sort(
        values,
        weights,
        whole,
        bins.view(np.uint32),
        near[:used],
        places[: count + 1],
        ordered[:used],
        shares[:used],
    )
    floor = low
    for q in range(quantiles.size):
        left = quantiles[q] * (total - width)
        first = _bin_at(below, count, left)
        start = min(int(places[first]), used - 1)
        done = below[first - 1] if first > 0 else 0.0
        mean = _window_mean(ordered, shares, start, used, done, left, left + width)
        # Rounding must not let a higher quantile fall below a lower one.
        floor = min(max(mean, floor), high)
        out[q] = floor


@compiled
def _fill_bins(
    values: NDArray[np.float64], low: float, high: float, bins: NDArray[np.int32]
) -> int:
    """Write the bin of each value; return the number of bins."""
    count = 16
    while count < values.size and count < MOST_BINS:
        count *= 2
    scale = (count - 1) / (high - low)
    if not math.isfinite(scale):  # the range is too small to divide by
        scale = 0.0
    for k in range(values.size):
        bins[k] = np.int32((values[k] - low) * scale)
    return count


@compiled
def _fill_histogram(
    bins: NDArray[np.uint32],
    weights: NDArray[np.float64],
    whole: int,
    size: int,
    below: NDArray[np.float64],
    other: NDArray[np.float64],
    count: int,
) -> None:
    """Write into `below` the weight up to and with each bin.

    Neighbours on the ground often share a bin; in two histograms, one need not wait until
    the other is written.
    """
    below[:count] = 0.0
    other[:count] = 0.0
    for k in range(0, whole - 1, 2):
        below[bins[k]] += 1.0
        other[bins[k + 1]] += 1.0
    if whole % 2:
        below[bins[whole - 1]] += 1.0
    for k in range(whole, size):
        below[bins[k]] += weights[k]
    done = 0.0
    for b in range(count):
        done += below[b] + other[b]
        below[b] = done


@compiled
def _bin_at(below: NDArray[np.float64], count: int, weight: float) -> int:
    """Return the first bin with more than `weight` up to its end, else the last."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) >> 1
        if below[middle] > weight:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _mark_bins(
    below: NDArray[np.float64], count: int, left: float, right: float, wanted: NDArray[np.uint8]
) -> None:
    """Mark the bins that a window of summed weights meets."""
    b = _bin_at(below, count, left)
    wanted[b] = 1
    while b < count - 1 and below[b] < right:
        b += 1
        wanted[b] = 1


@compiled
def _pick(
    bins: NDArray[np.uint32], size: int, wanted: NDArray[np.uint8], near: NDArray[np.int32]
) -> int:
    """Write the positions of the values whose bin is marked; return their number."""
    used = 0
    for k in range(size):
        # Written without a branch: which bins are marked cannot be predicted.
        near[used] = k
        used += wanted[bins[k]]
    return used


@compiled
def _sort(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    whole: int,
    bins: NDArray[np.uint32],
    near: NDArray[np.int32],
    places: NDArray[np.int32],
    ordered: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> None:
    """Write the picked values in order, with their weights; equal values keep their order.

    Afterwards, `places` holds where the values of each bin begin.
    """
    most = _begin_bins(bins, near, places)
    for k in near:
        place = places[bins[k] + 1]
        places[bins[k] + 1] += 1
        ordered[place] = values[k]
        shares[place] = 1.0 if k < whole else weights[k]
    if most > _FEW:
        order = np.argsort(ordered, kind="mergesort")
        moved, moved_shares = ordered[order], shares[order]
        # To assign whole arrays, three seconds of error messages would be compiled.
        for k in range(near.size):
            ordered[k], shares[k] = moved[k], moved_shares[k]
        return
    # Only neighbours within a bin are still out of order.
    for k in range(1, near.size):
        value, share, place = ordered[k], shares[k], k
        while place > 0 and ordered[place - 1] > value:
            ordered[place], shares[place] = ordered[place - 1], shares[place - 1]
            place -= 1
        ordered[place], shares[place] = value, share


@compiled
def _begin_bins(
    bins: NDArray[np.uint32], near: NDArray[np.int32], places: NDArray[np.int32]
) -> int:
    """Write where each bin begins, one place late; return the most values of a bin."""
    places[:] = 0
    for k in near:
        places[bins[k] + 1] += 1
    most, start = 0, 0
    for b in range(1, places.size):
        here = int(places[b])
        places[b] = start
        start += here
        most = max(most, here)
    return most


@compiled
def _window_mean(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    start: int,
    stop: int,
    done: float,
    left: float,
    right: float,
) -> float:
    """Return the mean of sorted values over a window of their summed weights.

    Before the value at `start` lies the weight `done`.
    """
    result, used = 0.0, 0.0
    for k in range(start, stop):
        after = done + weights[k]
        inside = min(after, right) - max(done, left)
        if inside > 0.0:
            result += inside * values[k]
            used += inside
        done = after
        if done >= right:
            break
    if used > 0.0:
        return result / used
    # Rounding has put the window behind the last value, or before the first.
    return values[stop - 1] if left >= done else values[start]
