"""What service tests share: programs that are started and stopped, and reads that must fail."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import xarray as xr
from distributed import Client, Worker

from cbmcube.exceptions import ReadError

READY_SECONDS = 30
LOG_LINES = 20


class MissingServiceError(Exception):
    """A program that the service needs is not installed."""


def skip_or_fail(missing: Exception) -> None:
    """Skip with the reason; where services may not be skipped, fail."""
    if os.environ.get("CBMCUBE_REQUIRE_SERVICES") == "1":
        raise missing
    pytest.skip(str(missing))


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(
    command: Sequence[str], *, probe: str, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; what it wrote is shown when something fails."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        wait_for(probe, process)
        yield process
    except BaseException:
        text = log.read_text(encoding="utf-8", errors="replace")
        sys.stderr.write("\n".join(text.splitlines()[-LOG_LINES:]) + "\n")
        raise
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until an address answers with status 200."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(url, timeout=2).read()  # noqa: S310  # loopback
            return
        time.sleep(0.05)
    message = f"no answer from {url}"
    raise RuntimeError(message)


def refused(client: Client, cubes: xr.DataTree) -> str:
    """Compute what cannot be read; return what the error says, once no worker is at it."""
    with pytest.raises(ReadError) as caught:
        cubes.compute()
    # A task that still runs would answer for its successor, which has the same name.
    while any(client.run(count_tasks).values()):
        time.sleep(0.05)
    return str(caught.value)


def count_tasks(dask_worker: Worker) -> int:
    return len(dask_worker.state.tasks)
