"""Class rasters of every kind of code, and those that cannot be one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from affine import Affine

from cbmcube.exceptions import GridMismatchError, MissingCRSError, OptionError
from cbmcube.foi import FoiRule, assess
from cbmcube.foi._raster import MAX_CLASSES, UNLISTED, UNSEEN, Legend, read_legend, read_raster
from tests.foi.conftest import make_parcels, make_raster, patches, pixel_box, whole

RULE = FoiRule()


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "uint64"]
)
def test_codes_of_any_integer_type_count_alike(dtype):
    codes = patches((40, 40), 1)
    parcels = make_parcels([pixel_box(3, 3, 30, 38)])
    found = assess(make_raster(codes.astype(dtype)), parcels)
    pd.testing.assert_frame_equal(found, assess(make_raster(codes), parcels))


@pytest.mark.parametrize(
    ("dtype", "names"),
    [
        ("int8", (-128, -1, 0, 127)),
        ("int16", (-32768, -5, 0, 32767)),
        ("int32", (-(2**31), -1, 0, 2**31 - 1)),
        ("int64", (-(2**40), 0, 255, 2**40)),
        ("uint16", (0, 255, 256, 65535)),
    ],
)
def test_codes_at_the_ends_of_their_type(dtype, names):
    codes = patches((40, 40), 2)
    named = np.array(names, dtype=dtype)[codes]
    plain = assess(make_raster(codes), whole(codes)).iloc[0]
    for classes in (None, names):
        row = assess(make_raster(named), whole(codes), classes=classes).iloc[0]
        for code, name in enumerate(names):
            assert row[f"share_{name}"] == plain[f"share_{code}"]
    ignored = assess(make_raster(named), whole(codes), ignore=[names[0]]).iloc[0]
    assert ignored["n_observed"] == 1600 - round(1600 * float(plain["share_0"]))


def test_listed_codes_that_the_type_cannot_hold_are_never_found():
    codes = patches((20, 20), 3)
    row = assess(make_raster(codes), whole(codes), classes=[300, 1, -4], ignore=[999, -1]).iloc[0]
    assert row[["share_300", "share_1", "share_-4"]].to_list() == [0.0, 1.0, 0.0]
    assert row["n_valid"] == (codes == 1).sum()
    assert row["n_observed"] == 400


def columns(found):
    return [name for name in found if name.startswith("share_")]


def test_classes_come_in_the_order_of_the_list():
    codes = patches((20, 20), 4)
    found = assess(make_raster(codes), whole(codes), classes=[3, 0, 2, 3])
    assert columns(found) == [
        "share_3",
        "share_0",
        "share_2",
    ]


def test_codes_come_in_ascending_order_where_none_are_listed():
    codes = np.array([9, 2, 40], dtype="uint8")[patches((20, 20), 4, classes=3)]
    found = assess(make_raster(codes), whole(codes))
    assert columns(found) == [
        "share_2",
        "share_9",
        "share_40",
    ]


def test_only_codes_within_parcels_make_columns():
    codes = np.ones((20, 40), dtype="uint8")
    codes[:, 20:] = np.arange(20)
    found = assess(make_raster(codes), make_parcels([pixel_box(0, 0, 20, 20)]))
    assert columns(found) == ["share_1"]


def test_the_raster_says_which_codes_are_classes():
    codes = patches((20, 20), 5)
    raster = make_raster(codes, flag_values=np.array([0, 1, 2, 8], "uint8"), nodata=0)
    found = assess(raster, whole(codes))
    assert columns(found) == [
        "share_1",
        "share_2",
        "share_8",
    ]
    assert found["n_observed"].item() == (codes != 0).sum()
    assert found["n_valid"].item() == np.isin(codes, [1, 2]).sum()
    listed = assess(raster, whole(codes), classes=[3])
    assert listed["n_valid"].item() == (codes == 3).sum()


@pytest.mark.parametrize(
    ("place", "name"), [("attrs", "nodata"), ("attrs", "_FillValue"), ("encoding", "_FillValue")]
)
def test_nodata_is_found_where_libraries_keep_it(place, name):
    raster = make_raster(patches((20, 20), 6))
    getattr(raster, place)[name] = 2
    assert read_legend(raster, None, [7]) == Legend(None, (2, 7))
    raster.attrs["nodata"] = float("nan")
    assert read_legend(raster, None, []).unseen == (() if name == "nodata" else (2,))


def test_places_of_codes():
    legend = Legend((5, 0), (9,))
    for dtype in ("uint8", "int64"):
        codes = np.array([0, 5, 9, 7], dtype=dtype)
        found = legend.place(codes, legend.find(codes))
        assert found.tolist() == [1, 0, UNSEEN, UNLISTED]
    assert Legend(None, (9,)).find(np.array([9, 4, 4, 2])).tolist() == [2, 4]
    assert Legend(None, ()).place(np.array([1]), np.array([], "int64")).tolist() == [UNLISTED]


def test_the_axes_may_come_in_any_order():
    codes = patches((20, 30), 7)
    found = assess(make_raster(codes).transpose("x", "y"), whole(codes))
    pd.testing.assert_frame_equal(found, assess(make_raster(codes), whole(codes)))


def test_a_date_of_a_cube_is_a_raster():
    codes = patches((20, 30), 8)
    cube = make_raster(codes).expand_dims(time=[np.datetime64("2024-05-01", "ns")])
    found = assess(cube.isel(time=0), whole(codes))
    pd.testing.assert_frame_equal(found, assess(make_raster(codes), whole(codes)))


@pytest.mark.parametrize("grid_mapping", ["spatial_ref", "crs"])
def test_the_crs_is_found_where_rioxarray_writes_it(grid_mapping):
    raster = make_raster(patches((20, 30), 9)).rename(spatial_ref=grid_mapping)
    raster.encoding.pop("grid_mapping", None)
    raster.attrs["grid_mapping"] = grid_mapping
    assert read_raster(raster, RULE).crs.epsg == 32632


def refused(raster, match, error=OptionError, **options):
    with pytest.raises(error, match=match):
        assess(raster, make_parcels([pixel_box(0, 0, 12, 12)]), **options)


def test_what_is_no_class_raster_is_refused():
    raster = make_raster(patches((20, 20), 1))
    refused(raster.expand_dims("time"), "one layer on y and x")
    refused(raster.to_dataset(name="a"), "one layer on y and x")
    refused(raster.to_numpy(), "one layer on y and x")
    refused(raster.astype("float32"), "integer codes")
    refused(raster.astype(bool), "integer codes")
    bare = xr.DataArray(
        raster.values, dims=("y", "x"), coords={"y": raster.y.values, "x": raster.x.values}
    )
    refused(bare, "carries no CRS", MissingCRSError)
    placeless = xr.DataArray(raster.values, dims=("y", "x")).odc.assign_crs(32632)
    refused(placeless, "regular grid", GridMismatchError)


def test_codes_that_contradict_each_other_are_refused():
    raster = make_raster(patches((20, 20), 1), nodata=0)
    refused(raster, "class and stand for no data", classes=[0, 1])
    refused(raster, "class and stand for no data", classes=[1, 2], ignore=[2])
    refused(raster, "no table has so many", classes=[])
    refused(raster, "no table has so many", classes=range(1, MAX_CLASSES + 2))


def test_measured_values_are_no_classes():
    """One block may hold few codes and all together many."""
    codes = np.arange(400).reshape(20, 20).astype("int16")
    parcels = make_parcels([pixel_box(0, 0, 20, 20)])
    for chunks in (None, {"y": 5, "x": 20}):
        with pytest.raises(OptionError, match="more classes than a table can show"):
            assess(make_raster(codes, chunks=chunks), parcels)
    assert assess(make_raster(codes), parcels, classes=range(256))["n_valid"].item() == 256


def test_a_raster_in_degrees_knows_no_metres():
    affine = Affine(1e-4, 0, 9.0, 0, -1e-4, 48.75)
    raster = make_raster(patches((20, 20), 1), affine=affine, crs="EPSG:4326")
    parcels = whole(np.ones((12, 12))).set_geometry(
        make_parcels([raster.odc.geobox.extent.geom], crs=4326).geometry.to_numpy(), crs=4326
    )
    with pytest.raises(OptionError, match="raster in degrees"):
        assess(raster, parcels)
    assert assess(raster, parcels, rule=FoiRule(buffer_m=0))["n_valid"].item() == 400


def test_reading_a_raster_computes_nothing(nothing_computes):
    raster = make_raster(patches((20, 20), 1), chunks={"y": 7, "x": 9})
    with nothing_computes:
        assert isinstance(read_raster(raster, RULE).cube["classes"], xr.DataArray)
