"""Items get the spelling their facts show, wholly or not at all."""

from __future__ import annotations

import pytest

from cbmcube.exceptions import OptionError
from cbmcube.products import CARD_2A, CARD_BS, CARD_COH6, GFM, Profile, Stored

OPTICAL = {
    "earth-search.aws.element84.com_v0__sentinel-s2-l2a-cogs": "earth-search-v0",
    "sentinel-s__sentinel-s2-l2a-cogs": "earth-search-v0",
    "earth-search.aws.element84.com_v1__sentinel-2-c1-l2a": "earth-search",
    "earth-search.aws.element84.com_v1__sentinel-2-l2a": "earth-search",
    "planetarycomputer.microsoft.com__sentinel-2-l2a": "planetary-computer",
    "stac.dataspace.copernicus.eu__sentinel-2-l2a": "cdse",
}
"""Profile of every item of a file; files that are not named hold no CARD-2A."""

RADAR = {
    "planetarycomputer.microsoft.com__sentinel-1-rtc": "planetary-computer-rtc",
    "www.indigoag.com__sentinel1-rtc-aws": "indigo",
}

OWN = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12", "SCL"]


def profile_name(product, item):
    found = product.profile_for(item.collection_id, item.assets, item.properties)
    return found and found.name


@pytest.mark.realdata
@pytest.mark.trap("T27")
def test_every_real_item_has_the_profile_its_facts_show(real_items):
    """Level-1C, GRD, SLC, mosaics and Zarr share asset keys with products, and are none."""
    others = dict(real_items)
    notebooks = others.pop("stac.eodc.eu__from_notebooks")
    assert [profile_name(CARD_2A, one) for one in notebooks] == [None, None, "eodc", "sen2like"]
    assert [profile_name(CARD_BS, one) for one in notebooks] == [None] * 4
    for name, items in others.items():
        for item in items:
            assert profile_name(CARD_2A, item) == OPTICAL.get(name), name
            assert profile_name(CARD_BS, item) == RADAR.get(name), name
            assert profile_name(CARD_COH6, item) is profile_name(GFM, item) is None
    assert {*OPTICAL, *RADAR} <= set(others)
    assert sum(map(len, others.values())) + len(notebooks) == 73


@pytest.mark.realdata
@pytest.mark.trap("T27")
@pytest.mark.trap("T30")
def test_keys_lead_to_red_infrared_and_classes_at_their_finest(real_items):
    """The file's own pixel size and name tell that the key is the wanted file."""
    checked = 0
    for items in real_items.values():
        for item in items:
            profile = CARD_2A.profile_for(item.collection_id, item.assets, item.properties)
            if profile is None:
                continue
            for band, gsd in {"B04": 10, "B08": 10, "B8A": 20, "SCL": 20}.items():
                key = profile.assets.get(band)
                if key is None:
                    assert (profile.name, band) == ("sen2like", "SCL")
                    continue
                asset = item.assets[key]
                assert asset.extra_fields.get("gsd", gsd) == gsd
                assert not key.endswith("-jp2")
                if profile.name != "eodc":  # its public addresses end in the key
                    assert f"{band}." in asset.href or f"{band}_{gsd}m" in asset.href
                checked += 1
    assert checked == 4 * (1 + 1 + 6 + 8 + 10 + 7 + 1) + 3


def test_the_collection_comes_before_the_number_of_keys():
    """Three providers share one collection id, two of them one set of keys."""
    named = {
        "CARD-2A": "card",
        "sentinel-2-l2a": "planetary-computer",
        "sentinel-s2-l2a-cogs": "earth-search-v0",
    }
    for collection, name in named.items():
        assert CARD_2A.profile_for(collection, OWN).name == name
    assert CARD_2A.profile_for("my copy", OWN).name == "card"
    assert CARD_2A.profile_for(None, OWN).name == "card"


def test_between_equals_the_one_with_more_evidence_is_taken():
    few = Profile(name="few", collections=("c",), assets={"B04": "B04"})
    many = Profile(name="many", collections=("c",), assets={"B04": "B04", "B08": "B08"})
    told = Profile(
        name="told", collections=("c",), assets={"B04": "B04"}, properties={"a": 1, "b": None}
    )
    product = CARD_2A.with_profile(told).with_profile(many).with_profile(few)
    assert product.profile_for("c", ["B04", "B08"]).name == "many"
    assert product.profile_for("c", ["B04"], {"a": 1, "b": 0}).name == "told"
    assert product.profile_for("c", ["B04"], {"a": 2, "b": 0}).name == "few"
    assert product.profile_for("c", ["B04"], {"a": 1}).name == "few"


@pytest.mark.parametrize("missing", ["B02", "SCL"])
def test_part_of_the_keys_suffices_only_in_a_known_collection(missing):
    keys = [key for key in OWN if key != missing]
    assert CARD_2A.profile_for("CARD-2A", keys).name == "card"
    assert CARD_2A.profile_for("another", keys) is None
    assert CARD_2A.profile_for("CARD-2A", ["visual"]) is None


@pytest.mark.trap("T41")
def test_keys_of_radar_bands_never_suffice():
    """VV is amplitude in one collection, power or decibels in others."""
    for product in (CARD_BS, CARD_COH6):
        assert product.profile_for("another", ["VV", "VH"]) is None
        assert product.profile_for(None, ["VV", "VH"]) is None
        assert product.profile_for(product.name, ["VV", "VH"]).name == "card"


def test_landsat_of_the_same_archive_is_not_sentinel_2():
    keys = [key for key in OWN if key != "SCL"]
    spelt = CARD_2A.profile_for("sentinel2-landsat8-l2f", keys, {"constellation": "landsat"})
    assert spelt is None


def test_a_profile_may_be_given_without_properties():
    assert CARD_2A.profile_for("SENTINEL2_L2A", ["red", "scl"]).name == "eodc"


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"assets": {}}, "spells no band"),
        ({"assets": {"VV": "a"}, "stored": {"VH": Stored()}}, "does not spell"),
    ],
)
def test_profiles_that_contradict_themselves_cannot_exist(facts, message):
    with pytest.raises(OptionError, match=message):
        Profile(name="x", collections=(), **facts)


@pytest.mark.parametrize(
    "facts",
    [{"form": "db"}, {"scale": 0.0}, {"scale": float("nan")}, {"offset": float("inf")}],
)
def test_stored_numbers_that_cannot_be_read_cannot_exist(facts):
    with pytest.raises(OptionError):
        Stored(**facts)
