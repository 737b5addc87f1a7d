"""A Dask cluster from a Dask Gateway, such as that of a JupyterHub, which always ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import Client

from cbmcube.cluster._access import S3Access
from cbmcube.cluster._environment import WorkerEnvironment
from cbmcube.cluster._gateway_block import (
    connected,
    requested_cluster,
    set_workers,
    wait_for_worker,
)
from cbmcube.cluster._gateway_server import open_gateway
from cbmcube.cluster._install import install_on_workers
from cbmcube.cluster._orphan import ends_without_client
from cbmcube.cluster._probe import processes_without
from cbmcube.cluster._signals import ended_by_signals
from cbmcube.cluster._signing import Signer
from cbmcube.exceptions import ClusterMismatchError, OptionError


@contextmanager
def gateway_cluster(  # noqa: PLR0913  # each is one thing that a user may say
    address: Any = None,
    *,
    workers: int | tuple[int, int] | None = None,
    options: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    s3: S3Access | Sequence[S3Access] = (),
    bearer: Mapping[str, str] | None = None,
    signer: Signer | None = None,
    install: bool | str | Path = False,
    auth: Any = None,
    proxy_address: str | int | None = None,
    timeout: float = 600,
    orphan_timeout: float | None = 600,
    progress: bool | Callable[[str], None] = True,
) -> Iterator[Client]:
    """Run a cluster of a Dask Gateway inside a ``with`` block.

    The cluster is shut down at the end of the block: after an error, Ctrl-C, SIGTERM or a closed
    terminal, too. If this process dies without a chance to do so, the cluster ends by itself
    when it had no client for `orphan_timeout`.

    Parameters
    ----------
    address
        Address of the gateway, or a ``dask_gateway.Gateway``, such as an operator's own. By
        default the one that Dask's settings name, as they do on a JupyterHub with a gateway.
    workers
        How many workers, or ``(least, most)`` for as many as the work asks for. Default 1.
        The block begins when the first has joined.
    options
        What the gateway lets users choose, such as ``{"worker_cores": 2, "image": "…"}``. It
        stores them, so no secrets.
    env, s3, bearer, signer
        What workers need to read, as in `prepare_workers`: they go to the workers of this cluster
        only, also to those that join later.
    install
        Install with pip what the image lacks: True from the package index of the workers, or
        the path of a wheel of cbmcube; see `install_on_workers`.
    auth
        ``"jupyterhub"``, ``"kerberos"``, or an object such as
        ``dask_gateway.BasicAuth(username, password)``. By default what Dask's settings say or,
        for the gateway of the JupyterHub that this runs on, its token.
    proxy_address
        Address or port for the traffic with schedulers, where it is not that of `address`.
    timeout
        Seconds to wait for the first worker.
    orphan_timeout
        Seconds without a client after which the cluster ends by itself; None to leave that to
        the gateway.
    progress
        Called with a line of text for each step; True writes the lines to the standard error.

    Yields
    ------
    distributed.Client
        Connected, and the default client inside the block. ``client.cluster`` can scale.

    Raises
    ------
    OptionError
        An argument has a wrong form, or the gateway does not offer an option.
    ClusterError
        The gateway does not answer or refuses the login; the cluster failed; or no worker came
        in time.
    ClusterMismatchError
        Scheduler or workers lack cbmcube, and `install` is False.
    ImportError
        dask-gateway is not installed.

    Warns
    -----
    ClusterLeftRunningWarning
        The gateway could not be told to stop the cluster; names it, and how to stop it later.

    See Also
    --------
    list_clusters : Which of your clusters run.
    stop_clusters : Stop what a notebook left behind.
    check_cluster : Whether versions fit.

    Examples
    --------
    >>> from cbmcube.cluster import check_cluster, gateway_cluster
    >>> with gateway_cluster(
    ...     "https://dask.example.org", workers=(2, 16), options={"worker_cores": 2}
    ... ) as client:  # doctest: +SKIP
    ...     print(check_cluster(client))
    2 workers and their scheduler compared with the client: nothing differs
    """
    wanted = _checked_workers(workers)
    _check_seconds(timeout=timeout, orphan_timeout=orphan_timeout)
    tell = _teller(progress)
    plugin = WorkerEnvironment(env=env, s3=s3, bearer=bearer, signer=signer)
    deadline = time.monotonic() + timeout
    with (
        ended_by_signals(),
        open_gateway(address, auth=auth, proxy_address=proxy_address) as gateway,
        requested_cluster(gateway, options or {}, tell=tell) as asked,
        connected(asked, deadline=deadline, tell=tell) as client,
    ):
        if orphan_timeout is not None:
            _end_with_client(client, orphan_timeout, tell)
        most = set_workers(asked, wanted)
        wait_for_worker(asked, client, wanted=most, deadline=deadline, tell=tell)
        _bring_library(client, install, tell)
        client.register_plugin(plugin)
        yield client


def _end_with_client(client: Client, seconds: float, tell: Callable[[str], None]) -> None:
    try:
        client.register_plugin(ends_without_client(seconds))
    except ValueError:
        # Schedulers with distributed.scheduler.pickle switched off take no plugins.
        tell("this cluster takes no plugin that would end it when its client is gone")


def _bring_library(client: Client, install: bool | str | Path, tell: Callable[[str], None]) -> None:  # noqa: FBT001
    lacking = processes_without(client, "cbmcube")
    if not lacking:
        return
    if install is False:
        raise ClusterMismatchError(
            "the scheduler or workers of the cluster lack cbmcube",
            given=", ".join(lacking),
            hint="choose an image that has it, or pass install=True, or install= with the path "
            "of a wheel",
        )
    tell(f"installing what {len(lacking)} processes lack")
    install_on_workers(client, wheel=None if install is True else install)


def _checked_workers(workers: int | tuple[int, int] | None) -> int | tuple[int, int]:
    given: object = workers
    if given is None:
        return 1
    parts = given if isinstance(given, tuple) else (given, given)
    # True would count as a number.
    whole = len(parts) == 2 and all(type(part) is int for part in parts)
    if not whole or not 1 <= parts[0] <= parts[1]:
        raise OptionError(
            "workers must be a number of workers, or the least and the most",
            given=repr(given),
            allowed="at least 1, such as 8 or (2, 16)",
        )
    return (parts[0], parts[1]) if isinstance(given, tuple) else parts[0]


def _check_seconds(**given: float | None) -> None:
    for name, seconds in given.items():
        if seconds is not None and not seconds > 0:
            raise OptionError(f"{name} must be more than 0 seconds", given=repr(seconds))


def _teller(progress: bool | Callable[[str], None]) -> Callable[[str], None]:  # noqa: FBT001
    if callable(progress):
        return progress
    return _write if progress else lambda _line: None


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
