from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from geopandas.testing import assert_geodataframe_equal
from shapely import LineString, Point, Polygon, box

from cbmcube.exceptions import DuplicateIdError, MissingCRSError, MissingIdError, ParcelsError
from cbmcube.parcels import check_parcels


def fields(index=("a", "b", "c"), **columns):
    squares = [box(100 * i, 0, 100 * i + 90, 50) for i in range(len(index))]
    return gpd.GeoDataFrame(columns, geometry=squares, index=list(index), crs="EPSG:32632")


def test_names_the_index_and_changes_nothing_else():
    given = fields(crop=["wheat", "maize", "grass"])
    before = given.copy()
    clean = check_parcels(given)
    assert clean.index.name == "parcel"
    assert given.index.name is None
    assert_geodataframe_equal(given, before)
    assert_geodataframe_equal(clean.rename_axis(index=None), before)


def test_writing_into_the_result_leaves_the_input():
    given = fields(crop=["wheat", "maize", "grass"])
    clean = check_parcels(given)
    clean["crop"] = "grass"
    clean["new"] = 1
    assert list(given["crop"]) == ["wheat", "maize", "grass"]
    assert "new" not in given


def test_row_numbers_will_do_as_ids():
    plain = fields().reset_index(drop=True)
    assert isinstance(plain.index, pd.RangeIndex)
    assert list(check_parcels(plain).index) == [0, 1, 2]


def test_missing_and_empty_geometries_are_legal():
    given = fields()
    given.geometry = [None, Polygon(), box(0, 0, 1, 1)]
    assert len(check_parcels(given)) == 3


def test_an_empty_geometry_of_another_type_is_legal():
    given = fields()
    given.geometry = [Point(), LineString(), box(0, 0, 1, 1)]
    assert len(check_parcels(given)) == 3


@pytest.mark.parametrize(
    "given", [None, "fields.gpkg", pd.DataFrame({"a": [1]}), [box(0, 0, 1, 1)]]
)
def test_refuses_what_is_no_geodataframe(given):
    with pytest.raises(ParcelsError, match="not a GeoDataFrame"):
        check_parcels(given)


def test_refuses_a_frame_without_active_geometry():
    with pytest.raises(ParcelsError, match="no active geometry"):
        check_parcels(gpd.GeoDataFrame({"a": [1]}))


def test_refuses_a_frame_whose_geometry_was_renamed_away():
    lost = fields().rename(columns={"geometry": "shape"})
    with pytest.raises(ParcelsError, match="no active geometry"):
        check_parcels(lost)


def test_refuses_parcels_without_crs():
    with pytest.raises(MissingCRSError, match="set_crs"):
        check_parcels(gpd.GeoDataFrame(geometry=[box(0, 0, 1, 1)]))


def test_refuses_no_rows():
    with pytest.raises(ParcelsError, match="no rows"):
        check_parcels(fields().iloc[:0])


def test_repeated_ids_are_counted_and_the_first_are_named():
    ids = [f"p{i % 8}" for i in range(20)]  # p0..p7; all repeat, 12 surplus rows
    with pytest.raises(DuplicateIdError, match=r"8 values repeat, in 12 surplus") as caught:
        check_parcels(fields(ids))
    assert "'p0', 'p1', 'p2', 'p3', 'p4', and 3 more" in str(caught.value)


@pytest.mark.parametrize("null", [None, np.nan, pd.NA])
def test_refuses_null_ids(null):
    with pytest.raises(MissingIdError, match="null for 1 of 3"):
        check_parcels(fields(["a", null, "c"]))


def test_refuses_an_index_of_several_levels():
    levels = fields(farm=["x", "x", "y"], field=[1, 2, 1]).set_index(["farm", "field"])
    with pytest.raises(ParcelsError, match="several levels"):
        check_parcels(levels)


def test_refuses_a_column_named_like_the_index():
    with pytest.raises(ParcelsError, match=r"set_index\('parcel'\)"):
        check_parcels(fields(parcel=["x", "y", "z"]))


def test_other_geometries_are_named_with_their_parcels():
    given = fields()
    given.geometry = [box(0, 0, 1, 1), Point(0, 0), LineString([(0, 0), (1, 1)])]
    with pytest.raises(ParcelsError, match="Linestring, Point") as caught:
        check_parcels(given)
    assert "2 of 3" in str(caught.value)
    assert "'b', 'c'" in str(caught.value)
