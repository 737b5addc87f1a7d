"""Cubes hold the pixels of the source files, on their grids, in their units."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import cbmcube as cbm
from cbmcube.catalog import AccessPolicy
from cbmcube.exceptions import (
    AccessError,
    BadItemError,
    EmptySearchError,
    NoGridError,
    OffGridError,
    OptionError,
    ReadError,
    SeveralGridsError,
    UnknownBandError,
)


def test_pixels_equal_the_source_file(scenes, digital_numbers, reflectance):
    item = scenes.item("a", {"B04": digital_numbers})
    cube = cbm.load([item], cbm.CARD_2A, bands="B04", block=16)
    assert cube.B04.dtype == "float32"
    assert cube.B04.chunks == ((1,), (16, 16, 8), (16, 16, 16, 12))
    np.testing.assert_array_equal(cube.B04[0], reflectance(digital_numbers))
    assert cube.x.values[[0, -1]].tolist() == [500_005, 500_595]
    assert cube.y.values[[0, -1]].tolist() == [5_399_995, 5_399_605]
    assert cube.odc.crs.epsg == 32632


def test_nothing_is_computed_or_opened(scenes, digital_numbers, nothing_computes):
    item = scenes.item("a", {"B04": digital_numbers, "SCL": digital_numbers.astype("uint8")})
    for asset in item.assets.values():
        asset.href += ".is-gone"
    with nothing_computes:
        cube = cbm.mask(cbm.load([item], cbm.CARD_2A, bands=["B04", "SCL"]), cbm.CARD_2A)
    assert all(variable.chunks for variable in cube.data_vars.values())


def test_bands_of_two_resolutions_lie_in_two_nodes(scenes, digital_numbers):
    classes = np.full((20, 30), 4, "uint8")
    item = scenes.item("a", {"B04": digital_numbers, "SCL": classes}, steps={"SCL": (20, -20)})
    cubes = cbm.load_native([item], cbm.CARD_2A, bands=["SCL", "B04"], block=16)
    assert list(cubes.children) == ["EPSG32632_10m", "EPSG32632_20m"]
    assert cubes["EPSG32632_20m"].SCL.dtype == "uint8"
    assert cubes["EPSG32632_20m"].SCL.chunks == ((1,), (8, 8, 4), (8, 8, 8, 6))
    with pytest.raises(SeveralGridsError, match="EPSG32632_10m: B04; EPSG32632_20m: SCL"):
        cbm.load([item], cbm.CARD_2A, bands=["SCL", "B04"])


@pytest.mark.trap("T18")
def test_two_zones_are_two_cubes_without_a_resampled_value_t18(
    scenes, digital_numbers, reflectance
):
    west = scenes.item("w", {"B04": digital_numbers}, origin=(719_000, 5_400_000))
    east = scenes.item("e", {"B04": digital_numbers[::-1]}, origin=(278_000, 5_400_000), epsg=32633)
    cubes = cbm.load_native([west, east], cbm.CARD_2A, bands="B04")
    for name, values in (
        ("EPSG32632_10m", digital_numbers),
        ("EPSG32633_10m", digital_numbers[::-1]),
    ):
        np.testing.assert_array_equal(cubes[name].B04[0], reflectance(values))
    assert cubes["EPSG32632_10m"].acquisition.item() == cubes["EPSG32633_10m"].acquisition.item()


def test_tiles_of_one_acquisition_fill_one_plane(scenes, digital_numbers, reflectance):
    left = scenes.item("l", {"B04": digital_numbers})
    right = scenes.item("r", {"B04": digital_numbers}, origin=(500_500, 5_399_900))
    cube = cbm.load([right, left], cbm.CARD_2A, bands="B04")
    expected = np.full((50, 110), np.nan, "float32")
    expected[10:, 50:] = reflectance(digital_numbers)
    part = expected[:40, :60]
    expected[:40, :60] = np.where(digital_numbers == 0, part, reflectance(digital_numbers))
    np.testing.assert_array_equal(cube.B04[0], expected)
    assert cube["items"].item() == "l r"
    assert len(cube.attrs["source_bounds"]) == 2


@pytest.mark.trap("T14")
@pytest.mark.trap("T15")
def test_two_passes_of_a_day_are_two_sorted_planes_t14_t15(scenes):
    power = np.full((20, 20), 0.1, "float32")
    shared = {"collection": "CARD-BS", "s2__processing_baseline": None, "platform": "sentinel-1a"}
    evening = scenes.item(
        "a",
        {"VV": power * 2},
        day=0.3,
        sat__orbit_state="ascending",
        sat__relative_orbit=15,
        **shared,
    )
    morning = scenes.item("z", {"VV": power}, day=-0.2, sat__relative_orbit=139, **shared)
    cube = cbm.load([evening, morning], cbm.CARD_BS, bands="VV")
    assert cube.orbit_state.values.tolist() == ["descending", "ascending"]
    assert cube.relative_orbit.values.tolist() == [139, 15]
    assert cube.VV[:, 3, 3].values.tolist() == [np.float32(0.1), np.float32(0.2)]
    assert cube.indexes["time"].is_monotonic_increasing


@pytest.mark.trap("T19")
def test_sources_off_the_lattice_are_refused_t19(scenes, digital_numbers):
    """3 m and 5 m (half a pixel) off; a hundredth of a pixel is taken for rounding."""
    first = scenes.item("a", {"B04": digital_numbers})
    for shift in (3.0, 5.0):
        second = scenes.item(
            "b", {"B04": digital_numbers}, origin=(500_000 + shift, 5_400_000), day=5
        )
        with pytest.raises(OffGridError, match=f"shift of -?{shift:g} in x"):
            cbm.load([first, second], cbm.CARD_2A, bands="B04")
    near = scenes.item("c", {"B04": digital_numbers}, origin=(500_000.05, 5_400_000), day=5)
    assert cbm.load([first, near], cbm.CARD_2A, bands="B04").sizes["time"] == 2


@pytest.mark.trap("T19")
def test_a_source_off_the_origin_keeps_its_own_grid_t19(scenes, digital_numbers, reflectance):
    item = scenes.item("a", {"B04": digital_numbers}, origin=(500_003, 5_400_008))
    cube = cbm.load([item], cbm.CARD_2A, bands="B04")
    np.testing.assert_array_equal(cube.B04[0], reflectance(digital_numbers))
    assert float(cube.x[0]) == 500_008


@pytest.mark.trap("T20")
def test_south_up_rasters_keep_their_order_t20(scenes, digital_numbers, reflectance):
    item = scenes.item(
        "a", {"B04": digital_numbers}, origin=(500_000, 5_399_600), steps={"B04": (10, 10)}
    )
    cube = cbm.load([item], cbm.CARD_2A, bands="B04")
    assert float(cube.y[0]) < float(cube.y[-1])
    np.testing.assert_array_equal(cube.B04[0], reflectance(digital_numbers))


@pytest.mark.trap("T24")
@pytest.mark.parametrize("field", ["proj:code", "proj:transform", "proj:shape"])
def test_a_missing_grid_is_named_t24(scenes, digital_numbers, field):
    item = scenes.item("gridless", {"B04": digital_numbers})
    del item.assets["B04"].extra_fields[field]
    with pytest.raises(NoGridError, match="'gridless'.*'B04'"):
        cbm.load([item], cbm.CARD_2A, bands="B04")


@pytest.mark.parametrize("step", [float("nan"), 0.0])
def test_an_unusable_transform_is_named(scenes, digital_numbers, step):
    item = scenes.item("broken", {"B04": digital_numbers})
    item.assets["B04"].extra_fields["proj:transform"][0] = step
    with pytest.raises(NoGridError, match="not a pixel lattice"):
        cbm.load([item], cbm.CARD_2A, bands="B04")


@pytest.mark.trap("T46")
def test_coherence_keeps_both_dates_t46(scenes):
    item = scenes.item(
        "pair",
        {"VV": np.full((9, 9), 0.4, "float32")},
        collection="CARD-COH6",
        s2__processing_baseline=None,
        insar__reference_datetime="2024-02-28T10:10:21Z",
    )
    cube = cbm.load([item], cbm.CARD_COH6, bands="VV")
    assert cube.time.values[0] == np.datetime64("2024-03-05T10:10:21", "ns")
    assert cube.reference_time.values[0] == np.datetime64("2024-02-28T10:10:21", "ns")


@pytest.mark.trap("T36")
def test_a_file_that_cannot_be_read_is_named_when_computing_t36(scenes, digital_numbers):
    item = scenes.item("a", {"B04": digital_numbers})
    (scenes.folder / "a_B04.tif").unlink()
    cube = cbm.load([item], cbm.CARD_2A, bands="B04")
    with pytest.raises(ReadError, match="item 'a', asset 'B04' could not be read\n.*a_B04.tif"):
        cube.compute()


@pytest.mark.trap("T36")
def test_a_damaged_file_is_an_error_and_never_no_data_t36(scenes, digital_numbers):
    item = scenes.item("a", {"B04": digital_numbers})
    path = scenes.folder / "a_B04.tif"
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(ReadError, match="a_B04.tif"):
        cbm.load([item], cbm.CARD_2A, bands="B04").compute()


def test_what_cannot_be_loaded_is_refused_by_name(scenes, digital_numbers):
    item = scenes.item("a", {"B04": digital_numbers})
    with pytest.raises(EmptySearchError, match="no items of CARD-2A"):
        cbm.load([], cbm.CARD_2A)
    with pytest.raises(UnknownBandError, match="no band 'B99'"):
        cbm.load([item], cbm.CARD_2A, bands="B99")
    with pytest.raises(BadItemError, match="'a' has no asset for band B08"):
        cbm.load([item], cbm.CARD_2A, bands=["B04", "B08"])
    with pytest.raises(BadItemError, match="does not spell its assets"):
        cbm.load([item], cbm.CARD_BS)
    with pytest.raises(OptionError, match="block"):
        cbm.load([item], cbm.CARD_2A, bands="B04", block=0)


def test_items_are_left_alone(scenes, digital_numbers):
    item = scenes.item("a", {"B04": digital_numbers})
    before = item.to_dict()
    cbm.load([item], cbm.CARD_2A, bands="B04").compute()
    assert item.to_dict() == before


def test_order_of_items_changes_nothing(scenes, digital_numbers):
    items = [
        scenes.item(name, {"B04": digital_numbers}, day=day, origin=(500_000 + 100 * k, 5_400_000))
        for k, (name, day) in enumerate([("c", 0), ("a", 0), ("b", 5), ("d", 5)])
    ]
    first = cbm.load(items, cbm.CARD_2A, bands="B04").compute()
    xr.testing.assert_identical(first, cbm.load(items[::-1], cbm.CARD_2A, bands="B04").compute())


def test_one_id_twice_is_refused(scenes, digital_numbers):
    item = scenes.item("a", {"B04": digital_numbers})
    with pytest.raises(BadItemError, match="two items carry one id"):
        cbm.load([item, item], cbm.CARD_2A, bands="B04")


@pytest.mark.trap("T34")
def test_an_error_tells_no_secret_of_an_address(scenes, digital_numbers):
    item = scenes.item("a", {"B04": digital_numbers})
    item.id = "odd #cbmcube=/ id"
    item.assets["B04"].href = "http://127.0.0.1:9/B04.tif?signature=secret"
    cube = cbm.load([item], cbm.CARD_2A, bands="B04", access=AccessPolicy(hosts=("127.0.0.1",)))
    with pytest.raises(ReadError, match="'odd #cbmcube=/ id', asset 'B04'") as failure:
        cube.compute(scheduler="synchronous")
    assert "secret" not in str(failure.value)


def test_items_that_were_not_searched_pass_the_gate(scenes, digital_numbers):
    item = scenes.item("a", {"B04": digital_numbers})
    item.assets["B04"].href = "http://169.254.169.254/B04.tif"
    with pytest.raises(AccessError, match="item 'a', asset 'B04'"):
        cbm.load([item], cbm.CARD_2A, bands="B04")


@pytest.mark.trap("T19")
def test_pixels_need_not_be_square(scenes, digital_numbers, reflectance):
    """The pixel size of a real data set, 9.9948 x 9.9974 m."""
    steps = {"B04": (9.99479, -9.99745)}
    item = scenes.item(
        "a", {"B04": digital_numbers}, origin=(465_181.0522, 5_080_254.6335), steps=steps
    )
    cubes = cbm.load_native([item], cbm.CARD_2A, bands="B04", block=16)
    (name,) = cubes.children
    assert name == "EPSG32632_9.99479x9.99745m"
    np.testing.assert_array_equal(cubes[name].B04[0], reflectance(digital_numbers))
