"""Stored numbers become values source by source, each by its own rule."""

from __future__ import annotations

import numpy as np
import pytest

import cbmcube as cbm
from cbmcube.exceptions import BadItemError, UnknownOffsetError


@pytest.mark.trap("T10")
def test_one_ground_in_two_baselines_gives_the_same_bits_t10(scenes, digital_numbers):
    raised = np.where(digital_numbers == 0, 0, digital_numbers + 1000).astype("uint16")
    old = scenes.item("old", {"B04": digital_numbers})
    new = scenes.item("new", {"B04": raised}, day=5, s2__processing_baseline="05.10")
    told = scenes.item("told", {"B04": raised}, day=10, s2__processing_baseline=None, offset=-0.1)
    cube = cbm.load([new, old, told], cbm.CARD_2A, bands="B04").compute()
    for plane in range(3):
        np.testing.assert_array_equal(cube.B04[plane], cube.B04[0])
    assert cube.radiometry.values.tolist() == [
        "scale 0.0001, offset 0 (rule 4: processing baseline 03.01)",
        "scale 0.0001, offset -0.1 (rule 4: processing baseline 05.10)",
        "scale 0.0001, offset -0.1 (rule 3: declared by the asset)",
    ]


@pytest.mark.trap("T10")
def test_an_offset_that_was_applied_is_not_applied_again_t10(scenes, digital_numbers, reflectance):
    item = scenes.item(
        "a", {"B04": digital_numbers}, offset=-0.1, earthsearch__boa_offset_applied=True
    )
    cube = cbm.load([item], cbm.CARD_2A, bands="B04")
    np.testing.assert_array_equal(cube.B04[0], reflectance(digital_numbers))


@pytest.mark.trap("T10")
def test_an_unknown_offset_is_an_error_unless_given_t10(scenes, digital_numbers, reflectance):
    item = scenes.item("mystery", {"B04": digital_numbers}, s2__processing_baseline=None)
    with pytest.raises(UnknownOffsetError, match="'mystery'.*'B04'"):
        cbm.load([item], cbm.CARD_2A, bands="B04")
    cube = cbm.load([item], cbm.CARD_2A, bands="B04", offset=-0.1)
    np.testing.assert_array_equal(cube.B04[0], reflectance(digital_numbers, -1000))


@pytest.mark.trap("T13")
@pytest.mark.trap("T12")
def test_two_offsets_in_one_plane_are_corrected_before_they_meet_t13(
    scenes, digital_numbers, reflectance
):
    """One ground, written with and without the offset, in two overlapping tiles of a pass."""
    raised = np.where(digital_numbers == 0, 0, digital_numbers + 1000).astype("uint16")
    left = scenes.item("l", {"B04": digital_numbers})
    right = scenes.item(
        "r", {"B04": raised[:, 30:]}, origin=(500_300, 5_400_000), s2__processing_baseline="05.10"
    )
    alone = cbm.load([left], cbm.CARD_2A, bands="B04")
    for items in ([left, right], [right, left]):
        cube = cbm.load(items, cbm.CARD_2A, bands="B04")
        assert cube.sizes["time"] == 1
        np.testing.assert_array_equal(cube.B04[0], reflectance(digital_numbers))
        np.testing.assert_array_equal(cube.B04[0], alone.B04[0])
    assert cube.radiometry.item() == (
        "scale 0.0001, offset 0 (rule 4: processing baseline 03.01) in l"
        " and scale 0.0001, offset -0.1 (rule 4: processing baseline 05.10) in r"
    )


@pytest.mark.trap("T11")
def test_scene_classes_are_never_scaled_t11(scenes):
    classes = np.arange(12, dtype="uint8").reshape(3, 4)
    item = scenes.item(
        "a", {"SCL": classes}, extra={"SCL": {"raster:offset": -0.1, "raster:scale": 0.5}}
    )
    cube = cbm.load([item], cbm.CARD_2A, bands="SCL")
    np.testing.assert_array_equal(cube.SCL[0], classes)
    assert cube.SCL.attrs["flag_values"].tolist() == list(range(12))


def test_the_assets_word_on_no_data_wins(scenes, digital_numbers, reflectance):
    """65535 declared: zero is data then; another item may have another number."""
    values = np.where(digital_numbers == 0, 65535, digital_numbers).astype("uint16")
    values[20, 20] = 0
    item = scenes.item("a", {"B04": values}, extra={"B04": {"nodata": 65535}})
    plane = cbm.load([item], cbm.CARD_2A, bands="B04").B04[0].values
    assert np.isnan(plane).sum() == (values == 65535).sum() == 35
    assert plane[20, 20] == 0
    other = scenes.item("b", {"B04": digital_numbers}, day=5, extra={"B04": {"nodata": 0}})
    both = cbm.load([item, other], cbm.CARD_2A, bands="B04").B04.values
    np.testing.assert_array_equal(both[0], plane)
    np.testing.assert_array_equal(both[1], reflectance(digital_numbers))


def test_class_bands_must_agree_which_code_means_no_data(scenes):
    codes = np.full((4, 4), 4, "uint8")
    items = [
        scenes.item("a", {"SCL": codes}),
        scenes.item("b", {"SCL": codes}, day=5, extra={"SCL": {"nodata": 255}}),
    ]
    with pytest.raises(BadItemError, match="do not agree which number.*means no data"):
        cbm.load(items, cbm.CARD_2A, bands="SCL")
