"""The page on products shows code that runs and every profile there is."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cbmcube.cube.radiometry._radiometry import calibrate, decide
from cbmcube.products import list_products
from tests.cube.radiometry.test_radiometry import item_with
from tests.pages.fences import ROOT, find_blocks
from tests.pages.stage import play

PATH = ROOT / "docs" / "products.md"
PAGE = PATH.read_text()


@pytest.fixture(scope="module")
def names():
    """What the examples of the page define, in order."""
    return play(find_blocks(PATH)).names


def test_every_profile_has_its_row():
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in PAGE.split("## Profiles")[1].split("\n\n")[1].splitlines()[2:]
    ]
    profiles = [one for product in list_products() for one in product.profiles]
    assert len(rows) == len(profiles)
    for row, profile in zip(rows, profiles, strict=True):
        cells = row[-4:]
        assert cells[0] == f"`{profile.name}`" + " *" * profile.reconstructed
        assert re.findall(r"`(.*?)`", cells[1]) == list(profile.collections)
        assert set(re.findall(r"`(.*?)`", cells[2])) <= set(profile.assets.values())


def test_the_mirror_is_found_by_its_names(names):
    keys = ["r", "n", "classes"]
    assert names["mirror"].profile_for("s2-mirror", ["r"]).assets["B04"] == "r"
    assert names["mirror"].profile_for("another", keys).name == "mirror"
    assert names["twins"].profile_for("sentinel-2-l2a", ["red", "red-jp2"]).name == "jp2"


def test_the_agencys_amplitudes_become_power(names):
    product = names["radar"]
    profile = product.profile_for("s1-amplitude", ["vv"])
    decision = decide(item_with("vv"), "vv", product.band("VV"), profile, None)
    power = calibrate(np.array([65535, 5000], "uint16"), decision, 65535)
    decibels = 20 * np.log10(5000) - 83
    np.testing.assert_allclose(10 * np.log10(power), [np.nan, decibels], rtol=1e-6)


def test_the_own_product_is_scaled_and_masked(names):
    product = names["greenness"]
    [profile] = product.profiles
    decision = decide(item_with("ndvi"), "ndvi", product.band("NDVI"), profile, None)
    values = calibrate(np.array([20, 220, 255], "uint8"), decision, 255)
    np.testing.assert_allclose(values, [0, 0.8, np.nan], atol=1e-7)
    assert product.mask_rule.masked < set(product.band("CLOUD").classes)
