"""Searching frozen catalogues."""

from __future__ import annotations

import copy
import time

import geopandas as gpd
import pystac
import pytest
import shapely

import cbmcube as cbm
from cbmcube.catalog import AccessPolicy, open_catalog, report, search
from cbmcube.exceptions import CatalogError, EmptySearchError, FilterError, OptionError
from cbmcube.warnings import RefusedItemWarning, UnknownPropertyWarning


def ids(items) -> list[str]:
    return [item.id for item in items]


def collection(*items: dict) -> pystac.ItemCollection:
    return pystac.ItemCollection([pystac.Item.from_dict(item) for item in items])


def test_place_time_property_and_collection_together(make_item, write):
    cases = {
        "wanted": {},
        "cloudy": {"eo__cloud_cover": 90},
        "unknown clouds": {"eo__cloud_cover": None},
        "elsewhere": {"bounds": (101, 48, 102, 49)},
        "early": {"moment": "2024-02-29T23:59:59.999999Z"},
        "last moment": {"moment": "2024-03-31T23:59:59.999999Z"},
        "late": {"moment": "2024-04-01T00:00:00Z"},
        "radar": {"collection": "CARD-BS", "assets": ("VV",)},
    }
    items = [
        make_item(name, **{"moment": "2024-03-05T10:00:00Z", "eo__cloud_cover": 5, **facts})
        for name, facts in cases.items()
    ]
    found = search(
        open_catalog(write(items)),
        cbm.CARD_2A,
        aoi=gpd.GeoSeries([shapely.box(11.2, 48.2, 11.3, 48.3)], crs=4326).to_crs(32632),
        period="2024-03",
        filter="eo:cloud_cover < 60",
    )
    assert ids(found) == ["wanted", "last moment"]
    facts = report(found)
    assert (facts.found, facts.kept, facts.dropped) == (2, 2, ())
    assert facts.facts.repeat_days == 10


def test_a_raw_filter_alone(make_item, write):
    items = [
        make_item("in", "2024-03-05T10:00:00Z"),
        make_item("late", "2024-06-05T10:00:00Z"),
        make_item("far", "2024-03-05T10:00:00Z", bounds=(20, 48, 21, 49)),
        make_item("other", "2024-03-05T10:00:00Z", collection="X"),
    ]
    area = shapely.geometry.mapping(shapely.box(11.4, 48.4, 11.6, 48.6))
    raw = {
        "op": "and",
        "args": [
            {"op": "s_intersects", "args": [{"property": "geometry"}, area]},
            {
                "op": "anyinteracts",
                "args": [{"property": "datetime"}, {"interval": ["2024-03-01", "2024-03-31"]}],
            },
            {"op": "=", "args": [{"property": "collection"}, "CARD-2A"]},
        ],
    }
    before = copy.deepcopy(raw)
    assert ids(search(open_catalog(write(items)), filter=raw)) == ["in"]
    assert raw == before


def test_intervals_belong_to_every_period_they_touch(make_item):
    month = make_item(
        "month",
        None,
        start_datetime="2024-03-01T00:00:00Z",
        end_datetime="2024-03-31T23:59:59Z",
    )
    assert ids(search(collection(month), period="2024-03-12")) == ["month"]
    with pytest.raises(EmptySearchError):
        search(collection(month), period="2024-04")


def test_items_are_sorted_and_the_input_is_untouched(season):
    shuffled = collection(*reversed(season))
    before = [item.to_dict() for item in shuffled]
    found = search(shuffled)
    assert ids(found) == [item["id"] for item in season]
    found.items[0].properties["platform"] = "changed"
    found.items[0].assets["B04"].href = "changed"
    assert [item.to_dict() for item in shuffled] == before


def test_a_search_refines_a_search(season):
    first = search(collection(*season), cbm.CARD_2A, period="2024-03/2024-06")
    second = search(first, period="2024-04")
    assert set(ids(second)) < set(ids(first))
    assert report(second).facts.period.end.month == 4
    assert report(second).facts.repeat_days == 10


def test_max_items_takes_the_first(season):
    found = search(collection(*season), max_items=3)
    assert ids(found) == [item["id"] for item in season[:3]]
    assert report(found).facts.capped
    with pytest.raises(OptionError, match="max_items"):
        search(collection(*season), max_items=0)


def test_repeated_items_count_once(season):
    found = search(collection(*season, season[0]))
    assert ids(found) == [item["id"] for item in season]
    assert report(found).facts.repeated == 1


def test_collections_are_named_freely(make_item):
    items = collection(make_item("a", collection="A"), make_item("b", collection="B"))
    assert ids(search(items, collections="B")) == ["b"]
    assert ids(search(items, collections=["B", "A", "B"])) == ["a", "b"]
    for wrong in ([], "", [""], [7]):
        with pytest.raises(OptionError, match="collections"):
            search(items, collections=wrong)


def test_remote_looking_files_are_refused(make_item, write):
    items = [
        make_item("good"),
        make_item("local", href="/etc/{id}.tif"),
        make_item("placeholder", href="$RED"),
        make_item("timeless", None),
        make_item("bandless", assets=("preview",)),
    ]
    with pytest.warns(RefusedItemWarning, match="4 items were refused"):
        found = search(open_catalog(write(items)), cbm.CARD_2A)
    assert ids(found) == ["good"]
    reasons = {one.id: one.reason for one in report(found).dropped}
    assert "local files" in reasons["local"]
    assert "placeholder" in reasons["placeholder"]
    assert "no time" in reasons["timeless"]
    assert "none of the assets of CARD-2A" in reasons["bandless"]
    allowed = open_catalog(write(items[:2]), access=AccessPolicy(roots=("/etc",)))
    assert len(search(allowed, cbm.CARD_2A)) == 2


def test_assets_nobody_asked_for_do_not_decide(make_item, write):
    item = make_item("a", assets=("B04", "thumbnail"))
    item["assets"]["thumbnail"] = {"href": "/vsizip/x", "roles": ["thumbnail"]}
    for product in (cbm.CARD_2A, None):
        found = search(open_catalog(write([item])), product)
        assert set(found[0].assets) == {"B04"}
        assert report(found).facts.assets_removed == 1
    item["assets"]["thumbnail"]["roles"] = ["data"]
    with pytest.warns(RefusedItemWarning), pytest.raises(EmptySearchError, match="vsizip"):
        search(open_catalog(write([item])))


def test_an_unknown_property_is_told_with_the_closest(season):
    with (
        pytest.warns(UnknownPropertyWarning, match="did you mean 'eo:cloud_cover'"),
        pytest.raises(EmptySearchError),
    ):
        search(collection(*season), filter="eo:cloudcover < 60")


def test_an_empty_search_says_what_there_is(season, write):
    with pytest.raises(EmptySearchError) as caught:
        search(open_catalog(write(season)), cbm.CARD_BS, period="2023")
    for part in ("CARD-BS", "2023-12-31", "9 items, CARD-2A, 2024-03-05 to 2024-06-03"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"filter": "a +"}, FilterError),
        ({"filter": {"op": "touches", "args": [1, 2]}}, FilterError),
        ({"period": "spring"}, OptionError),
        ({"aoi": "Bavaria"}, OptionError),
        ({"product": "CARD-2A"}, OptionError),
    ],
)
def test_bad_arguments(season, arguments, error):
    with pytest.raises(error):
        search(collection(*season), **arguments)


def test_what_is_no_catalogue():
    with pytest.raises(CatalogError, match="open_catalog"):
        search("season.json")


def test_items_with_odd_content_are_refused_one_by_one(make_item, write):
    odd = make_item("odd")
    odd["properties"]["datetime"] = "2024-03-05T10:00:00Z"
    odd["links"] = 7
    with pytest.warns(RefusedItemWarning, match="odd"):
        assert ids(search(open_catalog(write([make_item("good"), odd])))) == ["good"]


def test_drafts_of_stac_are_brought_up_to_date(make_item, write):
    draft = make_item("draft", proj__epsg=32632)
    draft |= {"stac_version": "1.0.0-beta.2", "stac_extensions": ["projection"]}
    later = make_item("later", "2024-03-06T00:00:00Z", proj__epsg=32632)
    later["stac_extensions"] = ["https://stac-extensions.github.io/projection/v1.1.0/schema.json"]
    first, second = search(open_catalog(write([draft, later])))
    assert first.stac_extensions[0].startswith("https://")
    assert second.properties["proj:epsg"] == 32632  # as it was served


def test_fifty_thousand_items_take_seconds(make_item):
    items = [
        make_item(
            f"i{n:05d}",
            f"2024-{1 + n % 12:02d}-{1 + n % 28:02d}T10:00:00Z",
            bounds=(n % 360 - 180, n % 170 - 85, n % 360 - 179, n % 170 - 84),
            eo__cloud_cover=n % 101,
            platform="sentinel-2a",
            sat__relative_orbit=n % 143,
        )
        for n in range(50_000)
    ]
    catalog = cbm.catalog.FrozenCatalog(tuple(map(cbm.catalog.filters.Feature, items)))
    start = time.perf_counter()
    found = search(
        catalog, aoi=(5, 40, 40, 60), period="2024-06/2024-07", filter="eo:cloud_cover < 50"
    )
    assert time.perf_counter() - start < 20
    expected = [
        item["id"]
        for item in items
        if item["properties"]["eo:cloud_cover"] < 50
        and item["properties"]["datetime"][5:7] in ("06", "07")
        and item["bbox"][0] <= 40
        and item["bbox"][2] >= 5
        and item["bbox"][1] <= 60
        and item["bbox"][3] >= 40
    ]
    assert sorted(ids(found)) == expected
    assert len(expected) > 50
