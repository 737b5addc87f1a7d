"""From a job to the workers that it asks for, with their keys and tokens."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import Any

from distributed import Client

from cbmcube.cluster import (
    S3Access,
    gateway_cluster,
    local_cluster,
    prepare_workers,
    worker_environment,
)
from cbmcube.exceptions import OptionError
from cbmcube.scripting._inputs import value_of
from cbmcube.scripting._job import Job
from cbmcube.scripting._secrets import redact
from cbmcube.scripting._tables import ClusterTable, S3Table

_PATIENCE = 30.0
"""Seconds for a scheduler to answer, unless the job says otherwise."""

_GATEWAY_PATIENCE = 600.0
"""Seconds for the first worker of a gateway, which may need a new machine."""


@contextmanager
def job_workers(job: Job) -> Iterator[Client | None]:
    """Yield a client of the workers that a job asks for, or None for this process.

    What the block started is shut down at its end; a cluster that ran before runs on.

    Raises
    ------
    OptionError
        A variable that the job names is not set, or no scheduler answers.
    """
    table = job.cluster
    reading: dict[str, Any] = {
        "s3": [_s3(one) for one in table.s3],
        "bearer": {host: value_of(variable) for host, variable in table.bearer},
    }
    env = dict(table.env)
    keys = {name: value_of(name) for name in job.store.environment}
    if table.kind == "threads":
        with worker_environment(env=env, **reading):
            yield None
    elif table.kind == "local":
        with ExitStack() as stack:
            with _deaf_children():
                cluster = local_cluster(env={**env, **keys}, **_local(table), **reading)
                client = stack.enter_context(cluster)
            yield client
    elif table.kind == "address":
        with (
            _connected(str(table.address), table.timeout or _PATIENCE) as client,
            prepare_workers(client, env={**env, **keys}, **reading),
        ):
            yield client
    else:
        with _gateway(job, env={**env, **keys}, reading=reading) as client:
            yield client


def _s3(table: S3Table) -> S3Access:
    names = {"key": table.key, "secret": table.secret, "token": table.token}
    keys: dict[str, Any] = {name: value_of(one) for name, one in names.items() if one}
    return S3Access(
        endpoint=table.endpoint,
        bucket=table.bucket,
        region=table.region,
        requester_pays=table.requester_pays,
        **keys,
    )


def _local(table: ClusterTable) -> dict[str, Any]:
    return {
        "workers": table.workers,
        "threads_per_worker": table.threads_per_worker or 1,
        "memory_limit": (table.memory_limit or "auto").replace(" ", ""),
        "dashboard": False,
    }


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Keep Ctrl-C from processes, and threads that make processes, which the block starts.

    A terminal sends it to all of them, and workers would die with the units they work at.
    """
    # Else the first process that is made would start it and let Ctrl-C through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        # One that came in between is handled now.
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _connected(address: str, timeout: float) -> Iterator[Client]:
    try:
        # A client that fails to start would stay what Dask computes with, and wait for ever.
        client = Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError) as error:
        raise OptionError(
            "no Dask scheduler answers there",
            given=f"{redact(address)}: {type(error).__name__}",
            allowed="the address of a running scheduler, such as tcp://scheduler:8786",
            hint="check [cluster] address, and that the scheduler runs",
        ) from error
    with client:
        yield client


@contextmanager
def _gateway(job: Job, *, env: Mapping[str, str], reading: dict[str, Any]) -> Iterator[Client]:
    table = job.cluster
    with gateway_cluster(
        **gateway_address(job),
        install=table.install,
        workers=table.workers,
        options=dict(table.options),
        env=env,
        timeout=table.timeout or _GATEWAY_PATIENCE,
        **reading,
    ) as client:
        yield client


def gateway_address(job: Job) -> dict[str, Any]:
    """Return where the gateway of a job is and what logs in there, as functions take it."""
    table = job.cluster
    return {"address": table.address, "proxy_address": table.proxy, "auth": _login(table)}


def _login(table: ClusterTable) -> Any:
    if table.auth != "basic":
        return table.auth
    try:
        from dask_gateway import BasicAuth  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "clusters of a Dask Gateway need its client: pip install 'cbmcube[gateway]'"
        ) from error
    return BasicAuth(table.username, value_of(table.password) if table.password else None)
