"""Stored numbers become values by facts of the item, each decision with its rule."""

from __future__ import annotations

import dataclasses
import json
import warnings
from datetime import UTC, datetime

import hypothesis.extra.numpy as arrays
import numpy as np
import pyarrow.parquet as pq
import pystac
import pytest
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st

from cbmcube.cube.radiometry._radiometry import Radiometry, calibrate, decide
from cbmcube.exceptions import BadItemError, UnknownOffsetError, UnknownScaleError
from cbmcube.products import CARD_2A, CARD_BS, CARD_COH6, Band, Profile, Stored
from cbmcube.warnings import IgnoredOffsetWarning

RED, VV, COHERENCE = CARD_2A.band("B04"), CARD_BS.band("VV"), CARD_COH6.band("VV")
CARD = CARD_2A.profiles[0]
TWIN = Profile(name="twin", collections=("sentinel-2-l2a",), assets={"B04": "red-jp2"})
NOW = datetime(2024, 3, 5, tzinfo=UTC)

TABLE = [
    ("earth-search.aws.element84.com_v1__sentinel-2-l2a", "red", 0.0, 2),
    ("earth-search.aws.element84.com_v1__sentinel-2-c1-l2a", "red", -0.1, 3),
    ("earth-search.aws.element84.com_v1__sentinel-2-l1c", "red", -0.1, 3),
    ("earth-search.aws.element84.com_v0__sentinel-s2-l2a-cogs", "B04", 0.0, 4),
    ("sentinel-s__sentinel-s2-l2a-cogs", "B04", 0.0, 4),
    ("planetarycomputer.microsoft.com__sentinel-2-l2a", "B04", 0.0, 4),
    ("stac.dataspace.copernicus.eu__sentinel-2-l2a", "B04_10m", -0.1, 3),
    ("resto.c-scale.zcu.cz__S2", "B04", 0.0, 4),
]
"""File, asset, offset and rule: what pixels of each provider carry."""


def read(folder, name):
    features = json.loads((folder / "stac-items" / f"{name}.json").read_text())["features"]
    return [pystac.Item.from_dict(feature, migrate=False) for feature in features]


def item_with(key="B04", fields=None, href="B04.tif", name="one", **properties):
    facts = {fact.replace("__", ":"): value for fact, value in properties.items()}
    item = pystac.Item(name, None, None, NOW, facts)
    item.add_asset(key, pystac.Asset(href, extra_fields=fields or {}))
    return item


@pytest.mark.realdata
@pytest.mark.trap("T10")
@pytest.mark.parametrize(("name", "key", "offset", "rule"), TABLE, ids=[row[0] for row in TABLE])
def test_offset_table_of_real_items_t10(realdata, name, key, offset, rule):
    items = read(realdata, name)
    assert items
    for item in items:
        profile = CARD_2A.profile_for(item.collection_id, item.assets, item.properties) or CARD
        found = decide(item, key, RED, profile, None)
        assert (found.scale, found.offset, found.rule, found.form) == (1e-4, offset, rule, "linear")
        assert f"rule {rule}: {found.reason}" in str(found)
        told = decide(item, key, RED, profile, -0.05)
        assert (told.offset, told.rule) == (-0.05, 1)


@pytest.mark.realdata
@pytest.mark.trap("T10")
def test_offsets_of_the_eodc_items_t10(realdata):
    """Level-1C and Level-2A declare theirs; sen2like says nothing and is refused."""
    level_1c, _, level_2a, sen2like = read(realdata, "stac.eodc.eu__from_notebooks")
    assert decide(level_1c, "B04", RED, CARD, None).offset == -0.1
    assert decide(level_2a, "red", RED, CARD_2A.profiles[1], None).offset == -0.1
    spelt = CARD_2A.profile_for(sen2like.collection_id, sen2like.assets, sen2like.properties)
    with pytest.raises(UnknownOffsetError, match=rf"{sen2like.id}(.|\n)*pass offset="):
        decide(sen2like, "B04", RED, spelt, None)
    # A baseline of the scene that went in says nothing of what came out.
    sen2like.properties["s2:processing_baseline"] = "05.10"
    with pytest.raises(UnknownOffsetError):
        decide(sen2like, "B04", RED, spelt, None)
    assert decide(sen2like, "B04", RED, spelt, 0.0).rule == 1


@pytest.mark.realdata
@pytest.mark.trap("T10")
def test_undeclared_offsets_follow_from_the_baseline_t10(realdata):
    """A hundred items without a declared offset, all of baseline 05.10 or 05.11."""
    table = pq.read_table(
        realdata / "stac-items" / "planetarycomputer__100-sentinel-2-items.parquet",
        columns=["id", "collection", "s2:processing_baseline", "assets"],
    )
    found = []
    for row in table.to_pylist():
        baseline = row["s2:processing_baseline"]
        href = row["assets"]["B04"]["href"]
        item = item_with(href=href, name=row["id"], s2__processing_baseline=baseline)
        profile = CARD_2A.profile_for(row["collection"], row["assets"])
        found.append((profile.name, decide(item, "B04", RED, profile, None), baseline))
    assert {(name, one.offset, one.rule) for name, one, _ in found} == {
        ("planetary-computer", -0.1, 4)
    }
    assert all(baseline in one.reason for _, one, baseline in found)
    assert len(found) == 100


@pytest.mark.realdata
@pytest.mark.trap("T30")
@pytest.mark.trap("T10")
def test_twin_assets_demand_an_offset_t30(realdata):
    """The flag and the declared offset speak of the GeoTIFF, not of the original beside it."""
    for item in read(realdata, "earth-search.aws.element84.com_v1__sentinel-2-l2a"):
        for flag in (True, False):
            item.properties["earthsearch:boa_offset_applied"] = flag
            with pytest.raises(UnknownOffsetError, match="red-jp2(.|\n)*original"):
                decide(item, "red-jp2", RED, TWIN, None)
            assert decide(item, "red-jp2", RED, TWIN, -0.1).offset == -0.1
        # Without the correction the declared offset of the GeoTIFF holds.
        assert decide(item, "red", RED, CARD, None).rule == 3


@pytest.mark.realdata
@pytest.mark.trap("T11")
def test_only_reflectance_has_an_offset_t11(realdata):
    """Older items declare the reflectance offset on everything scaled, later ones 0."""
    items = read(realdata, "stac.dataspace.copernicus.eu__sentinel-2-l2a")
    optical = {"kind": "index", "long_name": "x", "units": "1", "dtype": "uint16", "nodata": 0}
    for item in items:
        old = item.properties["processing:version"] == "05.00"
        for name in ("AOT_20m", "WVP_10m"):
            band = Band(name=name, **optical)
            profile = Profile(name="cdse", collections=(), assets={name: name})
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = decide(item, name, band, profile, -0.1)
            assert (found.offset, found.rule) == (0.0, 0)
            assert found.scale == (1e-4 if old else 1e-3)
            assert [one.category for one in caught] == [IgnoredOffsetWarning] * old
            assert all(item.id in str(one.message) for one in caught)
        classes = decide(item, "SCL_20m", CARD_2A.band("SCL"), CARD, -0.1)
        assert (classes.scale, classes.offset) == (1.0, 0.0)
    assert len(items) == 7
    assert old is False


@pytest.mark.trap("T11")
def test_a_scale_and_offset_of_class_codes_are_left_out_t11():
    fields = {"raster:scale": 0.1, "raster:offset": -0.1}
    with pytest.warns(IgnoredOffsetWarning, match="SCL \\(classes\\)"):
        found = decide(item_with(fields=fields), "B04", CARD_2A.band("SCL"), CARD, None)
    assert (found.scale, found.offset) == (1.0, 0.0)


@pytest.mark.trap("T10")
@pytest.mark.parametrize(
    ("baseline", "offset"),
    [("02.04", 0), ("03.01", 0), ("04.00", -0.1), ("N0400", -0.1), ("N05.10", -0.1), ("0214", 0)],
)
def test_the_offset_begins_with_baseline_4(baseline, offset):
    """Product notice of 25 January 2022; two spellings of each side of 04.00."""
    for name in ("s2:processing_baseline", "processing:version"):
        item = item_with()
        item.properties[name] = baseline
        found = decide(item, "B04", RED, CARD, None)
        assert (found.offset, found.rule) == (offset, 4)


@pytest.mark.trap("T10")
@pytest.mark.parametrize(
    ("number", "offset"), [("0208", 0), ("0509", -0.1), ("0400", -0.1), ("9999", None)]
)
def test_a_baseline_in_a_name_or_address_counts(number, offset):
    """9999 marks test processing, whose numbers may carry the offset or not."""
    product = f"S2A_MSIL2A_20210305T101021_N{number}_R022_T32UPC_20210305T130000"
    named = item_with(s2__product_uri=f"{product}.SAFE")
    addressed = item_with(href=f"https://example.org/{product}.SAFE/B04.jp2?a=_N0102_")
    for item in (named, addressed, item_with(name=product)):
        if offset is None:
            with pytest.raises(UnknownOffsetError):
                decide(item, "B04", RED, CARD, None)
        else:
            assert decide(item, "B04", RED, CARD, None).offset == offset


@pytest.mark.realdata
@pytest.mark.trap("T10")
def test_one_scene_in_two_processings_n9999(realdata):
    """Two real records of one scene: one known baseline, one test processing."""
    text = (realdata / "resto" / "creodiasMergePhoebusFeatures.json").read_text()
    names = {f["properties"]["title"].removesuffix(".SAFE") for f in json.loads(text)["features"]}
    decided = {}
    for name in names:
        try:
            decided[name.split("_")[3]] = decide(item_with(name=name), "B04", RED, CARD, None)
        except UnknownOffsetError:
            decided[name.split("_")[3]] = None
    assert decided["N9999"] is None
    assert decided["N0208"].offset == 0


@given(st.datetimes(datetime(2015, 6, 23), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
@pytest.mark.trap("T10")
def test_the_date_never_decides(moment):
    told = item_with(s2__processing_baseline="05.00")
    silent = item_with()
    told.datetime = silent.datetime = moment
    assert decide(told, "B04", RED, CARD, None).offset == -0.1
    with pytest.raises(UnknownOffsetError, match="_Nxxxx_"):
        decide(silent, "B04", RED, CARD, None)


@pytest.mark.parametrize("container", [None, "bands", "raster:bands"])
def test_scale_and_offset_count_in_every_spelling(container):
    names = (
        ("scale", "offset") if container == "raster:bands" else ("raster:scale", "raster:offset")
    )
    stated = dict(zip(names, (2e-4, -0.2), strict=True))
    fields = stated if container is None else {container: [stated, {}]}
    found = decide(item_with(fields=fields), "B04", RED, CARD, None)
    assert (found.scale, found.offset, found.rule) == (2e-4, -0.2, 3)


def test_a_profile_states_scale_and_offset_where_items_do_not():
    """Landsat Collection 2 surface reflectance: 0.0000275 n - 0.2."""
    landsat = Profile(
        name="landsat",
        collections=(),
        assets={"B04": "red"},
        stored={"B04": Stored(scale=2.75e-5, offset=-0.2)},
    )
    found = decide(item_with("red"), "red", RED, landsat, None)
    assert (found.scale, found.offset, found.rule) == (2.75e-5, -0.2, 3)
    assert "landsat" in found.reason
    fields = {"raster:bands": [{"scale": 3e-5, "offset": -0.3}]}
    found = decide(item_with("red", fields), "red", RED, landsat, None)
    assert (found.scale, found.offset) == (3e-5, -0.3)


@pytest.mark.parametrize("value", ["x", [1], "nan", "inf", 0])
@pytest.mark.parametrize("name", ["scale", "offset"])
def test_unusable_scales_and_offsets_are_refused(name, value):
    item = item_with(fields={"raster:bands": [{name: value}]}, s2__processing_baseline="05.10")
    if (name, value) == ("offset", 0):
        assert decide(item, "B04", RED, CARD, None).offset == 0
        return
    with pytest.raises(BadItemError, match="'one', asset 'B04'"):
        decide(item, "B04", RED, CARD, None)


@pytest.mark.realdata
@pytest.mark.trap("T41")
def test_scales_of_real_backscatter_t41(realdata):
    """Both are float32 power, with a number for "no data"."""
    for name, key in (
        ("planetarycomputer.microsoft.com__sentinel-1-rtc", "vv"),
        ("www.indigoag.com__sentinel1-rtc-aws", "gamma0_vv"),
    ):
        for item in read(realdata, name):
            profile = CARD_BS.profile_for(item.collection_id, item.assets, item.properties)
            found = decide(item, key, VV, profile, None)
            assert (found.scale, found.offset, found.form) == (1, 0, "linear")
            assert profile.name in found.reason


def radar(stored=None):
    own = {} if stored is None else {"VV": stored}
    return Profile(name="mine", collections=("c",), assets={"VV": "vv"}, stored=own)


@pytest.mark.trap("T41")
@pytest.mark.parametrize(
    ("fields", "stored", "form", "scale"),
    [
        ({"unit": "dB"}, None, "decibel", 1),
        ({"unit": "dB", "raster:scale": 0.1, "data_type": "int16"}, None, "decibel", 0.1),
        ({"bands": [{"unit": "Decibel"}]}, Stored(form="linear"), "decibel", 1),
        ({"raster:bands": [{"unit": "linear"}]}, None, "linear", 1),
        ({"unit": "1"}, Stored(form="decibel", scale=0.01), "decibel", 0.01),
        ({"unit": "dB"}, Stored(form="amplitude", scale=1e-4), "amplitude", 1e-4),
        ({"data_type": "uint16", "raster:scale": 1e-5}, Stored(form="linear"), "linear", 1e-5),
        ({}, Stored(form="linear"), "linear", 1),
    ],
)
def test_the_form_of_backscatter_comes_from_unit_or_profile_t41(fields, stored, form, scale):
    found = decide(item_with("vv", fields), "vv", VV, radar(stored), None)
    assert (found.form, found.scale, found.offset) == (form, scale, 0)


@pytest.mark.trap("T41")
@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ({}, None),
        ({"unit": "m"}, None),
        ({}, Stored(scale=2.0)),
        ({"data_type": "uint16"}, Stored(form="linear")),
        ({}, Stored(form="linear", dtype="int16")),
    ],
)
def test_backscatter_of_an_unknown_scale_is_refused_t41(fields, stored):
    """Whole numbers without a scale are neither power nor decibels."""
    with pytest.raises(UnknownScaleError, match=r"'one', asset 'vv'(.|\n)*Stored\(form="):
        decide(item_with("vv", fields), "vv", VV, radar(stored), None)


@pytest.mark.trap("T41")
def test_whole_numbers_are_no_coherence_unless_scaled_t41():
    fields = {"data_type": "uint8"}
    with pytest.raises(UnknownScaleError, match="coherence"):
        decide(item_with("vv", fields), "vv", COHERENCE, radar(), None)
    fields["raster:scale"] = 1 / 255
    assert decide(item_with("vv", fields), "vv", COHERENCE, radar(), None).scale == 1 / 255


@pytest.mark.trap("T41")
@pytest.mark.parametrize(("declared", "factor"), [(10, 0.1), (100, 0.01), (0.1, 0.1), (1, 1)])
def test_a_provider_that_states_the_divisor_is_understood_t41(declared, factor):
    """Reconstructed item: decibels are the whole numbers over the stated scale."""
    fields = {"raster:bands": [{"data_type": "int16", "nodata": -9999, "scale": declared}]}
    [profile] = [one for one in CARD_BS.profiles if one.name == "eodc-sig0"]
    found = decide(item_with("VV", fields), "VV", VV, profile, None)
    assert (found.form, found.scale) == ("decibel", factor)
    assert "sigma0" in found.reason
    numbers = np.array([-9999, round(-12 / factor)], "int16")
    power = calibrate(numbers, found, -9999)
    np.testing.assert_allclose(power, [np.nan, 10**-1.2], rtol=1e-6)


def test_backscatter_offsets_come_from_the_profile_alone():
    stored = Stored(form="decibel", scale=0.5, offset=-83.0)
    with pytest.warns(IgnoredOffsetWarning):
        found = decide(item_with("vv", {"raster:offset": -1}), "vv", VV, radar(stored), None)
    assert found.offset == -83


@pytest.mark.realdata
@pytest.mark.trap("T41")
def test_means_of_real_backscatter_are_of_power_t41(realdata):
    """Published facts of the data set: -8.92 and -15.72 dB; DN**2 * 10**-8.3 is power."""
    stored = Stored(form="amplitude", scale=10 ** (-83 / 20), nodata=65535, dtype="uint16")
    path = realdata / "belgium" / "worldcereal_preprocessed_inputs.nc"
    with xr.open_dataset(path) as source:
        for name, fact in (("VV", -8.92), ("VH", -15.72)):
            numbers = source[f"S1-SIGMA0-{name}"].values
            found = decide(item_with("vv"), "vv", VV, radar(stored), None)
            power = calibrate(numbers.astype("uint16"), found, 65535)
            np.testing.assert_allclose(power, numbers.astype(float) ** 2 * 10**-8.3, rtol=1e-6)
            mean = 10 * np.log10(power.astype(float).mean())
            assert round(mean, 2) == fact
            assert abs(mean - (20 * np.log10(numbers.astype(float)) - 83).mean()) > 0.3


@pytest.mark.trap("T12")
def test_nodata_is_masked_before_the_offset_t12():
    """DN 1000 is reflectance 0, and nodata NaN instead of -0.1."""
    values = calibrate(np.array([0, 1000, 11000], "uint16"), Radiometry(1e-4, -0.1, ""), 0)
    np.testing.assert_array_equal(values, np.array([np.nan, 0, 1], "float32"))


@pytest.mark.trap("T13")
@given(arrays.arrays("uint16", st.integers(1, 50), elements=st.integers(1, 64000)))
def test_one_ground_in_two_baselines_gives_the_same_bits_t13(numbers):
    """Sources that are corrected each by itself can meet in one plane."""
    old = calibrate(numbers, Radiometry(1e-4, 0.0, ""), 0)
    new = calibrate(numbers + np.uint16(1000), Radiometry(1e-4, -0.1, ""), 0)
    assert old.tobytes() == new.tobytes()


STORED = st.sampled_from(["uint8", "uint16", "int16", "int32", "float32", "float64"])


@st.composite
def stored_numbers(draw):
    """Whole numbers within 16 bits in any type, and one of them as nodata."""
    dtype = np.dtype(draw(STORED))
    low = 0 if dtype.kind == "u" else -9999
    high = 255 if dtype == np.uint8 else 30_000
    shape = draw(arrays.array_shapes(max_dims=3, max_side=6))
    numbers = draw(arrays.arrays(dtype, shape, elements=st.integers(low, high)))
    return numbers, draw(st.sampled_from([float(numbers.flat[0]), -32768.0, float("nan")]))


def unpacked(numbers, radiometry):
    """What the form is made of, in float64."""
    return numbers.astype(float) * radiometry.scale + radiometry.offset


@given(
    stored_numbers(),
    st.floats(1e-6, 100),
    st.integers(-2000, 2000),
    st.sampled_from(["linear", "decibel", "amplitude"]),
)
def test_values_turn_back_into_what_was_stored(stored, scale, steps, form):
    """Float32 resolves 24 bits; logarithm and root are the inverses of the two other forms."""
    numbers, nodata = stored
    decision = Radiometry(scale, steps * scale, "", form)
    expected = unpacked(numbers, decision)
    assume(form != "decibel" or np.abs(expected).max() < 300)
    assume(form != "amplitude" or np.abs(expected).max() < 1e15)
    before = numbers.copy()
    values = calibrate(numbers, decision, nodata)
    assert values.dtype == np.float32
    assert values.shape == numbers.shape
    np.testing.assert_array_equal(numbers, before)
    np.testing.assert_array_equal(np.isnan(values), numbers == nodata)
    seen = numbers != nodata
    turned = values.astype(float)[seen]
    if form == "decibel":
        turned = 10 * np.log10(turned)
    elif form == "amplitude":
        turned, expected = np.sqrt(turned), np.abs(expected)
    room = 4 * np.finfo("float32").eps
    # Decibels: the exponent's own rounding, up to 70 nepers, becomes that of the value.
    largest = max(1.0, abs(steps), np.abs(numbers.astype(float)).max()) * scale
    near = room * max(largest, 70 if form == "decibel" else 0)
    np.testing.assert_allclose(turned, expected[seen], rtol=room, atol=near)


@given(arrays.arrays("float32", arrays.array_shapes(max_dims=3, max_side=5)))
def test_float32_values_as_stored_are_handed_on_without_a_copy(numbers):
    assert calibrate(numbers, Radiometry(1, 0, "as stored", "linear"), float("nan")) is numbers


@pytest.mark.parametrize("nodata", [-32768.0, 0.0, -3.4028234663852886e38, -3.4028235e38])
def test_floats_with_a_nodata_number_become_nan(nodata):
    """The lowest float32 as providers write it, in two lengths."""
    numbers = np.array([nodata, np.nan, 0.5], "float32")
    values = calibrate(numbers, Radiometry(1, 0, "", "linear"), nodata)
    np.testing.assert_array_equal(values, np.array([np.nan, np.nan, 0.5], "float32"))
    assert numbers[0] == np.float32(nodata)


def test_a_decision_travels_as_json():
    decision = decide(item_with(s2__processing_baseline="05.10"), "B04", RED, CARD, None)
    assert Radiometry(**json.loads(json.dumps(dataclasses.asdict(decision)))) == decision
    text = "scale 0.0001, offset -0.1 (rule 4: processing baseline 05.10)"
    assert str(decision) == text
    assert str(Radiometry(0.1, 0.0, "unit", "decibel")) == "scale 0.1, offset 0, decibel (unit)"
