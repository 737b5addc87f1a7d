"""Polygons as few large paths."""

from __future__ import annotations

import numpy as np
import shapely

from cbmcube.plotting.maps import _shapes
from cbmcube.plotting.maps._shapes import group_paths


def test_every_polygon_is_in_a_path_of_its_group(monkeypatch):
    monkeypatch.setattr(_shapes, "_PATH_PARTS", 7)
    rng = np.random.default_rng(3)
    left = np.arange(60) * 10.0
    shapes = shapely.box(left, 0, left + 8, 8)
    shapes[::4] = shapely.difference(shapes[::4], shapely.buffer(shapely.centroid(shapes[::4]), 2))
    group = rng.integers(-1, 4, 60)
    groups, paths = group_paths(shapes, group)
    assert (np.diff(groups) >= 0).all()
    for k, shape in enumerate(shapes):
        point = shape.representative_point().coords[0]
        inside = [g for g, path in zip(groups, paths, strict=True) if path.contains_point(point)]
        assert inside == ([group[k]] if group[k] >= 0 else [])
    rings = [np.count_nonzero(path.codes == 1) for path in paths]
    assert sum(rings) == sum(1 + len(s.interiors) for s in shapes[group >= 0])
    assert max(rings) <= 7 + 1  # a path ends with a whole polygon


def test_nothing_gives_no_path():
    assert group_paths(np.array([None, shapely.Polygon()], dtype=object), np.zeros(2, int))[1] == []
    assert group_paths(np.empty(0, dtype=object), np.empty(0, int))[1] == []
