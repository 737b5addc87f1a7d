"""Reprocessed twins go, halves of a tile stay."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pystac
import pytest
import stac_geoparquet.arrow

from cbmcube.catalog import Dropped, group_acquisitions
from cbmcube.catalog.items._twins import drop_twins

DAY = datetime(2021, 8, 5, 10, 10, 21, tzinfo=UTC)


def family(item: pystac.Item) -> str:
    return item.collection_id or ""


def run(*items: dict):
    kept, dropped = drop_twins(map(pystac.Item.from_dict, items), family)
    return sorted(item.id for item in kept), dropped


@pytest.mark.trap("T6")
def test_the_latest_version_stays_in_every_order(make_scene):
    old = make_scene(DAY, baseline="03.01")
    new = make_scene(DAY, baseline="05.00", made=DAY + timedelta(days=500))
    newest = make_scene(DAY, baseline="05.10", made=DAY + timedelta(days=700))
    for order in itertools.permutations([old, new, newest]):
        kept, dropped = run(*order)
        assert kept == [newest["id"]]
        assert dropped == [
            Dropped(old["id"], "reprocessed twin", newest["id"]),
            Dropped(new["id"], "reprocessed twin", newest["id"]),
        ]


def test_generation_time_goes_before_baseline(make_scene):
    strange = make_scene(DAY, baseline="99.99")
    later = make_scene(DAY, baseline="02.08", made=DAY + timedelta(days=9))
    assert run(strange, later)[0] == [later["id"]]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("grid:code", "MGRS-33UUP"),
        ("platform", "sentinel-2b"),
        ("s2:datatake_id", "GS2A_20210805T101031_1_N05.10"),
        ("s2:datastrip_id", "S2A_OPER_MSI_L2A_DS_X_20210805T150000_S20210805T101512_N05.10"),
    ],
)
def test_what_makes_another_scene(make_scene, key, value):
    one, other = make_scene(DAY), make_scene(DAY, baseline="05.00")
    other["properties"][key] = value
    assert run(one, other) == (sorted([one["id"], other["id"]]), [])


def test_other_collections_are_other_families(make_scene):
    one, other = make_scene(DAY), make_scene(DAY, baseline="05.00")
    other["collection"] = "L1C"
    assert len(run(one, other)[0]) == 2


def radar(make_item, name, bounds=(11, 48, 13, 49), made="2024-03-05T20:00:00Z", **more):
    return make_item(
        name,
        "2024-03-05T17:10:00.5Z",
        bounds=bounds,
        platform="sentinel-1a",
        sat__relative_orbit=44,
        sat__orbit_state="ascending",
        processing__datetime=made,
        **more,
    )


def test_radar_twins_are_told_by_their_footprint(make_item):
    old = radar(make_item, "z-old")
    new = radar(make_item, "a-new", (11.01, 48, 13.01, 49), "2024-06-01T00:00:00Z")
    kept, [dropped] = run(old, new)
    assert kept == ["a-new"]
    assert (dropped.id, dropped.kept) == ("z-old", "a-new")
    assert "footprint" in dropped.reason


def test_neighbouring_frames_and_pairs_are_not_twins(make_item):
    frame = radar(make_item, "frame")
    half = radar(make_item, "half", (12, 48, 14, 49))
    pair = radar(make_item, "pair", insar__reference_datetime="2024-02-28T17:10:00Z")
    band = radar(make_item, "other band", assets=("VH",))
    zone = radar(make_item, "zone 33", proj__code="EPSG:32633")
    every = [frame, half, pair, band, zone]
    assert run(*every) == (sorted(one["id"] for one in every), [])


def test_items_that_name_no_platform_are_not_twins(make_item):
    assert run(make_item("a"), make_item("b")) == (["a", "b"], [])


@pytest.mark.trap("T7")
@pytest.mark.realdata
def test_the_halves_of_a_real_tile_stay(realdata):
    path = realdata / "stac-items" / "planetarycomputer__100-sentinel-2-items.parquet"
    items = list(stac_geoparquet.arrow.stac_table_to_items(pq.read_table(path)))
    kept, dropped = run(*items)
    assert len(kept) == len(items) == 100
    assert dropped == []
    assert sum("T13TDE" in name and "20240530T174909" in name for name in kept) == 2


@pytest.mark.trap("T6")
def test_two_receiving_stations_saw_one_scene(make_scene):
    """The ids of the datastrips differ in station and reception, not in sensing time."""
    stations = [make_scene(DAY), make_scene(DAY, made=DAY + timedelta(hours=1))]
    for scene, station in zip(stations, ("SGS_", "MTI_"), strict=True):
        scene["id"] += station
        strip = scene["properties"]["s2:datastrip_id"].replace("2APS", station)
        scene["properties"]["s2:datastrip_id"] = strip
    kept, [dropped] = run(*stations)
    assert kept == [stations[0]["id"]]  # made four hours after sensing, the other after one
    assert dropped.reason == "reprocessed twin"


@pytest.mark.trap("T6")
def test_baselines_in_datatake_ids_do_not_part_twins(make_scene):
    pair = [make_scene(DAY, baseline="03.01"), make_scene(DAY, baseline="05.10", made=DAY)]
    takes = {scene["properties"]["s2:datatake_id"] for scene in pair}
    assert len(takes) == 2
    assert len(run(*pair)[0]) == 1


def test_of_equals_the_product_s_first_collection_stays(make_scene):
    """One scene in two collections that spell one product, made at the same moment."""
    pair = [make_scene(DAY), make_scene(DAY)]
    for scene, name in zip(pair, ("first", "second"), strict=True):
        scene |= {"id": f"{name}-scene", "collection": name}
    items = [pystac.Item.from_dict(scene) for scene in pair]
    for liked in ("first", "second"):
        kept, [dropped] = drop_twins(
            items, lambda _: "product", lambda item, liked=liked: int(item.collection_id == liked)
        )
        assert [item.collection_id for item in kept] == [liked]
        assert dropped.kept == f"{liked}-scene"


@pytest.mark.parametrize(("share", "number"), [(0.89, 2), (0.91, 1)])
@pytest.mark.trap("T7")
def test_footprints_decide_where_no_datastrip_is_named(make_scene, share, number):
    """Just below and just above nine tenths of common over joint ground."""
    whole, part = make_scene(DAY), make_scene(DAY, baseline="05.00")
    for scene in (whole, part):
        del scene["properties"]["s2:datastrip_id"]
    ring = part["geometry"]["coordinates"][0]
    part["geometry"]["coordinates"] = [[[11 + (x - 11) * share, y] for x, y in ring]]
    kept, dropped = run(whole, part)
    assert len(kept) == number
    assert all("no datastrip is named" in one.reason for one in dropped)


@pytest.mark.trap("T7")
@pytest.mark.realdata
def test_the_halves_of_a_real_tile_are_one_acquisition(realdata):
    path = realdata / "stac-items" / "planetarycomputer__100-sentinel-2-items.parquet"
    dicts = stac_geoparquet.arrow.stac_table_to_items(pq.read_table(path))
    found = group_acquisitions(map(pystac.Item.from_dict, dicts))
    names = [{item.id for item in one.items} for one in found]
    halves = {
        "S2B_MSIL2A_20240530T174909_R141_T13TDE_20240531T000206",
        "S2B_MSIL2A_20240530T174909_R141_T13TDE_20240530T231838",
    }
    assert sum(halves <= one for one in names) == 1
    assert sum(len(one) for one in names) == 100


def test_a_direction_that_is_stated_wrongly_parts_no_twins(make_scene):
    pair = [make_scene(DAY), make_scene(DAY, baseline="05.00", made=DAY)]
    pair[1]["properties"]["sat:orbit_state"] = "ascending"
    assert len(run(*pair)[0]) == 1
