"""A band that contradicts itself cannot exist."""

from __future__ import annotations

import pytest

from cbmcube.exceptions import OptionError
from cbmcube.products import Band, list_products

FACTS = {"name": "X", "long_name": "x", "units": "1"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "classes", "dtype": "uint8", "nodata": 0},
        {"kind": "index", "dtype": "uint8", "nodata": 0, "classes": {1: "a"}},
    ],
)
def test_classes_are_listed_exactly_for_class_bands(wrong):
    with pytest.raises(OptionError, match="must list its classes"):
        Band(**FACTS, **wrong)


@pytest.mark.parametrize("nodata", [float("nan"), 0.5])
def test_whole_numbers_have_a_whole_nodata(nodata):
    with pytest.raises(OptionError, match="holds whole numbers"):
        Band(**FACTS, kind="index", dtype="int16", nodata=nodata)


def test_known_class_bands_have_codes_that_a_lookup_can_hold():
    """Masking looks codes up in a table over uint8 or uint16."""
    found = [b for p in list_products() for b in p.bands if b.kind == "classes"]
    assert [band.name for band in found] == ["SCL", "FLOOD"]
    for band in found:
        assert band.dtype == "uint8"
        assert all(0 <= code <= 255 for code in band.classes)
