"""No cluster of a real Dask Gateway stays behind, however the block that made it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from cbmcube.cluster import _gateway_block, gateway_cluster, list_clusters, stop_clusters
from cbmcube.exceptions import ClusterError, OptionError
from cbmcube.warnings import ClusterLeftRunningWarning
from tests.services.gateway import gateway_or_skip

pytestmark = pytest.mark.services

SCRIPT = """
import os
import signal
import sys
import time

from dask_gateway import BasicAuth

from cbmcube.cluster import gateway_cluster

address, proxy, image, orphan = sys.argv[1:]
# Who runs the tests in the background may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with gateway_cluster(
        address,
        proxy_address=proxy,
        auth=BasicAuth("ada", os.environ["GW_PASSWORD"]),
        options={"image": image},
        orphan_timeout=float(orphan) or None,
        progress=lambda line: print(line, flush=True),
    ) as client:
        print("ready", client.submit(sum, [1, 2, 3]).result(), flush=True)
        time.sleep(600)
finally:
    print("tidied", flush=True)
"""


@pytest.fixture(scope="module")
def gateway():
    yield from gateway_or_skip()


@pytest.fixture(autouse=True)
def _nothing_stays(gateway):
    yield
    gateway.wait_until_empty()


@contextlib.contextmanager
def other_process(gateway, *, image="good", orphan=0.0, until="ready"):
    """Run a script with a cluster, up to a line that it prints."""
    command = [sys.executable, "-c", SCRIPT, gateway.address, gateway.proxy_address, image]
    with subprocess.Popen(
        [*command, str(orphan)],
        env={**os.environ, "GW_PASSWORD": gateway.password},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for line in process.stdout:
                if until in line:
                    break
            else:
                message = f"the script ended before it said {until}"
                raise AssertionError(message)
            yield process
        finally:
            process.kill()


@pytest.mark.trap("T45")
@pytest.mark.parametrize("error", [KeyError("mine"), KeyboardInterrupt()])
def test_an_error_in_the_block_ends_the_cluster_and_comes_out(gateway, error):
    def fail():
        with gateway_cluster(**gateway.login(), progress=False):
            assert len(gateway.clusters()) == 1
            raise error

    with pytest.raises(type(error)) as caught:
        fail()
    assert caught.value is error
    assert gateway.clusters() == []


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)],
)
def test_a_signal_ends_the_cluster_before_the_process(gateway, number, status):
    with other_process(gateway) as process:
        assert len(gateway.clusters()) == 1
        process.send_signal(number)
        said = process.stdout.read()
        assert process.wait(timeout=30) == status
        assert "tidied" in said
    assert gateway.clusters() == []


@pytest.mark.parametrize("until", ["asked for", "with 0 of 1 workers"])
def test_a_signal_while_waiting_ends_the_cluster(gateway, until):
    """Before the scheduler runs, and before the first worker: this image never has one."""
    with other_process(gateway, image="stuck", until=until) as process:
        process.send_signal(signal.SIGTERM)
        assert "tidied" in process.stdout.read()
        assert process.wait(timeout=30) == 143
    assert gateway.clusters() == []


@pytest.mark.trap("T45")
def test_what_a_killed_process_leaves_is_found_and_stopped(gateway):
    """SIGKILL leaves no time for anything; a cluster in use beside it is not touched."""
    with gateway_cluster(**gateway.login(), progress=False) as client:
        (used,) = gateway.clusters()
        with other_process(gateway) as process:
            found = {one.name: one.left_behind for one in list_clusters(**gateway.login())}
            assert found.pop(used) is False
            ((lost, state),) = found.items()
            assert state is False
            process.kill()
        # still there, as a gateway does it
        time.sleep(2)
        assert set(gateway.clusters()) == {used, lost}
        found = {one.name: one for one in list_clusters(**gateway.login())}
        assert found[lost].left_behind is True
        assert found[lost].status == "running"
        assert found[used].left_behind is False
        assert list_clusters(**gateway.login(user="eve")) == []
        with pytest.raises(OptionError, match=f"(?s){'0' * 8}.*allowed.*{lost}"):
            stop_clusters(**gateway.login(), names=["0" * 8])
        assert stop_clusters(**gateway.login()) == [lost]
        assert gateway.clusters() == [used]
        assert stop_clusters(**gateway.login()) == []
        assert client.submit(sum, [1, 2, 3]).result() == 6


def test_a_cluster_whose_client_was_killed_ends_by_itself(gateway):
    with other_process(gateway, orphan=3) as process:
        time.sleep(6)
        assert len(gateway.clusters()) == 1  # a client that only waits is a client
        process.kill()
    end = time.monotonic() + 20
    while gateway.clusters() and time.monotonic() < end:
        time.sleep(0.2)
    assert gateway.clusters() == []


def test_a_cluster_whose_start_was_never_confirmed_is_found_and_stopped(gateway):
    from dask_gateway import Gateway

    class Lost(Gateway):
        """The answer to a request for a cluster is lost on its way."""

        def submit(self, *options):
            super().submit(*options)
            raise ConnectionResetError("lost")

    with gateway_cluster(**gateway.login(), progress=False):
        (other,) = gateway.clusters()
        with (
            Lost(**gateway.login()) as made,
            pytest.raises(ClusterError, match="(?s)does not answer.*ConnectionResetError"),
            gateway_cluster(made, progress=False),
        ):
            pass
        made._asynchronous = True  # its __del__ complains otherwise, see close_gateway
        assert gateway.clusters() == [other]
        assert len(gateway.clusters("stopping,stopped")) >= 1


@pytest.mark.parametrize(
    ("image", "timeout", "says"),
    [
        ("stuck", 12, "(?s)no worker of the cluster came in time.*with 0 of 1 workers.*quota"),
        ("failing", 60, "(?s)ended before it could be used.*(failed|stopping|stopped)"),
        ("broken", 60, "(?s)ended before it could be used.*(failed|stopping|stopped)"),
        ("good", 0.1, "(?s)did not start in time.*pending"),
    ],
)
def test_what_does_not_start_is_told_and_stopped(gateway, image, timeout, says):
    with (
        pytest.raises(ClusterError, match=says),
        gateway_cluster(
            **gateway.login(), options={"image": image}, timeout=timeout, progress=False
        ),
    ):
        pass
    assert gateway.clusters() == []


def test_a_wrong_address_of_the_proxy_is_told(gateway, monkeypatch):
    monkeypatch.setattr(_gateway_block, "_CONNECT_SECONDS", 3)
    login = {**gateway.login(), "proxy_address": "tls://127.0.0.1:1"}
    with (
        pytest.raises(ClusterError, match="(?s)cannot be reached from here.*proxy_address"),
        gateway_cluster(**login, progress=False),
    ):
        pass
    assert gateway.clusters() == []


def test_a_server_that_is_gone_at_the_end_is_named_and_its_cluster_stopped_later(
    gateway, monkeypatch
):
    monkeypatch.setattr(_gateway_block, "_STOP_WAITS", (0.1, 0.2))
    seen = {}

    def fail():
        with gateway_cluster(**gateway.login(), progress=False) as seen["client"]:
            (seen["name"],) = gateway.clusters()
            gateway.kill()
            raise KeyError("mine")

    with pytest.warns(ClusterLeftRunningWarning) as warned, pytest.raises(KeyError, match="mine"):
        fail()
    name = seen["name"]
    assert seen["client"].status == "closed"
    (text,) = [str(one.message) for one in warned]
    assert f"stop_clusters('{gateway.address}', names=['{name}'])" in text
    assert "does not answer" in text
    assert len(gateway.processes()) >= 2
    with pytest.raises(ClusterError, match="does not answer"):
        list_clusters(**gateway.login())
    gateway.start()
    (found,) = list_clusters(**gateway.login())
    assert (found.name, found.left_behind) == (name, False)  # this process lives
    assert stop_clusters(**gateway.login()) == []
    assert stop_clusters(**gateway.login(), names=[name]) == [name]


def test_a_server_that_comes_back_in_time_is_told_without_a_warning(gateway):
    with gateway_cluster(**gateway.login(), progress=False):
        gateway.kill()
        restart = threading.Timer(1.5, gateway.start)
        restart.start()
    restart.join()
    assert gateway.clusters() == []
