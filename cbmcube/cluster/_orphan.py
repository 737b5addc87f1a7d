"""A plugin of the scheduler that ends a cluster whose client has vanished."""

from __future__ import annotations

from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

_SILENT = 60.0
"""Seconds after which a client that is connected but says nothing counts as gone."""


def ends_without_client(seconds: float) -> SchedulerPlugin:
    """Return a plugin that ends the cluster when it had no client for some seconds.

    Dask has none: clusters of a gateway outlive the notebook that made them, however it died
    (https://github.com/dask/dask-gateway/issues/255). Results wait for a client in vain, since
    the scheduler forgets what a lost client had asked for.
    """
    patience, silent = seconds, max(seconds, _SILENT)

    # Inside, so that it travels as code: the scheduler may lack cbmcube.
    class EndsWithoutClient(SchedulerPlugin):
        name = "cbmcube-ends-without-client"

        async def start(self, scheduler: Any) -> None:
            import asyncio  # noqa: PLC0415  # what runs elsewhere brings its own

            self.watching = asyncio.ensure_future(self.watch(scheduler))

        async def close(self) -> None:
            self.watching.cancel()

        async def watch(self, scheduler: Any) -> None:
            import asyncio  # noqa: PLC0415
            import time  # noqa: PLC0415

            seen = time.time()
            while time.time() - seen < patience:
                await asyncio.sleep(min(patience / 10, 5))
                # One of them stands for what was sent and forgotten, and is nobody.
                known = [one for key, one in scheduler.clients.items() if key != "fire-and-forget"]
                if any(time.time() - one.last_seen < silent for one in known):
                    seen = time.time()
            await self.end(scheduler)

        async def end(self, scheduler: Any) -> None:
            import asyncio  # noqa: PLC0415
            import logging  # noqa: PLC0415

            logger = logging.getLogger("distributed.scheduler")
            logger.warning("No client for %g seconds, shutting down", patience)
            service = scheduler.services.get("gateway")
            for _ in range(3 if service is not None else 0):
                try:
                    await service.gateway.shutdown()
                except Exception as error:  # noqa: BLE001  # whatever it is, try again
                    logger.warning("The gateway does not end this cluster: %r", error)
                    await asyncio.sleep(min(patience, 10))
                else:
                    return
            # The gateway notices; at least the workers cost nothing any more.
            asyncio.ensure_future(scheduler.close())  # noqa: RUF006  # it ends this task, too

    return EndsWithoutClient()
