"""Drops of daily series as triangles: from a maximum over a minimum to a maximum; compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube._compiled import compiled

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@compiled
def find_triangles(
    values: _Floats, lowest: int, passes: int, limit: float, kept: _Ints, number: _Ints
) -> None:
    """Find the triangles of each series, in order of time.

    Parameters
    ----------
    values
        (parcel, day); NaN parts a series into stretches, each of which has its own ends.
    lowest
        How many minima of a series count: the lowest ones, the earlier of equals.
    passes, limit
        How often neighbours that share a maximum are looked at, and the angles in degrees below
        which two become one.
    kept
        (parcel, lowest, 3): filled with the days of left maximum, minimum and right maximum.
    number
        (parcel): filled with the number of triangles.
    """
    parcels, days = values.shape
    minima = np.empty((days, 3), np.int64)
    for parcel in range(parcels):
        series = values[parcel]
        found = 0
        first = 0
        while first < days:
            if np.isnan(series[first]):
                first += 1
                continue
            last = first
            while last + 1 < days and not np.isnan(series[last + 1]):
                last += 1
            found = _stretch(series, first, last, minima, found)
            first = last + 1
        count = _keep_lowest(series, minima, found, lowest, kept[parcel])
        for _ in range(passes):
            count = _merge(series, kept[parcel], count, limit)
        number[parcel] = count


@compiled
def _stretch(series: _Floats, first: int, last: int, minima: _Ints, found: int) -> int:
    """Add the minima of one stretch, each with the nearest maxima or the ends of the stretch.

    A plateau counts once, at its middle; one at an end of the stretch is no minimum or maximum.
    """
    left = first
    waiting = -1  # the minimum whose right maximum has not come yet
    falls = False
    day = first
    while day <= last:
        end = day
        while end < last and series[end + 1] == series[day]:
            end += 1
        middle = (day + end) // 2
        inner = day > first and end < last
        rises = inner and series[end + 1] > series[day]
        if inner and falls and rises:
            minima[found] = (left, middle, last)
            waiting = found
            found += 1
        if inner and not falls and not rises:
            if waiting >= 0:
                minima[waiting, 2] = middle
            left, waiting = middle, -1
        if end < last:
            falls = series[end + 1] < series[day]
        day = end + 1
    return found


@compiled
def _keep_lowest(series: _Floats, minima: _Ints, found: int, lowest: int, kept: _Ints) -> int:
    """Copy the lowest minima, in order of time."""
    count = min(found, lowest)
    if found <= lowest:
        kept[:found] = minima[:found]
        return count
    order = np.argsort(series[minima[:found, 1]], kind="mergesort")  # equal ones stay in order
    for k, position in enumerate(np.sort(order[:lowest])):
        kept[k] = minima[position]
    return count


@compiled
def _merge(series: _Floats, kept: _Ints, count: int, limit: float) -> int:
    """Join neighbours over a low shared maximum, from the left, each at most once."""
    result = 0
    k = 0
    while k < count:
        if k + 1 < count and _is_one(series, kept[k], kept[k + 1], limit):
            low = kept[k, 1] if series[kept[k, 1]] <= series[kept[k + 1, 1]] else kept[k + 1, 1]
            kept[result] = (kept[k, 0], low, kept[k + 1, 2])
            k += 2
        else:
            kept[result] = kept[k]
            k += 1
        result += 1
    return result


@compiled
def _is_one(series: _Floats, one: _Ints, two: _Ints, limit: float) -> bool:
    """Tell whether the maximum between two triangles is so low that they are one."""
    if one[2] != two[0]:
        return False
    left, shared, right = series[one[0]], series[one[2]], series[two[2]]
    first = _angle(left, shared, series[one[1]])
    second = _angle(right, shared, series[two[1]])
    return first + second < limit


@compiled
def _angle(outer: float, shared: float, low: float) -> float:
    """Return the angle in degrees that one side gives the shared maximum: 90 where level."""
    if outer < shared:
        return float(90 + np.degrees(np.arcsin((shared - outer) / (shared - low))))
    return float(np.degrees(np.arccos((outer - shared) / (outer - low))))


def corners(
    values: _Floats, *, lowest: int, passes: int, limit: float
) -> tuple[_Ints, _Ints, _Ints, _Ints]:
    """Return parcel, left, minimum and right of every triangle of (day, parcel) series.

    Triangles come by parcel and time.
    """
    parcels = values.shape[1]
    kept = np.zeros((parcels, lowest, 3), np.int64)
    number = np.zeros(parcels, np.int64)
    find_triangles(np.ascontiguousarray(values.T), lowest, passes, limit, kept, number)
    parcel, place = np.nonzero(np.arange(lowest) < number[:, None])
    corners: Any = kept[parcel, place]
    return parcel, corners[:, 0], corners[:, 1], corners[:, 2]
