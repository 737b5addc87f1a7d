"""Weighted quantiles of one parcel's values, compiled.

Ours is the weighted type 7 of Akinshin, "Weighted quantile estimators" (2023), with
Kish's effective size: each value stands for its share of the weight, in order of value,
and a quantile is the mean over a window one effective pixel wide. It needs few values:
a histogram finds those that the windows meet, and only they are sorted.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

MOST_BINS = 256
"""Bins of the histogram; with more, walking the bins costs more than the sorting saves."""

_SHORT = 24  # values up to which an insertion sort is fastest


@njit(nogil=True, cache=True)
def window_quantiles(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    whole: int,
    bins: NDArray[np.int32],
    quantiles: NDArray[np.float64],
    total: float,
    squares: float,
    out: NDArray[np.float64],
) -> None:
    """Write the quantiles; the first `whole` values weigh 1, `bins` is room to work in."""
    n = values.size
    low, high = _range(values)
    if low == high:
        out[:] = low
        return
    count = 1
    while count < n and count < MOST_BINS:
        count *= 2
    scale = (count - 1) / (high - low)
    if not math.isfinite(scale):  # the range is too small to divide by
        scale = 0.0
    histogram = np.zeros(count, np.float64)
    for k in range(whole):
        b = int((values[k] - low) * scale)
        bins[k] = b
        histogram[b] += 1.0
    for k in range(whole, n):
        b = int((values[k] - low) * scale)
        bins[k] = b
        histogram[b] += weights[k]
    size = total * total / squares
    width = total / size
    near_value = np.empty(n, np.float64)
    near_weight = np.empty(n, np.float64)
    last_first, last_last, used = -1, -1, 0
    below = 0.0
    for q in range(quantiles.size):
        left = quantiles[q] * (total - width)
        first, last, before = _window_bins(histogram, left, left + width)
        if first != last_first or last != last_last:
            used = _gather(values, weights, whole, bins, first, last, near_value, near_weight)
            _sort(near_value, near_weight, used)
            last_first, last_last, below = first, last, before
        mean = _window_mean(near_value, near_weight, used, below, left, left + width)
        # Rounding must not let a higher quantile fall below a lower one.
        floor = low if q == 0 else out[q - 1]
        out[q] = min(max(mean, floor), high)


@njit(nogil=True, cache=True)
def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = values[0], values[0]
    for value in values:
        low = min(low, value)
        high = max(high, value)
    return low, high


@njit(nogil=True, cache=True)
def _window_bins(
    histogram: NDArray[np.float64], left: float, right: float
) -> tuple[int, int, float]:
    """Return the first and last bin that a window of summed weights meets, and what is below."""
    first, before = -1, 0.0
    done = 0.0
    last = histogram.size - 1
    for b in range(histogram.size):
        if histogram[b] == 0.0:
            continue
        after = done + histogram[b]
        if first < 0 and after > left:
            first, before = b, done
        done = after
        if first >= 0:
            last = b
            if done >= right:
                break
    if first < 0:  # rounding has put the window behind the last value
        first, before = last, done - histogram[last]
    return first, last, before


@njit(nogil=True, cache=True)
def _gather(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    whole: int,
    bins: NDArray[np.int32],
    first: int,
    last: int,
    near_value: NDArray[np.float64],
    near_weight: NDArray[np.float64],
) -> int:
    """Collect the values whose bin lies between `first` and `last`; return their number."""
    used = 0
    for k in range(values.size):
        # Written without a branch: which bins match cannot be predicted.
        near_value[used] = values[k]
        near_weight[used] = 1.0 if k < whole else weights[k]
        used += (bins[k] >= first) & (bins[k] <= last)
        if used == values.size:
            break
    return used


@njit(nogil=True, cache=True)
def _sort(values: NDArray[np.float64], weights: NDArray[np.float64], n: int) -> None:
    """Sort the first `n` values with their weights; equal values keep their order."""
    if n > _SHORT:
        order = np.argsort(values[:n], kind="mergesort")
        values[:n] = values[:n][order]
        weights[:n] = weights[:n][order]
        return
    for k in range(1, n):
        value, weight = values[k], weights[k]
        j = k - 1
        while j >= 0 and values[j] > value:
            values[j + 1], weights[j + 1] = values[j], weights[j]
            j -= 1
        values[j + 1], weights[j + 1] = value, weight


@njit(nogil=True, cache=True)
def _window_mean(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    n: int,
    below: float,
    left: float,
    right: float,
) -> float:
    """Return the mean of the sorted values over a window of their summed weights."""
    done, result, used = below, 0.0, 0.0
    for k in range(n):
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
    return values[n - 1] if left >= done else values[0]


@njit(nogil=True, cache=True)
def merged_quantiles(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    quantiles: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write the quantiles as exactextract 0.3 defines them, equal values merged first.

    With distinct values in order and merged weights ``w``, value ``k`` of ``n`` (counted
    from 0) stands at ``k w[k] + (n - 1) (w[0] + ... + w[k - 1])``; between two values the
    quantile is interpolated linearly.
    """
    order = np.argsort(values, kind="mergesort")
    distinct = np.empty(values.size, np.float64)
    merged = np.empty(values.size, np.float64)
    n = 0
    for j in order:
        if n > 0 and values[j] == distinct[n - 1]:
            merged[n - 1] += weights[j]
        else:
            distinct[n], merged[n] = values[j], weights[j]
            n += 1
    places = np.empty(n, np.float64)
    done = 0.0
    for k in range(n):
        places[k] = k * merged[k] + (n - 1) * done
        done += merged[k]
    for q in range(quantiles.size):
        out[q] = _interpolate(places, distinct[:n], quantiles[q] * places[n - 1])


@njit(nogil=True, cache=True)
def _interpolate(places: NDArray[Any], values: NDArray[Any], place: float) -> float:
    """Return the value at `place`, linear between its neighbours."""
    if places.size == 1:
        return float(values[0])
    k = min(max(int(np.searchsorted(places, place)), 1), places.size - 1)
    span = places[k] - places[k - 1]
    share = 0.0 if span == 0.0 else min(max((place - places[k - 1]) / span, 0.0), 1.0)
    return float(values[k - 1] + share * (values[k] - values[k - 1]))
