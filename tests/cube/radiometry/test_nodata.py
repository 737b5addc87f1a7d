"""The nearest statement tells how numbers are stored: asset, profile, band."""

from __future__ import annotations

import numpy as np
import pystac
import pytest

from cbmcube.cube.radiometry._nodata import can_hold, nodata_number, one_nodata, stored_dtype
from cbmcube.exceptions import BadItemError
from cbmcube.products import CARD_2A, CARD_BS, GFM, Profile, Stored, list_products
from tests.cube.radiometry.test_radiometry import item_with, read

RED, SCL, VV = CARD_2A.band("B04"), CARD_2A.band("SCL"), CARD_BS.band("VV")
OPTICAL = {("uint16", 0), ("uint8", 0)}
PLAIN = Profile(name="plain", collections=(), assets={"B04": "B04"})


def profile_with(**stored):
    return Profile("own", (), {"B04": "B04"}, {"B04": Stored(**stored)})


@pytest.mark.realdata
@pytest.mark.trap("T28")
def test_types_and_nodata_that_items_do_not_state_t28(realdata):
    """Three providers state neither; codes stay codes, and 0 stays no data."""
    silent = [
        *read(realdata, "planetarycomputer.microsoft.com__sentinel-2-l2a"),
        *read(realdata, "earth-search.aws.element84.com_v0__sentinel-s2-l2a-cogs"),
        read(realdata, "stac.eodc.eu__from_notebooks")[3],
    ]
    for item in silent:
        for asset in item.assets.values():
            assert not {"nodata", "data_type", "raster:bands"} & set(asset.extra_fields)
        profile = CARD_2A.profile_for(item.collection_id, item.assets, item.properties)
        for band, dtype in ((RED, "uint16"), (SCL, "uint8")):
            if band.name in profile.assets:
                assert stored_dtype(band, profile, item, band.name) == dtype
                assert nodata_number(band, profile, item, band.name) == 0


@pytest.mark.realdata
@pytest.mark.trap("T28")
@pytest.mark.parametrize(
    ("name", "product", "facts"),
    [
        ("planetarycomputer.microsoft.com__sentinel-1-rtc", CARD_BS, {("float32", -32768)}),
        ("www.indigoag.com__sentinel1-rtc-aws", CARD_BS, {("float32", 0)}),
        ("stac.dataspace.copernicus.eu__sentinel-2-l2a", CARD_2A, {("uint16", 0), ("uint8", 0)}),
        (
            "earth-search.aws.element84.com_v1__sentinel-2-l2a",
            CARD_2A,
            {("uint16", 0), ("uint8", 0)},
        ),
    ],
)
def test_types_and_nodata_of_real_items(realdata, name, product, facts):
    """As stated, and the same from the profile once the statement is gone."""
    for item in read(realdata, name):
        profile = product.profile_for(item.collection_id, item.assets, item.properties)
        for _ in range(2):
            found = set()
            for band in product.bands:
                where = (band, profile, item, profile.assets[band.name])
                found.add((stored_dtype(*where), nodata_number(*where)))
            assert found == facts
            for asset in item.assets.values():
                for field in ("raster:bands", "nodata", "data_type"):
                    asset.extra_fields.pop(field, None)


@pytest.mark.parametrize("container", [None, "bands", "raster:bands"])
def test_asset_before_profile_before_band(container):
    stated = {"nodata": 65535, "data_type": "uint32"}
    item = item_with(fields=stated if container is None else {container: [stated]})
    own = profile_with(nodata=7, dtype="int16")
    assert nodata_number(RED, own, item, "B04") == 65535
    assert stored_dtype(RED, own, item, "B04") == "uint32"
    item = item_with()
    assert nodata_number(RED, own, item, "B04") == 7
    assert stored_dtype(RED, own, item, "B04") == "int16"
    assert nodata_number(RED, PLAIN, item, "B04") == 0
    assert stored_dtype(RED, PLAIN, item, "B04") == "uint16"


def test_a_profile_may_say_one_thing_and_leave_the_other():
    assert stored_dtype(RED, profile_with(nodata=7), item_with(), "B04") == "uint16"
    assert nodata_number(RED, profile_with(dtype="int16"), item_with(), "B04") == 0


@pytest.mark.parametrize(("text", "number"), [("nan", np.nan), ("-inf", -np.inf), ("-1", -1.0)])
def test_numbers_that_json_lacks_travel_as_text(text, number):
    found = nodata_number(VV, PLAIN, item_with(fields={"nodata": text}), "B04")
    np.testing.assert_equal(found, number)


@pytest.mark.parametrize("nodata", [-1, 65536, 0.5, "nan", "inf", "none", [0]])
def test_a_nodata_that_no_number_can_be_is_refused(nodata):
    """Taken as it is, it would mark nothing, and what it was meant for would be data."""
    with pytest.raises(BadItemError, match="'one', asset 'B04'"):
        nodata_number(RED, PLAIN, item_with(fields={"nodata": nodata}), "B04")


@pytest.mark.parametrize(
    ("band", "dtype"),
    [(RED, "cfloat32"), (RED, "other"), (RED, "object"), (SCL, "float32"), (SCL, "int8"), (RED, 1)],
)
def test_types_without_usable_numbers_are_refused(band, dtype):
    with pytest.raises(BadItemError, match=r"usable type(.|\n)*uint8"):
        stored_dtype(band, PLAIN, item_with(fields={"data_type": dtype}), "B04")


@pytest.mark.parametrize("fields", [{"bands": {}}, {"raster:bands": []}, {"bands": [None]}])
def test_statements_of_another_form_say_nothing(fields):
    assert nodata_number(RED, PLAIN, item_with(fields=fields), "B04") == 0


def test_class_codes_that_meet_share_their_nodata():
    assert one_nodata(SCL, {"a": 0.0, "b": 0}) == 0
    with pytest.raises(BadItemError, match=r"SCL(.|\n)*a: 0; c: 255"):
        one_nodata(SCL, {"a": 0.0, "b": 0.0, "c": 255.0})


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32"])
def test_what_a_type_can_hold(dtype):
    limits = np.iinfo(dtype)
    for number in (limits.min, limits.max):
        assert can_hold(np.dtype(dtype), float(number))
    for number in (limits.min - 1, limits.max + 1, 0.5, np.nan, np.inf):
        assert not can_hold(np.dtype(dtype), float(number))


def test_every_profile_stores_numbers_that_its_bands_can_have():
    for product in list_products():
        for profile in product.profiles:
            for name, key in profile.assets.items():
                where = (product.band(name), profile, item_with(key), key)
                assert can_hold(np.dtype(stored_dtype(*where)), nodata_number(*where))


def test_floods_have_their_own_number_for_no_data():
    """Reconstructed item of the Global Flood Monitoring service; 255 is no class."""
    [profile] = GFM.profiles
    item = pystac.Item.from_dict(item_with("ensemble_flood_extent").to_dict(), migrate=False)
    where = (GFM.band("FLOOD"), profile, item, "ensemble_flood_extent")
    assert (stored_dtype(*where), nodata_number(*where)) == ("uint8", 255)
    assert 255 not in GFM.band("FLOOD").classes
