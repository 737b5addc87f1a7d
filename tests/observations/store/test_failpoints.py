"""A process is killed at each step of its work on a store; the next one finishes the work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cbmcube.exceptions import OptionError
from cbmcube.observations.store import FAILPOINTS, open_store, verify
from cbmcube.observations.store._failpoints import FailpointReached, armed, failpoint
from tests.observations.store.units import commit, key_of
from tests.observations.store.writer import NAMES

ROOT = Path(__file__).parents[3]


def start(**environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.observations.store.writer"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def writer() -> Iterator[Callable[[Path, str], int]]:
    process = start()

    def order(folder: Path, failpoint: str) -> int:
        process.stdin.write(f"{folder} {failpoint}\n")
        process.stdin.flush()
        process.stdout.readline()
        return int(process.stdout.readline())

    with process:
        yield order
        process.stdin.close()


@pytest.fixture(scope="module")
def undisturbed(writer, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("undisturbed") / "store"
    assert writer(folder, "none") == 0
    return open_store(folder).snapshot().root


@pytest.mark.parametrize("name", FAILPOINTS)
def test_a_killed_run_is_finished_by_the_next(writer, undisturbed, ram, name):
    folder = ram / "store"
    assert writer(folder, f"{name}:kill") == -9
    assert writer(folder, "none") == 0
    store = open_store(folder)
    assert store.snapshot().root == undisturbed
    assert verify(store, rows=True).ok
    assert store.committed() == {key_of(name) for name in NAMES}
    assert list((folder / "tmp").iterdir()) == list((folder / "probe").glob("*")) == []


def test_the_variable_arms_a_failpoint_of_a_new_process(tmp_path):
    with start(CBMCUBE_FAILPOINT="part.synced:kill:2") as process:
        answer, _ = process.communicate(f"{tmp_path / 'store'} none\n")
    assert answer.split()[1:] == ["-9"]
    store = open_store(tmp_path / "store")
    assert store.committed() == {key_of("given up")}


def test_a_raised_failpoint_is_caught_by_nothing(tmp_path):
    from cbmcube.observations.store import create_store

    store = create_store(tmp_path / "store", {})
    with armed("commit.synced:raise"), pytest.raises(FailpointReached, match="commit.synced"):
        commit(store, "a")
    assert store.committed() == set()
    assert len(list((tmp_path / "store" / "tmp").iterdir())) == 1


def test_the_nth_time_counts():
    with armed("part.begin:raise:3"):
        failpoint("part", "begin")
        failpoint("part", "end")
        failpoint("part", "begin")
        with pytest.raises(FailpointReached):
            failpoint("part", "begin")
        failpoint("part", "begin")


def test_there_are_enough_points():
    assert len(FAILPOINTS) == len(set(FAILPOINTS)) >= 12


@pytest.mark.parametrize("text", ["nowhere", "part.begin:explode", "part.begin:kill:x"])
def test_a_failpoint_that_is_none_is_refused(text):
    with pytest.raises(OptionError, match="names no failpoint"), armed(text):
        pass
