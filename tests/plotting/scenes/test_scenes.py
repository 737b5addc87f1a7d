"""Scenes as plain tables, from items or a report."""

from __future__ import annotations

import pandas as pd
import pytest

import cbmcube as cbm
from cbmcube.catalog import report
from cbmcube.exceptions import OptionError
from cbmcube.plotting.scenes._scenes import NO_TILE, scenes_of
from tests.plotting.made_scenes import scene, search


def test_items_stand_where_they_were_taken():
    scenes = scenes_of(search([scene(0), scene(0, tile="33UXP"), scene(3, orbit=65)]))
    assert scenes.items["track"].tolist() == ["R022 ↓", "R022 ↓", "R065 ↓"]
    assert sorted(scenes.items["tile"]) == ["33UWP", "33UWP", "33UXP"]
    assert scenes.items["acquisition"].nunique() == 2
    assert scenes.items["time"].min() == pd.Timestamp("2024-03-01 10:10")
    for row, shape in zip(scenes.items.itertuples(), scenes.geometry, strict=True):
        assert shape.bounds == (14, 47, 15.5, 48), row


def test_items_report_and_list_say_the_same():
    items = search([scene(0), scene(20)])
    for given in (report(items), list(items), iter(list(items))):
        pd.testing.assert_frame_equal(scenes_of(given).items, scenes_of(items).items)
    assert len(scenes_of(items).gaps) == 2  # on day 10, and on day 30 at the end of the period
    assert len(scenes_of(list(items)).gaps) == 1  # a list has no period


def test_a_twin_stands_where_the_kept_item_does():
    one = scene(5, name="new")
    scenes = scenes_of(search([one], dropped=[("old", "twin", "new"), ("far", "outside", None)]))
    table = scenes.dropped.set_index("id")
    assert table.loc["old", "time"] == pd.Timestamp("2024-03-06 10:10")
    assert table.loc["old", "tile"] == "33UWP"
    assert pd.isna(table.loc["far", "time"])


def test_what_is_missing_has_a_name():
    bare = scene(0, tile=None, place=None)
    bare.properties = {}
    scenes = scenes_of([bare])
    assert scenes.items[["track", "satellite", "tile"]].iloc[0].tolist() == [
        "no orbit",
        "unknown",
        NO_TILE,
    ]
    assert scenes.geometry.tolist() == [None]


def test_a_shape_that_is_none_is_a_missing_footprint():
    broken = scene(0)
    broken.geometry = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}
    assert scenes_of([broken]).geometry.tolist() == [None]


def test_nothing_found_is_an_empty_table():
    scenes = scenes_of(search([]))
    assert len(scenes.items) == len(scenes.gaps) == len(scenes.dropped) == len(scenes.geometry) == 0


@pytest.mark.parametrize("given", [3, ["a"], "items.json"])
def test_other_things_are_refused(given):
    with pytest.raises(OptionError, match="scenes are the items of a search"):
        scenes_of(given)


@pytest.mark.realdata
def test_real_items_of_one_tile(realdata):
    path = realdata / "stac-items" / "planetarycomputer__100-sentinel-2-items.parquet"
    items = cbm.search(cbm.open_catalog(path), cbm.CARD_2A)
    scenes = scenes_of(items)
    assert scenes.items["track"].value_counts().to_dict() == {"R141 ↓": 51, "R098 ↓": 49}
    assert set(scenes.items["tile"]) == {"13TDE"}
    by_id = {item.id: item for item in items}
    for row, shape in zip(scenes.items.itertuples(), scenes.geometry, strict=True):
        assert shape.bounds == pytest.approx(by_id[row.id].bbox, abs=1e-3)
        assert str(row.time)[:10].replace("-", "") in row.id
