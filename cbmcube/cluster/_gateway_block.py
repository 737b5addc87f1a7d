"""One cluster of a Dask Gateway from being asked for to being stopped, whatever happens between."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from distributed import Client

from cbmcube.cluster._gateway_left import TAG, own_tag, tagged
from cbmcube.cluster._gateway_server import REQUEST_SECONDS, ask, chosen_options, close_gateway
from cbmcube.cluster._signals import held_back
from cbmcube.exceptions import ClusterError
from cbmcube.warnings import ClusterLeftRunningWarning

Tell = Callable[[str], None]

_STOP_SECONDS = 10.0
"""How long the gateway may take for the answer to one request to stop."""
_STOP_WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts: a gateway that is started anew is away for some."""
_CLOSE_SECONDS = 5.0
_CONNECT_SECONDS = 30.0
_LOOK_SECONDS = 0.5
_TELL_SECONDS = 10.0


@dataclass(slots=True)
class Asked:
    """A cluster that was asked for, and must be stopped."""

    gateway: Any
    """The ``dask_gateway.Gateway`` that was asked."""
    name: str
    """The name that it gave."""
    stopped: bool = False
    """Whether stopping was tried to the end."""

    def state(self) -> str:
        """Return what the gateway says of the cluster."""
        report = ask(self.gateway, self.gateway.get_cluster, self.name, seconds=REQUEST_SECONDS)
        return str(report.status.name.lower())

    def stop(self) -> None:
        """Stop it: try again where that fails, and in the end say what runs on, and where."""
        if self.stopped:
            return
        self.stopped = True
        problem: ClusterError | None = None
        try:
            with held_back():
                problem = self._attempt()
            for seconds in _STOP_WAITS:
                if problem is None:
                    return
                time.sleep(seconds)
                problem = self._attempt()
        finally:
            # Also when Ctrl-C ends the attempts.
            if problem is not None:
                _warn(self.gateway.address, self.name, problem)

    def _attempt(self) -> ClusterError | None:
        try:
            ask(self.gateway, self.gateway.stop_cluster, self.name, seconds=_STOP_SECONDS)
        except ClusterError as error:
            return error
        return None


@contextmanager
def requested_cluster(gateway: Any, options: Mapping[str, Any], *, tell: Tell) -> Iterator[Asked]:
    """Ask for a cluster, yield it, and stop it at the end, after an error as well."""
    tag = own_tag()
    chosen = chosen_options(gateway, options, (TAG, tag))
    asked: Asked | None = None
    try:
        # An interrupt between the request and its answer would lose the cluster's name.
        with held_back():
            asked = Asked(gateway, _submit(gateway, chosen, tag))
        tell(f"cluster {asked.name} asked for at {gateway.address}")
        yield asked
    finally:
        if asked is not None:
            asked.stop()


def _submit(gateway: Any, options: Any, tag: str) -> str:
    try:
        return ask(gateway, gateway.submit, options, seconds=REQUEST_SECONDS)
    except ClusterError:
        # The answer may have been lost, and the cluster be starting.
        with suppress(ClusterError):
            for name in tagged(gateway, tag):
                Asked(gateway, name).stop()
        raise


def _warn(address: str, name: str, problem: Exception) -> None:
    warnings.warn(
        f"cluster {name} could not be stopped and may go on costing money.\n"
        f"  given:   {problem}\n"
        f"  next:    cbmcube.cluster.stop_clusters({address!r}, names=[{name!r}]) when the "
        "gateway answers again",
        ClusterLeftRunningWarning,
        stacklevel=2,
    )


@contextmanager
def connected(asked: Asked, *, deadline: float, tell: Tell) -> Iterator[Client]:
    """Wait for the scheduler of a cluster, and yield a client of it."""
    gateway, name = asked.gateway, asked.name
    _wait_for_scheduler(asked, deadline=deadline, tell=tell)
    left = max(deadline - time.monotonic(), 1)
    # If this block is never left, dask_gateway stops the cluster when Python exits.
    cluster = ask(gateway, gateway.connect, name, shutdown_on_close=True, seconds=left)
    try:
        client = _client(cluster, gateway.address)
        try:
            tell(f"cluster {name} runs; its dashboard: {client.dashboard_link}")
            yield client
        finally:
            # The first thing, before anything else can fail or hang.
            try:
                asked.stop()
            finally:
                client.close(timeout=_CLOSE_SECONDS)
    finally:
        cluster.close(shutdown=False)
        close_gateway(cluster.gateway)


def _client(cluster: Any, address: str) -> Client:
    options = {"security": cluster.security, "loop": cluster.loop}
    try:
        # As long, it will try to come back when it loses its connection.
        return Client(cluster, timeout=_CONNECT_SECONDS, **options)
    except (OSError, TimeoutError) as error:
        raise ClusterError(
            "the scheduler of the cluster runs, but cannot be reached from here",
            given=f"{cluster.scheduler_address}: {type(error).__name__}",
            hint="pass proxy_address=, the address or port for schedulers, which the operator "
            f"of {address} can tell",
        ) from error


def _wait_for_scheduler(asked: Asked, *, deadline: float, tell: Tell) -> None:
    before = ""
    while (state := asked.state()) != "running":
        if state != before:
            tell(f"cluster {asked.name} is {state}")
        before = state
        _check_alive(asked.name, state)
        if time.monotonic() > deadline:
            raise ClusterError(
                "the cluster did not start in time",
                given=f"{asked.name} is {state}",
                hint="pass a larger timeout=, or ask the operator of the gateway; pulling an "
                "image or waiting for a machine takes minutes",
            )
        time.sleep(_LOOK_SECONDS)


def wait_for_worker(
    asked: Asked, client: Client, *, wanted: int, deadline: float, tell: Tell
) -> None:
    """Wait until the first worker has joined; the others may come while it works."""
    name, told = asked.name, 0.0
    while not (found := _count_workers(client)):
        # The gateway gives a cluster up whose workers fail to start several times.
        state = asked.state()
        _check_alive(name, state)
        now = time.monotonic()
        if now > deadline:
            raise ClusterError(
                "no worker of the cluster came in time",
                given=f"{name} is {state}, with 0 of {wanted} workers",
                hint="ask for smaller workers in options=, look whether your quota is used up "
                "(list_clusters), or pass a larger timeout=",
            )
        if now - told > _TELL_SECONDS:
            told = now
            tell(f"cluster {name} is {state}, with 0 of {wanted} workers")
        time.sleep(_LOOK_SECONDS)
    tell(f"cluster {name} has {found} of {wanted} workers")


def _count_workers(client: Client) -> int:
    if client.status != "running":
        return 0  # it tries to come back, which the question would wait for
    try:
        return len(client.nthreads())
    except Exception:  # noqa: BLE001  # of many kinds, and the gateway knows why it cannot answer
        return 0


def _check_alive(name: str, state: str) -> None:
    if state in ("failed", "stopped", "stopping"):
        raise ClusterError(
            "the cluster ended before it could be used",
            given=f"{name} is {state}",
            hint="the operator of the gateway has its logs; often an image or a command is wrong, "
            "or a worker asks for more than there is",
        )


def set_workers(asked: Asked, workers: int | tuple[int, int]) -> int:
    """Ask for workers, a fixed number or as many as the work asks for; return the most."""
    gateway, name = asked.gateway, asked.name
    if isinstance(workers, int):
        ask(gateway, gateway.scale_cluster, name, workers, seconds=REQUEST_SECONDS)
        return workers
    least, most = workers
    ask(gateway, gateway.adapt_cluster, name, minimum=least, maximum=most, seconds=REQUEST_SECONDS)
    return most
