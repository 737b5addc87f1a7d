from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psutil
import pytest

from cbmcube.cluster import local_cluster
from cbmcube.exceptions import OptionError


def look_around(name):
    """Say who runs this, and what its environment and GDAL hold."""
    import os

    from rasterio._env import get_gdal_config

    return os.getpid(), os.environ[name], get_gdal_config(name, normalize=False)


def refuses(address):
    parts = urlsplit(address)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) != 0


def status(link):
    parts = urlsplit(link)
    connection = HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status
    finally:
        connection.close()


def gdal_settings():
    return {name: value for name, value in os.environ.items() if name.startswith("GDAL_")}


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_work_is_done_elsewhere_with_the_environment_and_nothing_stays():
    before = gdal_settings()
    with local_cluster(workers=2, env={"GDAL_HTTP_MAX_RETRY": "3"}) as client:
        scheduler = client.scheduler.address
        dashboard = client.dashboard_link
        pids = set(client.run(os.getpid).values())
        retries = client.submit(look_around, "GDAL_HTTP_MAX_RETRY").result()
        listing = client.submit(look_around, "GDAL_DISABLE_READDIR_ON_OPEN").result()
        assert set(client.nthreads().values()) == {1}
        assert urlsplit(dashboard).hostname == "127.0.0.1"
        assert status(dashboard) == 200
        assert not refuses(scheduler)
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert {retries[0], listing[0]} <= pids
    assert retries[1:] == ("3", "3")  # the user's value wins
    assert listing[1:] == ("EMPTY_DIR", "EMPTY_DIR")
    assert client.status == "closed"
    assert refuses(scheduler)
    assert refuses(dashboard)
    assert all(gone(pid) for pid in pids)
    assert gdal_settings() == before


def fail_inside(seen):
    with local_cluster(workers=1, dashboard=False) as client:
        seen["address"] = client.scheduler.address
        seen["dashboard"] = status(client.dashboard_link)
        seen["pid"] = next(iter(client.run(os.getpid).values()))
        raise KeyError("mine")


@pytest.mark.trap("T45")
def test_an_error_in_the_block_closes_everything_and_comes_out():
    seen = {}
    with pytest.raises(KeyError, match="mine"):
        fail_inside(seen)
    assert seen["dashboard"] == 404
    assert refuses(seen["address"])
    assert gone(seen["pid"])


@pytest.mark.parametrize("options", [{"workers": 0}, {"threads_per_worker": 0}, {"workers": -2}])
def test_refuses_no_workers(options):
    with pytest.raises(OptionError, match="at least 1"), local_cluster(**options):
        pass


SCRIPT = """
import signal
import time

import psutil

from cbmcube.cluster import local_cluster

if __name__ == "__main__":
    # Who runs the tests in the background may have it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with local_cluster(workers=2, dashboard=False) as client:
            futures = [client.submit(time.sleep, 600, pure=False) for _ in range(2)]
            while sum(map(len, client.processing().values())) < 2:
                time.sleep(0.05)
            print(*(one.pid for one in psutil.Process().children(recursive=True)), flush=True)
            time.sleep(600)
    finally:
        print("tidied", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGTERM, 143, "tidied\n"),
        (signal.SIGINT, -signal.SIGINT, "tidied\n"),
    ],
)
def test_no_worker_outlives_its_client_however_it_ends(tmp_path, number, status, said):
    """Two workers at work, which no message reaches before their client is gone."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, str(script)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        children = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
        assert len(children) >= 2
        process.send_signal(number)
        assert process.stdout.read() == said
        assert process.wait(timeout=30) == status
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
