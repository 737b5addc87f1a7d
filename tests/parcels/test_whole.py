"""Whole cells inside polygons, against cells that shapely makes, and against exactextract."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from cbmcube.parcels import _pixels, _whole
from cbmcube.parcels._pixels import _count_exactly, count_whole
from cbmcube.parcels._whole import whole_cells

X, Y = 600_000.0, 6_200_000.0


def both(shapes, spacing=10.0):
    polygons = np.array(shapes, dtype=object)
    counts, doubtful = whole_cells(polygons, spacing)
    exact = _count_exactly(polygons, spacing)
    return counts, doubtful, exact


def brute(shape, spacing=10.0):
    """Cells of which a polygon leaves at most 1e-6, made one by one."""
    west, south, east, north = np.floor(np.array(shape.bounds) / spacing).astype(int)
    columns, rows = np.meshgrid(np.arange(west, east + 1), np.arange(south, north + 1))
    corners = np.stack([columns.ravel(), rows.ravel()], axis=1) * spacing
    cells = shapely.box(*corners.T, *(corners + spacing).T)
    missing = 1.0 - shapely.area(shapely.intersection(shape, cells)) / spacing**2
    return int((missing <= 1e-6).sum())


# Tenths of a millimetre: with coordinates such as 1e-36, GEOS intersects wrongly itself.
corner = st.integers(-600_000, 600_000).map(lambda grains: grains / 10_000)
triangle = st.lists(st.tuples(corner, corner), min_size=3, max_size=3)


def valid(corners):
    shape = shapely.make_valid(shapely.Polygon(corners), method="structure", keep_collapsed=False)
    return shape if shape.geom_type in ("Polygon", "MultiPolygon") else shapely.Polygon()


class TestAgreement:
    @given(
        pieces=st.lists(triangle, min_size=1, max_size=4),
        holes=st.lists(triangle, max_size=2),
        spacing=st.sampled_from([1.0, 2.5, 10.0, 20.0]),
        shift=st.sampled_from([(0.0, 0.0), (X, Y), (-X, -Y), (0.1, 7.3)]),
    )
    @settings(deadline=None)
    def test_holes_and_parts(self, pieces, holes, spacing, shift):
        ground = shapely.union_all([valid(one) for one in pieces])
        ground = shapely.difference(ground, shapely.union_all([valid(one) for one in holes]))
        ground = affinity.translate(ground, *shift)
        if ground.is_empty or not ground.is_valid or "Polygon" not in ground.geom_type:
            return
        counts, doubtful = whole_cells(np.array([ground], object), spacing)
        assert doubtful[0] or counts[0] == brute(ground, spacing)

    @given(
        sides=st.tuples(*[st.integers(-6, 6)] * 4),
        shift=st.sampled_from([0.0, 1e-9, -1e-9, 1e-6, 1e-5, -1e-5, 1e-4, 0.5]),
    )
    @settings(deadline=None)
    def test_sides_on_the_lattice_and_next_to_it(self, sides, shift):
        west, east = sorted(sides[:2])
        south, north = sorted(sides[2:])
        if west == east or south == north:
            return
        box = affinity.translate(
            shapely.box(X + 10 * west, Y + 10 * south, X + 10 * east, Y + 10 * north), shift, shift
        )
        found = count_whole(np.array([box], object), 10.0)
        assert found == _count_exactly(np.array([box], object), 10.0)

    def test_many_fields(self):
        rng = np.random.default_rng(8)
        middles = rng.uniform((X, Y), (X + 30_000, Y + 30_000), (1500, 2))
        fields = shapely.buffer(shapely.points(middles), rng.uniform(5, 300, 1500), quad_segs=4)
        turns = rng.uniform(0, 90, 1500)
        turned = [affinity.rotate(one, turn) for one, turn in zip(fields, turns, strict=True)]
        counts, doubtful, exact = both(turned)
        assert (counts == exact)[~doubtful].all()
        assert doubtful.mean() < 0.05
        assert (count_whole(np.array(turned, object), 10.0) == exact).all()
        assert exact.max() > 1000

    @pytest.mark.parametrize("turn", [0, 17.0, 45.0, 90.0])
    def test_cells_that_shapely_covers(self, turn):
        ring = [(X + 1, Y + 2), (X + 333, Y + 40), (X + 290, Y + 311), (X + 60, Y + 250)]
        hole = [(X + 100, Y + 100), (X + 180, Y + 110), (X + 150, Y + 170)]
        field = affinity.rotate(shapely.Polygon(ring, [hole]), turn)
        counts, doubtful = whole_cells(np.array([field]), 10.0)
        assert not doubtful.any()
        assert counts[0] == brute(field) > 300


class TestDirections:
    def test_rings_may_run_either_way(self):
        shell = [(X, Y), (X + 205, Y), (X + 205, Y + 95), (X, Y + 95)]
        hole = [(X + 20, Y + 20), (X + 60, Y + 20), (X + 60, Y + 60), (X + 20, Y + 60)]
        found = [
            whole_cells(np.array([shapely.Polygon(a, [b])]), 10.0)[0][0]
            for a in (shell, shell[::-1])
            for b in (hole, hole[::-1])
        ]
        assert found == [20 * 9 - 16] * 4


class TestDoubt:
    """1 - 1e-6 is the limit: a corner of 1 cm2 is missing from a cell of 100 m2."""

    @pytest.mark.parametrize(
        ("missing", "sure"), [(0.5e-6, True), (1e-6, False), (1.1e-6, False), (2e-6, True)]
    )
    def test_only_next_to_the_limit(self, missing, sure):
        leg = np.sqrt(2 * missing) * 10.0
        field = shapely.Polygon([(leg, 0), (10, 0), (10, 10), (0, 10), (0, leg)])
        counts, doubtful, exact = both([field])
        assert doubtful[0] == (not sure)
        assert not sure or counts[0] == exact[0] == (missing < 1e-6)

    def test_decided_by_exactextract(self, monkeypatch):
        leg = np.sqrt(2 * 1.1e-6) * 10.0
        near = shapely.Polygon([(leg, 0), (10, 0), (10, 10), (0, 10), (0, leg)])
        asked = []

        def ask(polygons, spacing):
            asked.append(len(polygons))
            return _count_exactly(polygons, spacing)

        monkeypatch.setattr(_pixels, "_count_exactly", ask)
        field = shapely.box(0, 0, 50, 30)
        found = count_whole(np.array([field, near, None, shapely.Polygon(), field]), 10.0)
        assert found.tolist() == [15, 0, 0, 0, 15]
        assert asked == [1]

    def test_large_polygons_are_left_to_exactextract(self, monkeypatch):
        monkeypatch.setattr(_whole, "MOST_CELLS", 100)
        shapes = np.array([shapely.box(0, 0, 200, 200), shapely.box(0, 0, 50, 30)])
        counts, doubtful = whole_cells(shapes, 10.0)
        assert doubtful.tolist() == [True, False]
        assert counts[1] == 15
        assert count_whole(shapes, 10.0).tolist() == [400, 15]

    def test_a_spike_without_width(self):
        """exactextract 0.3.0 counts three cells along the spike, which has no area."""
        field = shapely.Polygon([(0.9, 0.1), (9, 1), (0, 0), (0, 1), (0.9, 0.1)])
        assert field.is_valid
        assert field.area == pytest.approx(0.45)
        assert count_whole(np.array([field]), 1.0).tolist() == [0]

    def test_a_sliver_far_into_a_cell(self):
        """A cut of 1 mm through a field's cells takes 1e-4 of each: none of them is whole."""
        cut = shapely.box(X - 1, Y + 5, X + 95, Y + 5.001)
        field = shapely.difference(shapely.box(X, Y, X + 100, Y + 30), cut)
        counts, _, exact = both([field])
        assert counts[0] == exact[0] == 20
