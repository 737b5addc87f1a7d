"""The nearest parcels, against all distances computed one by one."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.learning import _peers
from cbmcube.learning._peers import Pool, Search, Shapes


def country(seed, number, *, huge=0.05, points=0.0, lattice=False):
    """Polygons of any form and size, some of them overlapping, ring-shaped or in two parts."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(0, 4000, (number, 2))
    if lattice:
        centre = np.round(centre / 500) * 500
    shapes = []
    for x, y in centre:
        size = rng.lognormal(4, 0.6) * (30 if rng.uniform() < huge else 1)
        angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 12)))
        radius = size * rng.uniform(0.2, 1, angle.size)
        ring = shapely.Polygon(
            np.c_[x + radius * np.cos(angle), y + radius * np.sin(angle)]
        ).buffer(0)
        kind = rng.uniform()
        if kind < points:
            ring = shapely.Point(x, y)
        elif kind < 0.1 + points:
            ring = shapely.Point(x, y).buffer(size).difference(shapely.Point(x, y).buffer(size / 2))
        elif kind < 0.2 + points:
            ring = ring.union(shapely.box(x + 3 * size, y, x + 4 * size, y + size))
        shapes.append(shapely.Point(x, y) if ring.is_empty else ring)
    if lattice:  # squares of one size: most distances occur many times
        shapes = [shapely.box(x, y, x + 100, y + 100) for x, y in centre]
    return np.array(shapes, dtype=object)


def by_hand(shapes, key, members, row, search):
    """The definition: all distances, sorted, the first radius that holds enough."""
    known = sorted((shapes[row].distance(shapes[m]), key[m], m) for m in members if m != row)
    for radius in search.radii:
        within = [m for distance, _, m in known if distance <= radius]
        if len(within) >= search.least:
            break
    return {*within[: search.number]}, radius


def check(shapes, members, rows, search, key=None):
    key = np.arange(len(shapes)) if key is None else key
    peers, radius = Pool(Shapes.of(shapes, key), members).nearest(rows, search)
    assert peers.shape == (rows.size, search.number)
    for row, found, within in zip(rows, peers, radius, strict=True):
        expected, expected_radius = by_hand(shapes, key, members, row, search)
        kept = found[found >= 0]
        assert len({*kept}) == kept.size
        assert {*kept.tolist()} == expected
        assert within == expected_radius
        assert (found[kept.size :] == -1).all()


@given(
    st.integers(0, 10**6),
    st.integers(0, 60),
    st.sampled_from([0.0, 0.05, 0.5]),
    st.sampled_from([0.0, 0.3]),
    st.booleans(),
)
def test_peers_are_those_of_all_distances(seed, number, huge, points, lattice):
    shapes = country(seed, number + 1, huge=huge, points=points, lattice=lattice)
    rng = np.random.default_rng(seed)
    members = np.flatnonzero(rng.uniform(size=shapes.size) < 0.7)
    search = Search(int(rng.integers(3, 12)), 3, (300.0, 900.0, 2500.0))
    check(shapes, members, np.arange(shapes.size), search, key=rng.permutation(shapes.size))


def test_a_huge_parcel_is_near_though_its_centre_is_far():
    small = [shapely.box(x, 0, x + 50, 50) for x in range(0, 4000, 100)]
    huge = shapely.box(60, 51, 30_000, 20_000)  # one metre from the first row
    shapes = np.array([*small, huge], dtype=object)
    search = Search(5, 3, (5000.0,))
    peers, _ = Pool(Shapes.of(shapes, np.arange(41)), np.arange(41)).nearest(np.arange(41), search)
    assert (peers[1:40] == 40).any(axis=1).all()
    check(shapes, np.arange(41), np.arange(41), search)


def test_a_radius_includes_its_edge():
    """Exactly on the radius counts, the next number above does not."""
    shapes = np.array([shapely.Point(x, 0) for x in (0, 100, 200, np.nextafter(300, 301))])
    check(shapes, np.arange(4), np.arange(4), Search(3, 2, (100.0, 200.0, 300.0)))
    pool = Pool(Shapes.of(shapes, np.arange(4)), np.arange(4))
    peers, radius = pool.nearest(np.array([0]), Search(3, 3, (200.0, 300.0)))
    assert peers.tolist() == [[1, 2, -1]]
    assert radius == 300.0
    peers, radius = pool.nearest(np.array([0]), Search(3, 2, (200.0, 300.0)))
    assert radius == 200.0


def test_many_parcels_at_one_place_end_the_search(monkeypatch):
    """All distances are equal, so that the bounds never tell; memory stays bounded."""
    monkeypatch.setattr(_peers, "_CELLS", 500)
    shapes = np.array([shapely.box(0, 0, 10, 10)] * 200, dtype=object)
    key = np.random.default_rng(0).permutation(200)
    check(shapes, np.arange(200), np.arange(0, 200, 40), Search(6, 3, (50.0,)), key=key)


@pytest.mark.parametrize("cells", [1, 100, 10**6])
def test_peers_do_not_depend_on_how_many_are_searched_at_once(monkeypatch, cells):
    shapes = country(5, 80)
    monkeypatch.setattr(_peers, "_CELLS", cells)
    check(shapes, np.arange(0, 80, 2), np.arange(80), Search(8, 4, (500.0, 2000.0)))


def test_peers_do_not_depend_on_the_order_of_parcels():
    """A lattice, where most distances are ties: ranks of ids decide, not positions."""
    shapes = country(2, 90, lattice=True)
    key, turn = np.random.default_rng(1).permutation(90), np.random.default_rng(2).permutation(90)
    search = Search(7, 3, (1500.0,))
    rows = np.arange(90)
    peers, _ = Pool(Shapes.of(shapes, key), rows).nearest(rows, search)
    turned, _ = Pool(Shapes.of(shapes[turn], key[turn]), rows).nearest(rows, search)
    for place, old in enumerate(turn):
        assert {*turn[turned[place][turned[place] >= 0]]} == {*peers[old][peers[old] >= 0]}


def test_most_pairs_need_no_exact_distance(monkeypatch):
    """Circles decide: small parcels in a wide land are told apart by their centres."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 50_000, (2, 2000))
    shapes = shapely.box(x, y, x + 100, y + 60)
    pairs = []
    real = Shapes.apart

    def counted(self, one, other):
        pairs.append(one.size)
        return real(self, one, other)

    monkeypatch.setattr(Shapes, "apart", counted)
    rows = np.arange(2000)
    Pool(Shapes.of(shapes, rows), rows).nearest(rows, Search(30, 10, (20_000.0,)))
    assert sum(pairs) < 2000 * 10


def test_an_anchor_is_inside_and_its_circles_hold():
    shapes = country(9, 200)
    found = Shapes.of(shapes, np.arange(200))
    assert shapely.intersects(shapes, shapely.points(found.anchor)).all()
    around = shapely.buffer(shapely.points(found.anchor), found.outer * 1.01 + 1e-9, quad_segs=64)
    assert shapely.covers(around, shapes).all()
    inside = shapely.buffer(shapely.points(found.anchor), found.inner * 0.999, quad_segs=64)
    assert shapely.covers(shapely.buffer(shapes, 1e-6), inside).all()


def test_no_member_and_no_row():
    shapes = country(1, 5)
    pool = Pool(Shapes.of(shapes, np.arange(5)), np.zeros(0, np.int64))
    peers, radius = pool.nearest(np.arange(5), Search(4, 3, (100.0, 200.0)))
    assert (peers == -1).all()
    assert (radius == 200.0).all()
    full = Pool(Shapes.of(shapes, np.arange(5)), np.arange(5))
    assert full.nearest(np.zeros(0, np.int64), Search(4, 3, (100.0,)))[0].shape == (0, 4)
