"""An index says what it is, and cannot be one that makes no sense."""

from __future__ import annotations

import pytest

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.indices import INDICES, Index

SUM = "B04 + B08"


@pytest.mark.parametrize(
    "name", ["", "1ST", "VH/VV", "a b", "lambda", "observed", "time", "NDVI_bad", "SCL_fraction"]
)
def test_names_are_identifiers_without_another_meaning(name):
    with pytest.raises(OptionError, match="cannot have this name"):
        Index(name, SUM)


def test_an_index_that_names_itself_is_refused():
    with pytest.raises(OptionError, match="names itself"):
        Index("B04", SUM)


@pytest.mark.parametrize("bounds", [(1, -1), (0, 0), (float("nan"), 1)])
def test_bounds_leave_room(bounds):
    with pytest.raises(OptionError, match="leave no value"):
        Index("X", SUM, bounds=bounds)


def test_decibels_are_taken_of_means_only():
    assert Index("X", "VH / VV", computed="means", decibels=True).units == "dB"
    for facts in ({"decibels": True}, {"computed": "parcels"}):
        with pytest.raises(OptionError, match="cannot be computed this way"):
            Index("X", "VH / VV", **facts)


def test_limits_are_those_given_or_those_of_the_form():
    assert Index("X", "(B03 - B08) / (B03 + B08)").limits == (-1, 1)
    assert Index("X", "(B03 - B08) / (B03 + B08)", bounds=(0, 1)).limits == (0, 1)
    assert Index("X", SUM).limits is None


def test_other_bands_are_exchanged_in_the_formula():
    moisture = INDICES["NDMI"].with_bands(B08="B8A")
    assert moisture.name == "NDMI"
    assert moisture.bands == ("B8A", "B11")
    assert moisture.attributes()["formula"] == "(B8A - B11) / (B8A + B11)"
    with pytest.raises(UnknownBandError, match="B99"):
        moisture.with_bands(B99="B08")


def test_an_index_is_a_value():
    assert Index("X", SUM) == Index("X", SUM)
    assert len({Index("X", SUM), Index("X", SUM)}) == 1
