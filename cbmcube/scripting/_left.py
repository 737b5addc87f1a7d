"""Clusters that runs of a job started: noted in the store, so that others can stop them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress

from distributed import Client
from pyarrow.fs import FileSelector

from cbmcube.cluster import list_clusters, stop_clusters
from cbmcube.exceptions import OptionError, StoreNotFoundError
from cbmcube.observations.store import Store, open_store
from cbmcube.scripting._job import Job
from cbmcube.scripting._workers import gateway_address

_LARGEST = 64 * 1024
_CLUSTER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


def remember_cluster(job: Job, store: Store, client: Client | None) -> None:
    """Write down the gateway's cluster of a run: a killed process cannot stop it itself."""
    if job.cluster.kind != "gateway" or client is None:
        return
    name = getattr(client.cluster, "name", None)
    if isinstance(name, str) and _CLUSTER.fullmatch(name):
        store.log(_run_of(job), json.dumps({"cluster": name}).encode() + b"\n")


def stop_job_clusters(job: Job) -> list[str]:
    """Stop the clusters at a gateway that runs of a job started and that still run.

    Run it when no run of the job goes on any more, as the last step of a workflow does.

    Parameters
    ----------
    job
        What `read_job` returned.

    Returns
    -------
    list of str
        Names of the clusters that were stopped.

    Raises
    ------
    OptionError
        The job asks for no gateway.

    Examples
    --------
    >>> from cbmcube.scripting import read_job, stop_job_clusters
    >>> stop_job_clusters(read_job("job.toml"))  # doctest: +SKIP
    ['a1b2']
    """
    require_gateway(job)
    try:
        store = open_store(job.store.url, endpoint=job.store.endpoint, region=job.store.region)
    except StoreNotFoundError:
        # Nothing was planned, so nothing was started.
        return []
    started = set(_remembered(job, store))
    gateway = gateway_address(job)
    running = {one.name for one in list_clusters(**gateway)}
    names = sorted(started & running)
    return stop_clusters(names=names, **gateway) if names else []


def require_gateway(job: Job) -> None:
    """Refuse a job that asks for no gateway."""
    if job.cluster.kind != "gateway":
        raise OptionError(
            "only clusters of a gateway outlive their run",
            given=f"[cluster] kind = {job.cluster.kind!r}",
            allowed="'gateway'",
        )


def _remembered(job: Job, store: Store) -> Iterator[str]:
    system = store.filesystem
    folder = FileSelector(f"runs/{_run_of(job)}", allow_not_found=True)
    for entry in system.get_file_info(folder):
        if not entry.is_file or not 0 < entry.size <= _LARGEST:
            continue
        with system.open_input_file(entry.path) as stream, suppress(ValueError, AttributeError):
            name = json.loads(stream.read()).get("cluster")
            if isinstance(name, str) and _CLUSTER.fullmatch(name):
                yield name


def _run_of(job: Job) -> str:
    """Return where runs of a job write: the same in every process that has the same file."""
    return f"gateway-{hashlib.sha256(job.text.encode()).hexdigest()[:16]}"
