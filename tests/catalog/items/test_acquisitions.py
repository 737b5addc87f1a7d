"""One satellite, one track, one pass: one acquisition."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pystac
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.catalog import group_acquisitions

NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)


def radar(name: str, moment: datetime, state="ascending", orbit=44, platform="sentinel-1a", **more):
    facts = {"platform": platform, "sat:relative_orbit": orbit, "sat:orbit_state": state, **more}
    return pystac.Item(name, None, None, moment, facts)


@pytest.mark.trap("T14")
def test_two_passes_of_a_day_stay_two():
    morning = radar("d", NOON.replace(hour=5, minute=40), "descending", 66)
    evening = radar("a", NOON.replace(hour=17, minute=10))
    found = group_acquisitions([evening, morning])
    assert [one.id for one in found] == [
        "sentinel-1a_R066_descending_20240305T054000",
        "sentinel-1a_R044_ascending_20240305T171000",
    ]
    assert [[item.id for item in one.items] for one in found] == [["d"], ["a"]]


def test_a_pass_over_midnight_is_one():
    before = radar("b", NOON.replace(hour=23, minute=59, second=50))
    after = radar("a", NOON.replace(hour=0, minute=0, second=15) + timedelta(days=1))
    [one] = group_acquisitions([after, before])
    assert one.time == before.datetime
    assert [item.id for item in one.items] == ["b", "a"]


@pytest.mark.parametrize(("minutes", "number"), [(29.9, 1), (30, 2), (98.6, 2)])
def test_the_gap_that_parts_passes(minutes, number):
    later = radar("b", NOON + timedelta(minutes=minutes))
    assert len(group_acquisitions([radar("a", NOON), later])) == number


@pytest.mark.parametrize(
    "other",
    [
        {"platform": "sentinel-1b"},
        {"orbit": 45},
        {"state": "descending"},
        {"orbit": None},
        {"insar:reference_datetime": "2024-02-28T12:00:00Z"},
    ],
)
def test_what_parts_items_of_one_moment(other):
    found = group_acquisitions([radar("a", NOON), radar("b", NOON, **other)])
    assert len(found) == 2
    assert len({one.id for one in found}) == 2


def test_pairs_share_their_reference_pass_not_its_day():
    late, early = (NOON.replace(hour=23, minute=59), NOON.replace(hour=0, minute=1))
    references = [late - timedelta(days=6), early - timedelta(days=5), late - timedelta(days=12)]
    items = [
        radar(str(n), late, **{"insar:reference_datetime": reference.isoformat()})
        for n, reference in enumerate(references)
    ]
    found = group_acquisitions(items)
    assert sorted([item.id for item in one.items] for one in found) == [["0", "1"], ["2"]]
    assert {one.reference_time for one in found} == {references[0], references[2]}
    assert found[0].id == "sentinel-1a_R044_ascending_20240305T235900_from20240222T235900"


@pytest.mark.trap("T14")
@pytest.mark.realdata
def test_an_orbit_that_turns_gives_two(realdata):
    path = realdata / "stac-items" / "stac.eodc.eu__SENTINEL1_GRD.json"
    items = [pystac.Item.from_dict(one) for one in json.loads(path.read_text())["features"]]
    found = group_acquisitions(items)
    assert [(one.orbit_state, len(one.items)) for one in found] == [
        ("ascending", 1),
        ("descending", 9),
    ]


tracks = st.sampled_from(["sentinel-1a", "sentinel-1b", None])
minutes = st.integers(0, 6 * 60)


@given(st.lists(st.tuples(tracks, minutes), max_size=25), st.randoms())
def test_groups_are_the_connected_parts(takes, random):
    items = [
        radar(f"{n:02d}", NOON + timedelta(minutes=m), platform=platform)
        for n, (platform, m) in enumerate(takes)
    ]
    random.shuffle(items)
    found = group_acquisitions(items)
    # oracle: connected components by exhaustive joining
    parts = [{n} for n in range(len(takes))]
    for a, (platform, m) in enumerate(takes):
        for b, (other, k) in enumerate(takes):
            if platform == other and abs(m - k) < 30:
                one = next(part for part in parts if a in part)
                two = next(part for part in parts if b in part)
                if one is not two:
                    parts.remove(two)
                    one |= two
    assert sorted(sorted(int(item.id) for item in one.items) for one in found) == sorted(
        map(sorted, parts)
    )
    assert [one.time for one in found] == sorted(one.time for one in found)
    assert len({one.id for one in found}) == len(found)
    assert all(one.time == min(item.datetime for item in one.items) for one in found)


SQUARE = {"type": "Polygon", "coordinates": [[[9, 48], [10, 48], [10, 49], [9, 49], [9, 48]]]}
BESIDE = {"type": "Polygon", "coordinates": [[[9.9, 48], [11, 48], [11, 49], [9.9, 49], [9.9, 48]]]}


def nameless(name, minutes, geometry=SQUARE, **facts):
    time = datetime(2015, 12, 8, 10, 4, tzinfo=UTC) + timedelta(minutes=minutes)
    return pystac.Item(
        name, geometry, None, time, {k.replace("__", ":"): v for k, v in facts.items()}
    )


def test_the_same_ground_again_is_another_look():
    """Two real images of one day, seven minutes apart, name no satellite: both must stay."""
    groups = group_acquisitions([nameless("a", 0), nameless("b", 7), nameless("c", 7.5, BESIDE)])
    assert [[item.id for item in group.items] for group in groups] == [["a", "c"], ["b"]]


def test_the_same_tile_again_is_another_look_and_two_halves_are_one():
    whole = [nameless(n, m, grid__code="MGRS-32UQU") for n, m in (("a", 0), ("b", 0.5), ("c", 5))]
    groups = group_acquisitions(whole)
    assert [[item.id for item in group.items] for group in groups] == [["a", "b"], ["c"]]


def test_two_datatakes_are_two_acquisitions():
    takes = ("GS2A_20240305T101021_045678_N05.10", "GS2A_20240305T101521_045678_N05.10")
    items = [nameless(take, 0, s2__datatake_id=take) for take in takes]
    assert len(group_acquisitions(items)) == 2


@pytest.mark.trap("T7")
@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["ascending", "descending"], "descending"),
        (["ascending", "ascending", "descending"], "ascending"),
        (["descending", None], "descending"),
        ([None, None], None),
    ],
)
def test_a_datatake_has_one_direction(states, expected):
    take = "GS2A_20240305T101021_045678_N05.10"
    items = [
        nameless(f"{n}", 0, sat__orbit_state=state, s2__datatake_id=take)
        for n, state in enumerate(states)
    ]
    [found] = group_acquisitions(items)
    assert found.orbit_state == expected
    assert len(found.items) == len(states)
