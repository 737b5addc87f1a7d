"""Shapes that are simple enough to be sent and contain an area of any size and detail."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

MAX_VERTICES = 500
"""Vertices of one shape that is sent.

500 vertices are 20 kB of JSON, well below the request limits of web servers (1 MB in nginx).
"""

MAX_REQUESTS = 8
"""Shapes into which an area is cut at most; each is a search of its own."""

_FINEST = 64
"""Cells along each side of the grid that is tried first; then half as many, down to 8.

Of 8 by 8 cells, not even every second one has more than `MAX_VERTICES` vertices.
"""

_CELL = 0.05
"""Smallest cell, degrees: 5 km, small against a scene of 100 km and more."""

_WIDE = 16
"""A part that spans more cells than this is held against each of them."""

_POLYGONS = ("Polygon", "MultiPolygon", "Point", "MultiPoint", "LineString", "MultiLineString")


def outlines(parts: Any) -> tuple[shapely.Geometry, ...]:
    """Return shapes that together contain all `parts`.

    A small area is returned as it is. Any other becomes the outline of the grid cells that it
    meets, cut into several shapes where one would have too many vertices. No shape contains
    a cell that the area does not meet, so parts far from each other stay far from each other.
    """
    if int(shapely.get_num_coordinates(parts).sum()) <= MAX_VERTICES:
        exact = shapely.union_all(parts)
        if exact.geom_type in _POLYGONS:
            return (exact,)
        return (shapely.convex_hull(exact),)
    number = _FINEST
    while True:
        shapes = _cut(_met_cells(parts, number))
        if len(shapes) <= MAX_REQUESTS or number <= 8:
            return tuple(shapes)
        number //= 2


def _met_cells(parts: Any, number: int) -> npt.NDArray[np.object_]:
    """Return the cells of a grid over `parts` that share a point with any of them."""
    west, south, east, north = shapely.total_bounds(parts)
    x, y = _edges(west, east, number), _edges(south, north, number)
    columns, rows = np.meshgrid(np.arange(len(x) - 1), np.arange(len(y) - 1), indexing="ij")
    cells = shapely.box(x[columns], y[rows], x[columns + 1], y[rows + 1])
    sides = shapely.bounds(parts).T
    first_x, last_x = _cell(x, sides[0]), _cell(x, sides[2])
    first_y, last_y = _cell(y, sides[1]), _cell(y, sides[3])
    wide = (last_x - first_x + 1) * (last_y - first_y + 1) > _WIDE
    small = [index[~wide] for index in (first_x, last_x, first_y, last_y)]
    met = _covered(cells.shape, *small)
    if wide.any():
        found = shapely.STRtree(cells.ravel()).query(parts[wide], predicate="intersects")[1]
        met.ravel()[found] = True
    return cells[met]


def _edges(low: float, high: float, number: int) -> npt.NDArray[np.float64]:
    if high - low < _CELL:  # an area may be a point or a line
        middle = (low + high) / 2
        low, high = min(low, middle - _CELL / 2), max(high, middle + _CELL / 2)
    return np.linspace(low, high, min(number, max(1, round((high - low) / _CELL))) + 1)


def _cell(edges: Any, side: Any) -> Any:
    """Return the cell that holds a side; cells are closed, a border is the lower one's."""
    return np.clip(np.searchsorted(edges, side, side="left") - 1, 0, len(edges) - 2)


def _covered(shape: tuple[int, ...], x0: Any, x1: Any, y0: Any, y1: Any) -> Any:
    """Mark every cell of ranges x0 … x1 by y0 … y1, whatever their number."""
    steps = np.zeros((shape[0] + 1, shape[1] + 1), dtype=np.int64)
    for x, y, sign in ((x0, y0, 1), (x1 + 1, y0, -1), (x0, y1 + 1, -1), (x1 + 1, y1 + 1, 1)):
        np.add.at(steps, (x, y), sign)
    return steps.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0


def _cut(cells: Any) -> list[shapely.Geometry]:
    # cells share their corners to the bit, so nothing is lost between them
    shape = shapely.simplify(shapely.union_all(cells), 0)
    if shapely.get_num_coordinates(shape) <= MAX_VERTICES:
        return [shape]
    middles = shapely.bounds(cells).reshape(-1, 2, 2).mean(axis=1)
    axis = int(np.argmax(np.ptp(middles, axis=0)))
    order = np.argsort(middles[:, axis], kind="stable")
    half = len(order) // 2
    return [*_cut(cells[order[:half]]), *_cut(cells[order[half:]])]
