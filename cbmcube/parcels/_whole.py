"""Count the cells of a lattice that lie wholly inside polygons, compiled.

The signed area of each cell between a polygon's edges and its right border is summed edge by edge;
from left to right, the sums are the share of each cell that the polygon covers. Where rounding
could decide, the polygon is reported instead, and the caller asks exactextract.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cbmcube._compiled import compiled

SURE = (1.0 - 1.2e-6, 1.0 - 0.8e-6)
"""A cell of which no more than the first is covered is not whole; from the second on it is.

Between them lies the limit of a whole cell, 1 - 1e-6. exactextract compares to it in single
precision, whose neighbouring numbers near 1 are 6e-8 apart; a margin of three of them is kept.
"""

MOST_CELLS = 2**24
"""Cells around one polygon that are held at a time: 128 MiB, a square of 41 km at 10 m."""


def whole_cells(
    polygons: NDArray[Any], spacing: float
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Count the cells wholly inside each polygon, on the lattice through the origin.

    Parameters
    ----------
    polygons
        Valid polygons, none of them missing or empty.
    spacing
        Side of a cell, in the units of the polygons.

    Returns
    -------
    counts, doubtful
        The number of whole cells; and the polygons that are too large, or some cell of which
        is so nearly whole that rounding decides, whose number means nothing.
    """
    parts, owner = shapely.get_parts(polygons, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    points = points / spacing
    bounds = shapely.bounds(polygons) / spacing
    first = np.floor(bounds[:, :2])
    # One cell more than the polygon meets: what lies on its border goes there.
    size = np.floor(bounds[:, 2:]) - first + 2.0
    # Also true for NaN.
    large = ~(size.prod(axis=1) <= MOST_CELLS)
    counts, doubtful = np.zeros(polygons.size, np.int32), large.copy()
    _count(
        points,
        np.searchsorted(ring, np.arange(rings.size + 1)),
        np.diff(part, prepend=-1) > 0,
        np.searchsorted(owner[part], np.arange(polygons.size + 1)),
        first,
        np.where(large[:, None], 0.0, size).astype(np.int64),
        counts,
        doubtful,
    )
    return counts, doubtful


@compiled
def _count(
    points: NDArray[np.float64],
    ring_starts: NDArray[np.int64],
    outer: NDArray[np.bool_],
    polygon_starts: NDArray[np.int64],
    first: NDArray[np.float64],
    size: NDArray[np.int64],
    counts: NDArray[np.int32],
    doubtful: NDArray[np.bool_],
) -> None:
    cells = np.zeros(1024)
    for p in range(counts.size):
        if doubtful[p]:
            continue
        columns, rows = size[p, 0], size[p, 1]
        if columns * rows > cells.size:
            cells = np.zeros(2 * columns * rows)
        shares = cells[: columns * rows].reshape(rows, columns)
        for r in range(polygon_starts[p], polygon_starts[p + 1]):
            start, end = ring_starts[r], ring_starts[r + 1]
            sign = 1.0 if _counterclockwise(points, start, end) == outer[r] else -1.0
            for k in range(start, end - 1):
                _add_edge(
                    shares,
                    sign,
                    points[k, 0] - first[p, 0],
                    points[k, 1] - first[p, 1],
                    points[k + 1, 0] - first[p, 0],
                    points[k + 1, 1] - first[p, 1],
                )
        counts[p], doubtful[p] = _whole(shares)


@compiled
def _counterclockwise(points: NDArray[np.float64], start: int, end: int) -> bool:
    twice = 0.0
    x, y = points[start, 0], points[start, 1]
    for k in range(start, end - 1):
        twice += (points[k, 0] - x) * (points[k + 1, 1] - y)
        twice -= (points[k + 1, 0] - x) * (points[k, 1] - y)
    return twice >= 0.0


@compiled
def _add_edge(
    shares: NDArray[np.float64], sign: float, x0: float, y0: float, x1: float, y1: float
) -> None:
    """Add what an edge bounds, row by row; a level one bounds nothing to its right."""
    if y0 == y1:
        return
    if y0 < y1:  # on the right side of its polygon
        sign = -sign
    else:
        x0, y0, x1, y1 = x1, y1, x0, y0
    slope = (x1 - x0) / (y1 - y0)
    low, left = y0, x0
    row = math.floor(y0)
    while low < y1:
        high = min(y1, row + 1.0)
        right = x1 if high == y1 else x0 + (high - y0) * slope
        right = min(max(right, min(x0, x1)), max(x0, x1))
        _add_piece(shares[row], sign * (high - low), min(left, right), max(left, right))
        low, left = high, right
        row += 1


@compiled
def _add_piece(row: NDArray[np.float64], height: float, left: float, right: float) -> None:
    """Add what a piece of an edge within one row bounds, column by column."""
    column, last = math.floor(left), math.floor(right)
    if column == last:
        middle = (left + right) / 2.0 - column
        row[column] += height * (1.0 - middle)
        row[column + 1] += height * middle
        return
    rate = height / (right - left)
    begin = left
    while begin < right:
        end = min(right, column + 1.0)
        part = rate * (end - begin)
        middle = (begin + end) / 2.0 - column
        row[column] += part * (1.0 - middle)
        row[column + 1] += part * middle
        begin = end
        column += 1


@compiled
def _whole(shares: NDArray[np.float64]) -> tuple[int, bool]:
    """Count whole cells and leave zeros behind; tell whether one of them is doubtful."""
    counted, doubtful = 0, False
    for row in range(shares.shape[0]):
        share = 0.0
        for column in range(shares.shape[1]):
            share += shares[row, column]
            shares[row, column] = 0.0
            if share >= SURE[1]:
                counted += 1
            elif share > SURE[0]:
                doubtful = True
    return counted, doubtful
