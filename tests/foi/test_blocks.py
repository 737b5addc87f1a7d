"""Blocks: whatever the chunks, workers and pieces, the result is the same."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import cbmcube as cbm
from cbmcube.foi import FoiRule, _blocks, assess
from tests.foi.conftest import (
    NORTH,
    WEST,
    clusters_of,
    make_parcels,
    make_raster,
    patches,
    pixel_box,
)
from tests.zonal.conftest import random_polygons

SHAPE = (120, 140)
RULE = FoiRule(cluster_px=5)


def fields(count=25, seed=0):
    """Return parcels on the raster, some of them partly."""
    bounds = (WEST - 100, NORTH - 1100, WEST + 1300, NORTH)
    shapes = random_polygons(count, bounds=bounds, seed=seed, largest=350.0)
    ground = pixel_box(0, 0, *SHAPE)
    return make_parcels([shape for shape in shapes if shape.intersects(ground)])


@settings(max_examples=12)
@given(
    rows=st.integers(20, 120),
    columns=st.integers(20, 140),
    neighbours=st.sampled_from([4, 8]),
    seed=st.integers(0, 3),
)
def test_chunks_change_nothing(rows, columns, neighbours, seed):
    rule = FoiRule(cluster_px=5, neighbours=neighbours)
    codes = patches(SHAPE, seed)
    expected = assess(make_raster(codes), fields(seed=seed), rule=rule)
    raster = make_raster(codes, chunks={"y": rows, "x": columns})
    pd.testing.assert_frame_equal(assess(raster, fields(seed=seed), rule=rule), expected)


def test_a_cluster_over_four_blocks_is_one():
    """With the corner of four chunks in its middle, and codes that some blocks do not hold."""
    codes = np.zeros((40, 40), dtype="uint8")
    codes[15:25, 15:25] = 200
    codes[0, 0] = 3
    parcels = make_parcels([pixel_box(0, 0, 40, 40)])
    for chunks in (None, {"y": 20, "x": 20}, {"y": 7, "x": 40}, {"y": 40, "x": 7}):
        found = assess(make_raster(codes, chunks=chunks), parcels)
        assert clusters_of(found) == [(0, 38 * 38 - 100), (200, 100)]
        assert found["share_3"].item() == np.float32(1 / 1600)


def test_uneven_chunks_and_runs_that_end_where_a_row_ends():
    """The last pixel of a row and the first of the next are no neighbours."""
    codes = np.ones((12, 30), dtype="uint8")
    codes[3, 25:] = codes[4, :5] = 2
    parcels = make_parcels([pixel_box(0, 0, 12, 30)])
    rule = FoiRule(buffer_m=0, cluster_px=4)
    for chunks in (None, {"y": (4, 8), "x": (5, 20, 5)}):
        found = assess(make_raster(codes, chunks=chunks), parcels, rule=rule)
        assert clusters_of(found) == [(1, 350), (2, 5), (2, 5)]


def test_pieces_of_any_size_give_the_same(monkeypatch):
    codes, parcels = patches(SHAPE, 1), fields(60, 1)
    expected = assess(make_raster(codes), parcels, rule=RULE)
    for piece in (1, 100, 1000):
        monkeypatch.setattr(_blocks, "_PIECE", piece)
        pd.testing.assert_frame_equal(assess(make_raster(codes), parcels, rule=RULE), expected)


def test_blocks_without_parcels_are_never_read():
    read = []

    def block(block_info=None):
        read.append(tuple(block_info[None]["chunk-location"]))
        return np.ones((50, 50), dtype="uint8")

    plane = make_raster(np.zeros((150, 150), dtype="uint8"))
    lazy = da.map_blocks(block, chunks=((50,) * 3, (50,) * 3), dtype="uint8", meta=np.empty((0, 0)))
    raster = xr.DataArray(lazy, dims=("y", "x"), coords=plane.coords)
    shapes = [pixel_box(5, 5, 40, 40), pixel_box(60, 60, 70, 110), pixel_box(10, 6, 20, 40)]
    found = assess(raster, make_parcels(shapes))
    assert sorted(read) == [(0, 0), (1, 1), (1, 2)]
    assert found["n_valid"].to_list() == [35 * 35, 500, 340]


def test_a_cluster_of_workers_finds_the_same():
    codes, parcels = patches(SHAPE, 2), fields(50, 2)
    raster = make_raster(codes, chunks={"y": 50, "x": 64})
    expected = assess(raster, parcels, rule=RULE)
    with cbm.local_cluster(workers=1, dashboard=False):
        pd.testing.assert_frame_equal(assess(raster, parcels, rule=RULE), expected)
        kept = assess(raster.persist(), parcels, rule=RULE)
    pd.testing.assert_frame_equal(kept, expected)


@pytest.mark.parametrize("buffer", [0.0, -4.0, -6.0, -16.0])
def test_shares_and_clusters_have_buffers_of_their_own(buffer):
    """A square of 20 pixels keeps (20 - 2 k)^2 of them, k being the centres that are cut off."""
    codes = patches((20, 20), 3)
    parcels = make_parcels([pixel_box(0, 0, 20, 20)])
    left = {0.0: 400, -4.0: 400, -6.0: 324, -16.0: 256}[buffer]
    for rule, names in (
        (FoiRule(buffer_m=buffer), ("n_inside", "n_valid")),
        (FoiRule(buffer_m=0, shares_buffer_m=buffer), ("n_valid", "n_inside")),
    ):
        row = assess(make_raster(codes), parcels, rule=rule).iloc[0]
        assert (row[names[0]], row[names[1]]) == (left, 400)
