"""Searching an API that runs in a process of its own, sound or with one fault at a time."""

from __future__ import annotations

import dataclasses
import email.utils
import logging
import time

import pystac_client
import pytest

import cbmcube as cbm
from cbmcube.catalog import open_catalog, prop, report, search
from cbmcube.catalog.access import _door as door
from cbmcube.exceptions import (
    CatalogError,
    EmptySearchError,
    FilterIgnoredError,
    UnknownCollectionError,
)
from cbmcube.warnings import FilteredOutWarning, PossiblyTruncatedWarning, UnknownPropertyWarning

AREA = (11.2, 48.2, 11.4, 48.4)
SECRET = "Bearer not-for-others"  # noqa: S105  # it opens nothing
HEADERS = {"Authorization": SECRET, "X-Api-Key": SECRET}


def ids(items) -> list[str]:
    return [item.id for item in items]


def many(make_item, number: int) -> list[dict]:
    return [make_item(f"i{n:03d}", eo__cloud_cover=n % 100) for n in range(number)]


@pytest.mark.trap("T1")
def test_a_server_that_drops_the_filter(serve, season):
    api = serve(season, drops_filter=True)
    clear = prop("eo:cloud_cover") < 40
    bad = next(item for item in season if item["properties"]["eo:cloud_cover"] >= 40)
    with pytest.raises(FilterIgnoredError) as caught:
        search(open_catalog(api.url), cbm.CARD_2A, filter=clear)
    assert f"item {bad['id']!r}" in str(caught.value)
    assert api.asked()[0]["body"]["filter-lang"] == "cql2-json"
    sound = search(open_catalog(serve(season).url), cbm.CARD_2A, filter=clear)
    expected = [one["id"] for one in season if one["properties"]["eo:cloud_cover"] < 40]
    assert ids(sound) == expected


@pytest.mark.trap("T1")
def test_nothing_with_a_filter_and_something_without(serve, season):
    api = serve(season)
    with (
        pytest.warns(FilteredOutWarning, match="there are items without it"),
        pytest.raises(EmptySearchError),
    ):
        search(open_catalog(api.url), cbm.CARD_2A, filter=prop("eo:cloud_cover") > 100)
    assert "eo:cloud_cover" not in str(api.asked()[-1]["body"])


def test_nothing_with_a_filter_and_nothing_without(serve, season):
    """No warning: the filter is not at fault."""
    with pytest.raises(EmptySearchError):
        search(open_catalog(serve(season).url), period="1999", filter="eo:cloud_cover <= 100")


def test_nothing_passes_in_a_frozen_catalogue(season, write):
    with pytest.warns(FilteredOutWarning), pytest.raises(EmptySearchError):
        search(open_catalog(write(season)), cbm.CARD_2A, filter="eo:cloud_cover > 100")


@pytest.mark.trap("T2")
@pytest.mark.parametrize("refuses", ["isNull", "never"])
def test_a_misspelt_property(serve, season, refuses):
    """With a server that tells what can be queried, even if it cannot be asked for nulls."""
    api = serve(season, refuses=refuses, queryables=["eo:cloud_cover", "platform"])
    with (
        pytest.warns(UnknownPropertyWarning, match="did you mean 'eo:cloud_cover'"),
        pytest.raises(EmptySearchError),
    ):
        search(open_catalog(api.url), cbm.CARD_2A, filter="eo:cloudcover < 60")


def test_a_queryable_that_no_item_found_carries_is_known(serve, season):
    """The server cannot be asked which items carry it, and says that it exists."""
    api = serve(season, refuses="isNull", queryables=["view:off_nadir"])
    with pytest.warns(FilteredOutWarning), pytest.raises(EmptySearchError):
        search(open_catalog(api.url), cbm.CARD_2A, filter="view:off_nadir < 60")


@pytest.mark.trap("T3")
def test_one_reset_is_forgiven_and_two_are_not(serve, season):
    api = serve(season, script=[{"reset": True}])
    assert len(search(open_catalog(api.url), cbm.CARD_2A)) == 9
    assert len(api.asked()) == 2
    api = serve(season, script=[{"reset": True}] * 2)
    with pytest.raises(CatalogError, match="did not answer"):
        search(open_catalog(api.url), cbm.CARD_2A)
    assert len(api.asked()) == 2


@pytest.mark.trap("T3")
def test_places_go_out_as_polygons(serve, season):
    api = serve(season)
    bounds = {"bbox": list(AREA)}
    search(
        open_catalog(api.url),
        cbm.CARD_2A,
        aoi=AREA,
        filter={"op": "s_intersects", "args": [{"property": "geometry"}, bounds]},
    )
    sent = [arg["args"][1]["type"] for arg in api.asked()[0]["body"]["filter"]["args"][1:]]
    assert sent == ["Polygon", "Polygon"]


@pytest.mark.trap("T4")
def test_one_of_ten_lies_elsewhere(serve, season):
    items = [*season, {**season[0], "id": "moved", "bbox": [101, 48, 102, 49]}]
    ring = season[0]["geometry"]["coordinates"][0]
    items[9] = {
        **items[9],
        "geometry": {"type": "Polygon", "coordinates": [[[x + 90, y] for x, y in ring]]},
    }
    api = serve(items, drops_filter=True)
    found = search(open_catalog(api.url), cbm.CARD_2A, aoi=AREA)
    assert ids(found) == ids_of(season)
    [dropped] = report(found).dropped
    assert dropped.id == "moved"
    assert "outside the area" in dropped.reason
    assert report(found).found == 10


def ids_of(items: list[dict]) -> list[str]:
    return [item["id"] for item in items]


@pytest.mark.trap("T5")
def test_a_full_page_without_a_next_link(serve, make_item):
    """150 items, pages of 100, and no link to the second."""
    api = serve(many(make_item, 150), no_next=True)
    with pytest.warns(PossiblyTruncatedWarning, match="full page of 100"):
        assert len(search(open_catalog(api.url), cbm.CARD_2A)) == 100


def test_pages_with_repeats_are_one_list(serve, make_item):
    items = many(make_item, 150)
    found = search(open_catalog(serve(items, overlap=10).url), cbm.CARD_2A)
    assert sorted(ids(found)) == ids_of(items)
    assert report(found).facts.repeated == 10


def test_pages_that_lead_back_to_the_first_end(serve, make_item):
    items = many(make_item, 150)
    api = serve(items, cycle=True)
    with pytest.warns(PossiblyTruncatedWarning, match="page 3 held only items"):
        found = search(open_catalog(api.url), cbm.CARD_2A)
    assert sorted(ids(found)) == ids_of(items)
    assert len(api.asked()) == 3


def test_pages_without_end_have_a_last(serve, make_item, monkeypatch):
    monkeypatch.setattr("cbmcube.catalog.opening._fetch.MAX_PAGES", 3)
    api = serve(many(make_item, 150), page_size=10)
    with pytest.warns(PossiblyTruncatedWarning, match="page 3 is the last"):
        assert len(search(open_catalog(api.url), cbm.CARD_2A)) == 30


@pytest.mark.parametrize("own", [True, False], ids=["our client", "the user's client"])
@pytest.mark.parametrize("link", ["next_host", "search_host"])
def test_headers_stay_at_home(serve, make_item, own, link):
    """A next page or a search on another port: nothing arrives there, and no message tells."""
    items = many(make_item, 150)
    foreign = serve(items)
    api = serve(items, **{link: foreign.url})

    def search_there():
        if own:
            return search(open_catalog(api.url, headers=HEADERS), cbm.CARD_2A)
        return search(pystac_client.Client.open(api.url, headers=HEADERS), cbm.CARD_2A)

    with pytest.raises(CatalogError, match="another host") as caught:
        search_there()
    assert foreign.asked() == foreign.asked("GET") == []
    assert SECRET not in str(caught.value)
    assert all(one["headers"]["X-Api-Key"] == SECRET for one in api.asked("GET"))


def test_redirects_do_not_take_headers_away(serve, season):
    foreign = serve(season)
    there = {"status": 307, "headers": {"Location": f"{foreign.url}/search"}}
    api = serve(season, script=[there])
    with pytest.raises(CatalogError, match="another host"):
        search(open_catalog(api.url, headers=HEADERS), cbm.CARD_2A)
    assert foreign.asked() == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_at_home_keeps_the_filter(serve, season, status):
    api = serve(season, script=[{"status": status, "headers": {"Location": "/search/"}}])
    found = search(open_catalog(api.url, headers=HEADERS), cbm.CARD_2A)
    assert len(found) == 9
    first, second = api.asked()
    assert first["body"] == second["body"]
    assert second["path"] == "/search/"
    assert second["headers"]["Authorization"] == SECRET


def test_redirects_without_end_end(serve, season):
    api = serve(season, script=[{"status": 307, "headers": {"Location": "/search"}}] * 99)
    with pytest.raises(CatalogError, match="without end"):
        search(open_catalog(api.url), cbm.CARD_2A)
    assert len(api.asked()) == door.ATTEMPTS


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_waited_for(serve, season, status, monkeypatch):
    waited = []
    monkeypatch.setattr(door.time, "sleep", waited.append)
    api = serve(season, script=[{"status": status}] * 3)
    assert len(search(open_catalog(api.url), cbm.CARD_2A)) == 9
    assert waited == [0.5, 1, 2]
    api = serve(season, script=[{"status": status}] * 9)
    with pytest.raises(CatalogError, match=f"HTTP {status}: busy after 5 attempts"):
        search(open_catalog(api.url), cbm.CARD_2A)
    assert len(api.asked()) == door.ATTEMPTS


def test_the_server_says_how_long(serve, season):
    """Waited for in earnest: one second, then until a date that has passed."""
    past = email.utils.formatdate(time.time() - 9, usegmt=True)
    waits = [{"status": 429, "headers": {"Retry-After": text}} for text in ("1", past)]
    api = serve(season, script=waits)
    assert len(search(open_catalog(api.url), cbm.CARD_2A)) == 9
    first, second, third = (one["time"] for one in api.asked())
    assert 1 <= second - first < 10
    assert third - second < 1


def test_a_server_that_wants_an_hour_is_not_waited_for(serve, season):
    api = serve(season, script=[{"status": 503, "headers": {"Retry-After": "3600"}}])
    with pytest.raises(CatalogError, match="come back in 3600 seconds"):
        search(open_catalog(api.url), cbm.CARD_2A)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), ("7", 7), (" 7 ", 7), ("soon", None), ("-1", None)],
)
def test_what_a_server_may_say(text, seconds):
    assert door._retry_after(text) == seconds


def test_a_date_to_come_back():
    soon = door._retry_after(email.utils.formatdate(time.time() + 60, usegmt=True))
    assert 55 < soon <= 60


def test_an_answer_that_is_too_large_is_not_read_to_its_end(serve, season, monkeypatch):
    monkeypatch.setattr(door, "MAX_BYTES", 2**20)
    api = serve(season, script=[{"body_bytes": 2**26}])
    with pytest.raises(CatalogError, match="more than 1 MiB"):
        search(open_catalog(api.url), cbm.CARD_2A)


def test_headers_are_in_no_log_and_no_text(serve, season, caplog):
    api = serve(season)
    with caplog.at_level(logging.DEBUG):
        catalog = open_catalog(api.url, headers=HEADERS)
        found = search(catalog, cbm.CARD_2A)
    assert api.asked()[0]["headers"]["Authorization"] == SECRET
    assert SECRET not in caplog.text
    assert SECRET not in repr(catalog) + repr(report(found))


@pytest.mark.parametrize(
    ("asked", "own", "result"),
    [
        ("http://a.org/s", "https://a.org", "https://a.org/s"),
        ("http://a.org:80/s", "https://a.org", "https://a.org/s"),
        ("http://a.org:8443/s", "https://a.org:8443", "https://a.org:8443/s"),
        ("https://a.org/s", "http://a.org", "https://a.org/s"),
        ("https://A.ORG:443/s", "https://a.org", "https://A.ORG:443/s"),
        ("http://a.org:81/s", "https://a.org", None),
        ("https://b.org/s", "https://a.org", None),
        ("http://b.org/s", "https://a.org", None),
        ("https://a.org.evil.org/s", "https://a.org", None),
        ("https://a.org@evil.org/s", "https://a.org", None),
        ("http://a.org:8080/s", "http://a.org", None),
        ("file:///etc/passwd", "https://a.org", None),
    ],
)
def test_what_is_at_home(asked, own, result):
    mended = door.mend(asked, own)
    assert (mended if door.same_host(mended, own) else None) == result


def test_a_less_protected_page_is_refused_where_it_cannot_be_mended():
    assert not door.same_host("http://a.org/s", "https://a.org")


def test_only_collections_that_the_server_has_are_asked_for(serve, season):
    spelled = dataclasses.replace(
        cbm.CARD_2A,
        profiles=tuple(
            dataclasses.replace(cbm.CARD_2A.profiles[0], collections=(name,))
            for name in ("sentinel-2-l2a", "CARD-2A", "SENTINEL2_L2A")
        ),
    )
    api = serve(season, collections=["CARD-2A", "landsat"])
    catalog = open_catalog(api.url)
    for _ in range(2):
        assert len(search(catalog, spelled)) == 9
    assert {str(one["body"]["filter"]["args"]) for one in api.asked()} == {
        str([{"property": "collection"}, "CARD-2A"])
    }
    assert [one["path"] for one in api.asked("GET")].count("/collections") == 1
    everything = serve(season, collections=[])
    assert len(search(open_catalog(everything.url), spelled)) == 9
    assert everything.asked()[0]["body"]["filter"]["args"][1] == list(spelled.collections)


def test_a_server_without_the_product_says_what_it_has(serve, season):
    api = serve(season, collections=["card-2a-v2", "landsat"])
    with pytest.raises(UnknownCollectionError) as caught:
        search(open_catalog(api.url), cbm.CARD_2A)
    assert isinstance(caught.value, EmptySearchError)
    for part in ("CARD-2A", "collections card-2a-v2 landsat", "collections=['card-2a-v2']"):
        assert part in str(caught.value)
    assert api.asked() == []
    assert len(search(open_catalog(api.url), cbm.CARD_2A, collections="CARD-2A")) == 9
