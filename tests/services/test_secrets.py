"""No secret shows in a graph, a log, a page, a repr or an error; with real reads behind it."""

from __future__ import annotations

import logging

import cloudpickle
import pytest
from odc.loader._rio import _CFG
from odc.stac import configure_rio

import cbmcube as cbm
from cbmcube.cluster import (
    S3Access,
    WorkerEnvironment,
    local_cluster,
    prepare_workers,
    worker_environment,
)
from tests.services.processes import refused

pytestmark = [pytest.mark.services, pytest.mark.trap("T34")]


class Signer:
    """Adds a signature; its text is a secret of the one who made it."""

    def __init__(self, text):
        self.text = text

    def __call__(self, href):
        return f"{href}?sig={self.text}"


def log_everything():
    """Write all that Dask, rasterio and the library log to the standard error."""
    handler = logging.StreamHandler()
    for name in ("distributed", "rasterio", "odc", "cbmcube", "botocore"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)


def graph_of(cubes):
    """Return the bytes of every task of a cube, as they travel."""
    return b"".join(cloudpickle.dumps(dict(node.__dask_graph__())) for node in nodes(cubes))


def nodes(cubes):
    return [node.to_dataset() for node in cubes.children.values()]


def pages(client):
    parts = [client, client.cluster, client.scheduler_info(), client.who_has(), client.nthreads()]
    parts += [client.get_worker_logs(), client.get_scheduler_logs(), client.get_versions()]
    shown = [repr(part) for part in parts]
    return " ".join([*shown, client._repr_html_(), client.cluster._repr_html_()])


def test_nothing_shows_a_key_a_token_or_a_signature(season, web, store, capfd, caplog):
    """Reads that succeed and reads that fail, on workers that log all they can."""
    caplog.set_level(logging.DEBUG)
    signature = f"s{web.token}"
    web.allow_signature(signature)
    secrets = [web.token, signature, store.secret, store.key]
    given = {
        "s3": S3Access(endpoint=store.endpoint, key=store.key, secret=store.secret),
        "bearer": {web.url: web.token},
        "signer": Signer(signature),
        "env": {"CBMCUBE_TEST_A": web.token},
    }
    text, graphs = [], []
    with local_cluster(workers=1, dashboard=False, **given) as client:
        client.run(log_everything)
        with prepare_workers(client, **{**given, "signer": only_web(signature)}) as prepared:
            text += [repr(prepared), repr(WorkerEnvironment(**given)), repr(given["s3"])]
            for place in (f"{web.url}/private", f"{web.url}/signed", "s3://season"):
                items = season(place)
                cubes = cbm.load_native(items, cbm.CARD_BS, bands=["VV"])
                graphs.append(graph_of(cubes))
                assert int(nodes(cubes)[0].VV.isel(time=0).notnull().sum().compute()) > 1000
                text += [repr(cubes), cubes._repr_html_(), repr(list(items)), items._repr_html_()]
                text += [str(item.to_dict()) for item in items]
            lost = cbm.load_native(season(f"{web.url}/signed/none"), cbm.CARD_BS, bands=["VV"])
            text.append(refused(client, lost))
            lost = cbm.load_native(season("s3://season/none"), cbm.CARD_BS, bands=["VV"])
            text.append(refused(client, lost))
            text.append(pages(client))
    logs = "".join(capfd.readouterr()) + caplog.text
    assert "distributed.worker" in logs
    assert all(len(graph) > 5000 for graph in graphs)
    for secret in secrets:
        assert secret not in "".join(text)
        assert not any(secret.encode() in graph for graph in graphs)
        assert secret not in logs


def only_web(signature):
    """Return a signer that leaves other places alone, as a real one does."""

    def sign(href):
        return f"{href}?sig={signature}" if "/signed/" in href else href

    return sign


def test_without_a_cluster_a_graph_is_as_clean(season, web, store):
    access = S3Access(endpoint=store.endpoint, key=store.key, secret=store.secret)
    with worker_environment(s3=access, bearer={web.url: web.token}, env={"X": web.token}):
        for place in (f"{web.url}/private", "s3://season"):
            cubes = cbm.load_native(season(place), cbm.CARD_BS, bands=["VV"])
            graph = graph_of(cubes)
            assert web.token.encode() not in graph
            assert store.secret.encode() not in graph
            assert store.key.encode() not in graph
            cubes.compute(scheduler="synchronous")


def test_a_search_for_secrets_in_a_graph_would_find_one(season, web):
    """What the other ways do: the reason that they are not offered."""
    import odc.stac

    items = season(f"{web.url}/private")
    try:
        configure_rio(GDAL_HTTP_HEADERS=f"Authorization: Bearer {web.token}")
        cube = odc.stac.load(list(items), bands=["VV"], chunks={}, resolution=10, crs=32632)
    finally:
        _CFG._configured, _CFG._aws, _CFG._gdal_opts = False, None, {}
    assert web.token.encode() in cloudpickle.dumps(dict(cube.__dask_graph__()))
