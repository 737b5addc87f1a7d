"""Parcels travel as few bytes, and arrive with all their bits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.zonal import _index
from cbmcube.zonal._index import Block, Lattice, build_index
from cbmcube.zonal._parcels import BlockParcels, pack, unpack
from tests.zonal.conftest import random_polygons

GROUND = (500_000, 5_396_000, 504_000, 5_400_000)
LATTICE = Lattice((400, 400), (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_400_000.0))


def block_parcels(geometries, *, numbers=None, buffer=0.0):
    geometries = np.array(geometries, dtype=object)
    count = len(geometries)
    numbers = np.arange(count) if numbers is None else numbers
    straddles = np.arange(count) % 3 == 0
    return BlockParcels(geometries, numbers, straddles, np.full(count, buffer))


def sent(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301


@given(st.integers(0, 10_000), st.sampled_from([1.0, 1e-7, 1e9]))
def test_geometries_come_back_bit_by_bit(seed, scale):
    """Polygons, holes, multipolygons of one part and of several; also in degrees, also negative."""
    shapes = random_polygons(12, bounds=(-900, -900, 900, 900), seed=seed)
    shapes.append(shapely.multipolygons([shapely.box(0, 0, 1, 1)]))
    geometries = shapely.transform(np.array(shapes, dtype=object), lambda xy: xy * scale / 3)
    found = unpack(pack(geometries))
    assert shapely.to_wkb(found).tolist() == shapely.to_wkb(geometries).tolist()


@pytest.mark.parametrize("shape", [shapely.box(0, 0, 1, 2), shapely.Point(5, 5).buffer(3)])
def test_one_geometry_alone_comes_back(shape):
    for geometry in (shape, shapely.multipolygons([shape, shapely.transform(shape, lambda p: -p)])):
        (found,) = unpack(pack(np.array([geometry], dtype=object)))
        assert found.wkb == geometry.wkb


def test_a_block_that_was_sent_twice_gives_the_same_index():
    numbers = np.random.default_rng(2).permutation(300)[:200]
    shapes = random_polygons(260, bounds=GROUND, seed=5)[:200]
    parcels = block_parcels(shapes, numbers=numbers, buffer=-3.0)
    arrived = sent(sent(parcels))
    assert arrived.digest == parcels.digest
    assert arrived.__dask_tokenize__() == parcels.__dask_tokenize__()
    block = Block(0, 0, 400, 400)
    assert_same_index(*(build_index(some, block, LATTICE, "exact") for some in (parcels, arrived)))


@pytest.mark.parametrize("piece", [1, 7, 199, 200])
def test_an_index_does_not_depend_on_how_many_parcels_are_at_work_at_once(piece, monkeypatch):
    parcels = block_parcels(random_polygons(260, bounds=GROUND, seed=5)[:200])
    block = Block(30, 40, 300, 200)
    whole = build_index(parcels, block, LATTICE, "exact")
    assert whole.inner.edge_cell.size
    assert whole.straddling.cell.size
    monkeypatch.setattr(_index, "_PIECE", piece)
    assert_same_index(build_index(parcels, block, LATTICE, "exact"), whole)


def test_an_index_of_no_parcel_is_empty():
    nothing = build_index(block_parcels([]), Block(0, 0, 400, 400), LATTICE, "exact")
    assert nothing.inner.run_start.tolist() == nothing.inner.edge_start.tolist() == [0]
    assert nothing.straddling.cell.size == 0


def assert_same_index(here, there):
    for part in ("inner", "straddling"):
        for name in type(getattr(here, part)).__slots__:
            mine, theirs = (getattr(getattr(index, part), name) for index in (here, there))
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


def test_a_vertex_takes_ten_bytes_instead_of_sixteen():
    """Random float64 vertices some 30 m apart: 36 to 40 of 64 bits are noise, twice."""
    rng = np.random.default_rng(7)
    angles = np.sort(rng.uniform(0, 2 * np.pi, (2000, 23)))
    middle = rng.uniform(GROUND[:2], GROUND[2:], (2000, 1, 2))
    rings = middle + 120 * np.stack([np.cos(angles), np.sin(angles)], axis=2)
    parcels = block_parcels([shapely.Polygon(ring) for ring in rings])
    assert len(pickle.dumps(parcels)) < 10.5 * 23 * 2000
    assert len(pickle.dumps(sent(parcels))) == len(pickle.dumps(parcels))


def test_the_digest_tells_apart_what_has_the_same_vertices():
    inner, outer = shapely.box(2, 2, 3, 3), shapely.box(0, 0, 9, 9)
    holed = shapely.Polygon(outer.exterior, [inner.exterior])
    several = shapely.multipolygons([outer, inner])
    pairs = [[outer, inner], [holed, inner], [several, inner], [inner, outer]]
    found = [block_parcels(pair).digest for pair in pairs]
    found += [block_parcels([outer, inner], buffer=1.0).digest, block_parcels([holed]).digest]
    found += [block_parcels([several]).digest]
    assert len(set(found)) == len(found)
    assert block_parcels([outer, inner], numbers=np.array([8, 4])).digest == found[0]
