"""Every page runs from top to bottom, and what it says of its results is so.

A page that is new is run like the others; what it needs besides is told in `NEEDS`, and what its
text claims in `CLAIMS`.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import cbmcube as cbm
from cbmcube.__main__ import main
from cbmcube.catalog import AccessPolicy
from cbmcube.observations.store import open_store
from tests.pages.conftest import CATALOGUES, VARIABLES
from tests.pages.fences import find_blocks, find_pages
from tests.pages.stage import checked

pytestmark = [
    pytest.mark.filterwarnings("ignore::cbmcube.warnings.RepairedParcelsWarning"),
    pytest.mark.filterwarnings("ignore::cbmcube.warnings.OutsideParcelsWarning"),
]

ELSEWHERE = {
    "coming-from.md": "needs other tools, each of which may be missing: see test_guides.py",
}
PAGES = [
    page
    for page in find_pages()
    if page.name not in ELSEWHERE and any(one.language == "python" for one in find_blocks(page))
]

# --- what pages need besides ----------------------------------------------------------------------


@pytest.fixture
def needs_clusters(stage, workers, _gateway_is_played, _pip_is_played):
    stage.instead["tcp://scheduler.example.org:8786"] = workers.scheduler.address


@pytest.fixture
def _needs_workers(lend, monkeypatch):
    """One cluster for several pages; the page on clusters has its own."""
    monkeypatch.setattr(cbm, "local_cluster", checked(cbm.local_cluster, lend))


@pytest.fixture
def needs_hubs(stage, stac_server, _gateway_is_played, _needs_workers):
    stage.instead["https://stac.agency.internal"] = stac_server.url
    stage.instead["stac.agency.internal"] = "127.0.0.1"


@pytest.fixture
def needs_observations(stage, radar, _database_is_played):
    for name in ("dk-2024-bs", "dk-2024-bs-again"):
        shutil.copytree(radar, stage.folder / name)


@pytest.fixture
def needs_crop_types(monkeypatch):
    if importlib.util.find_spec("torch") is None:
        torch = types.ModuleType("torch")
        torch.from_numpy = Tensor
        monkeypatch.setitem(sys.modules, "torch", torch)


class Tensor:
    """PyTorch's tensor, as far as the page uses it: a view of an array."""

    def __init__(self, values):
        self.values = values

    def permute(self, *dims):
        return Tensor(self.values.transpose(dims))

    def numpy(self):
        return self.values


@pytest.fixture
def needs_a_job():
    """As `cbmcube init` leaves it; its country is there, so that none is made."""
    assert main(["init", "job.toml"]) == 0
    text = Path("job.toml").read_text()
    assert text.count("2024-03/2024-05") == 1
    Path("job.toml").write_text(text.replace("2024-03/2024-05", "2024-03"))


NEEDS = {
    "clusters.md": "needs_clusters",
    "crop-types.md": "needs_crop_types",
    "hubs.md": "needs_hubs",
    "observations.md": "needs_observations",
    "scripting.md": "needs_a_job",
    "season.md": "_needs_workers",
}


# --- the pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_runs_from_top_to_bottom(request, stage, page):
    if page.name in NEEDS:
        request.getfixturevalue(NEEDS[page.name])
    played = stage.play(page)
    CLAIMS.get(page.name, lambda *_: None)(played, stage)


def test_what_is_told_of_pages_is_of_pages_that_are_there():
    known = {page.name for page in find_pages()}
    assert {*NEEDS, *CLAIMS, *ELSEWHERE} <= known
    text = "".join(page.read_text() for page in PAGES)
    assert [one for one in (*CATALOGUES, *VARIABLES) if one not in text] == []


# --- what their texts claim -----------------------------------------------------------------------


def readme(played, stage):
    table, fields = played.names["table"], played.names["fields"]
    parcels = played.names["parcels"]
    assert (table["state"] == "OK").any()
    keys = ["acquisition", "parcel", "band"]
    assert not table.duplicated(keys).any()  # one row for each
    assert len(table) == np.prod([table[key].nunique() for key in keys])
    assert fields.index.tolist() == parcels.index.tolist()
    assert fields.geometry.notna().all()
    [report] = played.shown["cbm.report(items)"]
    assert "items kept" in str(report)
    assert set(played.names["mown"]["parcel"]) == set(parcels.index)
    again = cbm.open_vector_cube(stage.folder / "season.zarr")
    xr.testing.assert_equal(again.compute(), played.names["stats"].compute())


def getting_started(played, _stage):
    assert {item.collection_id for item in played.names["items"]} == {"CARD-2A"}
    assert played.names["parcels"].index[0] == "DK000010"


def chunks(played, _stage):
    assert len(played.names["items"]) > 0
    assert played.names["stats"].sizes["parcel"] == len(played.names["parcels"])
    assert len(played.names["figure"].axes) > 0


def hubs(played, stage):
    frozen = cbm.search(cbm.open_catalog(stage.folder / "season.parquet"), cbm.CARD_2A)
    assert len(frozen) > 0
    assert len(cbm.open_observations(stage.folder / "season-s2")) > 0
    assert {item.datetime.month for item in played.names["items"]} == {5}


def clusters(played, _stage):
    """Wherever it was computed, the numbers are those of this process."""
    cubes, parcels = played.names["cubes"], played.names["parcels"]
    xr.testing.assert_identical(
        played.names["stats"], cbm.reduce_parcels(cubes, parcels).compute(scheduler="threads")
    )
    [fits] = played.shown["check_cluster(client)"]
    assert str(fits).endswith("nothing differs")
    assert len(played.shown["list_clusters()"]) == 1


def season(played, stage):
    season, obs = played.names["season"], played.names["obs"]
    first, again = played.shown["season.run(client)"]
    assert first.ok
    assert first.done > 0
    assert (again.done, again.left) == (0, 0)
    assert again.snapshot.root == first.snapshot.root
    [grown] = played.shown["season.run()"]
    assert grown.done > 0
    [plan] = played.shown["season"]
    assert len(season.units) == len(plan.units) + grown.done
    later = cbm.open_observations(stage.place("s3://bucket/dk-2024-bs"))
    assert len(obs) < len(later)
    assert {time.month for time in later.table()["time"]} == {3, 4, 5}
    assert played.names["greenness"].records > 0


def observations(played, stage):
    obs = played.names["obs"]
    [one] = played.shown["obs.table('DK000017')"]
    assert set(one["parcel"]) == {"DK000017"}
    assert one["acquisition"].nunique() == len(obs.acquisitions())
    some = next(value[0] for code, value in played.shown.items() if "bands='VH'" in code)
    assert set(some["parcel"]) == {"DK000017", "DK000018"}
    assert list(some.columns) == ["parcel", "time", "mean"]
    assert {time.month for time in some["time"]} == {4, 5}
    passed = next(value[0] for code, value in played.shown.items() if "acquisitions=one" in code)
    assert passed.geometry.notna().all()
    assert set(passed["acquisition"]) == {played.names["one"]}
    # bit for bit, and lazily
    cube = played.names["cube"]
    assert cube["VH"].chunks is not None
    catalog = cbm.open_catalog(stage.folder / "season.json")
    parcels = cbm.read_parcels(stage.folder / "gsaa_2024.gpkg", id="field_id")
    items = cbm.search(catalog, cbm.CARD_BS, aoi=parcels)
    stats = cbm.reduce_parcels(
        cbm.load_native(items, cbm.CARD_BS), cbm.prepare_parcels(parcels)
    ).sel(parcel=played.names["some_parcels"])
    for band in ("VV", "VH"):
        np.testing.assert_array_equal(cube[band].values, stats[band].values)
    # elsewhere
    assert len(pd.read_parquet(stage.folder / "season.parquet")) > 0
    assert set(cbm.open_vector_cube(stage.folder / "season.zarr").data_vars) >= {"VV", "VH"}
    # upkeep
    [differs] = played.shown["diff(store, other)"]
    assert differs.empty
    [whole] = played.shown["verify(store)"]
    assert whole.ok


def products(played, _stage):
    [listed] = played.shown["list_products()"]
    assert {"CARD-2A", "CARD-BS", "CARD-COH6", "GFM"} == {one.name for one in listed}
    # what the examples define is looked at in tests/products/test_docs.py


def scripting(played, stage):
    report = played.names["report"]
    assert report.ok
    assert report.left == 0
    assert open_store(stage.folder / "season") is not None


def searching(played, _stage):
    [item] = played.names["items"]
    assert set(item.assets) == {"VV", "VH"}
    assert item.id == "S1A"


def crop_types(played, _stage):
    x, tensor = played.names["x"], played.names["tensor"]
    assert tensor.dims == ("parcel", "time", "channel")
    np.testing.assert_array_equal(x.numpy(), tensor.values.transpose(0, 2, 1))
    assert np.shares_memory(x.numpy(), tensor.values)


def security(played, stage):
    policy = played.names["policy"]
    assert isinstance(policy, AccessPolicy)
    items = cbm.search(played.names["catalog"], cbm.CARD_2A)
    assert len(items) > 0
    assert [str(root) for root in policy.roots] == [str(stage.folder)]


CLAIMS = {
    "README.md": readme,
    "chunks.md": chunks,
    "clusters.md": clusters,
    "crop-types.md": crop_types,
    "getting-started.md": getting_started,
    "hubs.md": hubs,
    "observations.md": observations,
    "products.md": products,
    "scripting.md": scripting,
    "searching.md": searching,
    "season.md": season,
    "security.md": security,
}
