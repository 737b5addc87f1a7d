"""The guides show code that runs, and say what is so of profiles, pixels and other tools."""

from __future__ import annotations

import importlib
import re
import sys
import types

import numpy as np
import pandas as pd
import pytest

from cbmcube.products import list_products
from tests.pages.fences import find_blocks, find_pages
from tests.pages.stage import Played, play

pytestmark = pytest.mark.filterwarnings(
    "ignore::cbmcube.warnings.RepairedParcelsWarning",
    "ignore::cbmcube.warnings.OutsideParcelsWarning",
)

PAGES = {path.name: path for path in find_pages()}
LEAK = re.compile(r"([\d.]+) ± ([\d.]+)(?:, (\d+) lost)?")


def page(name):
    return PAGES[name].read_text()


def test_the_hubs_are_those_of_the_profiles():
    """Each row names a profile of its product, and collections that the profile reads."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page("hubs.md").split("\n## ")[0].splitlines()
        if line.startswith("| ")
    ]
    products = {product.name.replace("-", "_"): product for product in list_products()}
    checked = 0
    for _, product, collections, profile, _ in rows[1:-1]:
        known = {one.name: one for one in products[product.strip("`")].profiles}
        [name] = re.findall(r"^`([\w-]+)`", profile)
        assert set(re.findall(r"`(.*?)`", collections)) <= set(known[name].collections)
        assert profile.endswith("*") == known[name].reconstructed
        checked += 1
    assert checked == 7


def test_the_bytes_of_the_table_are_those_of_the_formula():
    rows = re.findall(
        r"^\| +(\d+) \| +(\d+) \| (\d+) MiB \| (\d+) MiB \|$", page("chunks.md"), re.MULTILINE
    )
    assert len(rows) == 3
    for bands, dates, *sizes in rows:
        for block, size in zip((2048, 1024), sizes, strict=True):
            assert int(bands) * int(dates) * block**2 * 4 * 2 == int(size) * 2**20


# --- from other tools -----------------------------------------------------------------------------


ELSEWHERE = {"ee", "openeo"}
"""Tools that are services: what is written to them is sent to a stand-in."""


class Service:
    """Takes the calls that the page makes, and remembers them."""

    def __init__(self, said=()):
        self.said = said

    def __getattr__(self, name):
        if name not in CALLS:
            raise AttributeError(name)
        return lambda *args, **options: Service((*self.said, (name, args, options)))

    def map(self, function):
        return function(self)


CALLS = {
    *("ImageCollection", "filterDate", "mean", "count", "combine", "reduceRegions"),
    *("load_collection", "aggregate_spatial"),
}


def stand_in(name):
    module = types.ModuleType(name)
    module.ImageCollection, module.Reducer = Service().ImageCollection, Service()
    return module


@pytest.fixture(scope="module")
def before_and_after(land, tmp_path_factory):
    """What each tool that is at hand gives, and what cbmcube gives in its place."""
    found, last, played = {}, None, Played()
    played.names |= {"connection": Service(), "features": {"type": "FeatureCollection"}}
    files = {"parcels.gpkg": "parcels.gpkg", "season.parquet": "season.json"}
    addresses = {name: str(land / file) for name, file in files.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("coming-from"))
        for name in ELSEWHERE:
            patch.setitem(sys.modules, name, stand_in(name))
        for block in find_blocks(PAGES["coming-from.md"]):
            asked = re.findall(r"^(?:import|from) (\w+)", block.text, flags=re.MULTILINE)
            needed = {*asked, "rioxarray"} if "xvec" in asked else {*asked}
            if any(importlib.util.find_spec(name) is None for name in needed - ELSEWHERE):
                last = None
                continue
            play([block], instead=addresses, played=played)
            tool = asked[0] if asked and asked[0] != "cbmcube" else None
            if "before" in played.names and tool:
                found[tool] = [played.names.pop("before"), None]
                last = tool
            elif "after" in played.names:
                after = played.names.pop("after")
                if last:
                    found[last][1] = after
    return found, played.names


@pytest.mark.filterwarnings("ignore")  # of the other libraries
def test_rasterstats_is_the_rule_of_centres(before_and_after):
    pytest.importorskip("rasterstats")
    before, after = before_and_after[0]["rasterstats"]
    ours = after["B04"].isel(time=0)
    for name in ("mean", "min", "max", "median"):
        theirs = np.array([row[name] for row in before], dtype="float64")
        np.testing.assert_allclose(ours.sel(statistic=name), theirs, rtol=2e-6)
    count = [row["count"] for row in before]
    np.testing.assert_array_equal(ours.sel(statistic="count"), count)


def test_exactextract_has_the_same_weights(before_and_after):
    before, after = before_and_after[0]["exactextract"]
    ours = after["B04"].isel(time=0)
    for theirs, name in (("count", "count"), ("mean", "mean"), ("stdev", "std")):
        np.testing.assert_allclose(
            ours.sel(statistic=name), before[theirs], rtol=2e-5, atol=1e-6, equal_nan=True
        )


def test_xvec_gives_the_same_means(before_and_after):
    pytest.importorskip("rioxarray")
    before, after = before_and_after[0]["xvec"]
    ours = after["B04"].isel(time=[0]).sel(statistic="mean")
    np.testing.assert_allclose(ours, before.to_numpy().reshape(ours.shape), rtol=2e-6)


def test_the_other_lines_run_too(before_and_after):
    names = before_and_after[1]
    assert names["report"].ok
    assert len(names["rows"]) > 0
    assert {"B04", "B08"} <= set(names["table"]["band"].unique())
    assert (np.diff(names["weekly"]["time"]) >= np.timedelta64(7, "D")).all()


# --- explanation ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cells():
    """What the cells of the explanation define."""
    return play(find_blocks(PAGES["explanation.md"])).names


def test_the_text_on_pixel_rules_is_what_the_cell_measures(cells):
    table = cells["table"]
    numbers = pd.DataFrame(
        {
            (rule, part): table[rule].str.extract(LEAK)[column].fillna("0").astype("float64")
            for rule in table
            for column, part in enumerate(("leak", "spread", "lost"))
        }
    )
    exact, centre = numbers["exact"], numbers["centre"]
    assert (centre["spread"] >= 1.8 * exact["spread"])[[0.03, 0.1]].all()
    assert (centre["leak"] < exact["leak"]).all()
    ratio = numbers["all_touched"]["leak"] / exact["leak"]
    assert ratio.between(1.65, 3.55).all()
    assert (numbers["inside"]["leak"].fillna(0) == 0).all()
    assert numbers["inside"]["lost"][0.03] > 0.9 * cells["EACH"]
    inward = numbers["exact, 5 m inward"]["leak"] / exact["leak"]
    assert (inward[[0.1, 0.5, 3.0]] <= 0.26).all()
    assert (numbers["exact"]["lost"] == 0).all()


def test_the_text_on_ties_and_decibels_is_so(cells):
    median = cells["median"]
    assert (median("weighted"), median("exactextract")) == (0.0, 0.5)
    assert round(cells["power"], 1) == -12.6
    assert round(cells["decibels"], 1) == -15.0
