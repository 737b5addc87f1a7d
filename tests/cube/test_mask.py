"""Masks follow the ground, class by class, and remember what was seen."""

from __future__ import annotations

import numpy as np
import pytest

import cbmcube as cbm
from cbmcube.exceptions import GridMismatchError, OptionError


@pytest.fixture
def classes():
    """One 20 m pixel of every class, and more of them at random."""
    codes = np.random.default_rng(2).integers(0, 12, (20, 30)).astype("uint8")
    codes[0, :12] = np.arange(12)
    return codes


@pytest.fixture
def cubes(scenes, digital_numbers, classes):
    item = scenes.item("a", {"B04": digital_numbers, "SCL": classes}, steps={"SCL": (20, -20)})
    return cbm.load_native([item], cbm.CARD_2A, bands=["B04", "SCL"], block=16)


def test_each_class_pixel_covers_its_four_pixels(cubes, classes, digital_numbers):
    masked = cbm.mask(cubes, cbm.CARD_2A)
    fine = np.kron(classes, np.ones((2, 2), "uint8"))
    kept = ~np.isin(fine, [0, 1, 3, 8, 9, 10, 11]) & (digital_numbers > 0)
    found = masked["EPSG32632_10m"]
    np.testing.assert_array_equal(np.isfinite(found.B04[0].values), kept)
    plain = cubes["EPSG32632_10m"].B04[0].values
    np.testing.assert_array_equal(found.B04[0].values[kept], plain[kept])


def test_observed_remembers_what_was_seen_before(cubes, digital_numbers):
    masked = cbm.mask(cubes, cbm.CARD_2A)["EPSG32632_10m"]
    np.testing.assert_array_equal(masked.observed[0].values, digital_numbers > 0)
    twice = cbm.mask(cbm.mask(cubes, cbm.CARD_2A), cbm.CARD_2A, classes=[4])["EPSG32632_10m"]
    np.testing.assert_array_equal(twice.observed[0].values, digital_numbers > 0)


def test_the_class_band_stays_and_the_rule_is_recorded(cubes, classes):
    masked = cbm.mask(cubes, cbm.CARD_2A)
    np.testing.assert_array_equal(masked["EPSG32632_20m"].SCL[0], classes)
    assert masked["EPSG32632_10m"].attrs["mask"].startswith("SCL in {0, 1, 3, 8, 9, 10, 11}")


def test_fewer_masked_classes_never_keep_fewer_pixels(cubes):
    rule = sorted(cbm.CARD_2A.mask_rule.masked)
    kept = [
        int(np.isfinite(cbm.mask(cubes, cbm.CARD_2A, classes=rule[:n])["EPSG32632_10m"].B04).sum())
        for n in range(len(rule) + 1)
    ]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > kept[-1]


def test_one_cloudy_pixel_removes_exactly_four(scenes, digital_numbers):
    codes = np.full((20, 30), 4, "uint8")
    codes[7, 11] = 9
    item = scenes.item("a", {"B04": digital_numbers, "SCL": codes}, steps={"SCL": (20, -20)})
    cubes = cbm.load_native([item], cbm.CARD_2A, bands=["B04", "SCL"])
    lost = np.isfinite(cubes["EPSG32632_10m"].B04[0].values) & ~np.isfinite(
        cbm.mask(cubes, cbm.CARD_2A)["EPSG32632_10m"].B04[0].values
    )
    assert np.argwhere(lost).tolist() == [[14, 22], [14, 23], [15, 22], [15, 23]]


def test_a_single_grid_masks_too(scenes, digital_numbers):
    codes = np.where(digital_numbers % 2, 4, 9).astype("uint8")
    item = scenes.item("a", {"B11": digital_numbers, "SCL": codes})
    cube = cbm.mask(cbm.load([item], cbm.CARD_2A, bands=["B11", "SCL"]), cbm.CARD_2A)
    expected = (digital_numbers % 2 == 1) & (digital_numbers > 0)
    np.testing.assert_array_equal(np.isfinite(cube.B11[0].values), expected)


def test_a_slice_along_class_edges_masks_and_a_cut_one_is_refused(cubes, classes):
    fine = cubes["EPSG32632_10m"].to_dataset()
    tree = cubes.copy()
    tree["EPSG32632_10m"] = type(cubes)(fine.isel(x=slice(2, 12), y=slice(4, 10)))
    found = cbm.mask(tree, cbm.CARD_2A)["EPSG32632_10m"].B04[0].values
    kept = ~np.isin(np.kron(classes, np.ones((2, 2)))[4:10, 2:12], [0, 1, 3, 8, 9, 10, 11])
    np.testing.assert_array_equal(np.isfinite(found), kept & np.isfinite(fine.B04[0, 4:10, 2:12]))
    tree["EPSG32632_10m"] = type(cubes)(fine.isel(x=slice(1, 11)))
    with pytest.raises(GridMismatchError, match="do not nest"):
        cbm.mask(tree, cbm.CARD_2A)


def shifted_classes(scenes, digital_numbers, codes, shift):
    item = scenes.item("a", {"B04": digital_numbers})
    origin = (500_000 - shift, 5_400_000 + shift)
    other = scenes.item("s", {"SCL": codes}, origin=origin, steps={"SCL": (20, -20)})
    item.add_asset("SCL", other.assets["SCL"])
    return cbm.load_native([item], cbm.CARD_2A, bands=["B04", "SCL"])


def test_a_class_band_shifted_by_half_its_pixel_masks_by_position(scenes, digital_numbers):
    """A real data set has scene classes that start 10 m off the bands."""
    codes = np.full((22, 32), 4, "uint8")
    codes[7, 11] = 9
    cubes = shifted_classes(scenes, digital_numbers, codes, 10)
    lost = np.isfinite(cubes["EPSG32632_10m"].B04) & ~np.isfinite(
        cbm.mask(cubes, cbm.CARD_2A)["EPSG32632_10m"].B04
    )
    where = np.argwhere(lost[0].values)
    assert {(float(lost.x[c]), float(lost.y[r])) for r, c in where} == {
        (x, y) for x in (500_215, 500_225) for y in (5_399_855, 5_399_865)
    }


def test_a_class_band_that_cuts_pixels_is_refused(scenes, digital_numbers):
    cubes = shifted_classes(scenes, digital_numbers, np.full((22, 32), 4, "uint8"), 5)
    with pytest.raises(GridMismatchError, match="do not nest"):
        cbm.mask(cubes, cbm.CARD_2A)


def test_masks_that_make_no_sense_are_refused(cubes, scenes, digital_numbers):
    with pytest.raises(OptionError, match="8 cloud, medium probability"):
        cbm.mask(cubes, cbm.CARD_2A, classes=[42])
    without = cbm.load([scenes.item("b", {"B04": digital_numbers})], cbm.CARD_2A, bands="B04")
    with pytest.raises(GridMismatchError, match="no SCL band"):
        cbm.mask(without, cbm.CARD_2A)


def test_a_product_without_a_rule_is_left_as_it_is(scenes):
    item = scenes.item(
        "a",
        {"VV": np.full((9, 9), 0.1, "float32")},
        collection="CARD-BS",
        s2__processing_baseline=None,
    )
    cube = cbm.load([item], cbm.CARD_BS, bands="VV")
    assert cbm.mask(cube, cbm.CARD_BS).identical(cube)


def test_a_second_mask_leaves_what_was_observed_alone(scenes, digital_numbers):
    """Pixels without data stay unobserved, also where their class is masked."""
    codes = np.full((20, 30), 9, "uint8")
    item = scenes.item("a", {"B04": digital_numbers, "SCL": codes}, steps={"SCL": (20, -20)})
    cubes = cbm.load_native([item], cbm.CARD_2A, bands=["B04", "SCL"])
    twice = cbm.mask(cbm.mask(cubes, cbm.CARD_2A), cbm.CARD_2A)["EPSG32632_10m"]
    np.testing.assert_array_equal(twice.observed[0].values, digital_numbers > 0)
