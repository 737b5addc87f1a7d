"""Products know their bands and take spellings from users."""

from __future__ import annotations

import pytest

from cbmcube.exceptions import UnknownBandError
from cbmcube.products import CARD_2A, CARD_BS, GFM, Profile, list_products


def test_unknown_bands_are_answered_with_the_known_ones():
    with pytest.raises(UnknownBandError, match=r"'red'(.|\n)*B02, B03, B04"):
        CARD_2A.band("red")
    with pytest.raises(UnknownBandError, match="empty list"):
        CARD_2A.select_bands([])


def test_bands_are_selected_once_in_the_order_given():
    names = [band.name for band in CARD_2A.select_bands(["SCL", "B04", "SCL"])]
    assert names == ["SCL", "B04"]
    assert CARD_2A.select_bands(None) == CARD_2A.bands


def test_a_users_profile_is_preferred_and_the_product_stays_as_it_was():
    twin = Profile(name="twin", collections=("sentinel-2-l2a",), assets={"B04": "red-jp2"})
    product = CARD_2A.with_profile(twin)
    assert product.profiles[0] is twin
    assert twin not in CARD_2A.profiles
    other = Profile(name="twin", collections=("c",), assets={"B04": "r"})
    assert product.with_profile(other).profiles == (other, *CARD_2A.profiles)


def test_a_profile_of_unknown_bands_is_refused():
    with pytest.raises(UnknownBandError, match="CARD-BS has no band 'HH'"):
        CARD_BS.with_profile(Profile(name="x", collections=("c",), assets={"HH": "hh"}))


def test_collections_are_those_of_all_profiles_once():
    assert CARD_2A.collections == (
        "CARD-2A",
        "SENTINEL2_L2A",
        "sentinel-2-l2a",
        "sentinel-2-c1-l2a",
        "sentinel-s2-l2a-cogs",
        "sentinel2-landsat8-l2f",
    )


def test_known_products_hold_together():
    """Spelt bands exist; mask rules name codes of a class band; names are unique."""
    products = list_products()
    assert len({product.name for product in products}) == len(products) == 4
    for product in products:
        assert len({one.name for one in product.profiles}) == len(product.profiles)
        for profile in product.profiles:
            assert set(profile.assets) <= set(product.band_names)
            assert len(set(profile.assets.values())) == len(profile.assets)
        rule = product.mask_rule
        if rule is not None:
            assert rule.masked < set(product.band(rule.band).classes)
    assert GFM.mask_rule is None


def test_resolutions_are_those_of_the_instrument():
    """Sentinel-2 user handbook: four bands of 10 m, six of 20 m."""
    fine = [band.name for band in CARD_2A.bands if band.resolution == 10]
    assert fine == ["B02", "B03", "B04", "B08"]
    assert {band.resolution for band in CARD_2A.bands} == {10, 20}
