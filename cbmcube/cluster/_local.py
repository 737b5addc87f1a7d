"""A Dask cluster of processes on this computer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from distributed import Client, LocalCluster

from cbmcube.cluster._access import S3Access
from cbmcube.cluster._environment import WorkerEnvironment
from cbmcube.cluster._gdal import GDAL_DEFAULTS, checked_environment
from cbmcube.cluster._signals import ended_by_signals
from cbmcube.cluster._signing import Signer
from cbmcube.exceptions import OptionError


@contextmanager
def local_cluster(
    *,
    workers: int | None = None,
    threads_per_worker: int = 1,
    memory_limit: str | float | None = "auto",
    dashboard: bool = True,
    env: Mapping[str, str] | None = None,
    s3: S3Access | Sequence[S3Access] = (),
    bearer: Mapping[str, str] | None = None,
    signer: Signer | None = None,
) -> Iterator[Client]:
    """Run a Dask cluster of processes on this computer inside a ``with`` block.

    A script that calls this needs ``if __name__ == "__main__":`` around it, because every
    worker process imports the script anew.

    Parameters
    ----------
    workers
        Worker processes. By default as many as the processors allow.
    threads_per_worker
        Threads of each process. Default 1: decoding images leaves little to share.
    memory_limit
        Memory of each process before it is restarted, as bytes or text such as ``"4GiB"``.
        By default an equal share of the computer's; None sets no limit.
    dashboard
        Serve Dask's dashboard on a free port of the loopback interface;
        ``client.dashboard_link`` has the address. It needs bokeh
        (``pip install 'cbmcube[dashboard]'``); without bokeh, the page says so.
    env
        Environment variables of the workers, added to `cbmcube.cluster.GDAL_DEFAULTS`; of
        equal names, these win. The workers start with them.
    s3, bearer, signer
        Keys, tokens and what signs addresses, as in `prepare_workers`: they belong here and not
        in a task graph.

    Yields
    ------
    distributed.Client
        Connected, and the default client inside the block. It and the cluster are shut
        down at the end of the block, also after an error, Ctrl-C, SIGTERM or a closed
        terminal. If this process is killed, its workers end by themselves.

    Raises
    ------
    OptionError
        `workers` or `threads_per_worker` is less than 1, or another value has a wrong form.

    Examples
    --------
    >>> from cbmcube.cluster import local_cluster
    >>> with local_cluster(workers=1, dashboard=False) as client:
    ...     print(client.submit(sum, [1, 2, 3]).result())
    6
    """
    _check_positive("workers", workers)
    _check_positive("threads_per_worker", threads_per_worker)
    plugin = WorkerEnvironment(s3=s3, bearer=bearer, signer=signer)
    environment = {**GDAL_DEFAULTS, **checked_environment(env)}
    with (
        ended_by_signals(),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=threads_per_worker,
            processes=True,
            host="127.0.0.1",
            memory_limit=memory_limit,
            # Without an address, its web server would take a fixed port all the same.
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": dashboard},
            env=environment,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(plugin)
        yield client


def _check_positive(name: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise OptionError(f"{name} must be at least 1", given=value)
