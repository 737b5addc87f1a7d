"""Searching STAC APIs, sound and unsound; the servers here send what the test tells them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pystac_client
import pytest
import shapely

import cbmcube as cbm
from cbmcube.catalog import open_catalog, report, search
from cbmcube.exceptions import CatalogError, EmptySearchError, FilterIgnoredError, OptionError
from cbmcube.warnings import (
    PossiblyTruncatedWarning,
    RefusedItemWarning,
    UnfilteredServerWarning,
    UnknownPropertyWarning,
)

AREA = (11.2, 48.2, 11.4, 48.4)


def ids(items) -> list[str]:
    return [item.id for item in items]


def test_one_expression_goes_out_by_post(stub_api, season):
    api = stub_api(season)
    found = search(
        open_catalog(api.url),
        cbm.CARD_2A,
        aoi=AREA,
        period="2024-03/2024-06",
        filter="properties.eo:cloud_cover <= 100",
    )
    assert ids(found) == [item["id"] for item in season]
    [body] = api.requests
    polygon = body["filter"]["args"][1]["args"].pop()
    assert shapely.equals(shapely.geometry.shape(polygon), shapely.box(*AREA))
    assert body == {
        "limit": 100,
        "filter-lang": "cql2-json",
        "filter": {
            "op": "and",
            "args": [
                {"op": "=", "args": [{"property": "collection"}, "CARD-2A"]},
                {"op": "s_intersects", "args": [{"property": "geometry"}]},
                {
                    "op": "t_intersects",
                    "args": [
                        {"property": "datetime"},
                        {"interval": ["2024-03-01T00:00:00Z", "2024-06-30T23:59:59.999999Z"]},
                    ],
                },
                {"op": "<=", "args": [{"property": "eo:cloud_cover"}, 100]},
            ],
        },
    }


def test_several_collections_go_out_as_a_list(stub_api, season):
    api = stub_api(season)
    search(open_catalog(api.url), collections=["CARD-2A", "CARD-BS"])
    [body] = api.requests
    assert body["filter"] == {
        "op": "in",
        "args": [{"property": "collection"}, ["CARD-2A", "CARD-BS"]],
    }


def test_a_plain_client_is_a_catalogue(stub_api, season):
    api = stub_api(season)
    client = pystac_client.Client.open(api.url)
    assert len(search(client, cbm.CARD_2A)) == 9


def test_repr_tells_what_it_is(stub_api, season):
    api = stub_api(season)
    assert repr(open_catalog(api.url)) == f"<ApiCatalog {api.url}: Stub; CQL2 filters>"


def test_a_server_that_ignores_the_filter_is_caught(stub_api, season):
    api = stub_api(season)
    bad = next(item for item in season if item["properties"]["eo:cloud_cover"] >= 40)
    with pytest.raises(FilterIgnoredError) as caught:
        search(open_catalog(api.url), cbm.CARD_2A, filter="eo:cloud_cover < 40")
    assert bad["id"] in str(caught.value)
    assert f"'eo:cloud_cover': {bad['properties']['eo:cloud_cover']}" in str(caught.value)


def test_an_item_without_the_property_does_not_satisfy_a_filter(stub_api, season):
    del season[4]["properties"]["eo:cloud_cover"]
    api = stub_api(season)
    with pytest.raises(FilterIgnoredError, match=season[4]["id"]):
        search(open_catalog(api.url), filter="eo:cloud_cover <= 100")


def test_items_of_another_collection_are_caught(stub_api, season):
    season[2]["collection"] = "OTHER"
    api = stub_api(season)
    with pytest.raises(FilterIgnoredError, match="'OTHER'"):
        search(open_catalog(api.url), cbm.CARD_2A)


def test_items_elsewhere_and_of_another_time_are_dropped_and_counted(stub_api, season):
    ring = season[1]["geometry"]["coordinates"][0]
    season[1]["geometry"]["coordinates"] = [[[x + 90, y] for x, y in ring]]
    season[2]["properties"]["datetime"] = "2019-03-05T10:00:00Z"
    api = stub_api(season)
    found = search(open_catalog(api.url), cbm.CARD_2A, aoi=AREA, period="2024")
    assert len(found) == 7
    facts = report(found)
    assert facts.found == 9
    assert {one.id: one.reason.split()[-1] for one in facts.dropped} == {
        season[1]["id"]: "area",
        season[2]["id"]: "period",
    }


@pytest.mark.trap("T4")
@pytest.mark.realdata
def test_no_scene_of_north_america_lies_in_europe(realdata, stub_api):
    frozen = open_catalog(realdata / "stac-items" / "stac.eodc.eu__SENTINEL1_GRD.json")
    api = stub_api([feature.json for feature in frozen.features])
    with pytest.raises(EmptySearchError) as caught:
        search(open_catalog(api.url), collections="SENTINEL1_GRD", aoi=(5, 45, 15, 55))
    assert "10 found" in str(caught.value)
    assert "lies outside the area" in str(caught.value)


def test_a_server_without_sense_of_place_is_not_read_to_the_end(stub_api, make_item):
    pages = [[make_item(f"{p}-{n}", bounds=(50, 0, 51, 1)) for n in range(50)] for p in range(9)]
    api = stub_api(*pages)
    with pytest.raises(FilterIgnoredError, match="none of the first 100 items"):
        search(open_catalog(api.url), cbm.CARD_2A, aoi=AREA)
    assert len(api.requests) == 2


def test_what_only_meets_the_outline_is_no_match(stub_api, make_item):
    """Two discs of a detailed edge; the second item lies in the corner of the first one's box."""
    discs = [shapely.Point(x, y).buffer(0.1, quad_segs=80) for x, y in [(11, 48), (15, 52)]]
    inside = make_item("inside", "2024-03-05T10:00:00Z", bounds=(10.9, 47.9, 11, 48))
    corner = make_item("corner", "2024-03-06T10:00:00Z", bounds=(11.09, 48.09, 11.095, 48.095))
    api = stub_api([inside, corner])
    found = search(open_catalog(api.url), cbm.CARD_2A, aoi=shapely.MultiPolygon(discs))
    assert ids(found) == ["inside"]
    assert report(found).dropped == ()
    sent = shapely.geometry.shape(api.requests[0]["filter"]["args"][1]["args"][1])
    assert sent.intersects(shapely.geometry.shape(corner["geometry"]))
    assert not sent.intersects(shapely.Point(13, 50))


def test_an_area_of_many_shapes_is_several_searches_and_one_result(stub_api, make_item):
    """The server sends every item each time; each counts once, and none as a repeat."""
    xy = np.random.default_rng(4).uniform((-10, 36), (30, 70), (700, 2))
    area = shapely.MultiPoint(xy)
    items = [make_item(f"i{n}", bounds=(*xy[n], *(xy[n] + 1))) for n in range(5)]
    api = stub_api(items)
    found = search(open_catalog(api.url), cbm.CARD_2A, aoi=area)
    assert sorted(ids(found)) == ["i0", "i1", "i2", "i3", "i4"]
    assert report(found).facts.repeated == 0
    assert len(api.requests) > 1
    shapes = [shapely.geometry.shape(body["filter"]["args"][1]["args"][1]) for body in api.requests]
    assert shapely.covers(shapely.union_all(shapes), area)


def test_pages_are_followed_and_repeats_merged(stub_api, season):
    api = stub_api(season[:4], season[3:7], season[7:])
    found = search(open_catalog(api.url), cbm.CARD_2A)
    assert ids(found) == [item["id"] for item in season]
    assert report(found).facts.repeated == 1
    assert [body.get("token") for body in api.requests] == [None, 1, 2]


def test_a_full_page_without_a_next_link(stub_api, make_item):
    scenes = [make_item(f"i{n:03d}") for n in range(150)]
    api = stub_api(scenes[:100])
    api.next_links = False
    with pytest.warns(PossiblyTruncatedWarning, match="full page of 100"):
        assert len(search(open_catalog(api.url), cbm.CARD_2A)) == 100


def test_fewer_items_than_the_server_counted(stub_api, season):
    api = stub_api(season)
    api.matched = 12
    with pytest.warns(PossiblyTruncatedWarning, match="9 of 12"):
        search(open_catalog(api.url), cbm.CARD_2A)


def test_a_full_page_that_the_server_counted_is_no_worry(stub_api, season):
    api = stub_api(season)
    api.matched = 9
    catalog = dataclasses.replace(open_catalog(api.url), page_size=9)
    assert len(search(catalog, cbm.CARD_2A)) == 9


def test_pages_that_go_round_in_circles_end(stub_api, season):
    api = stub_api(season[:5], season[5:])
    api.loops = True
    with pytest.warns(PossiblyTruncatedWarning, match="had come before"):
        found = search(open_catalog(api.url), cbm.CARD_2A)
    assert len(found) == 9
    assert len(api.requests) == 3


def test_the_next_page_on_another_host_is_not_asked_for(stub_api, season):
    api = stub_api(season[:5], season[5:])
    api.next_host = api.url.replace("127.0.0.1", "localhost")
    with pytest.raises(CatalogError, match="another host"):
        search(open_catalog(api.url), cbm.CARD_2A)
    assert len(api.requests) == 1


def test_max_items_ends_the_paging(stub_api, season):
    api = stub_api(season[:5], season[5:])
    assert len(search(open_catalog(api.url), cbm.CARD_2A, max_items=3)) == 3
    assert len(api.requests) == 1


def test_one_reset_is_forgiven(stub_api, season):
    api = stub_api(season)
    catalog = open_catalog(api.url)
    api.resets = 1
    assert len(search(catalog, cbm.CARD_2A)) == 9
    api.resets = 2
    with pytest.raises(CatalogError, match="did not answer"):
        search(catalog, cbm.CARD_2A)


def test_a_reset_between_pages_repeats_nothing(stub_api, season):
    api = stub_api(season[:5], season[5:])
    catalog = open_catalog(api.url)
    send, sent = api.page, []

    def page(body):
        sent.append(body)
        api.resets = int(len(sent) == 1)
        return send(body)

    api.page = page
    found = search(catalog, cbm.CARD_2A)
    assert ids(found) == [item["id"] for item in season]
    assert report(found).facts.repeated == 0
    assert len(api.requests) == 4


def test_a_server_that_does_not_say_it_filters(stub_api, season):
    api = stub_api(season)
    api.conforms = api.conforms[:4]
    with pytest.warns(UnfilteredServerWarning):
        assert len(search(open_catalog(api.url), cbm.CARD_2A)) == 9


def test_an_unknown_property_is_looked_up_in_what_there_is(stub_api, season):
    api = stub_api(season)
    send = api.page
    api.page = lambda body: send(body) | ({"features": []} if "eo:cloudcover" in str(body) else {})
    with (
        pytest.warns(UnknownPropertyWarning, match="did you mean 'eo:cloud_cover'"),
        pytest.raises(EmptySearchError, match="holds collections CARD-2A"),
    ):
        search(open_catalog(api.url), cbm.CARD_2A, filter="eo:cloudcover < 60")


def test_local_files_and_inner_hosts_of_a_server_are_refused(stub_api, make_item):
    items = [
        make_item("good"),
        make_item("file", href="file:///etc/{id}"),
        make_item("inner", href="http://10.0.0.1/{id}"),
    ]
    api = stub_api(items)
    with pytest.warns(RefusedItemWarning, match="2 items were refused"):
        assert ids(search(open_catalog(api.url), cbm.CARD_2A)) == ["good"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"7",
        b'{"features": 7}',
        b'{"features": [7]}',
        b'{"features": [{"id": "a"}]}',
        b'{"features": [{"id": "a", "properties": {}, "assets": {"B04": 7}}]}',
        b'{"features": [{"id": "a", "properties": {}, "assets": {}}], "links": [7]}',
    ],
)
def test_answers_that_are_not_stac(stub_api, season, body):
    api = stub_api(season)
    api.body = body
    with pytest.raises(CatalogError):
        search(open_catalog(api.url), cbm.CARD_2A)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_errors_of_the_server_are_told(stub_api, season, status):
    api = stub_api(season)
    api.status = status
    with pytest.raises(CatalogError, match=f"HTTP {status}"):
        search(open_catalog(api.url), cbm.CARD_2A)


def test_everything_is_not_asked_of_a_server(stub_api, season):
    catalog = open_catalog(stub_api(season).url)
    with pytest.raises(OptionError, match="everything"):
        search(catalog)
    assert len(search(catalog, max_items=2)) == 2


@pytest.mark.parametrize("landing", [{}, [], 7, {"type": "Catalog"}, {"type": "Feature"}])
def test_where_no_api_is(stub_api, season, landing):
    api = stub_api(season)
    api.landing = lambda: landing
    with pytest.raises(CatalogError, match="no STAC API"):
        open_catalog(api.url)


def test_where_nothing_answers():
    with pytest.raises(CatalogError, match="no STAC API"):
        open_catalog("http://127.0.0.1:9/?token=secret")


def test_a_static_catalogue_has_no_search(stub_api, season):
    api = stub_api(season)
    landing = api.landing()
    landing["links"] = landing["links"][:2]
    api.landing = lambda: landing
    with pytest.raises(CatalogError, match="no item search"):
        open_catalog(api.url)
