"""Loops over the days of series, compiled; they know neither Dask nor xarray.

Arrays are (day, parcel). Some neighbouring parcels are treated together, so that memory is read in
the order in which it lies; no parcel's numbers depend on another's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cbmcube._compiled import compiled

_Floats = NDArray[np.float64]

_TOGETHER = 64  # parcels: what is known of each while its days pass fits into the nearest cache


@compiled
def neighbours(value: _Floats, before: NDArray[np.int32], after: NDArray[np.int32]) -> None:
    """Write the day of the last number up to each day, or -1, and of the next from it on.

    Parameters
    ----------
    value
        Numbers, NaN on days without.
    before, after
        What is written; the number of days where no number follows.
    """
    days, parcels = value.shape
    for p in range(parcels):
        before[0, p] = 0 if np.isfinite(value[0, p]) else -1
        after[days - 1, p] = days - 1 if np.isfinite(value[days - 1, p]) else days
    for i in range(1, days):
        back = days - 1 - i
        for p in range(parcels):
            before[i, p] = i if np.isfinite(value[i, p]) else before[i - 1, p]
            after[back, p] = back if np.isfinite(value[back, p]) else after[back + 1, p]


@compiled
def lines(
    value: _Floats,
    before: NDArray[np.int32],
    after: NDArray[np.int32],
    inside: NDArray[np.bool_],
) -> _Floats:
    """Return straight lines between neighbouring numbers, NaN outside stretches."""
    days, parcels = value.shape
    line = np.full((days, parcels), np.nan)
    for i in range(days):
        for p in range(parcels):
            if inside[i, p]:
                b, a = before[i, p], after[i, p]
                low, apart = value[b, p], max(a - b, 1)
                line[i, p] = low + (value[a, p] - low) * ((i - b) / apart)
    return line


@compiled
def whittaker(value: _Floats, inside: NDArray[np.bool_], penalty: float) -> _Floats:
    """Solve Whittaker's equations of each stretch, NaN outside.

    Parameters
    ----------
    value
        Observations, NaN on days without.
    inside
        Days that belong to a stretch.
    penalty
        Lambda.
    """
    days, parcels = value.shape
    smooth = np.empty((days, parcels))
    # Row i + 2 is day i, after two of zeros.
    pivot, one, two, work = (
        np.zeros((days + 2, _TOGETHER)),
        np.zeros((days + 2, _TOGETHER)),
        np.zeros((days + 2, _TOGETHER)),
        np.zeros((days + 2, _TOGETHER)),
    )
    rough = np.zeros((days + 4, _TOGETHER))
    for first in range(0, parcels, _TOGETHER):
        some = min(_TOGETHER, parcels - first)
        for i in range(2, days):
            for k in range(some):
                p = first + k
                whole = inside[i, p] and inside[i - 1, p] and inside[i - 2, p]
                rough[i, k] = penalty if whole else 0.0
        _eliminate(value[:, first:], inside[:, first:], some, rough, pivot, one, two, work)
        for i in range(days - 1, -1, -1):
            for k in range(some):
                behind = 0.0
                if i + 1 < days:
                    behind += one[i + 2, k] * work[i + 3, k]
                if i + 2 < days:
                    behind += two[i + 2, k] * work[i + 4, k]
                work[i + 2, k] = work[i + 2, k] / pivot[i + 2, k] - behind
                smooth[i, first + k] = work[i + 2, k] if inside[i, first + k] else np.nan
    return smooth


@compiled
def _eliminate(
    value: _Floats,
    inside: NDArray[np.bool_],
    some: int,
    rough: _Floats,
    pivot: _Floats,
    one: _Floats,
    two: _Floats,
    work: _Floats,
) -> None:
    """Factor the equations of some parcels (L D L') and solve the first half, day by day."""
    for i in range(value.shape[0]):
        for k in range(some):
            seen = inside[i, k] and np.isfinite(value[i, k])
            diagonal = rough[i, k] + 4 * rough[i + 1, k] + rough[i + 2, k]
            diagonal += 1.0 if seen or not inside[i, k] else 0.0
            beside = -2 * (rough[i + 1, k] + rough[i + 2, k])
            j = i + 2
            pivot[j, k] = (
                diagonal
                - pivot[j - 1, k] * one[j - 1, k] ** 2
                - pivot[j - 2, k] * two[j - 2, k] ** 2
            )
            one[j, k] = (beside - pivot[j - 1, k] * one[j - 1, k] * two[j - 1, k]) / pivot[j, k]
            two[j, k] = rough[i + 2, k] / pivot[j, k]
            known = value[i, k] if seen else 0.0
            work[j, k] = known - one[j - 1, k] * work[j - 1, k] - two[j - 2, k] * work[j - 2, k]
