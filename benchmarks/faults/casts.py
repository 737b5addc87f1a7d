"""Who takes part in a run: a client with workers of its own, or a cluster of separate processes."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence

from benchmarks.faults.kills import CLIENT, Role

JOB = (sys.executable, "-m", "benchmarks.faults.job")


def cast(kind: str, command: Sequence[str]) -> list[Role]:
    """Return the roles of a run: ``separate`` processes, a ``local`` cluster, or ``alone``.

    Parameters
    ----------
    kind
        Who does the work.
    command
        A job, but for the options that say who does its work.
    """
    if kind == "separate":
        address = free_address()
        return separate([*command, "--address", address], address)
    if kind == "local":
        # Its scheduler and nannies live in the client's process.
        return [Role(CLIENT, [*command, "--workers", "2"], children="worker")]
    return [Role(CLIENT, command)]


def separate(command: Sequence[str], address: str, workers: int = 2) -> list[Role]:
    """Return a scheduler, nannies with their workers, and a client, each on its own."""
    port = address.rpartition(":")[2]
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    scheduler = [*dask, "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    nanny = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nanny"]
    nanny += ["--nworkers", "1", "--nthreads", "1", "--no-dashboard", "--death-timeout", "30"]
    nanny += ["--host", "127.0.0.1", "--memory-limit", "0"]
    return [
        Role("scheduler", scheduler),
        *(Role(f"nanny {n}" if n else "nanny", nanny, children="worker") for n in range(workers)),
        Role(CLIENT, command),
    ]


def free_address() -> str:
    """Return an address on this computer that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"
