"""The settings of workers that get cbmcube only while they start."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from distributed import WorkerPlugin

_PATIENCE = 900.0
"""Seconds that an installation may take."""


@cache
def late_maker() -> Callable[[str, bytes, bytes], Any]:
    """Return a function that makes the plugin of a `WorkerEnvironment` again where it arrives.

    A worker that joins loads all plugins before the first of them, which may be the one that
    installs cbmcube, has done its work (distributed 2026.8). So this function travels as code,
    and what it makes there waits for cbmcube.
    """

    def real(name: str, sealed: bytes, pad: bytes) -> Any:
        import importlib  # noqa: PLC0415  # what runs elsewhere brings its own

        importlib.invalidate_caches()
        return importlib.import_module("cbmcube.cluster._environment").unseal(name, sealed, pad)

    late = _late_class(real, _PATIENCE)

    def make(name: str, sealed: bytes, pad: bytes) -> Any:
        try:
            return real(name, sealed, pad)
        except ImportError:
            return late(name, sealed, pad)

    return make


def _late_class(real: Callable[..., Any], patience: float) -> type:
    class Late(WorkerPlugin):
        def __init__(self, name: str, sealed: bytes, pad: bytes) -> None:
            self.name, self.parts = name, (name, sealed, pad)
            self.real: Any = None

        async def setup(self, worker: Any) -> None:
            import asyncio  # noqa: PLC0415
            import time  # noqa: PLC0415

            end = time.monotonic() + patience
            while self.real is None:
                try:
                    self.real = real(*self.parts)
                except ImportError:
                    kinds = [type(one).__name__ for one in worker.plugins.values()]
                    if "_InstallWorkerPlugin" not in kinds or time.monotonic() > end:
                        raise
                    await asyncio.sleep(0.2)
            self.real.setup(worker)

        def teardown(self, worker: Any) -> None:
            if self.real is not None:
                self.real.teardown(worker)

        def __repr__(self) -> str:
            return f"{self.name}, waiting for cbmcube" if self.real is None else repr(self.real)

    return Late
