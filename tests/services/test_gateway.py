"""Work on clusters of a real Dask Gateway: the same numbers, options, keys, and lost workers."""

from __future__ import annotations

import logging
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cloudpickle
import psutil
import pytest
import xarray as xr

import cbmcube as cbm
from cbmcube.cluster import ClusterReport, S3Access, check_cluster, gateway_cluster, list_clusters
from cbmcube.demo._job import demo_parcels
from cbmcube.exceptions import ClusterError, OptionError
from tests.services.gateway import gateway_or_skip

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def gateway():
    yield from gateway_or_skip()


@pytest.fixture(autouse=True)
def _nothing_stays(gateway):
    yield
    gateway.wait_until_empty()


@pytest.fixture(scope="module")
def job(country):
    """A reduction of the country, and what it is without a cluster."""
    items = cbm.search(
        cbm.open_catalog(country.catalogue), cbm.CARD_BS, period="2024-03-01/2024-03-12"
    )
    cubes = cbm.load_native(items, cbm.CARD_BS, bands=["VV", "VH"])
    stats = cbm.reduce_parcels(cubes, demo_parcels(country))
    return stats, stats.compute(scheduler="synchronous")


def own_cache():
    """Workers of a gateway inherit nothing: their cache would be the user's."""
    return {"CBMCUBE_CACHE": os.environ["CBMCUBE_CACHE"]}


def test_numbers_are_those_of_this_process_and_the_cluster_fits(gateway, job):
    stats, expected = job
    said = []
    with gateway_cluster(
        **gateway.login(), workers=2, env=own_cache(), progress=said.append
    ) as client:
        client.wait_for_workers(2, timeout=60)
        assert check_cluster(client) == ClusterReport(2, ())
        assert set(client.run(os.getenv, "CBMCUBE_CACHE").values()) == set(own_cache().values())
        assert set(client.run(os.getenv, "GDAL_HTTP_MAX_RETRY").values()) == {"10"}
        assert os.getpid() not in client.run(os.getpid).values()
        xr.testing.assert_identical(stats.compute(), expected)
        (name,) = gateway.clusters()
    assert gateway.clusters() == []
    assert client.status == "closed"
    assert all(name in line for line in said)
    assert any("dashboard: http" in line for line in said)
    assert "of 2 workers" in said[-1]
    # the next computation of this process does not look for the cluster that is gone
    xr.testing.assert_identical(stats.isel(time=[0]).compute(), expected.isel(time=[0]))


def test_a_killed_worker_is_replaced_and_the_numbers_stay(gateway, job):
    stats, expected = job
    with gateway_cluster(**gateway.login(), workers=2, env=own_cache(), progress=False) as client:
        client.wait_for_workers(2, timeout=60)
        slow = client.submit(pause, 2, pure=False, key="slow")
        running = client.compute(stats)
        pid = next(iter(client.run(os.getpid).values()))
        nanny = psutil.Process(pid).parent()
        for process in (nanny, psutil.Process(pid)):
            process.kill()
        xr.testing.assert_identical(running.result(timeout=100), expected)
        assert slow.result(timeout=60) == 2
        client.wait_for_workers(2, timeout=60)
        assert pid not in client.run(os.getpid).values()
        xr.testing.assert_identical(stats.compute(), expected)


def pause(seconds):
    time.sleep(seconds)
    return seconds


def test_workers_come_with_the_work_and_go_with_it(gateway):
    most = 0
    with gateway_cluster(
        **gateway.login(), workers=(1, 2), env={"CBMCUBE_TEST_A": "b"}, progress=False
    ) as client:
        assert len(client.nthreads()) == 1
        # a function of this module cannot be imported there
        futures = client.map(lambda number: time.sleep(1) or number, range(14))
        while not all(future.done() for future in futures):
            most = max(most, len(client.nthreads()))
            time.sleep(0.2)
        assert client.gather(futures) == list(range(14))
        late = client.run(os.getenv, "CBMCUBE_TEST_A")
        assert set(late.values()) == {"b"}
        del futures
        end = time.monotonic() + 60
        while len(client.nthreads()) > 1 and time.monotonic() < end:
            time.sleep(0.2)
        assert len(client.nthreads()) == 1
    assert most == 2


def test_options_are_set_and_the_others_keep_their_values(gateway):
    options = {"worker_cores": 2, "worker_memory": 1}
    with gateway_cluster(**gateway.login(), options=options, progress=False) as client:
        assert list(client.nthreads().values()) == [2]
        limits = client.run(lambda dask_worker: dask_worker.memory_manager.memory_limit)
        assert list(limits.values()) == [2**30]
        assert list(client.run(os.getenv, "FROM_SERVER").values()) == ["1"]
    options = {"environment": {"CBMCUBE_TEST_A": "b"}}
    with gateway_cluster(**gateway.login(), options=options, progress=False) as client:
        assert list(client.run(os.getenv, "CBMCUBE_TEST_A").values()) == ["b"]
        assert list(client.run(os.getenv, "FROM_SERVER").values()) == [None]
    assert options == {"environment": {"CBMCUBE_TEST_A": "b"}}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"cores": 2, "gpu": 1}, "(?s)cores, gpu.*environment, image, worker_cores, worker_memory"),
        ({"worker_cores": 9}, "(?s)'worker_cores'.*<= 2.*got 9"),
        ({"worker_cores": "many"}, "must be an integer, got a str"),
        ({"image": "c4n4ry"}, "a str is not a valid option for image"),
        (
            {"environment": {"AWS_SECRET_ACCESS_KEY": "c4n4ry"}},
            "(?s)secrets.*AWS_SECRET_ACCESS_KEY",
        ),
    ],
)
def test_wrong_options_are_told_before_anything_starts(gateway, options, says):
    with (
        pytest.raises(OptionError, match=says) as caught,
        gateway_cluster(**gateway.login(), options=options, progress=False),
    ):
        pass
    assert "c4n4ry" not in str(caught.value)
    assert gateway.clusters() == []


def test_a_wrong_password_is_told_and_not_shown(gateway):
    from dask_gateway import BasicAuth

    login = {**gateway.login(), "auth": BasicAuth("ada", "c4n4ry-wrong")}
    for call in (list_clusters, enter):
        with pytest.raises(ClusterError, match="(?s)refuses the login.*BasicAuth") as caught:
            call(**login)
        assert "c4n4ry" not in f"{caught.value} {caught.value.__cause__!r}"
    assert gateway.clusters() == []


def enter(**login):
    with gateway_cluster(**login, progress=False):
        pass


def test_a_gateway_that_somebody_made_is_used_and_left_open(gateway):
    from dask_gateway import Gateway

    with Gateway(**gateway.login()) as made:
        with gateway_cluster(made, progress=False) as client:
            assert client.submit(sum, [1, 2, 3]).result() == 6
        assert made.list_clusters() == []
        assert list_clusters(made) == []
        with pytest.raises(OptionError, match="has its login"):
            list_clusters(made, auth="basic")
    made._asynchronous = True


def test_keys_reach_the_workers_and_nothing_shows_them(gateway, season, store, capfd, caplog):
    """Reads that only work with the keys, on a worker of the gateway."""
    caplog.set_level(logging.DEBUG)
    secrets = [store.secret, store.key, gateway.password]
    text = []
    given = {"s3": S3Access(endpoint=store.endpoint, key=store.key, secret=store.secret)}
    with gateway_cluster(**gateway.login(), **given, env={"A": store.secret}) as client:
        cubes = cbm.load_native(season("s3://season"), cbm.CARD_BS, bands=["VV"])
        node = next(iter(cubes.children.values())).to_dataset()
        graph = cloudpickle.dumps(dict(node.__dask_graph__()))
        assert int(node.VV.isel(time=0).notnull().sum().compute()) > 1000
        text += [repr(part) for part in (client, client.cluster, client.scheduler_info())]
        text += [client._repr_html_(), client.cluster._repr_html_(), repr(cubes)]
        text += [repr(client.get_worker_logs()), repr(client.get_scheduler_logs())]
        text += [repr(report.options) for report in client.cluster.gateway.list_clusters()]
        text += [repr(list_clusters(**gateway.login())), repr(gateway)]
        # the database of the server, and what its processes were started with
        stored = (gateway.folder / "gateway.sqlite").read_bytes()
        started = [f"{process.environ()} {process.cmdline()}" for process in gateway.processes()]
        logs = [path.read_text() for path in gateway.folder.rglob("*.log")]
    assert len(graph) > 3000
    assert len(started) >= 3
    assert any("distributed" in log for log in logs)
    shown = "".join([*text, *started, *logs, *capfd.readouterr(), caplog.text])
    for secret in secrets:
        assert secret not in shown
        assert secret.encode() not in graph
        assert secret.encode() not in stored


class Hub(BaseHTTPRequestHandler):
    """What a JupyterHub answers about the owner of a token."""

    word = "c4n4ry-of-the-hub"

    def do_GET(self):
        known = self.headers["Authorization"] == f"token {self.word}"
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"name": "ada", "kind": "user", "groups": [], "admin": false}')

    def log_message(self, *_arguments):
        pass


def test_on_its_hub_the_token_of_the_hub_logs_in(monkeypatch):
    """A real gateway that asks a hub; the hub is the one part that is played here."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hub/api"
    try:
        for hubbed in gateway_or_skip(hub=url):
            place = {"address": hubbed.address, "proxy_address": hubbed.proxy_address}
            monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
            with pytest.raises(ClusterError, match="refuses the login"):
                list_clusters(**place)
            monkeypatch.setenv("JUPYTERHUB_API_TOKEN", Hub.word)
            monkeypatch.setenv("JUPYTERHUB_API_URL", url)
            with gateway_cluster(**place, progress=False) as client:
                assert client.submit(sum, [1, 2, 3]).result() == 6
            assert list_clusters(**place) == []
            monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "another")
            with pytest.raises(ClusterError, match="refuses the login"):
                list_clusters(**place)
    finally:
        server.shutdown()
        server.server_close()
