"""One spelling for what items show, from the spellings of real providers."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

import pystac
import pytest

from cbmcube.catalog import Identity, identify
from cbmcube.catalog._identity import item_time
from cbmcube.exceptions import BadItemError


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def real_item(realdata, name: str, number: int = 0) -> pystac.Item:
    [path] = (realdata / "stac-items").glob(f"{name}.json")
    content = json.loads(path.read_text())["features"][number]
    return pystac.Item.from_dict(content, migrate=False)


# platform, tile, baseline, relative orbit, orbit state: read from the files by eye
RECORDS = [
    ("*_v0__sentinel-s2-l2a-cogs", 0, ("sentinel-2a", "44NML", "02.14", 76, None)),
    ("*element84.com_v1__sentinel-2-l2a", 0, ("sentinel-2b", "20EPT", "05.11", 95, None)),
    ("*sentinel-2-l1c", 0, ("sentinel-2b", "20EPT", "05.11", 95, None)),
    ("planetary*sentinel-2-l2a", 0, ("sentinel-2a", "60VUK", "02.12", 116, "descending")),
    ("stac.dataspace*sentinel-2-l2a", 0, ("sentinel-2b", "32TNT", "05.00", 65, "descending")),
    ("geodes*", 0, ("sentinel-2a", "14ULD", "05.11", 141, "descending")),
    ("resto*", 0, ("sentinel-2b", "29SPA", "02.09", 137, None)),
    ("stac.eodc.eu__from_notebooks", 2, ("sentinel-2a", "38NKK", "05.10", 6, "descending")),
    ("stac.eodc.eu__SENTINEL1_GRD", 0, ("sentinel-1a", None, None, 158, "descending")),
    ("planetary*sentinel-1-rtc", 0, ("sentinel-1a", None, None, 80, "descending")),
    ("www.indigoag*", 0, ("sentinel-1a", "17RMJ", None, 121, "ascending")),
]


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "number", "expected"), RECORDS)
def test_spellings_of_providers(realdata, name, number, expected):
    who = identify(real_item(realdata, name, number))
    found = (who.platform, who.tile, who.baseline, who.relative_orbit, who.orbit_state)
    assert found == expected


@pytest.mark.realdata
def test_one_scene_in_two_collections_has_one_identity(realdata):
    first = identify(real_item(realdata, "*element84.com_v1__sentinel-2-l2a"))
    other = identify(real_item(realdata, "*sentinel-2-c1-l2a"))
    assert first == other
    assert first.datatake_time == utc(2025, 7, 31, 13, 19, 9)
    assert first.datastrip_time == utc(2025, 7, 31, 13, 19, 5)


def test_card_spelling(make_scene):
    item = pystac.Item.from_dict(make_scene(utc(2024, 3, 5, 10, 10, 21)))
    assert identify(item) == Identity(
        platform="sentinel-2a",
        tile="32UPC",
        datatake_time=utc(2024, 3, 5, 10, 10, 21),
        datastrip_time=utc(2024, 3, 5, 10, 10, 21),
        baseline="05.10",
        generation_time=utc(2024, 3, 5, 14, 10, 21),
        relative_orbit=22,
        orbit_state="descending",
        reference_time=None,
    )


@pytest.mark.parametrize("text", ["MGRS-5UPC", "T05UPC", "05upc", "MGRS-05UPC"])
def test_tiles_are_written_alike(make_item, text):
    assert identify(pystac.Item.from_dict(make_item("a", grid__code=text))).tile == "05UPC"


def test_other_grids_keep_their_name(make_item):
    item = make_item("a", grid__code="EQUI7-E054N015T1")
    assert identify(pystac.Item.from_dict(item)).tile == "EQUI7-E054N015T1"


def test_unreadable_facts_are_unknown_not_fatal(make_item):
    item = make_item(
        "a",
        platform=" ",
        sat__relative_orbit="many",
        s2__datatake_id="GS2A_20241399T101021_1_N05.10",
        s2__generation_time="soon",
    )
    who = identify(pystac.Item.from_dict(item))
    assert set(dataclasses.astuple(who)) == {None}


@pytest.mark.parametrize(
    ("moment", "start", "end", "expected"),
    [
        ("2024-03-05T10:00:00Z", None, None, utc(2024, 3, 5, 10)),
        ("2024-03-05T12:00:00+02:00", None, None, utc(2024, 3, 5, 10)),
        (None, "2024-03-05 09:00:00+00:00", "2024-03-05T11:00:00Z", utc(2024, 3, 5, 9)),
        (
            "2024-03-05T10:00:00Z",
            "2024-03-05T09:00:00Z",
            "2024-03-05T11:00:00Z",
            utc(2024, 3, 5, 10),
        ),
        # a processing time, as one provider writes it
        (
            "2024-03-06T08:00:00Z",
            "2024-03-05T09:00:00Z",
            "2024-03-05T09:00:00Z",
            utc(2024, 3, 5, 9),
        ),
    ],
)
def test_sensing_time(make_item, moment, start, end, expected):
    item = make_item("a", moment)
    item["properties"] |= {"start_datetime": start, "end_datetime": end}
    assert item_time(pystac.Item.from_dict(item)) == expected


def test_an_item_without_time_is_named(make_item):
    item = pystac.Item.from_dict(make_item("timeless"))
    item.datetime = None
    with pytest.raises(BadItemError, match="timeless"):
        item_time(item)
