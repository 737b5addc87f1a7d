"""The nearest parcels by the distance between edges, exact and for many parcels at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_CELLS = 1_000_000  # candidates at work at once, of some 100 bytes each
_FIRST = 1.5  # candidates for each peer at the first try; rows that need more get more
_SMALLEST = 64.0  # metres: parcels up to this size are searched together
_SLACK = 1e-6  # metres, against the last bit of bounds that are computed in another way


@dataclass(frozen=True, slots=True)
class Shapes:
    """Parcels with what bounds the distance between two of them.

    A parcel lies inside a circle around its anchor and, if it is an area, contains another
    one. The distance between edges lies between the distances of these circles, so that few
    pairs need the exact one.
    """

    geometry: NDArray[Any]
    """Geometries in metres, none missing or empty."""
    anchor: _Floats
    """A point of each: the centroid if it is inside. (parcel, 2)."""
    outer: _Floats
    """Radius of the circle around it."""
    inner: _Floats
    """Radius of the circle inside it; 0 for points and lines."""
    key: _Ints
    """A number for each parcel that does not depend on their order; it breaks ties."""

    @classmethod
    def of(cls, geometry: NDArray[Any], key: _Ints) -> Shapes:
        """Measure geometries."""
        point = shapely.centroid(geometry)
        outside = ~shapely.intersects(geometry, point)
        point[outside] = shapely.point_on_surface(geometry[outside])
        anchor = shapely.get_coordinates(point)
        vertices, owner = shapely.get_coordinates(geometry, return_index=True)
        outer = np.zeros(len(geometry))
        np.maximum.at(outer, owner, np.hypot(*(vertices - anchor[owner]).T))
        inner = np.zeros(len(geometry))
        areas = shapely.get_dimensions(geometry) == 2
        inner[areas] = shapely.distance(point[areas], shapely.boundary(geometry[areas]))
        return cls(geometry, anchor, outer, np.nan_to_num(inner), key)

    def apart(self, one: _Ints, other: _Ints) -> _Floats:
        """Return the distance between the edges of parcels, pair by pair; 0 if they meet."""
        return np.asarray(shapely.distance(self.geometry[one], self.geometry[other]))


@dataclass(frozen=True, slots=True)
class Search:
    """How many neighbours are wanted, and how far away."""

    number: int
    least: int
    radii: tuple[float, ...]


class Pool:
    """Parcels that may be peers.

    They are kept by size: what is not among the nearest anchors may still have a near edge, but
    no nearer than the largest parcel of its kind allows, and a single huge one must not make
    the search among small ones long.
    """

    def __init__(self, shapes: Shapes, members: _Ints) -> None:
        self.shapes = shapes
        kind = np.ceil(np.log2(np.maximum(shapes.outer[members] / _SMALLEST, 1.0)))
        self.kinds = [members[kind == one] for one in np.unique(kind)]
        self.trees = [cKDTree(shapes.anchor[kind]) for kind in self.kinds]

    def nearest(self, rows: _Ints, search: Search) -> tuple[_Ints, _Floats]:
        """Return each row's nearest members, itself left out, and the radius they lie within.

        Returns
        -------
        tuple
            Parcels (row, search.number), in no particular order, with -1 at the end where
            there are fewer; and the first radius that holds enough, or the last one.
        """
        peers = np.full((rows.size, search.number), -1, np.int64)
        radius = np.full(rows.size, search.radii[-1])
        todo = np.arange(rows.size)
        tried = int(_FIRST * search.number) + 1
        while todo.size and self.trees:
            size = max(1, _CELLS // (tried * len(self.trees)))
            left = []
            for start in range(0, todo.size, size):
                part = todo[start : start + size]
                candidates = self._candidates(rows[part], tried, search)
                done = candidates.settled
                peers[part[done]], radius[part[done]] = candidates.choose(self.shapes, search)
                left.append(part[~done])
            todo = np.concatenate(left)
            tried *= 2
        return peers, radius

    def _candidates(self, rows: _Ints, number: int, search: Search) -> _Candidates:
        """Return members with near anchors, and which rows need no more of them."""
        anchor, outer, inner = self.shapes.anchor[rows], self.shapes.outer, self.shapes.inner
        horizon = np.full(rows.size, np.inf)  # no other member has a nearer edge
        found, apart = [], []
        for kind, tree in zip(self.kinds, self.trees, strict=True):
            largest = outer[kind].max()
            reach = search.radii[-1] + outer[rows].max() + largest + 1.0
            wanted = np.arange(1, min(number, kind.size) + 1)
            distance, at = tree.query(anchor, k=wanted, distance_upper_bound=reach)
            if number < kind.size:  # infinite where fewer are within reach
                horizon = np.minimum(horizon, distance[:, -1] - outer[rows] - largest)
            found.append(kind[np.minimum(at, kind.size - 1)])
            apart.append(distance)
        member, distance = np.concatenate(found, axis=1), np.concatenate(apart, axis=1)
        distance[member == rows[:, None]] = np.inf
        low = np.maximum(distance - outer[rows, None] - outer[member], 0.0)
        high = np.maximum(distance - inner[rows, None] - inner[member], 0.0)
        limit = np.minimum(_smallest(high, search.number), search.radii[-1])
        settled = horizon > limit + _SLACK
        return _Candidates(
            rows[settled], member[settled], low[settled], high[settled], limit[settled], settled
        )


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Members that may be among the nearest, for the rows for which they suffice."""

    rows: _Ints
    member: _Ints
    low: _Floats
    high: _Floats
    limit: _Floats
    settled: NDArray[np.bool_]

    def choose(self, shapes: Shapes, search: Search) -> tuple[_Ints, _Floats]:
        """Return the nearest (row, number) and the radius."""
        distance = self._distances(shapes, search)
        order = np.lexsort((shapes.key[self.member], distance), axis=-1)[:, : search.number]
        distance = np.take_along_axis(distance, order, axis=1)
        within = np.stack([(distance <= radius).sum(axis=1) for radius in search.radii])
        enough = within >= search.least
        step = np.where(enough.any(axis=0), enough.argmax(axis=0), len(search.radii) - 1)
        radius = np.asarray(search.radii)[step]
        peers = np.full((self.rows.size, search.number), -1, np.int64)
        chosen = np.take_along_axis(self.member, order, axis=1)
        peers[:, : order.shape[1]] = np.where(distance <= radius[:, None], chosen, -1)
        return peers, radius

    def _distances(self, shapes: Shapes, search: Search) -> _Floats:
        """Return distances of edges, exact wherever that can decide who is among the nearest.

        Who surely is gets the upper bound, which is below that of all who might not be.
        """
        kth = _smallest(self.low, search.number)[:, None]
        near = np.isfinite(self.high) & (self.low <= self.limit[:, None] + _SLACK)
        unsure = self.high >= kth - _SLACK
        for radius in search.radii:
            unsure |= (self.low <= radius + _SLACK) & (self.high >= radius - _SLACK)
        distance = np.where(near, self.high, np.inf)
        row, column = np.nonzero(near & unsure)
        distance[row, column] = shapes.apart(self.rows[row], self.member[row, column])
        return distance


def _smallest(values: _Floats, number: int) -> _Floats:
    """Return the number-th smallest value of each row, infinite if there are fewer."""
    if values.shape[1] < number:
        return np.full(values.shape[0], np.inf)
    return np.asarray(np.partition(values, number - 1, axis=1)[:, number - 1])
