"""Polygons as few large paths, so that a country of parcels is drawn in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

_PATH_PARTS = 4000
"""Rings of one path. The renderer sorts the edges of a path at once; far more would not fit."""
_FEW = 2000
"""Parcels up to which each has a visible edge."""


def group_paths(shapes: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, list[Any]]:
    """Return the paths of each group of polygons and the group of each path.

    Parameters
    ----------
    shapes
        Polygons and MultiPolygons; what is missing, empty or of another type is left out.
    group
        Number of the group of each shape; below 0 it is left out.

    Returns
    -------
    tuple
        Groups, and as many paths. Rings go round so that holes stay open and polygons that
        overlap add up.

    Examples
    --------
    >>> import numpy as np
    >>> import shapely
    >>> groups, paths = group_paths(shapely.box([0, 2, 4], 0, [1, 3, 5], 1), np.array([7, 7, -1]))
    >>> groups, len(paths[0])
    (array([7]), 10)
    """
    chosen = np.flatnonzero(group >= 0)
    parts, owner = shapely.get_parts(shapes[chosen], return_index=True)
    order = np.argsort(group[chosen][owner], kind="stable")
    # Counter-clockwise shells and clockwise holes: paths are filled by winding number.
    parts = shapely.orient_polygons(parts[order])
    rings, polygon = shapely.get_rings(parts, return_index=True)
    if not len(rings):
        return np.empty(0, dtype=int), []
    of_ring = group[chosen][owner][order][polygon]
    cuts = _cuts(of_ring, polygon)
    return of_ring[cuts[:-1]], _paths(rings, cuts)


def _cuts(of_ring: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Return where a path begins: at a new group, and at a polygon after so many rings."""
    new = np.flatnonzero(np.diff(of_ring)) + 1
    shells = np.flatnonzero(np.diff(polygon, prepend=-1))
    regular = shells[
        np.searchsorted(shells, np.arange(_PATH_PARTS, len(of_ring), _PATH_PARTS)).clip(
            max=len(shells) - 1
        )
    ]
    return np.unique(np.concatenate([[0], new, regular, [len(of_ring)]]))


def _paths(rings: np.ndarray, cuts: np.ndarray) -> list[Any]:
    from matplotlib.path import Path  # noqa: PLC0415 - an extra

    xy, ring = shapely.get_coordinates(rings, return_index=True)
    codes = np.full(len(xy), Path.LINETO, dtype=Path.code_type)
    first = np.flatnonzero(np.diff(ring, prepend=-1))
    codes[first] = Path.MOVETO
    codes[np.append(first[1:], len(xy)) - 1] = Path.CLOSEPOLY
    at = np.append(first, len(xy))[cuts]
    return [Path(xy[start:stop], codes[start:stop]) for start, stop in pairwise(at)]


def add_shapes(
    axis: Any, paths: Sequence[Any], colours: Any, *, many: int, hatch: str | None = None
) -> None:
    """Add paths in their colours to an axes, as pixels in files of vector graphics.

    Parameters
    ----------
    many
        Number of parcels on the map. Few are parted by light grey edges. Many are smaller than a
        pixel: an edge in their own colour keeps them from fading into the paper.
    """
    from matplotlib.collections import PathCollection  # noqa: PLC0415 - an extra

    few = many <= _FEW
    edge = "#9A9A9A" if hatch else "#C4C4C4"  # seen on white paper, and beside dark colours
    axis.add_collection(
        PathCollection(
            paths,
            facecolors=colours,
            edgecolors=edge if few or hatch else colours,
            linewidths=0.5 if few else 0.3,
            hatch=hatch,
            rasterized=True,
        ),
        autolim=False,
    )
