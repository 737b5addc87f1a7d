"""Pages that speak of object stores, gateways and databases run on real ones."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator

import dask
import pytest

import cbmcube as cbm
from cbmcube import cluster
from cbmcube.exceptions import OptionError
from tests.pages.fences import ROOT
from tests.pages.test_python import CLAIMS
from tests.services.gateway import gateway_or_skip
from tests.services.processes import MissingServiceError, skip_or_fail
from tests.services.s3 import ObjectStore, run_s3
from tests.services.test_export import programs, rows, run_postgis

pytestmark = [
    pytest.mark.services,
    pytest.mark.filterwarnings("ignore::cbmcube.warnings.RepairedParcelsWarning"),
    pytest.mark.filterwarnings("ignore::cbmcube.warnings.OutsideParcelsWarning"),
    pytest.mark.filterwarnings("ignore:.*would exceed resource limit"),  # of this server
]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def s3() -> Iterator[ObjectStore]:
    try:
        with run_s3() as found:
            yield found
    except MissingServiceError as missing:
        skip_or_fail(missing)


@pytest.fixture
def bucket(s3, stage, monkeypatch):
    """The bucket of the pages in a real object store, whose address a variable names."""
    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    del stage.instead["s3://bucket/"]
    client = s3.client()
    client.create_bucket(Bucket="bucket")
    yield client
    for one in client.list_objects_v2(Bucket="bucket").get("Contents", []):
        client.delete_object(Bucket="bucket", Key=one["Key"])
    client.delete_bucket(Bucket="bucket")


@pytest.fixture
def database() -> Iterator[str]:
    try:
        tools = programs()
    except MissingServiceError as missing:
        skip_or_fail(missing)
    with run_postgis(tools) as url:
        yield url


def test_a_season_in_a_bucket(bucket, stage):
    played = stage.play(DOCS / "season.md")
    CLAIMS["season.md"](played, stage)
    assert bucket.list_objects_v2(Bucket="bucket")["KeyCount"] > 0


def test_reading_a_season_from_a_bucket_into_a_database(bucket, stage, radar, database):
    for name in ("dk-2024-bs", "dk-2024-bs-again"):
        for path in radar.rglob("*"):
            if path.is_file():
                key = f"{name}/{path.relative_to(radar).as_posix()}"
                bucket.upload_file(str(path), "bucket", key)
    stage.instead["postgresql://user@host/cbm"] = database
    played = stage.play(DOCS / "observations.md")
    CLAIMS["observations.md"](played, stage)
    [written] = [n for code, (n, *_) in played.shown.items() if code.startswith("to_postgis(")]
    assert written > 0
    assert written == rows(database, "SELECT count(*) n FROM sigs_bs_2024")["n"][0]


@pytest.fixture(scope="module")
def gateway():
    yield from gateway_or_skip()


@pytest.fixture
def _own_gateway(gateway, stage, monkeypatch):
    """The gateway that Dask's settings name, as on a hub, and the one of the pages."""
    login = gateway.login("me")
    stage.instead["https://dask.example.org"] = login["address"]
    stage.instead["tls://dask.example.org:8786"] = login["proxy_address"]
    monkeypatch.setenv("DASK_PASSWORD", gateway.password)
    settings = {
        "gateway.address": login["address"],
        "gateway.proxy-address": login["proxy_address"],
        "gateway.auth.type": "basic",
        "gateway.auth.kwargs": {"username": "me", "password": gateway.password},
    }
    # Workers of a gateway inherit nothing: their cache would be the user's.
    cache = {"CBMCUBE_CACHE": os.environ["CBMCUBE_CACHE"]}
    monkeypatch.setattr(cbm, "gateway_cluster", functools.partial(cbm.gateway_cluster, env=cache))
    with dask.config.set(settings):
        yield gateway
        gateway.wait_until_empty()


@pytest.mark.usefixtures("_own_gateway", "_pip_is_played")
def test_clusters_of_a_gateway(stage, workers, monkeypatch):
    stage.instead["tcp://scheduler.example.org:8786"] = workers.scheduler.address
    monkeypatch.setattr(cluster, "stop_clusters", _known(cluster.stop_clusters))
    played = stage.play(DOCS / "clusters.md")
    CLAIMS["clusters.md"](played, stage)
    assert played.shown["list_clusters()"] == [[]]
    assert played.shown["stop_clusters()"] == [[]]


@pytest.mark.usefixtures("_own_gateway")
def test_a_hub_with_a_gateway(stage, stac_server):
    stage.instead["https://stac.agency.internal"] = stac_server.url
    stage.instead["stac.agency.internal"] = "127.0.0.1"
    played = stage.play(DOCS / "hubs.md")
    CLAIMS["hubs.md"](played, stage)


def _known(stop):
    """The page stops a cluster by a name that no server gave."""

    def called(*, names=None):
        if names != ["a1b2"]:
            return stop(names=names)
        with pytest.raises(OptionError, match="no cluster of this name"):
            stop(names=names)
        return names

    return called
