"""Weights depend on the parcel and on how the lattice lies, not on where a grid begins."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.zonal._coverage import PIXEL_RULES, PixelRule, pixel_weights
from cbmcube.zonal._index import Block, Lattice, build_index
from cbmcube.zonal._parcels import BlockParcels

_PLACES = st.integers(-40_000, 40_000)
_SHIFTS = st.sampled_from([0.0, 2.5, 5.0, 1.25])


def _pixels(
    geometries: np.ndarray, west: float, north: float, rule: PixelRule
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights, and the pixels on the ground, of an index on a grid that begins there."""
    lattice = Lattice((400, 400), (10.0, 0.0, west, 0.0, -10.0, north))
    count = len(geometries)
    parcels = BlockParcels(geometries, np.arange(count), np.ones(count, bool), np.zeros(count))
    found = build_index(parcels, Block(0, 0, 400, 400), lattice, rule).straddling
    row, column = np.divmod(found.cell, 400)
    ground = np.stack([west + 10.0 * column, north - 10.0 * row, found.owner], axis=1)
    return ground, found.weight


@pytest.mark.parametrize("rule", PIXEL_RULES)
@given(seed=st.integers(0, 10_000), shift=_SHIFTS, place=st.tuples(_PLACES, _PLACES))
def test_a_window_weighs_pixels_like_the_grid_it_was_cut_from(
    rule: PixelRule, seed: int, shift: float, place: tuple[int, int]
) -> None:
    random = np.random.default_rng(seed)
    west, north = 10.0 * place[0] + shift, 5_000_000.0 + 10.0 * place[1] - shift
    centres = random.uniform(400, 2400, (12, 2)) + np.array([west, north - 3200])
    parcels = [
        shapely.convex_hull(shapely.MultiPoint(centre + random.normal(0, 60, (9, 2))))
        for centre in centres
    ]
    geometries = np.array(parcels, dtype=object)

    whole, weights = _pixels(geometries, west, north, rule)
    cut, same = _pixels(geometries, west + 30.0, north - 70.0, rule)

    inside = (whole[:, 0] >= west + 30.0) & (whole[:, 1] <= north - 70.0)
    np.testing.assert_array_equal(whole[inside], cut)
    np.testing.assert_array_equal(weights[inside], same)


def test_a_spike_of_no_width_covers_nothing():
    """Valid for GEOS; exactextract 0.3 alone fills three whole pixels along it."""
    spiked = shapely.Polygon([(0.9, 0.1), (9, 1), (0, 0), (0, 1)])
    assert shapely.is_valid(spiked)
    plain = shapely.Polygon([(2.1, 3.2), (8.7, 3.9), (5.5, 9.3)])
    shapes = np.array([plain, spiked, plain], dtype=object)
    shapes = shapely.transform(shapes, lambda xy: xy * (1, 1) - (0, 10))
    found = pixel_weights(shapes, "exact")
    held = np.bincount(found.parcel, weights=found.weight, minlength=3)
    np.testing.assert_allclose(held, shapely.area(shapes), atol=1e-6)
    assert np.all(np.diff(found.parcel) >= 0)
    for rule in ("centre", "inside"):
        assert not (pixel_weights(shapes, rule).parcel == 1).any()
