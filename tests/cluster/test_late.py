from __future__ import annotations

import asyncio
import os
import sys
from types import SimpleNamespace

import pytest
from distributed import WorkerPlugin
from distributed.protocol.pickle import dumps, loads

from cbmcube.cluster import WorkerEnvironment

VARIABLE = "CBMCUBE_TEST_LATE"
MODULE = "cbmcube.cluster._environment"


class _InstallWorkerPlugin(WorkerPlugin):
    """Bears the name of Dask's own, which installs."""


@pytest.fixture
def late(monkeypatch):
    """The plugin as it arrives where cbmcube cannot be imported."""
    sent = dumps(WorkerEnvironment(env={VARIABLE: "c4n4ry"}))
    monkeypatch.setitem(sys.modules, MODULE, None)
    return loads(sent)


def test_it_waits_for_an_installation(late, monkeypatch):
    worker = SimpleNamespace(plugins={"one": late, "two": _InstallWorkerPlugin()})
    assert "waiting for cbmcube" in repr(late)
    assert "c4n4ry" not in f"{late!r} {vars(late)!r}"
    assert isinstance(late, WorkerPlugin)

    async def install_meanwhile():
        task = asyncio.ensure_future(late.setup(worker))
        await asyncio.sleep(0.5)
        assert not task.done()
        monkeypatch.undo()
        await asyncio.wait_for(task, 5)

    asyncio.run(install_meanwhile())
    try:
        assert os.environ[VARIABLE] == "c4n4ry"
        assert repr(late).startswith("WorkerEnvironment(")
    finally:
        late.teardown(worker)
    assert VARIABLE not in os.environ


def test_where_nothing_installs_it_says_at_once_what_lacks(late):
    worker = SimpleNamespace(plugins={"one": late})
    with pytest.raises(ImportError, match="cbmcube"):
        asyncio.run(late.setup(worker))
    late.teardown(worker)
    assert VARIABLE not in os.environ


def test_where_cbmcube_is_there_it_is_the_plugin_itself():
    plugin = WorkerEnvironment(env={VARIABLE: "c4n4ry"})
    again = loads(dumps(plugin))
    assert type(again) is WorkerEnvironment
    assert again.name == plugin.name
