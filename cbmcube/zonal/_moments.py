"""Count, mean, spread and extremes of one parcel's values, compiled.

Sums are taken of distances from the parcel's first value: in one pass, without the
cancellation of plain sums of squares. With weights ``w`` that add up to ``W``, the relative
error of the variance is at most about ``(1 + W / w[0])`` roundings, because no value of a
sample lies further than ``sqrt(W / w[0])`` standard deviations from its mean.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cbmcube._compiled import compiled


@compiled
def write_moments(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    whole: int,
    out: NDArray[np.float64],
) -> tuple[float, bool]:
    """Write count, mean, std, min, max of values of which the first `whole` weigh 1.

    Returns
    -------
    squares
        Sum of the squared weights.
    usable
        Whether all sums are finite; if not, a value may be infinite or NaN.
    """
    shift = values[0]
    first, second = _whole_sums(values, whole, shift)
    total, squares = float(whole), float(whole)
    for k in range(whole, values.size):
        weight, distance = weights[k], values[k] - shift
        first += weight * distance
        second += weight * distance * distance
        total += weight
        squares += weight * weight
    low, high = _extremes(values)
    mean = first / total
    out[0] = total
    # Rounding must neither push a mean out of [min, max] nor give constants a spread.
    out[1] = min(max(shift + mean, low), high)
    out[2] = math.sqrt(max(second / total - mean * mean, 0.0))
    out[3], out[4] = low, high
    return squares, math.isfinite(second)


@compiled
def _whole_sums(values: NDArray[np.float64], whole: int, shift: float) -> tuple[float, float]:
    """Return the sums of distances from `shift` and of their squares.

    Four sums at a time let the processor work in parallel, in an order that is the same on
    every machine.
    """
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    e, f, g, h = 0.0, 0.0, 0.0, 0.0
    body = whole - whole % 4
    for k in range(0, body, 4):
        p, q = values[k] - shift, values[k + 1] - shift
        r, s = values[k + 2] - shift, values[k + 3] - shift
        a, b, c, d = a + p, b + q, c + r, d + s
        e, f, g, h = e + p * p, f + q * q, g + r * r, h + s * s
    for k in range(body, whole):
        p = values[k] - shift
        a, e = a + p, e + p * p
    return (a + b) + (c + d), (e + f) + (g + h)


@compiled
def _extremes(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lowest and the highest of finite values; a zero is positive.

    Four at a time, because the compiler keeps to one order of comparisons.
    """
    a, b, c, d = values[0], values[0], values[0], values[0]
    e, f, g, h = values[0], values[0], values[0], values[0]
    body = values.size - values.size % 4
    for k in range(0, body, 4):
        p, q, r, s = values[k], values[k + 1], values[k + 2], values[k + 3]
        a, b, c, d = min(a, p), min(b, q), min(c, r), min(d, s)
        e, f, g, h = max(e, p), max(f, q), max(g, r), max(h, s)
    for k in range(body, values.size):
        a, e = min(a, values[k]), max(e, values[k])
    return min(a, b, c, d) + 0.0, max(e, f, g, h) + 0.0
