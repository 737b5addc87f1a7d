"""Squares of land dealt to folds."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import DuplicateIdError, OptionError
from cbmcube.learning import spatial_folds
from cbmcube.testing import vector_cube


def places(n=300, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.uniform(-50_000, 50_000, (n, 2)), columns=["x", "y"])
    return table.set_axis([f"p{k:03d}" for k in range(n)])


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_a_square_has_one_fold_and_folds_are_even(seed, folds):
    table = places(seed=seed)
    found = spatial_folds(table, folds=folds, seed=seed)
    assert found.columns.tolist() == ["block", "fold_1", "fold_2", "fold_3"]
    square = (table // 10_000).astype(int).apply(lambda row: f"{row.x}_{row.y}", axis=1)
    assert found["block"].tolist() == square.tolist()
    largest = square.value_counts().max()
    for name in ("fold_1", "fold_2", "fold_3"):
        assert len(found[["block", name]].drop_duplicates()) == found["block"].nunique()
        size = found[name].value_counts()
        assert set(size.index) == set(range(folds))
        assert size.max() - size.min() <= largest  # what the greedy rule promises


@given(st.permutations(range(40)))
def test_the_order_of_parcels_does_not_matter(order):
    table = places(40)
    found = spatial_folds(table)
    turned = spatial_folds(table.iloc[list(order)])
    pd.testing.assert_frame_equal(turned.reindex(found.index), found)


def test_the_same_seed_gives_the_same_folds():
    table = places()
    pd.testing.assert_frame_equal(spatial_folds(table, seed=7), spatial_folds(table, seed=7))
    assert not spatial_folds(table, seed=7).equals(spatial_folds(table, seed=8))
    dealt = spatial_folds(table)
    assert (dealt["fold_1"] != dealt["fold_2"]).any()


def test_every_form_of_parcels_gives_the_same():
    stats = vector_cube(parcels=12)
    shapes = gpd.GeoSeries(stats["geometry"].values, index=stats.indexes["parcel"], crs=32632)
    middle = shapely.centroid(shapes.to_numpy())
    table = pd.DataFrame(
        {"x": shapely.get_x(middle), "y": shapely.get_y(middle)}, index=shapes.index
    )
    expected = spatial_folds(stats, size=500)
    for one in (shapes, shapes.to_frame("geometry"), table):
        pd.testing.assert_frame_equal(spatial_folds(one, size=500), expected)


def test_metres_are_refused_in_degrees():
    shapes = gpd.GeoSeries(shapely.points([[0, 44], [0.3, 44], [0.6, 45]]), crs=4326)
    with pytest.raises(OptionError, match="0.1 is some 10 km"):
        spatial_folds(shapes)
    assert spatial_folds(shapes, size=0.1, folds=3, repeats=1)["fold_1"].nunique() == 3


def test_what_cannot_be_dealt_is_refused():
    table = places(10)
    with pytest.raises(OptionError, match="fewer squares than folds"):
        spatial_folds(table, size=1e9)
    with pytest.raises(OptionError, match="at least two folds"):
        spatial_folds(table, folds=1)
    with pytest.raises(OptionError, match="without a place"):
        spatial_folds(table.assign(x=np.nan))
    with pytest.raises(OptionError, match="columns x and y"):
        spatial_folds(table[["x"]])
    with pytest.raises(OptionError, match="no geometries"):
        spatial_folds([1, 2])
    with pytest.raises(DuplicateIdError, match="p000"):
        spatial_folds(table.iloc[[0, 0, 1]])
