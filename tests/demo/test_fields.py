"""Random fields depend on the place alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.demo._fields import Waves


def waves(seed):
    return Waves(np.random.default_rng(seed), shortest=100.0, longest=900.0)


@given(
    seed=st.integers(0, 1000),
    start=st.tuples(st.floats(7e5, 8e5), st.floats(5.3e6, 5.4e6)),
    turn=st.floats(-0.1, 0.1),
)
def test_a_grid_holds_the_values_of_its_points(seed, start, turn):
    field = waves(seed)
    x = (start[0], 10 * np.sin(turn), 10 * np.cos(turn))
    y = (start[1], -10 * np.cos(turn), 10 * np.sin(turn))
    rows, columns = np.indices((7, 5))
    points = [(c[0] + c[1] * rows + c[2] * columns).ravel() for c in (x, y)]
    expected = field.at_points(*points).reshape(7, 5)
    np.testing.assert_allclose(field.on_plane(x, y, (7, 5)), expected, atol=2e-5)


def test_mean_zero_variance_one():
    x, y = np.random.default_rng(0).uniform(0, 50_000, (2, 20_000))
    values = np.concatenate([waves(seed).at_points(x, y) for seed in range(10)])
    assert abs(values.mean()) < 0.02
    assert abs(values.var() - 1) < 0.03
