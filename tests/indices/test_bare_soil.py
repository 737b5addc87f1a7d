"""Bare soil on planted spectra, with rules and classifiers, on one grid and on two."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cbmcube as cbm
from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.indices import BARE_SOIL_FEATURES, BareSoilRule, add_bare_soil

GREEN = {"B02": 0.03, "B04": 0.04, "B05": 0.10, "B07": 0.37, "B08": 0.40, "B11": 0.20}
SOIL = {"B02": 0.10, "B04": 0.18, "B05": 0.20, "B07": 0.225, "B08": 0.22, "B11": 0.33}
BANDS = tuple(GREEN)


def field(make, bare, **options):
    """Make a cube (time, y, x) of green and bare pixels."""
    mask = np.asarray(bare, dtype=bool)
    spectra = {b: np.where(mask, SOIL[b], GREEN[b]).astype("float32") for b in BANDS}
    return make(spectra, **options)


def features_of(cube):
    """Return the four features by their published formulas, in float64."""
    b02, b04, b05, b07, b08, b11 = (cube[b].values.astype(float) for b in BANDS)
    return np.stack(
        [
            ((b11 + b04) - (b08 + b02)) / ((b11 + b04) + (b08 + b02)),
            (b08 - b04) / (b08 + b04),
            (b08 - b07) / (b08 + b07),
            b07 / b05 - 1,
        ],
        axis=-1,
    )


def test_planted_spectra(cube_maker):
    cube = field(cube_maker, [[[0, 1], [1, 0]]])
    bare = add_bare_soil(cube)["bare"]
    np.testing.assert_array_equal(bare.values, [[[0, 1], [1, 0]]])
    assert bare.dtype == "float32"
    assert {*BARE_SOIL_FEATURES}.isdisjoint(add_bare_soil(cube).data_vars)


def test_the_rule_is_its_two_limits(cube_maker):
    rng = np.random.default_rng(3)
    cube = cube_maker({b: rng.uniform(0.01, 0.6, (1, 60, 60)).astype("float32") for b in BANDS})
    features = features_of(cube)
    ndvi, red_edge = features[..., 1], features[..., 2]
    expected = (ndvi > -0.1) & (ndvi <= 0.288) & (red_edge <= -0.002)
    near = np.minimum.reduce([abs(ndvi + 0.1), abs(ndvi - 0.288), abs(red_edge + 0.002)]) < 1e-5
    got = add_bare_soil(cube)["bare"].values
    known = ~near & np.isfinite(got)  # an index out of its bounds has no value
    assert known.mean() > 0.8
    np.testing.assert_array_equal(got[known], expected[known])
    edges = [[0, -0.1, -1, 0], [0, 0.288, -0.002, 0], [0, 0.289, -1, 0], [0, 0, -0.001, 0]]
    assert BareSoilRule().predict_proba(edges)[:, 1].tolist() == [0, 1, 0, 0]


def test_a_parcel_that_is_half_bare(cube_maker, square):
    """Ten by ten pixels, of which the left half is bare."""
    mask = np.zeros((1, 24, 32), bool)
    mask[:, :, :5] = True
    stats = cbm.reduce_parcels(add_bare_soil(field(cube_maker, mask)), square, statistics="mean")
    assert stats["bare"].values.item() == pytest.approx(0.5, abs=0.01)


def test_grids_that_nest_meet_at_the_coarse_one(tree):
    found = add_bare_soil(tree)
    for zone in ("32632", "32633"):
        assert "bare" in found[f"{zone}_20m"]
        assert "bare" not in found[f"{zone}_10m"]
    fine, coarse = (tree[f"32632_{step}m"].to_dataset() for step in (10, 20))
    means = {b: fine[b].coarsen(y=2, x=2).mean().values for b in ("B02", "B04", "B08")}
    together = coarse[["B05", "B07", "B11"]].assign(
        {b: (coarse["B05"].dims, values) for b, values in means.items()}
    )
    features = features_of(together)
    ndvi, red_edge = features[..., 1], features[..., 2]
    expected = (ndvi > -0.1) & (ndvi <= 0.288) & (red_edge <= -0.002)
    clear = np.minimum(abs(ndvi - 0.288), abs(red_edge + 0.002)) > 1e-5
    np.testing.assert_array_equal(found["32632_20m"]["bare"].values[clear], expected[clear])


def test_what_is_missing_or_unread_stays_so(cube_maker):
    cube = field(cube_maker, np.ones((1, 2, 3), bool)).compute()
    cube["B07"][0, 0, 0] = np.nan
    cube["B11"][0, 1, 2] = -np.inf
    bare = add_bare_soil(cube.chunk())["bare"].values
    assert np.isnan(bare[0, 0, 0])
    assert bare[0, 1, 2] == -np.inf
    assert np.isfinite(bare).sum() == 4


class Counting:
    """A model that says how often it was sent, and how it was asked."""

    def __init__(self):
        self.seen = Counter()

    def predict_proba(self, features):
        self.seen[features.dtype.name, features.shape[1]] += len(features)
        assert np.isfinite(features).all()
        share = np.clip(features[:, 1], 0, 1)
        return np.stack([share, 1 - share], axis=1)


def test_a_model_of_your_own_gets_finite_features(cube_maker):
    model = Counting()
    mask = np.zeros((2, 6, 7), bool)
    cube = field(cube_maker, mask, chunks={"time": 1, "y": 3, "x": 7})
    with_gap = cube.assign(B04=cube["B04"].where(cube["x"] != cube["x"][0]))
    bare = add_bare_soil(with_gap, model)["bare"].compute(scheduler="synchronous")
    assert model.seen == {("float32", 4): 2 * 6 * 6}
    ndvi = (0.40 - 0.04) / (0.40 + 0.04)
    np.testing.assert_allclose(bare.values[..., 1:], 1 - ndvi, atol=1e-6)


def test_a_fitted_classifier(cube_maker):
    forest = pytest.importorskip("sklearn.ensemble").RandomForestClassifier(10, random_state=0)
    mask = np.random.default_rng(0).uniform(size=(2, 8, 8)) < 0.5
    cube = field(cube_maker, mask)
    forest.fit(features_of(cube).reshape(-1, 4).astype("float32"), mask.ravel())
    np.testing.assert_allclose(add_bare_soil(cube, forest)["bare"].values, mask, atol=0.05)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 8), st.integers(1, 8))
def test_chunks_change_nothing(cube_maker, rows, columns):
    mask = np.random.default_rng(1).uniform(size=(1, 8, 8)) < 0.5
    cube = field(cube_maker, mask, chunks={"time": 1, "y": rows, "x": columns})
    np.testing.assert_array_equal(add_bare_soil(cube)["bare"].values, mask)


def test_nothing_computes_and_the_model_travels_once(cube_maker, nothing_computes):
    cube = field(cube_maker, np.zeros((3, 64, 64), bool), chunks={"time": 1, "y": 8, "x": 8})
    model = BigModel()
    with nothing_computes:
        added = add_bare_soil(cube, model)
    size = len(pickle.dumps(added["bare"].__dask_graph__().layers[added["bare"].data.name]))
    assert size < 2 * len(model.weights)


class BigModel:
    """A model of a megabyte."""

    def __init__(self):
        self.weights = b"w" * 1_000_000

    def predict_proba(self, features):
        return np.zeros((len(features), 2))


def test_wrong_models_and_cubes(cube_maker):
    cube = field(cube_maker, [[[0]]])
    with pytest.raises(OptionError, match="must tell probabilities"):
        add_bare_soil(cube, object())
    with pytest.raises(OptionError, match="already"):
        add_bare_soil(add_bare_soil(cube))
    with pytest.raises(UnknownBandError):
        add_bare_soil(cube.drop_vars("B07"))

    class Wrong:
        def predict_proba(self, features):
            return np.zeros(len(features))

    with pytest.raises(OptionError, match="another shape"):
        add_bare_soil(cube, Wrong())["bare"].compute(scheduler="synchronous")
