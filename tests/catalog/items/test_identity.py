"""One spelling for what items show, from the spellings of real providers."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

import pystac
import pytest

from cbmcube.catalog import Identity, identify
from cbmcube.catalog.items._identity import item_time
from cbmcube.exceptions import BadItemError


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def real_item(realdata, name: str, number: int = 0) -> pystac.Item:
    [path] = (realdata / "stac-items").glob(f"{name}.json")
    content = json.loads(path.read_text())["features"][number]
    return pystac.Item.from_dict(content, migrate=False)


def stamp(text: str | None) -> datetime | None:
    return text and datetime.fromisoformat(f"{text}+00:00")


# of the first item of each file, read by eye: platform, tile, baseline, relative orbit, orbit
# state, datatake, datastrip, generation
RECORDS = [
    (
        "*_v0__sentinel-s2-l2a-cogs",
        ("sentinel-2a", "44NML", "02.14", 76, None),
        ("2020-12-18T05:06:01", None, "2020-12-18T06:17:23"),
    ),
    (
        "sentinel-s__*",
        ("sentinel-2a", "28QCH", "02.14", 123, None),
        ("2020-07-14T11:52:21", None, "2020-07-14T19:13:10"),
    ),
    (
        "*element84.com_v1__sentinel-2-l2a",
        ("sentinel-2b", "20EPT", "05.11", 95, None),
        ("2025-07-31T13:19:09", "2025-07-31T13:19:05", "2025-07-31T14:39:19"),
    ),
    (
        "*sentinel-2-c1-l2a",
        ("sentinel-2b", "20EPT", "05.11", 95, None),
        ("2025-07-31T13:19:09", "2025-07-31T13:19:05", "2025-07-31T14:39:19"),
    ),
    (
        "*sentinel-2-l1c",
        ("sentinel-2b", "20EPT", "05.11", 95, None),
        ("2025-07-31T13:19:09", "2025-07-31T13:19:05", "2025-07-31T14:35:30"),
    ),
    (
        "planetary*sentinel-2-l2a",
        ("sentinel-2a", "60VUK", "02.12", 116, "descending"),
        ("2019-01-01T00:00:01", "2018-12-31T23:59:57", "2020-10-07T21:46:52.987"),
    ),
    (
        "stac.dataspace*sentinel-2-l2a",
        ("sentinel-2b", "32TNT", "05.00", 65, "descending"),
        ("2020-07-05T10:15:59", "2020-07-05T10:19:17", "2023-05-30T17:59:12"),
    ),
    (
        "geodes*",
        ("sentinel-2a", "14ULD", "05.11", 141, "descending"),
        ("2025-04-02T17:57:41", None, None),
    ),
    (
        "resto*",
        ("sentinel-2b", "29SPA", "02.09", 137, None),
        ("2020-12-27T11:13:59", None, "2020-12-27T12:21:28"),
    ),
    (
        "stac.eodc.eu__from_notebooks",
        ("sentinel-2b", "33UXP", "05.10", 122, "descending"),
        ("2024-01-20T10:02:39", "2024-01-20T10:02:35", "2024-01-20T10:49:42"),
    ),
    (
        "stac.eodc.eu__SENTINEL1_GRD",
        ("sentinel-1a", None, None, 158, "descending"),
        (None, None, "2024-03-09T15:00:19"),
    ),
    (
        "*element84.com_v1__sentinel-1-grd",
        ("sentinel-1a", None, None, 56, "ascending"),
        (None, None, "2025-07-31T14:45:26"),
    ),
    (
        "*dev*sentinel-1-grd",
        ("sentinel-1a", None, None, 56, "ascending"),
        (None, None, None),
    ),
    (
        "planetary*sentinel-1-grd",
        ("sentinel-1a", None, None, 111, "ascending"),
        (None, None, None),
    ),
    (
        "planetary*sentinel-1-rtc",
        ("sentinel-1a", None, None, 80, "descending"),
        (None, None, None),
    ),
    ("scihub*None", ("sentinel-1a", None, None, 119, "descending"), (None, None, None)),
    (
        "scihub*sentinel1-grd",
        ("sentinel-1a", None, None, 20, "descending"),
        (None, None, "2022-11-30T07:19:57"),
    ),
    (
        "scihub*sentinel1-slc",
        ("sentinel-1a", None, None, 25, "descending"),
        (None, None, "2014-10-31T20:34:21"),
    ),
    ("www.indigoag*", ("sentinel-1a", "17RMJ", None, 121, "ascending"), (None, None, None)),
    ("*global-mosaics", (None, "31SDV", None, None, None), (None, None, None)),
    ("*eurac*", (None, None, None, None, None), (None, None, None)),
    ("*vito*", (None, None, None, None, None), (None, None, None)),
]


@pytest.mark.trap("T8")
@pytest.mark.realdata
@pytest.mark.parametrize(("name", "facts", "times"), RECORDS)
def test_spellings_of_providers(realdata, name, facts, times):
    platform, tile, baseline, orbit, state = facts
    assert identify(real_item(realdata, name)) == Identity(
        platform, tile, *map(stamp, times[:2]), baseline, stamp(times[2]), orbit, state, None
    )


@pytest.mark.realdata
def test_no_file_is_forgotten(realdata):
    folder = realdata / "stac-items"
    assert {p for name, *_ in RECORDS for p in folder.glob(f"{name}.json")} == set(
        folder.glob("*.json")
    )


@pytest.mark.trap("T8")
@pytest.mark.realdata
def test_an_id_that_carries_the_datastrip(realdata):
    """The item's id says 07:34, its time 07:16, which is the start of the datatake."""
    item = real_item(realdata, "stac.eodc.eu__from_notebooks", 2)
    who = identify(item)
    assert (who.platform, who.tile, who.baseline) == ("sentinel-2a", "38NKK", "05.10")
    assert who.datatake_time == utc(2024, 3, 17, 7, 16, 31)
    assert who.datastrip_time == utc(2024, 3, 17, 7, 34, 12)


@pytest.mark.trap("T17")
@pytest.mark.realdata
def test_a_processing_date_is_no_sensing_time(realdata):
    """One provider writes the day after into ``datetime``."""
    item = real_item(realdata, "geodes*")
    assert item.datetime.date().isoformat() == "2025-04-03"
    assert item_time(item) == utc(2025, 4, 2, 17, 57, 41, 24000)


@pytest.mark.trap("T17")
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
