"""What is read from a vector cube: series in dB, periods known, crops, shapes, who is eligible."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import xvec
from dask.callbacks import Callback

from cbmcube.exceptions import (
    DuplicateIdError,
    MissingCRSError,
    OptionError,
    ParcelsError,
    UnknownParcelError,
    UnknownStatisticError,
)
from cbmcube.learning import SimilarityRule
from cbmcube.learning._declared import read_declared
from cbmcube.series import composite
from cbmcube.testing import vector_cube
from tests.learning.fields import START, fields

RULE = SimilarityRule(min_area_m2=0)


def read(cube, band="NDVI", rule=RULE, *, crop="crop", period=None, as_of=None):
    return read_declared(cube, band, rule, crop=crop, period=period, as_of=as_of)


def test_backscatter_is_compared_in_decibels_of_linear_means():
    """The mean of 1 and 100 is 17 dB, not 10 dB."""
    cube = fields(side=2, band="VH", periods=8)
    cube["VH"][:] = 0.01
    known = read(cube, "VH")
    assert (known.unit, known.floor) == ("dB", 0.3)
    np.testing.assert_allclose(known.values, -20.0, rtol=1e-6)
    cube["VH"][0, 0] = 0.0
    cube["VH"][1, 0] = -1.0
    assert np.isnan(read(cube, "VH").values[0, :2]).all()
    radar = vector_cube("CARD-BS", days=24)
    radar = radar.isel(time=radar["relative_orbit"].values == 15)
    both = radar.isel(time=[0, 1]).copy(deep=True)
    both["VV"].loc[{"statistic": "mean"}] = np.array([[1.0], [100.0]])
    both["VV"].loc[{"statistic": "count"}] = 10.0
    merged = read(both, "VV", period="24D").values
    np.testing.assert_allclose(merged, 10 * np.log10(50.5), rtol=1e-6)


def test_others_are_compared_as_they_are():
    cube = fields(side=2, periods=8)
    known = read(cube)
    assert (known.unit, known.floor) == ("1", 0.02)
    np.testing.assert_array_equal(known.values, cube["NDVI"].sel(statistic="mean").values.T)
    forced = read(cube, rule=SimilarityRule(min_area_m2=0, decibel=True))
    np.testing.assert_allclose(forced.values, 10 * np.log10(known.values), rtol=1e-5)
    plain = SimilarityRule(min_area_m2=0, decibel=False)
    linear = read(fields(side=2, band="VH"), "VH", plain)
    assert (linear.unit, linear.floor) == ("1", 0.02)


def test_time_is_sorted():
    cube = fields(side=2, periods=8)
    turned = read(cube.isel(time=slice(None, None, -1)))
    np.testing.assert_array_equal(turned.values, read(cube).values)
    np.testing.assert_array_equal(turned.times, cube["time"].values)


def test_a_composite_that_reaches_beyond_the_day_is_left_out_whole():
    stats = vector_cube(days=60)
    periods = composite(stats, "10D")
    last = periods["last_time"].values
    for day in ("2024-03-21", "2024-03-25", "2024-03-30T12:00"):
        times = read(periods, as_of=day).times
        expected = periods["time"].values[last <= np.datetime64(day)]
        np.testing.assert_array_equal(times, expected)
    without = periods.drop_vars(["first_time", "last_time"])  # only lengths are known
    assert read(without, as_of="2024-03-21").times[-1] == np.datetime64("2024-03-11")
    assert read(without, as_of="2024-03-20").times[-1] == np.datetime64("2024-03-01")
    bare = without.drop_vars("period_days")
    assert read(bare, as_of="2024-03-21").times[-1] == np.datetime64("2024-03-21")


def test_periods_made_here_hold_nothing_later():
    stats = vector_cube(days=60)
    cut = stats.sel(time=slice(None, "2024-03-24"))
    known, expected = (
        read(stats, period="10D", as_of="2024-03-25"),
        read(cut, period="10D"),
    )
    np.testing.assert_array_equal(known.values, expected.values)
    np.testing.assert_array_equal(known.times, expected.times)


def test_an_entry_that_repeats_is_refused():
    cube = fields(side=2, periods=8)
    twice = cube.isel(time=[0, 1, 1, 2])
    with pytest.raises(OptionError, match="2024-03-11"):
        read(twice)


def test_orbits_are_not_mixed():
    with pytest.raises(OptionError, match="single relative orbit"):
        read(vector_cube("CARD-BS"), "VV", period="12D")


def test_crops_are_numbered_in_the_order_of_their_text():
    cube = fields(side=2, periods=8)
    labels = np.array([30, None, 4, 30], dtype=object)
    known = read(cube.assign_coords(crop=("parcel", labels)))
    assert known.crops.tolist() == [30, 4]  # "30" < "4"
    assert known.crop.tolist() == [0, -1, 1, 0]
    text = np.array(["b", "", "a", "b"])
    known = read(cube.assign_coords(claim=("parcel", text)), crop="claim")
    assert (known.crops.tolist(), known.crop.tolist()) == (["a", "b"], [1, -1, 0, 1])
    floats = np.array([2.0, np.nan, 1.0, 2.0])
    assert read(cube.assign_coords(crop=("parcel", floats))).crop.tolist() == [1, -1, 0, 1]
    assert known.code("b") == 1
    with pytest.raises(OptionError, match="a, b"):
        known.code("c")


def test_parcels_are_found_by_id():
    known = read(fields(side=3, periods=8))
    assert known.rows(["F002", "F000"]).tolist() == [2, 0]
    assert known.rows(None).tolist() == [*range(9)]
    assert known.rows([]).size == 0
    with pytest.raises(UnknownParcelError, match="'X'"):
        known.rows(["F000", "X"])


def test_who_may_be_a_peer_and_who_is_judged():
    cube = fields(side=3, periods=8)
    values = cube["NDVI"].values
    values[3:, 4] = np.nan  # three periods of six
    values[:, 5] = np.nan
    shapes = cube["geometry"].values.copy()
    shapes[6] = shapely.Point()
    shapes[7] = shapely.Polygon()
    names = ["GOOD", "LIMITED", "POOR", "NONE", *["GOOD"] * 5]
    area = np.array([3000.0] * 8 + [2999.9])
    cube = cube.drop_vars("geometry").assign_coords(
        geometry=("parcel", shapes), class_10m=("parcel", names), area_m2=("parcel", area)
    )
    cube = cube.set_xindex("geometry", xvec.GeometryIndex, crs="EPSG:3035")
    known = read(cube, rule=SimilarityRule())
    assert known.reason.tolist() == [
        None, None, "CLASS_POOR", "CLASS_POOR", "TOO_FEW_OBS", "NO_INPUT", "NO_INPUT", "NO_INPUT",
        None,
    ]  # fmt: skip
    assert np.flatnonzero(known.eligible).tolist() == [0]  # 1 is limited, 8 too small
    wider = SimilarityRule(peer_classes=("GOOD", "LIMITED"), min_area_m2=2000)
    assert np.flatnonzero(read(cube, rule=wider).eligible).tolist() == [0, 1, 8]
    unclassified = read(cube.drop_vars("class_10m"), rule=SimilarityRule())
    assert np.flatnonzero(unclassified.eligible).tolist() == [0, 1, 2, 3]


def test_an_undeclared_parcel_or_one_of_unknown_area_is_nobodys_peer():
    cube = fields(side=2, periods=8)
    crop = np.array(["a", None, "a", "a"], dtype=object)
    area = np.array([1e4, 1e4, np.nan, 1e4])
    cube = cube.assign_coords(crop=("parcel", crop), area_m2=("parcel", area))
    assert read(cube, rule=SimilarityRule()).eligible.tolist() == [True, False, False, True]


def test_distances_are_in_metres_of_an_equal_area_system():
    """One degree of latitude is 111 km, whatever the system of the parcels."""
    cube = fields(side=2, periods=8).drop_vars("geometry")
    points = shapely.points([10.0, 10.0, 11.0, 10.0], [50.0, 51.0, 50.0, 50.0])
    cube = cube.assign_coords(geometry=("parcel", points))
    known = read(cube.set_xindex("geometry", xvec.GeometryIndex, crs="EPSG:4326"))
    apart = known.shapes.apart(np.array([0, 0, 0]), np.array([1, 2, 3]))
    assert apart == pytest.approx([111_230, 71_690, 0], rel=2e-3)
    with pytest.raises(MissingCRSError, match="set_xindex"):
        read(cube)
    far = cube.copy()
    far["geometry"].values[0] = shapely.Point(np.inf, 50.0)
    with pytest.raises(ParcelsError, match="EPSG:3035"):
        read(far.set_xindex("geometry", xvec.GeometryIndex, crs="EPSG:4326"))


def test_ties_are_broken_by_ids_whatever_the_order():
    cube = fields(side=3, periods=8)
    turn = np.random.default_rng(0).permutation(9)
    key = read(cube).shapes.key
    np.testing.assert_array_equal(read(cube.isel(parcel=turn)).shapes.key, key[turn])


def test_holdings_are_optional():
    cube = fields(side=2, periods=8)
    assert read(cube).holding is None
    names = np.array(["x", "y", None, "x"], dtype=object)
    known = read(cube.assign_coords(holding=("parcel", names)))
    assert known.holding.tolist() == [0, 1, -1, 0]


def test_what_is_missing_is_named():
    cube = fields(side=2, periods=8)
    with pytest.raises(OptionError, match="crop="):
        read(cube.drop_vars("crop"))
    with pytest.raises(OptionError, match="min_area_m2=0"):
        read(cube.drop_vars("area_m2"), rule=SimilarityRule())
    assert read(cube.drop_vars("area_m2")).eligible.all()
    with pytest.raises(UnknownStatisticError, match="mean"):
        read(cube.assign_coords(statistic=["p50"]))
    with pytest.raises(UnknownStatisticError, match="count"):
        read(cube, period="10D")
    with pytest.raises(DuplicateIdError, match="F001"):
        read(cube.isel(parcel=[0, 1, 1]))


@pytest.mark.parametrize("period", [None, "10D"])
def test_a_lazy_cube_is_computed_once_and_only_what_is_compared(period):
    lazy = vector_cube(days=60, lazy=True)
    broken = lazy["B04"].data.map_blocks(lambda _: 1 / 0, dtype="float32", meta=np.empty((0,) * 3))
    lazy = lazy.assign(B04=(("time", "parcel", "statistic"), broken))
    runs = []
    with Callback(start=runs.append):
        known = read(lazy, period=period)
    assert len(runs) == 1
    np.testing.assert_array_equal(known.values, read(vector_cube(days=60), period=period).values)


def test_the_input_stays_as_it_is():
    cube = fields(side=2, periods=8)
    before = cube.copy(deep=True)
    read(cube, as_of=START + np.timedelta64(30, "D"))
    assert cube.identical(before)
