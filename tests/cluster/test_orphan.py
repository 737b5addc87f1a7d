"""The plugin on a scheduler of its own; on that of a real gateway, see tests/services."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import cloudpickle
import pytest
from distributed import Client, Scheduler

from cbmcube.cluster._orphan import ends_without_client

PATIENCE = 0.4


@asynccontextmanager
async def scheduler_with(service=None):
    """Run a scheduler whose client registered the plugin, waited for long, and left."""
    address = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
    async with Scheduler(**address) as scheduler:
        if service is not None:
            scheduler.services["gateway"] = service
        async with Client(scheduler.address, asynchronous=True) as client:
            await client.register_plugin(ends_without_client(PATIENCE))
            await asyncio.sleep(3 * PATIENCE)
            assert scheduler.status.name == "running"
        yield scheduler


async def comes_true(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:  # noqa: ASYNC110  # nothing tells when
        await asyncio.sleep(0.05)
    return condition()


class Gateway:
    """The part of dask-gateway's plugin in the scheduler that ends a cluster."""

    def __init__(self, failures):
        self.failures, self.calls, self.port = failures, 0, 0
        self.gateway = self

    async def shutdown(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise OSError("no answer")

    def stop(self):
        pass


def test_a_scheduler_without_a_gateway_ends_itself():
    async def main():
        async with scheduler_with() as scheduler:
            return await comes_true(lambda: scheduler.status.name == "closed")

    assert asyncio.run(main())


@pytest.mark.parametrize(
    ("failures", "calls", "closed"), [(0, 1, False), (2, 3, False), (9, 3, True)]
)
def test_the_gateway_is_asked_several_times_and_else_the_scheduler_ends(failures, calls, closed):
    service = Gateway(failures)

    async def main():
        async with scheduler_with(service) as scheduler:
            assert await comes_true(lambda: service.calls == calls)
            return await comes_true(lambda: scheduler.status.name == "closed", 2)

    assert asyncio.run(main()) is closed
    assert service.calls == calls


def test_a_client_that_comes_back_in_time_keeps_it():
    async def main():
        async with scheduler_with() as scheduler:
            await asyncio.sleep(PATIENCE / 4)
            async with Client(scheduler.address, asynchronous=True):
                await asyncio.sleep(3 * PATIENCE)
                return scheduler.status.name

    assert asyncio.run(main()) == "running"


def test_a_client_that_says_nothing_for_long_is_none():
    """As after a power cut: the connection stays, and nobody is there."""

    async def main():
        async with (
            Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler,
            Client(scheduler.address, asynchronous=True, heartbeat_interval="1h") as client,
        ):
            await client.register_plugin(ends_without_client(PATIENCE))
            for state in scheduler.clients.values():
                state.last_seen = time.time() - 61
            return await comes_true(lambda: scheduler.status.name == "closed")

    assert asyncio.run(main())


def test_it_travels_as_code():
    sent = cloudpickle.dumps(ends_without_client(1))
    code = "import sys; sys.modules['cbmcube'] = None; import pickle; "
    code += "print(pickle.loads(sys.stdin.buffer.read()).name)"
    done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=True)
    assert done.stdout.decode().strip() == ends_without_client(2).name
