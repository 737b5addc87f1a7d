"""Every item gets exactly one answer; those of real catalogues are kept as a snapshot.

After a change that is meant, write the snapshot anew and look at its difference::

    CBMCUBE_REWRITE_SNAPSHOTS=1 pytest tests/cube/test_classify.py
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import numpy as np
import pystac
import pytest

import cbmcube as cbm
from cbmcube.cube import Classification, classify
from cbmcube.cube._classify import Outcome
from cbmcube.exceptions import Error

SNAPSHOT = Path(__file__).with_name("items.snapshot.json")
PRODUCTS = (cbm.CARD_2A, cbm.CARD_BS, cbm.CARD_COH6)


def answer(item):
    """The answer for the one product that an item may hold, as a line of text."""
    answers = {product.name: classify(item, product) for product in PRODUCTS}
    named = [(name, one) for name, one in answers.items() if one.outcome != "other product"]
    if not named:
        return "other product"
    name, one = named[0]
    if one.outcome != "loadable":
        return f"{one.outcome} ({one.profile})" if one.profile else one.outcome
    rules = sorted({f"offset {r.offset:g} rule {r.rule} {r.form}" for r in one.radiometry.values()})
    return f"{name} {one.profile}: {', '.join(one.grids)}; {', '.join(rules)}"


@pytest.mark.realdata
@pytest.mark.trap("T9")
def test_real_items_are_decided_as_ever(real_items, realdata):
    names = [path.name for path in sorted((realdata / "stac-items").glob("*.*"))]
    names = [name for name in names if name.endswith((".json", ".parquet"))]
    found = {
        name: [f"{item.id}: {answer(item)}" for item in real_items(name.removesuffix(".json"))]
        for name in names
    }
    assert sum(map(len, found.values())) == 73 + 100
    if os.environ.get("CBMCUBE_REWRITE_SNAPSHOTS"):
        SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(SNAPSHOT.read_text())


@pytest.mark.realdata
@pytest.mark.trap("T9")
def test_an_item_is_loadable_exactly_if_it_loads(real_items, realdata):
    """One item of each file against `load_native` itself, nothing computed."""
    for path in sorted((realdata / "stac-items").glob("*.json")):
        item = real_items(path.stem)[0]
        for product in PRODUCTS:
            told = classify(item, product)
            profile = product.profile_for(item.collection_id, item.assets, item.properties)
            keys = profile.assets if profile else {}
            bands = [name for name, key in keys.items() if key in item.assets] or None
            if told.outcome == "loadable":
                assert set(cbm.load_native([item], product, bands=bands).children) == {*told.grids}
            else:
                with pytest.raises(Error):
                    cbm.load_native([item], product, bands=bands)


def plain(**changes):
    """An item of the card profile that would load."""
    item = pystac.Item("scene", None, None, datetime(2024, 3, 5, tzinfo=UTC), {
        "s2:processing_baseline": "05.10", "proj:code": "EPSG:32632",
        "proj:transform": [10, 0, 500_000, 0, -10, 5_400_000], "proj:shape": [40, 60],
    } | changes, collection="CARD-2A")  # fmt: skip
    item.add_asset("B04", pystac.Asset("https://data.example.org/B04.tif", roles=["data"]))
    return item


def with_asset(href="https://data.example.org/B04.tif", media_type=None, key="B04"):
    item = plain()
    item.assets.clear()
    item.add_asset(key, pystac.Asset(href, media_type=media_type, roles=["data"]))
    return item


CASES = {
    "loadable": plain(),
    "unprojected": plain(**{"sar:product_type": "GRD", "proj:code": "EPSG:4326"}),
    "not a raster": with_asset("https://data.example.org/B04.zarr", "application/vnd.zarr"),
    "other product": with_asset(key="elevation"),
    "address refused": with_asset("http://169.254.169.254/B04.tif"),
    "no grid": plain(**{"proj:transform": None}),
    "unknown offset": plain(**{"s2:processing_baseline": "99.99"}),
    "bad item": plain(),
}
CASES["bad item"].assets["B04"].extra_fields["nodata"] = "none"
CASES["no time"] = plain()
CASES["no time"].datetime = None


@pytest.mark.trap("T9")
@pytest.mark.parametrize("outcome", CASES)
def test_each_answer_has_its_reason(outcome):
    told = classify(CASES[outcome], cbm.CARD_2A)
    assert told.outcome == outcome
    assert (told.reason == "") == (outcome == "loadable")


def test_placeholders_and_unknown_scales_have_their_answers():
    assert classify(with_asset("$B04_TIF"), cbm.CARD_2A).outcome == "address refused"
    whole = with_asset(key="VV")
    whole.collection_id = "CARD-COH6"
    whole.assets["VV"].extra_fields |= {"data_type": "uint8", "nodata": 0}
    assert classify(whole, cbm.CARD_COH6).outcome == "unknown scale"


def test_every_answer_is_tested():
    assert {*CASES, "unknown scale"} == set(get_args(Outcome))


def test_the_callers_offset_makes_an_item_loadable():
    item = CASES["unknown offset"]
    told = classify(item, cbm.CARD_2A, offset=0.0)
    assert told == Classification(
        "scene", "loadable", "", "card", ("EPSG32632_10m",), told.radiometry
    )
    assert told.radiometry["B04"].offset == 0


def test_items_are_left_alone(scenes):
    item = scenes.item("a", {"B04": np.ones((4, 4), "uint16")})
    before = item.to_dict()
    assert classify(item, cbm.CARD_2A).outcome == "loadable"
    assert item.to_dict() == before
