from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import psutil
import pytest

from cbmcube.cluster import RunningCluster, stop_clusters
from cbmcube.cluster._gateway_left import TAG, _running, _tag, is_left_behind, own_tag, tagged
from cbmcube.exceptions import OptionError


def test_this_process_lives_and_one_that_ended_does_not():
    assert is_left_behind(own_tag()) is False
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        created = psutil.Process(process.pid).create_time()
        tag = f"{own_tag().split(' ')[0]} {process.pid} {created:.2f} abc"
        assert is_left_behind(tag) is False
        process.kill()
    assert is_left_behind(tag) is True


def test_the_number_of_a_process_is_not_enough():
    place, pid, created, end = own_tag().split(" ")
    assert int(pid) == os.getpid()
    assert float(created) == pytest.approx(psutil.Process().create_time(), abs=0.01)
    earlier = f"{place} {pid} {float(created) - 3600:.2f} {end}"
    assert is_left_behind(earlier) is True


@pytest.mark.parametrize("change", ["elsewhere", "text", "none", "word"])
def test_what_cannot_be_known_is_not_guessed(change):
    place, pid, created, end = own_tag().split(" ")
    gone = "999999999"
    tag = {
        "elsewhere": f"{place[::-1]} {gone} {created} {end}",
        "text": f"{place} {gone}",
        "none": None,
        "word": f"{place} {pid}x {created} {end}",
    }[change]
    assert is_left_behind(tag) is None


def test_two_clusters_of_one_process_have_two_tags():
    assert own_tag() != own_tag()


@pytest.mark.parametrize(
    "options", [None, {}, {"environment": None}, {"environment": "A=1"}, {"environment": {TAG: 1}}]
)
def test_a_gateway_without_tags(options):
    assert _tag(SimpleNamespace(options=options)) is None


class Reports:
    """Reports as dask_gateway makes them, with naive local times."""

    address = "http://127.0.0.1"

    def list_clusters(self):
        running = SimpleNamespace(name="RUNNING")
        times = (datetime(2026, 7, 1, 12), datetime(2026, 7, 1, 11))  # noqa: DTZ001  # as given
        options = ({"environment": {TAG: "mine"}}, {"worker_cores": 2})
        return [
            SimpleNamespace(name=name, status=running, start_time=start, options=option)
            for name, start, option in zip("ab", times, options, strict=True)
        ]


@pytest.fixture
def _in_japan(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_in_japan")
def test_reports_become_records_in_utc_the_oldest_first():
    found = _running(Reports())
    assert [one.name for one in found] == ["b", "a"]
    first = datetime(2026, 7, 1, 2, tzinfo=UTC)
    assert found[0] == RunningCluster("b", "running", first, None)
    assert tagged(Reports(), "mine") == ["a"]


def test_one_text_is_no_list_of_names():
    with pytest.raises(OptionError, match="must be a list of names"):
        stop_clusters("http://127.0.0.1:1", names="abc")
