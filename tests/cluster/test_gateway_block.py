"""What a gateway that fails, or an impatient user, must not be able to do; see also services."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings

import pytest

from cbmcube.cluster import _gateway_block
from cbmcube.cluster._gateway_block import Asked, _check_alive
from cbmcube.exceptions import ClusterError
from cbmcube.warnings import ClusterLeftRunningWarning


class Failing:
    """A gateway that fails some times before it stops a cluster."""

    address = "http://gateway.example.org"

    def __init__(self, failures, seconds=0.0):
        self.failures, self.seconds, self.calls, self.stopped = failures, seconds, 0, []

    def stop_cluster(self, name):
        self.calls += 1
        time.sleep(self.seconds)
        if self.calls <= self.failures:
            raise ConnectionRefusedError("no answer")
        self.stopped.append(name)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(_gateway_block, "_STOP_WAITS", (0.05, 0.05, 0.05))


@pytest.fixture
def _ctrl_c():
    """The usual handler: who runs the tests in the background may have the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_soon():
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_it_is_tried_until_it_works_and_then_never_again(failures):
    gateway = Failing(failures)
    asked = Asked(gateway, "a1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked.stop()
        asked.stop()
    assert gateway.stopped == ["a1"]
    assert gateway.calls == failures + 1


def test_in_the_end_the_cluster_is_named_once():
    gateway = Failing(99)
    asked = Asked(gateway, "a1")
    with pytest.warns(ClusterLeftRunningWarning, match="(?s)cluster a1.*names=.'a1'."):
        asked.stop()
    asked.stop()  # a second warning would be an error
    assert gateway.calls == 4


@pytest.mark.usefixtures("_ctrl_c")
def test_an_interrupt_waits_for_the_request_that_stops():
    gateway = Failing(0, seconds=1)
    timer = interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        Asked(gateway, "a1").stop()
    timer.join()
    assert gateway.stopped == ["a1"]


@pytest.mark.usefixtures("_ctrl_c")
def test_an_interrupt_ends_vain_attempts_and_the_cluster_is_named(monkeypatch):
    monkeypatch.setattr(_gateway_block, "_STOP_WAITS", (30,))
    began = time.monotonic()
    timer = interrupt_soon()
    with (
        pytest.warns(ClusterLeftRunningWarning, match="cluster a1"),
        pytest.raises(KeyboardInterrupt),
    ):
        Asked(Failing(99), "a1").stop()
    timer.join()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("state", ["failed", "stopped", "stopping"])
def test_a_cluster_that_ended_is_told(state):
    with pytest.raises(ClusterError, match=f"(?s)a1 is {state}.*operator"):
        _check_alive("a1", state)


@pytest.mark.parametrize("state", ["pending", "running"])
def test_a_cluster_that_lives_is_waited_for(state):
    _check_alive("a1", state)
