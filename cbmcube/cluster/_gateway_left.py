"""Clusters that run on a Dask Gateway: whose they are, and the end of those left behind."""

from __future__ import annotations

import os
import platform
import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil

from cbmcube.cluster._gateway_server import REQUEST_SECONDS, ask, open_gateway
from cbmcube.exceptions import OptionError

TAG = "CBMCUBE_STARTED_BY"
"""Environment variable of a cluster's processes that names the process that started it."""


@dataclass(frozen=True, slots=True)
class RunningCluster:
    """A cluster of yours on a Dask Gateway."""

    name: str
    """The name that the gateway gave it."""
    status: str
    """``"pending"`` or ``"running"``."""
    started: datetime
    """When it was asked for, in UTC."""
    left_behind: bool | None
    """Whether the process that started it is gone. ``None`` where that cannot be known: it was
    started elsewhere, or by other means than `gateway_cluster`, or the gateway keeps no tags."""


def list_clusters(
    address: Any = None, *, auth: Any = None, proxy_address: str | int | None = None
) -> list[RunningCluster]:
    """Return your clusters that run, or are about to, on a Dask Gateway. Asks the gateway.

    Parameters
    ----------
    address, auth, proxy_address
        As in `gateway_cluster`.

    Returns
    -------
    list of RunningCluster
        The oldest first.

    Raises
    ------
    ClusterError
        The gateway does not answer, or refuses the login.

    Examples
    --------
    >>> from cbmcube.cluster import list_clusters
    >>> list_clusters("https://dask.example.org")  # doctest: +SKIP
    [RunningCluster(name='a1b2', status='running', started=..., left_behind=True)]
    """
    with open_gateway(address, auth=auth, proxy_address=proxy_address) as gateway:
        return _running(gateway)


def stop_clusters(
    address: Any = None,
    *,
    names: Sequence[str] | None = None,
    auth: Any = None,
    proxy_address: str | int | None = None,
) -> list[str]:
    """Stop clusters that a notebook or script left behind when it died. Asks the gateway.

    Without `names`, only clusters that surely have nobody left are stopped: those that
    `gateway_cluster` started from this computer in a process that is gone.

    Parameters
    ----------
    address, auth, proxy_address
        As in `gateway_cluster`.
    names
        The clusters to stop, whoever uses them; `list_clusters` has their names.

    Returns
    -------
    list of str
        Names of what was stopped. Their processes may take some seconds to end.

    Raises
    ------
    OptionError
        There is no cluster of such a name, or `names` is one text.
    ClusterError
        The gateway does not answer, or refuses.

    Examples
    --------
    >>> from cbmcube.cluster import stop_clusters
    >>> stop_clusters("https://dask.example.org")  # doctest: +SKIP
    ['a1b2']
    """
    if isinstance(names, str):
        raise OptionError("names must be a list of names", given=repr(names), allowed=[names])
    with open_gateway(address, auth=auth, proxy_address=proxy_address) as gateway:
        found = {cluster.name: cluster for cluster in _running(gateway)}
        if names is None:
            names = [name for name, cluster in found.items() if cluster.left_behind]
        unknown = sorted(set(names) - set(found))
        if unknown:
            raise OptionError(
                "the gateway runs no cluster of this name for you",
                given=", ".join(unknown),
                allowed=", ".join(found) or "none: no cluster runs",
            )
        for name in names:
            ask(gateway, gateway.stop_cluster, name, seconds=REQUEST_SECONDS)
    return list(names)


def own_tag() -> str:
    """Return text that names this process, and is no other's, here or elsewhere."""
    return f"{_place()} {os.getpid()} {psutil.Process().create_time():.2f} {uuid.uuid4().hex[:8]}"


def tagged(gateway: Any, tag: str) -> list[str]:
    """Return the names of the clusters that carry a tag."""
    reports = ask(gateway, gateway.list_clusters, seconds=REQUEST_SECONDS)
    return [report.name for report in reports if _tag(report) == tag]


def is_left_behind(tag: str | None) -> bool | None:
    """Whether the process that a tag names is gone; None where that cannot be known."""
    try:
        place, pid, created, _ = (tag or "").split(" ")
        if place != _place():
            return None
        # A later process may have the number of one that is gone.
        return abs(psutil.Process(int(pid)).create_time() - float(created)) > 1
    except psutil.NoSuchProcess:
        return True
    except (ValueError, psutil.Error):
        return None


def _running(gateway: Any) -> list[RunningCluster]:
    reports = ask(gateway, gateway.list_clusters, seconds=REQUEST_SECONDS)
    found = [
        RunningCluster(
            name=report.name,
            status=report.status.name.lower(),
            # Naive, but local, as dask_gateway makes it.
            started=report.start_time.astimezone(UTC),
            left_behind=is_left_behind(_tag(report)),
        )
        for report in reports
    ]
    return sorted(found, key=lambda cluster: cluster.started)


def _tag(report: Any) -> str | None:
    environment = (report.options or {}).get("environment")
    tag = environment.get(TAG) if isinstance(environment, dict) else None
    return tag if isinstance(tag, str) else None


def _place() -> str:
    """Return what a computer, or a container on it, shares with no other.

    Names of computers repeat, and a process that is looked for at the wrong one seems gone.
    """
    parts = [platform.node(), sys.platform]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return sha256(" ".join(parts).encode()).hexdigest()[:16]
