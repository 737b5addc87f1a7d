"""Pages that speak of object stores, gateways and databases run on real ones."""

from __future__ import annotations

import functools
import os

import dask
import pytest

import cbmcube as cbm
from cbmcube import cluster
from cbmcube.exceptions import OptionError
from tests.pages.conftest import land, pip_is_played, radar, stac_server, stage, workers  # noqa: F401
from tests.pages.fences import ROOT
from tests.pages.test_python import CLAIMS
from tests.services.gateway import gateway_or_skip
from tests.services.test_export import database, rows  # noqa: F401

pytestmark = [
    pytest.mark.services,
    pytest.mark.filterwarnings("ignore::cbmcube.warnings.RepairedParcelsWarning"),
    pytest.mark.filterwarnings("ignore::cbmcube.warnings.OutsideParcelsWarning"),
    pytest.mark.filterwarnings("ignore:Scale request of 8 workers"),  # this server gives three
]
DOCS = ROOT / "docs"


@pytest.fixture
def bucket(s3, stage, monkeypatch):
    """The bucket of the pages in a real object store, whose address a variable names."""
    s3.client().create_bucket(Bucket="bucket")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    del stage.instead["s3://bucket/"]
    yield s3
    client = s3.client()
    for one in client.list_objects_v2(Bucket="bucket").get("Contents", []):
        client.delete_object(Bucket="bucket", Key=one["Key"])
    client.delete_bucket(Bucket="bucket")


def test_a_season_in_a_bucket(bucket, stage):
    played = stage.play(DOCS / "season.md")
    CLAIMS["season.md"](played, stage)
    assert bucket.client().list_objects_v2(Bucket="bucket")["KeyCount"] > 0


def test_reading_a_season_from_a_bucket_into_a_database(bucket, stage, radar, database):  # noqa: F811
    for name in ("dk-2024-bs", "dk-2024-bs-again"):
        for path in radar.rglob("*"):
            if path.is_file():
                key = f"{name}/{path.relative_to(radar).as_posix()}"
                bucket.client().upload_file(str(path), "bucket", key)
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
def own_gateway(gateway, stage, monkeypatch):
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


def test_clusters_of_a_gateway(own_gateway, stage, workers, pip_is_played, monkeypatch):  # noqa: F811
    stage.instead["tcp://scheduler.example.org:8786"] = workers.scheduler.address
    monkeypatch.setattr(cluster, "stop_clusters", _known(cluster.stop_clusters))
    played = stage.play(DOCS / "clusters.md")
    CLAIMS["clusters.md"](played, stage)
    assert played.shown["list_clusters()"] == [[]]
    assert played.shown["stop_clusters()"] == [[]]


def test_a_hub_with_a_gateway(own_gateway, stage, stac_server):  # noqa: F811
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
