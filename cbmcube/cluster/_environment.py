"""Give every process that reads its environment, keys, tokens and signer, outside of graphs."""

from __future__ import annotations

import pickle
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from distributed import Client, WorkerPlugin
from distributed.protocol.pickle import dumps

from cbmcube.cluster._access import S3Access
from cbmcube.cluster._gdal import GDAL_DEFAULTS
from cbmcube.cluster._late import late_maker
from cbmcube.cluster._memory import keep_freed_memory
from cbmcube.cluster._probe import workers_without
from cbmcube.cluster._process import Settings, put_on, take_off
from cbmcube.cluster._signing import Signer
from cbmcube.exceptions import ClusterMismatchError


class WorkerEnvironment(WorkerPlugin):
    """A plugin that prepares each worker of a cluster for reading, also those that join later.

    Most users call `prepare_workers`, which registers it and removes it again. Its parameters
    are the same. Its repr names variables and hosts, never their values.

    Examples
    --------
    >>> from cbmcube.cluster import WorkerEnvironment
    >>> WorkerEnvironment(env={"GDAL_HTTP_TIMEOUT": "30"}, bearer={"data.example.org": "abc"})
    WorkerEnvironment(Settings(env=['GDAL_HTTP_TIMEOUT'],
        places=['/vsicurl/https://data.example.org/'], signer=no))
    """

    def __init__(
        self,
        *,
        env: Mapping[str, str] | None = None,
        s3: S3Access | Sequence[S3Access] = (),
        bearer: Mapping[str, str] | None = None,
        signer: Signer | None = None,
    ) -> None:
        self.name = f"cbmcube-environment-{secrets.token_hex(4)}"
        self._settings = Settings.of(
            defaults=GDAL_DEFAULTS, env=env, s3=s3, bearer=bearer, signer=signer
        )

    def setup(self, worker: Any) -> None:  # noqa: ARG002  # Dask names it
        """Put the settings on; Dask calls this on each worker."""
        put_on(self.name, self._settings)
        keep_freed_memory()

    def teardown(self, worker: Any) -> None:  # noqa: ARG002  # Dask names it
        """Take the settings off; Dask calls this when the plugin is removed."""
        take_off(self.name)

    def __repr__(self) -> str:
        return f"WorkerEnvironment({self._settings!r})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, bytes, bytes]]:
        """Return what makes the plugin again, with its values unreadable at a glance.

        Dask writes the bytes of what it cannot load into a worker's log. This is no
        encryption: whoever holds both parts can read them.
        """
        text = dumps(self._settings)
        pad = secrets.token_bytes(len(text))
        return late_maker(), (self.name, _xor(text, pad), pad)


def unseal(name: str, sealed: bytes, pad: bytes) -> WorkerEnvironment:
    """Return the plugin that was sent."""
    plugin = WorkerEnvironment.__new__(WorkerEnvironment)
    plugin.name = name
    # Not Dask's loads: it would log the bytes that it cannot read.
    plugin._settings = pickle.loads(_xor(sealed, pad))  # noqa: S301, SLF001
    return plugin


def _xor(text: bytes, pad: bytes) -> bytes:
    mixed = int.from_bytes(text, "big") ^ int.from_bytes(pad, "big")
    return mixed.to_bytes(len(text), "big")


class PreparedWorkers:
    """The workers of a client while an environment is on; a ``with`` block takes it off.

    Examples
    --------
    >>> from cbmcube.cluster import local_cluster, prepare_workers
    >>> with local_cluster(workers=1, dashboard=False) as client:
    ...     prepared = prepare_workers(client, env={"GDAL_HTTP_TIMEOUT": "30"})
    ...     prepared.remove()  # or leave it to a with block
    """

    def __init__(self, client: Client, plugin: WorkerEnvironment) -> None:
        self._client = client
        self._plugin = plugin

    def remove(self) -> None:
        """Take the environment off all workers; what they had before is in force again."""
        self._client.unregister_worker_plugin(self._plugin.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        # A client that was closed inside the block can reach no worker any more.
        if self._client.status == "running":
            self.remove()

    def __repr__(self) -> str:
        return f"PreparedWorkers({self._plugin!r})"


def prepare_workers(
    client: Client,
    *,
    env: Mapping[str, str] | None = None,
    s3: S3Access | Sequence[S3Access] = (),
    bearer: Mapping[str, str] | None = None,
    signer: Signer | None = None,
) -> PreparedWorkers:
    """Give all workers of a cluster what they need to read, and those that join later.

    Nothing of it enters a task graph: the values travel to the scheduler and the workers in a
    plugin of Dask, so the owner of the cluster can see them, and logs and pages do not show
    them. Several calls add up; of equal names, the last one wins.

    Parameters
    ----------
    client
        Connected to the cluster.
    env
        Environment variables. `cbmcube.cluster.GDAL_DEFAULTS` are set as well, where neither
        `env` nor the worker has a value.
    s3
        Keys and address of an object store, or of several, each for a bucket. They win over
        keys in the environment of the workers and reach GDAL alone.
    bearer
        A token for each host, as ``{"data.example.org": token}``: sent to this host over
        https and to no other, nor to one that it redirects to. ``"http://host:port"`` as a
        key sends it without encryption.
    signer
        A function that takes an address and returns the one to read from, called on the worker
        just before each read. It may keep what it fetched; several threads may call it.

    Returns
    -------
    PreparedWorkers
        Has ``remove()``, and works as a context manager that removes the settings at its end.

    Raises
    ------
    OptionError
        A value has a wrong form. No message repeats a value.
    ClusterMismatchError
        A worker lacks cbmcube, so that it could not take the settings.

    See Also
    --------
    worker_environment : The same for this process, when no cluster is used.

    Examples
    --------
    >>> from cbmcube.cluster import local_cluster, prepare_workers
    >>> with local_cluster(workers=1, dashboard=False) as client:
    ...     with prepare_workers(client, bearer={"data.example.org": "abc"}):
    ...         print(client.submit(sum, [1, 2, 3]).result())
    6
    """
    plugin = WorkerEnvironment(env=env, s3=s3, bearer=bearer, signer=signer)
    lacking = workers_without(client, "cbmcube")
    if lacking:
        raise ClusterMismatchError(
            "workers lack cbmcube and cannot take its settings",
            given=", ".join(lacking),
            hint="use an image that has it, or call cbmcube.cluster.install_on_workers(client)",
        )
    client.register_plugin(plugin)
    return PreparedWorkers(client, plugin)


@contextmanager
def worker_environment(
    *,
    env: Mapping[str, str] | None = None,
    s3: S3Access | Sequence[S3Access] = (),
    bearer: Mapping[str, str] | None = None,
    signer: Signer | None = None,
) -> Iterator[None]:
    """Give this process what it needs to read, inside a ``with`` block.

    For work without a cluster: Dask's own threads, or its synchronous scheduler. At the end
    of the block everything is as it was before.

    Parameters
    ----------
    env, s3, bearer, signer
        As in `prepare_workers`.

    Raises
    ------
    OptionError
        A value has a wrong form. No message repeats a value.

    Examples
    --------
    >>> import os
    >>> from cbmcube.cluster import worker_environment
    >>> with worker_environment(env={"GDAL_HTTP_TIMEOUT": "30"}):
    ...     print(os.environ["GDAL_HTTP_TIMEOUT"])
    30
    """
    settings = Settings.of(defaults=GDAL_DEFAULTS, env=env, s3=s3, bearer=bearer, signer=signer)
    name = f"cbmcube-{secrets.token_hex(4)}"
    put_on(name, settings)
    try:
        yield
    finally:
        take_off(name)
