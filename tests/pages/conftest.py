"""What pages run on: the demo's country under the names that they use, and parts that play."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import pystac
import pytest
from distributed import Client, LocalCluster

import cbmcube as cbm
from cbmcube import cluster, demo
from cbmcube.demo import Country
from cbmcube.observations import export
from tests.catalog.conftest import Server, run_server
from tests.pages.fences import find_blocks
from tests.pages.stage import Played, checked, play, with_cells_that_are_needed

DAYS = {
    *("2024-03-03", "2024-03-05", "2024-03-09", "2024-03-25"),
    *("2024-04-02", "2024-04-04", "2024-04-09"),
    *("2024-05-02", "2024-05-04", "2024-05-08"),
}
"""Few acquisitions of each month, so that a season takes a second."""

CATALOGUES = (
    *("https://stac.example.org/v1", "https://stac.example.org/api/v1"),
    "https://stac.eodc.eu/api/v1",
    "https://stac.dataspace.copernicus.eu/v1",
    "https://planetarycomputer.microsoft.com/api/stac/v1",
    "https://earth-search.aws.element84.com/v1",
)
"""Addresses of STAC APIs, in whose place the demo's catalogue is."""

VARIABLES = (
    *("CDSE_KEY", "CDSE_SECRET", "DASK_PASSWORD", "DATA_TOKEN"),
    *("EODATA_KEY", "EODATA_SECRET", "STAC_TOKEN"),
)


@pytest.fixture(scope="session")
def land(country: Country, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what pages name: parcels, frozen catalogues, the country itself."""
    folder = tmp_path_factory.mktemp("land")
    shutil.copytree(country.folder, folder / "country", copy_function=os.link)
    for path in (folder / "country").iterdir():
        if path.is_dir():
            shutil.copytree(path, folder / path.name, copy_function=os.link)
    found = json.loads(country.catalogue.read_text())
    few = [one for one in found["features"] if one["properties"]["datetime"][:10] in DAYS]
    for path in (folder / "season.json", folder / "country" / "season.json"):
        path.unlink(missing_ok=True)  # the link, not the country's own
        path.write_text(json.dumps({**found, "features": few}))
    items = pystac.ItemCollection.from_file(str(folder / "season.json"))
    cbm.freeze(items, folder / "season.parquet")
    parcels = gpd.read_file(country.parcels)
    some = parcels.iloc[:: len(parcels) // 12].copy()
    some.to_file(folder / "parcels.gpkg")
    some["field_id"] = [f"DK{number:06d}" for number in range(10, 10 + len(some))]
    some.to_file(folder / "gsaa_2024.gpkg")
    record = {"title": "S1A", "productType": "CARD-BS", "startDate": "2024-03-05T05:25:40Z"}
    (folder / "answer.json").write_text(json.dumps([{"properties": record}]))
    (folder / "dist").mkdir()
    return folder


@pytest.fixture(scope="session")
def radar(land: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the season that the page on observations reads."""
    store = tmp_path_factory.mktemp("radar") / "dk-2024-bs"
    catalog = cbm.open_catalog(land / "season.json")
    parcels = cbm.prepare_parcels(cbm.read_parcels(land / "gsaa_2024.gpkg", id="field_id"))
    cbm.plan(catalog, cbm.CARD_BS, parcels, store=store).run(progress=False)
    return store


@pytest.fixture(scope="module")
def workers() -> Iterator[Client]:
    """A cluster that is there before a page begins, and is nobody's default."""
    with (
        LocalCluster(
            n_workers=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
        ) as running,
        Client(running, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def stac_server(land: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A STAC API that notes what it is asked."""
    features = json.loads((land / "season.json").read_text())["features"]
    folder = tmp_path_factory.mktemp("stac") / "server"
    with run_server(folder, {"items": features}) as server:
        yield server


@dataclass
class Stage:
    """A folder with all that pages name, and what stands in place of addresses."""

    folder: Path
    instead: dict[str, str] = field(default_factory=dict)
    played: list[Played] = field(default_factory=list)

    def play(self, page: Path) -> Played:
        self.played.append(Played())
        blocks = with_cells_that_are_needed(find_blocks(page))
        return play(blocks, instead=self.instead, played=self.played[-1])

    def place(self, address: str) -> str:
        """Return where an address of the pages leads."""
        found = [text for text in self.instead if address.startswith(text)]
        return address.replace(found[0], self.instead[found[0]]) if found else address

    def close(self) -> None:
        """End what pages leave open, as readers do when they leave."""
        for played in self.played:
            for value in played.names.values():
                if isinstance(value, Client) and value.cluster is None:  # not one that was lent
                    value.close()


@pytest.fixture
def stage(land, tmp_path, monkeypatch) -> Iterator[Stage]:
    """A folder of its own for a page, which it may fill; addresses lead into it."""
    pytest.importorskip("matplotlib").use("Agg")
    folder = tmp_path / "page"
    shutil.copytree(land, folder, copy_function=os.link)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(demo, "make_country", checked(demo.make_country, _linked))
    for name in VARIABLES:
        monkeypatch.setenv(name, "abc")
    monkeypatch.setitem(sys.modules, "planetary_computer", _signing_package())
    addresses = dict.fromkeys(CATALOGUES, str(folder / "season.json"))
    addresses |= {"/eodc/products": str(folder), "s3://bucket/": f"{folder}/"}
    found = Stage(folder, addresses)
    yield found
    found.close()
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def _linked(folder: str, **_: object) -> Country:
    """Take the country that is there already; the build of the docs makes it anew."""
    found = demo.open_country(folder)
    assert found is not None
    return found


def _signing_package() -> types.ModuleType:
    """Microsoft's package signs an address; this one leaves it as it is."""
    module = types.ModuleType("planetary_computer")
    # No function of a module, so that it travels to workers, which have no such package.
    module.sign_url = lambda href: href
    return module


@pytest.fixture
def lend(workers: Client) -> Callable[..., AbstractContextManager[Client]]:
    """Lend out the cluster that is there, with what its workers are given."""

    @contextlib.contextmanager
    def lent(*_: object, env=None, s3=(), bearer=None, signer=None, **__: object):
        given = {"env": env, "s3": s3, "bearer": bearer, "signer": signer}
        with cluster.prepare_workers(workers, **given), workers.as_current():
            yield workers

    return lent


@pytest.fixture
def _gateway_is_played(lend, monkeypatch) -> None:
    """In place of a gateway, the cluster that is there; what is said to it must be sayable.

    With a server of Dask Gateway, these pages run in test_servers.py.
    """
    monkeypatch.setattr(cbm, "gateway_cluster", checked(cbm.gateway_cluster, lend))
    for name in ("list_clusters", "stop_clusters"):
        nothing = checked(getattr(cluster, name), lambda *_, **__: [])
        monkeypatch.setattr(cluster, name, nothing)


@pytest.fixture
def _database_is_played(monkeypatch) -> None:
    """Without a database nothing is written; with one, see test_servers.py."""
    monkeypatch.setattr(export, "to_postgis", checked(export.to_postgis, lambda *_, **__: 0))


@pytest.fixture
def _pip_is_played(stage: Stage, monkeypatch) -> None:
    """Nothing is installed into the environment that the tests run in."""
    (stage.folder / "dist" / "cbmcube-0.1.0-py3-none-any.whl").touch()
    survey = cluster.check_cluster

    def install(client, *, wheel=None, **_: object):
        assert wheel is None or Path(wheel).is_file()
        return survey(client, strict=False)

    monkeypatch.setattr(cluster, "install_on_workers", checked(cluster.install_on_workers, install))
