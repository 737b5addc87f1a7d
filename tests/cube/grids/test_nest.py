"""Grids that nest, from the coarse one's side and from the fine one's."""

from __future__ import annotations

import numpy as np
import pytest

from cbmcube.cube import covering_blocks
from cbmcube.cube.grids._nest import nested_blocks, repeat_pixels
from cbmcube.exceptions import GridMismatchError
from tests.indices.conftest import NORTH, WEST, make_cube

FINE = np.arange(2 * 20 * 24, dtype="float32").reshape(2, 20, 24)
COARSE = np.arange(2 * 10 * 12, dtype="float32").reshape(2, 10, 12)


def raster(values, **options):
    return make_cube({"B": values}, **options).B


def test_both_directions_have_matching_blocks():
    fine = raster(FINE, chunks={"time": 1, "y": 8, "x": 6})
    coarse = raster(COARSE, step=20, chunks={"time": 2, "y": 4, "x": 5})
    seen, factors = nested_blocks(coarse, fine)
    assert factors == (2, 2)
    assert seen.chunks == ((1, 1), (4, 4, 2), (3, 3, 3, 3))
    np.testing.assert_array_equal(
        repeat_pixels(seen[:1].compute(), factors)[0, ::2, ::2], COARSE[0]
    )
    covering, factors = covering_blocks(fine, coarse)
    assert factors == (2, 2)
    assert covering.chunks == ((2,), (8, 8, 4), (10, 10, 4))
    np.testing.assert_array_equal(covering, FINE)


def test_matching_blocks_cost_no_task():
    fine = raster(FINE, chunks={"time": 1, "y": 8, "x": 6})
    coarse = raster(COARSE, step=20, chunks={"time": 1, "y": 4, "x": 3})
    covering, _ = covering_blocks(fine, coarse)
    assert covering.name == fine.data.name


def test_a_finer_grid_may_start_between_the_edges_of_coarse_pixels_outside():
    fine = raster(FINE, origin=(WEST - 10, NORTH + 30))
    coarse = raster(COARSE[:, :8, :11], step=20)
    covering, _ = covering_blocks(fine, coarse)
    np.testing.assert_array_equal(covering, FINE[:, 3:19, 1:23])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"origin": (WEST + 5, NORTH)}, "shift"),
        ({"origin": (WEST + 20, NORTH)}, "does not cover"),
        ({"step": 7}, "pixel ratio"),
        ({"step": 40}, "pixel ratio"),
        ({"crs": "EPSG:32633"}, "CRS"),
        ({"days": [0, 1]}, "different acquisitions"),
    ],
)
def test_what_does_not_cover_is_refused(options, message):
    with pytest.raises(GridMismatchError, match=message):
        covering_blocks(raster(FINE, **options), raster(COARSE, step=20))
