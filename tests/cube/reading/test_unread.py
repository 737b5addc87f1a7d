"""Pixels that could not be read are marked, never mistaken for missing or masked ones."""

from __future__ import annotations

import numpy as np
import pytest

import cbmcube as cbm
from cbmcube.cube.reading._unread import require_free_code
from cbmcube.exceptions import OptionError, ReadError
from cbmcube.products import Band


@pytest.fixture
def broken(scenes, digital_numbers):
    """Two dates of bands and classes; B04 of the first and SCL of the second are gone."""
    codes = np.full((20, 30), 4, "uint8")
    codes[3, 5] = 9
    items = [
        scenes.item(name, {"B04": digital_numbers, "B08": digital_numbers, "SCL": codes},
                    day=day, steps={"SCL": (20, -20)})
        for name, day in (("a", 0), ("b", 5))
    ]  # fmt: skip
    (scenes.folder / "a_B04.tif").unlink()
    (scenes.folder / "b_SCL.tif").unlink()
    return items


@pytest.mark.trap("T36")
def test_by_default_a_file_that_is_gone_is_an_error(broken):
    for band in ("B04", "SCL"):
        with pytest.raises(ReadError, match=f"asset '{band}' could not be read"):
            cbm.load(broken, cbm.CARD_2A, bands=band).compute()


@pytest.mark.trap("T36")
def test_recorded_failures_are_marked_and_the_rest_is_as_ever(broken, digital_numbers, reflectance):
    options = {"bands": ["B04", "B08", "SCL"], "on_error": "record", "block": 16}
    cubes = cbm.load_native(broken, cbm.CARD_2A, **options)
    fine, coarse = cubes["EPSG32632_10m"].to_dataset(), cubes["EPSG32632_20m"].to_dataset()
    assert fine.attrs["on_error"] == coarse.attrs["on_error"] == "record"
    assert np.isneginf(fine.B04[0].values).all()
    np.testing.assert_array_equal(fine.B04[1], reflectance(digital_numbers))
    assert coarse.SCL.attrs["flag_values"].tolist() == [*range(12), 255]
    assert coarse.SCL.attrs["flag_meanings"].endswith(" snow_or_ice could_not_be_read")
    assert (coarse.SCL[1].values == 255).all()
    assert set(np.unique(coarse.SCL[0])) == {4, 9}


@pytest.mark.trap("T36")
def test_masking_keeps_what_could_not_be_read(broken, digital_numbers):
    """-inf stays, NaN for clouds, and -inf wherever the class is not known."""
    options = {"bands": ["B04", "B08", "SCL"], "on_error": "record"}
    masked = cbm.mask(cbm.load_native(broken, cbm.CARD_2A, **options), cbm.CARD_2A)
    fine = masked["EPSG32632_10m"].to_dataset().compute()
    assert np.isneginf(fine.B04[0]).all()
    clear = digital_numbers > 0
    np.testing.assert_array_equal(fine.observed[0], clear)
    clear[6:8, 10:12] = False
    np.testing.assert_array_equal(np.isfinite(fine.B08[0]), clear)
    assert not np.isneginf(fine.B08[0]).any()
    for band in ("B04", "B08"):
        assert np.isneginf(fine[band][1]).all()


def test_a_cube_without_failures_is_the_same_but_for_its_word(scenes, digital_numbers):
    codes = np.full((40, 60), 4, "uint8")
    item = scenes.item("a", {"B04": digital_numbers, "SCL": codes})
    plain, recorded = (
        cbm.mask(
            cbm.load([item], cbm.CARD_2A, bands=["B04", "SCL"], on_error=how), cbm.CARD_2A
        ).compute()
        for how in ("raise", "record")
    )
    for name in ("B04", "SCL", "observed"):
        np.testing.assert_array_equal(recorded[name], plain[name])
    assert "on_error" not in plain.attrs


def test_a_later_source_does_not_cover_what_could_not_be_read(scenes, digital_numbers):
    """The first item by id fills a pixel; that it failed must not hide behind the second."""
    items = [scenes.item(name, {"B04": digital_numbers}) for name in "ab"]
    (scenes.folder / "a_B04.tif").unlink()
    cube = cbm.load(items, cbm.CARD_2A, bands="B04", on_error="record")
    assert np.isneginf(cube.B04.values).all()


def test_an_unknown_way_is_refused(scenes, digital_numbers):
    item = scenes.item("a", {"B04": digital_numbers})
    with pytest.raises(OptionError, match="on_error='ignore'"):
        cbm.load([item], cbm.CARD_2A, bands="B04", on_error="ignore")


@pytest.mark.parametrize("nodata", [255, 0])
def test_a_code_that_means_something_else_cannot_mark_failures(nodata):
    classes = {0: "none", 1: "flood"} | ({} if nodata else {255: "permanent water"})
    band = Band("flood", "classes", "flood", "1", "uint8", nodata, classes=classes)
    with pytest.raises(OptionError, match="band flood that cannot be read could not be told"):
        require_free_code(band, "uint8", nodata)
    require_free_code(band, "uint16", nodata)
