"""Records of an OpenSearch catalogue as items; expected values were read from the files by eye."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pystac
import pytest
import shapely
import shapely.geometry

import cbmcube as cbm
from cbmcube.catalog import (
    from_opensearch,
    group_acquisitions,
    identify,
    open_catalog,
    report,
    search,
)
from cbmcube.catalog.items._facts import UNFILLED
from cbmcube.catalog.items._twins import drop_twins
from cbmcube.catalog.opening._opensearch import CORRECTED
from cbmcube.exceptions import CatalogError, EmptySearchError
from cbmcube.warnings import RefusedItemWarning

GRID = ["proj:code", "proj:transform", "proj:shape"]
BANDS = {"VV": "{path}/VV.tif", "VH": "{path}/{title}_VH.tif"}


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def read(realdata, name: str) -> dict:
    return json.loads((realdata / "resto" / f"creodias{name}.json").read_text())


def family(item: pystac.Item) -> str:
    return item.collection_id or ""


COHERENCE = [
    ("_search_CARD-COH6", 0, utc(2014, 10, 23, 2, 58, 37, 706000), "2014-10-18T02:50:20Z", 5, 79),
    ("_search_CARD-COH6", 1, utc(2014, 10, 12, 14, 44, 15, 269000), "2014-10-06T02:52:10Z", 6, 101),
    ("_search_CARD-COH12", 0, utc(2014, 10, 31, 9, 59, 31, 293000), "2014-10-19T09:59:04Z", 12, 25),
    (
        "_search_CARD-COH12",
        1,
        utc(2014, 10, 22, 14, 59, 33, 761000),
        "2014-10-10T14:59:07Z",
        12,
        72,
    ),
]


@pytest.mark.trap("T46")
@pytest.mark.realdata
@pytest.mark.parametrize(("name", "number", "time", "reference", "days", "orbit"), COHERENCE)
def test_coherence_keeps_both_dates(realdata, name, number, time, reference, days, orbit):
    item = from_opensearch(read(realdata, name)).items[number]
    assert item.datetime == time
    assert item.properties["insar:reference_datetime"] == reference
    assert item.properties["insar:temporal_baseline"] == days
    assert identify(item).relative_orbit == orbit
    assert item.properties[UNFILLED] == [*GRID, "assets of bands"]
    [one] = group_acquisitions([item])
    assert one.time == time
    assert one.reference_time == datetime.fromisoformat(reference)


@pytest.mark.trap("T46")
@pytest.mark.realdata
def test_backscatter(realdata):
    records = read(realdata, "_search_CARD-BS")
    items = from_opensearch(records)
    first = items.items[0]
    assert first.id == "S1A_IW_GRDH_1SSH_20141030T050838_20141030T050903_003054_0037DF_0750_CARD_BS"
    assert first.collection_id == "CARD-BS"
    who = identify(first)
    assert (who.platform, who.relative_orbit, who.orbit_state) == ("sentinel-1a", 7, "ascending")
    assert first.properties["start_datetime"] == "2014-10-30T05:08:38.766000Z"
    assert first.properties["end_datetime"] == "2014-10-30T05:09:03.765000Z"
    assert first.assets["product"].href == records["features"][0]["properties"]["productIdentifier"]
    for item, record in zip(items, records["features"], strict=True):
        outline = shapely.geometry.shape(record["geometry"])
        assert shapely.equals(shapely.geometry.shape(item.geometry), outline)
        assert item.bbox == list(outline.bounds)
        pystac.Item.from_dict(item.to_dict())
    # two slices of one pass, eight days after another
    assert [len(one.items) for one in group_acquisitions(items)] == [1, 2]


@pytest.mark.trap("T46")
@pytest.mark.realdata
def test_products_are_searched_where_files_are_named(realdata):
    records = read(realdata, "_search_CARD-COH6")
    found = search(from_opensearch(records, assets=BANDS), cbm.CARD_COH6)
    assert len(found) == 3
    [latest] = [item for item in found if item.datetime.day == 23]
    folder = records["features"][0]["properties"]["productIdentifier"]
    assert latest.assets["VV"].href == f"{folder}/VV.tif"
    assert latest.assets["VH"].href == f"{folder}/{latest.id}_VH.tif"
    assert "3 whose record did not say proj:transform" in repr(report(found))


@pytest.mark.realdata
def test_products_without_files_are_refused_by_name(realdata):
    with (
        pytest.warns(RefusedItemWarning, match="none of the assets of CARD-COH6"),
        pytest.raises(EmptySearchError),
    ):
        search(from_opensearch(read(realdata, "_search_CARD-COH6")), cbm.CARD_COH6)


@pytest.mark.realdata
def test_a_saved_answer_is_a_catalogue(realdata):
    path = realdata / "resto" / "creodias_search_CARD-COH6.json"
    catalog = open_catalog(path)
    assert repr(catalog) == (
        "<FrozenCatalog creodias_search_CARD-COH6.json: 3 items, CARD-COH6, "
        "2014-10-10 to 2014-10-23>"
    )


@pytest.mark.trap("T6")
@pytest.mark.realdata
def test_a_reprocessed_scene_is_one(realdata):
    """Baselines 02.08 and 99.99 of one scene: the one that was made last stays."""
    items = from_opensearch(read(realdata, "MergePhoebusFeatures"))
    kept, [dropped] = drop_twins(items, family)
    assert [item.id for item in kept] == [
        "S2B_MSIL2A_20180526T105029_N9999_R051_T31UFS_20220925T090841"
    ]
    assert dropped.id == "S2B_MSIL2A_20180526T105029_N0208_R051_T31UFS_20180526T151308"
    assert "no datastrip is named" in dropped.reason


@pytest.mark.trap("T6")
@pytest.mark.realdata
def test_a_radar_image_under_two_suffixes_is_one(realdata):
    """One start, stop, orbit and datatake; the one that was listed an hour later stays."""
    items = from_opensearch(read(realdata, "DuppedFeature"))
    kept, [dropped] = drop_twins(items, family)
    assert [item.id[-4:] for item in kept] == ["6184"]
    assert dropped.id.endswith("EBF8")


@pytest.mark.realdata
def test_the_same_pair_made_twice_is_one(realdata):
    items = from_opensearch(read(realdata, "_search_CARD-COH12"))
    kept, [dropped] = drop_twins(items, family)
    assert len(kept) == 2
    assert dropped.kept == "S1A_20141031T095931__S1A_20141019T095904_20141019T095931_CARD-COH12"


@pytest.mark.realdata
def test_the_name_is_right_where_the_record_is_not(realdata):
    """Half a day lost in one record, the wrong satellite in another."""
    wrong_time = from_opensearch(read(realdata, "_search_GRD-COG")).items[1]
    assert wrong_time.id.startswith("S1A_EW_GRDH_1SSH_20141004T124503_")
    assert wrong_time.datetime == utc(2014, 10, 4, 12, 45, 3)
    assert wrong_time.properties[CORRECTED]["startDate"] == "2014-10-04T00:45:03.085000Z"
    wrong_unit = from_opensearch(read(realdata, "UnreliablePagingValues")).items[1]
    assert wrong_unit.id.startswith("S1B_")
    assert wrong_unit.properties["platform"] == "sentinel-1b"
    assert wrong_unit.properties[CORRECTED] == {"platform": "S1A"}


# platform, tile, baseline, orbit, state, cloud cover of the first record of a file
FIRST = [
    ("_search_S2MSI2A", ("sentinel-2a", "32VML", "05.00", 94, None, 0)),
    ("CorruptTile", ("sentinel-2a", "29UMV", "02.07", 123, "descending", 68.469524)),
    ("DifferentGeom", ("sentinel-2b", "30TTM", "03.00", 137, "descending", 0.359907)),
    ("Sentinel1RTCResponse", ("sentinel-1a", None, None, 35, "descending", None)),
    ("_search_S2MSI_L3__MCQ", (None, None, None, None, None, None)),
]


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "expected"), FIRST)
def test_other_products(realdata, name, expected):
    item = from_opensearch(read(realdata, name)).items[0]
    who = identify(item)
    cover = item.properties.get("eo:cloud_cover")
    assert (who.platform, who.tile, who.baseline, who.relative_orbit, who.orbit_state) == (
        expected[:5]
    )
    assert cover is None if name == "_search_S2MSI2A" else cover == expected[5]


@pytest.mark.realdata
def test_every_record_is_read(realdata):
    for path in sorted((realdata / "resto").glob("*.json")):
        records = json.loads(path.read_text())
        items = from_opensearch(records)
        assert len(items) == len(records["features"]) > 0
        for item in items:
            assert set(GRID) <= set(item.properties[UNFILLED])
            assert not {key for key, value in item.properties.items() if value is None}


@pytest.mark.parametrize(
    "records",
    [{}, {"features": 7}, [{}], [7], [{"properties": {"productType": "A", "startDate": "soon"}}]],
)
def test_what_is_no_record(records):
    with pytest.raises(CatalogError, match="not a record"):
        from_opensearch(records)


def test_a_record_without_footprint_and_name():
    facts = {"productType": "A", "startDate": "2024-03-05", "title": None}
    [item] = from_opensearch([{"id": "x", "geometry": {"type": "Polygon"}, "properties": facts}])
    assert item.id == "x"
    assert item.geometry is None
    assert {"geometry", "platform", *GRID} <= set(item.properties[UNFILLED])
    assert item.assets == {}
