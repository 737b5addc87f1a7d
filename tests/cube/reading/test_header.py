"""The grid of a file stands in its header; it is read only when asked for."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine

import cbmcube as cbm
from cbmcube.cube.reading import _header
from cbmcube.exceptions import NoGridError, ReadError


@pytest.fixture
def gridless(scenes, digital_numbers):
    item = scenes.item("a", {"B04": digital_numbers, "B08": digital_numbers + 1})
    for field in ("proj:transform", "proj:shape", "proj:code"):
        del item.assets["B04"].extra_fields[field]
    return item


@pytest.mark.trap("T24")
def test_a_grid_is_read_from_the_file_when_asked_for(gridless, digital_numbers, reflectance):
    with pytest.raises(NoGridError, match="'a' states no CRS.*'B04'(.|\n)*read_headers=True"):
        cbm.load([gridless], cbm.CARD_2A, bands="B04")
    cube = cbm.load([gridless], cbm.CARD_2A, bands="B04", read_headers=True)
    np.testing.assert_array_equal(cube.B04[0], reflectance(digital_numbers))


def test_only_files_without_a_stated_grid_are_opened_and_each_once(gridless, monkeypatch):
    opened = []
    real = _header.open_raster
    monkeypatch.setattr(
        _header, "open_raster", lambda href, **more: opened.append(href) or real(href, **more)
    )
    cbm.load([gridless], cbm.CARD_2A, bands=["B04", "B08"], read_headers=True)
    assert [href.rsplit("/", 1)[1] for href in opened] == ["a_B04.tif"]


def test_a_file_that_is_not_there_is_named_with_item_and_asset(gridless, scenes):
    (scenes.folder / "a_B04.tif").unlink()
    with pytest.raises(ReadError, match="item 'a', asset 'B04' could not be read"):
        cbm.load([gridless], cbm.CARD_2A, bands="B04", read_headers=True)


def test_a_rotated_file_is_refused(gridless):
    with rasterio.open(gridless.assets["B04"].href, "r+") as target:
        target.transform = Affine(10, 2, 500_000, 2, -10, 5_400_000)
    with pytest.raises(NoGridError, match="'a', asset 'B04': the file's pixels are rotated"):
        cbm.load([gridless], cbm.CARD_2A, bands="B04", read_headers=True)


def test_a_file_of_another_type_than_stated_is_refused(gridless):
    gridless.assets["B04"].extra_fields["data_type"] = "uint8"
    with pytest.raises(ReadError, match="the type of the file is not what its item says"):
        cbm.load([gridless], cbm.CARD_2A, bands="B04", read_headers=True)
