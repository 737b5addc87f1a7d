"""How two sources were made, side by side, and the warning if they are not of the same pixels."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import cbmcube as cbm
from cbmcube.agreement import compare
from cbmcube.testing import vector_cube
from cbmcube.warnings import CbmcubeWarning, DifferentPixelsWarning, strict

NAMES = "S2A_MSIL2A_20240301T101031_N0509_R022_T32UNE_1 S2A_MSIL2A_20240301T101031_N0511_R022_x"


@pytest.fixture(scope="module")
def ours():
    return vector_cube("CARD-2A", days=30).assign_attrs(
        buffer_m=-5.0, mask="SCL in {3, 8}", grids="EPSG32632_10m", cbmcube_version="1.0"
    )


def test_equal_sources_are_the_same_in_all_facts(ours):
    with warnings.catch_warnings():
        warnings.simplefilter("error", CbmcubeWarning)
        header = compare(ours, ours).header
    assert header["same"].all()
    first = ["product", "pixels", "buffer_m", "mask", "grids", "cbmcube_version"]
    assert header.index.tolist() == first


@pytest.mark.parametrize(
    ("fact", "value"), [("pixels", "centre"), ("buffer_m", 0.0), ("mask", "none")]
)
def test_other_pixels_are_a_warning_of_their_own(ours, fact, value):
    other = ours.assign_attrs({fact: value})
    with pytest.warns(DifferentPixelsWarning, match=rf"{fact}: .* and {value}") as caught:
        result = compare(ours, other)
    assert caught[0].filename == __file__
    assert result.header.loc[fact, "same"] is np.False_ or not result.header.loc[fact, "same"]
    assert result["NDVI"].rmse == 0
    assert fact in repr(result)
    with strict(), pytest.raises(DifferentPixelsWarning):
        compare(ours, other)


def test_other_facts_are_noted_without_a_warning(ours):
    other = ours.assign_attrs(grids="EPSG3035_10m", cbmcube_version="2.0", terrain_model="DEM-10")
    header = compare(ours, other).header
    assert header.loc[["grids", "cbmcube_version"], "same"].tolist() == [False, False]
    assert header.loc["terrain_model"].tolist()[:2] == ["not stated", "DEM-10"]
    assert header["same"].isna().sum() == 1


def test_what_a_table_does_not_state_is_not_stated(ours):
    header = compare(ours, cbm.to_observations(ours)).header
    assert (header["b"] == "not stated").all()
    assert header["same"].isna().all()


def test_baselines_and_radiometry_are_read_from_the_cube(ours):
    count = ours.sizes["time"]
    items = np.array([NAMES] + ["x"] * (count - 1))
    told = np.array(["offset -0.1 (baseline 05.09)"] * (count - 1) + ["no offset"])
    other = ours.assign_coords(items=("time", items), radiometry=("time", told))
    header = compare(ours, other).header
    assert header.loc["baselines", "b"] == "05.09, 05.11"
    assert header.loc["radiometry", "b"] == "no offset; offset -0.1 (baseline 05.09)"
