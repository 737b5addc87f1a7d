"""Sums that hold all of the numbers of agreement, made block by block and merged without loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIELDS = ("n", "a", "b", "d", "aa", "bb", "ab", "dd", "abs", "within", "low", "high")
"""Columns of moments: pairs, means of a, b and b - a, sums of squares and of products around these
means, sum of absolute differences, pairs within the tolerance, and lowest and highest a."""

_N, _A, _B, _D, _AA, _BB, _AB, _DD, _ABS, _WITHIN, _LOW, _HIGH = range(len(FIELDS))
_MEANS = (_A, _B, _D)
_SQUARES = {_AA: (_A, _A), _BB: (_B, _B), _AB: (_A, _B), _DD: (_D, _D)}
_EMPTY = {_LOW: np.inf, _HIGH: -np.inf}

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


def moments_of(a: _Floats, b: _Floats, groups: _Ints, *, count: int, limit: float) -> _Floats:
    """Return the moments of (pass, parcel) by group of parcels, (pass, group, field).

    Deviations are taken from the mean of each group, not from zero, so that a shift without
    scatter leaves no scatter, and merging loses no digits (Chan, Golub and LeVeque, "Algorithms
    for computing the sample variance", The American Statistician 37, 1983).

    Parameters
    ----------
    a, b
        Paired values; NaN in either is no pair.
    groups
        Group of each parcel, from 0.
    count
        Number of groups.
    limit
        Tolerance of the differences.
    """
    order = np.argsort(groups, kind="stable")
    present, starts = np.unique(groups[order], return_index=True)
    result = np.zeros((len(a), count, len(FIELDS)))
    for field, value in _EMPTY.items():
        result[..., field] = value
    if not present.size:
        return result
    place = np.searchsorted(present, groups[order])
    a, b = a[:, order], b[:, order]
    d = b - a
    both = np.isfinite(d)

    def total(values: _Floats | NDArray[np.bool_]) -> _Floats:
        return np.asarray(np.add.reduceat(np.where(both, values, 0.0), starts, axis=1))

    part = np.zeros((len(a), len(present), len(FIELDS)))
    part[..., _N] = n = total(both)
    some = np.maximum(n, 1)
    off = {}
    for field, values in zip(_MEANS, (a, b, d), strict=True):
        part[..., field] = total(values) / some
        off[field] = values - part[..., field][:, place]
    for field, (one, other) in _SQUARES.items():
        part[..., field] = total(off[one] * off[other])
    part[..., _ABS] = total(np.abs(d))
    part[..., _WITHIN] = total(np.abs(d) <= limit)
    part[..., _LOW] = np.minimum.reduceat(np.where(both, a, np.inf), starts, axis=1)
    part[..., _HIGH] = np.maximum.reduceat(np.where(both, a, -np.inf), starts, axis=1)
    result[:, present] = part
    return result


def merge(moments: _Floats, groups: _Ints, count: int) -> _Floats:
    """Merge rows of moments into groups, (count, field); the order of rows is of no matter.

    Parameters
    ----------
    moments
        Rows of `FIELDS`.
    groups
        Group of each row, from 0.
    count
        Number of groups.
    """
    result = np.zeros((count, len(FIELDS)))

    def total(values: _Floats) -> _Floats:
        return np.asarray(np.bincount(groups, weights=values, minlength=count), dtype="float64")

    n = moments[:, _N]
    result[:, _N] = total(n)
    some = np.maximum(result[:, _N], 1)
    off = {}
    for field in _MEANS:
        result[:, field] = total(n * moments[:, field]) / some
        off[field] = moments[:, field] - result[groups, field]
    for field, (one, other) in _SQUARES.items():
        result[:, field] = total(moments[:, field] + n * off[one] * off[other])
    for field in (_ABS, _WITHIN):
        result[:, field] = total(moments[:, field])
    for field, choose in ((_LOW, np.minimum), (_HIGH, np.maximum)):
        result[:, field] = _EMPTY[field]
        choose.at(result[:, field], groups, moments[:, field])
    return result


def weighted(moments: _Floats, weights: _Floats) -> _Floats:
    """Return the moments of rows that count several times, (draw, field).

    Parameters
    ----------
    moments
        Rows of `FIELDS`.
    weights
        How often each row counts in each draw, (draw, row).
    """
    whole = merge(moments, np.zeros(len(moments), dtype="int64"), 1)[0]
    n = moments[:, _N]
    result = np.tile(whole, (len(weights), 1))
    result[:, _N] = weights @ n
    some = np.maximum(result[:, _N], 1)
    # Around the mean of all rows, which the mean of any draw is near: no digits are lost.
    off = {field: moments[:, field] - whole[field] for field in _MEANS}
    shift = {field: (weights @ (n * off[field])) / some for field in _MEANS}
    for field in _MEANS:
        result[:, field] = whole[field] + shift[field]
    for field, (one, other) in _SQUARES.items():
        sums = weights @ (moments[:, field] + n * off[one] * off[other])
        result[:, field] = sums - result[:, _N] * shift[one] * shift[other]
    result[:, _ABS] = weights @ moments[:, _ABS]
    result[:, _WITHIN] = weights @ moments[:, _WITHIN]
    for field in (_AA, _BB, _DD):
        result[:, field] = np.maximum(result[:, field], 0)
    return result
