"""The services that tests talk to, each started once for the whole run."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pystac
import pytest
from distributed import Client

import cbmcube as cbm
from cbmcube.cluster import local_cluster
from cbmcube.demo import Country
from tests.services.nginx import WebServer, run_nginx
from tests.services.processes import MissingServiceError, skip_or_fail
from tests.services.s3 import ObjectStore, run_s3

PERIOD = "2024-03-01/2024-03-12"
"""Long enough for both satellites and both zones, short enough for a test."""


def _load(name: str) -> ModuleType:
    """Import a module beside this one; the tests are not a package."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"cbmcube_services_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _run_stac_api() -> Iterator[object]:
    pgstac = _load("pgstac")
    try:
        tools = pgstac.find_tools()
    except pgstac.MissingServiceError as missing:
        if os.environ.get("CBMCUBE_REQUIRE_SERVICES") == "1":
            raise
        pytest.skip(str(missing))
    with pgstac.run_pgstac(tools) as api:
        yield api


@pytest.fixture(scope="session")
def stac_api() -> Iterator[object]:
    """A STAC API over an empty pgstac database."""
    yield from _run_stac_api()


@pytest.fixture(scope="module")
def own_stac_api() -> Iterator[object]:
    """The same for one module alone, whose items no other search shall find."""
    yield from _run_stac_api()


@pytest.fixture(scope="session")
def web(country: Country) -> Iterator[WebServer]:
    """A web server that serves the synthetic country, openly and otherwise."""
    try:
        with run_nginx(f"c4n4ry-{secrets.token_hex(8)}") as server:
            for name in ("CARD-BS", "CARD-2A"):
                (server.data / name).symlink_to(country.folder / name)
            yield server
    except MissingServiceError as missing:
        skip_or_fail(missing)


@pytest.fixture(scope="session")
def store(country: Country) -> Iterator[ObjectStore]:
    """An object store that checks keys and holds some scenes of the synthetic country."""
    try:
        with run_s3() as found:
            client = found.client()
            for item in _features(country, "CARD-BS"):
                for asset in item["assets"].values():
                    name = asset["href"].removeprefix("./")
                    client.upload_file(str(country.folder / name), found.bucket, name)
            yield found
    except MissingServiceError as missing:
        skip_or_fail(missing)


@pytest.fixture(scope="module")
def workers() -> Iterator[Client]:
    """Two worker processes that know nothing of any server.

    For one module: while they run, they are what other tests would compute on.
    """
    with local_cluster(workers=2, dashboard=False) as client:
        yield client


Season = Callable[..., pystac.ItemCollection]


@pytest.fixture
def season(country: Country, tmp_path: Path) -> Season:
    """Find scenes of the country, their files at another address."""

    def find(address: str, product: cbm.Product = cbm.CARD_BS) -> pystac.ItemCollection:
        features = _features(country, product.name)
        for feature in features:
            for asset in feature["assets"].values():
                asset["href"] = asset["href"].replace("./", f"{address}/", 1)
        path = tmp_path / "season.json"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        access = cbm.AccessPolicy(hosts=("127.0.0.1", "season"), roots=(country.folder,))
        return cbm.search(cbm.open_catalog(path, access=access), product)

    return find


def _features(country: Country, collection: str) -> list[dict]:
    first, last = PERIOD.split("/")
    return [
        feature
        for feature in json.loads(country.catalogue.read_text())["features"]
        if feature["collection"] == collection
        and first <= feature["properties"]["datetime"][:10] <= last
    ]


@pytest.fixture(scope="module")
def s3() -> Iterator[ObjectStore]:
    """An object store for one module alone, and its keys in the environment."""
    try:
        with run_s3() as found, pytest.MonkeyPatch.context() as patch:
            for name in [n for n in os.environ if n.startswith("AWS_")]:
                patch.delenv(name)
            patch.setenv("AWS_ACCESS_KEY_ID", found.key)
            patch.setenv("AWS_SECRET_ACCESS_KEY", found.secret)
            patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            yield found
    except MissingServiceError as missing:
        skip_or_fail(missing)
