"""Who does the work: the workers of a Dask client, or threads of this process."""

from __future__ import annotations

import math
import os
import queue
import time
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from cbmcube._text import without_secrets
from cbmcube.exceptions import ClusterError, StoreError, StoreUnavailableError
from cbmcube.observations.season._recipe import Recipe
from cbmcube.observations.season._work import Outcome, Unit, run_unit
from cbmcube.observations.store import Store

AHEAD = 2
"""Units given to each thread of a worker: one at work, one waiting."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all units of a run share."""

    store: Store
    recipe: Recipe
    tries: int
    timeout: float


class Pool(Protocol):
    """Does units, in any order."""

    def room(self) -> int:
        """Return how many units more it takes now."""

    def give(self, unit: Unit) -> None:
        """Take a unit."""

    def next(self, seconds: float) -> Outcome | None:
        """Return what became of a unit; ``None`` if none ends within `seconds`."""

    def drop(self) -> None:
        """Forget what was not begun; what was begun may still be committed."""


class ThreadPool:
    """Threads of this process. A unit that is stuck in one cannot be ended."""

    def __init__(self, job: Job, threads: int | None = None) -> None:
        self._job = job
        self._threads = threads or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="cbmcube-unit")
        self._ended: queue.SimpleQueue[ThreadFuture[Outcome]] = queue.SimpleQueue()
        self._given = 0
        self._units: dict[ThreadFuture[Outcome], Unit] = {}

    def room(self) -> int:
        """Return how many units more it takes now."""
        return self._threads + 1 - self._given

    def give(self, unit: Unit) -> None:
        """Take a unit."""
        job = self._job
        self._given += 1
        future = self._pool.submit(run_unit, job.store, job.recipe, unit, job.tries)
        self._units[future] = unit
        future.add_done_callback(self._ended.put)

    def next(self, seconds: float) -> Outcome | None:
        """Return what became of a unit; ``None`` if none ends within `seconds`."""
        try:
            future = self._ended.get(timeout=seconds)
        except queue.Empty:
            return None
        self._given -= 1
        unit = self._units.pop(future)
        error = future.exception()
        return future.result() if error is None else failed(unit, error)

    def drop(self) -> None:
        """Forget what was not begun, and wait for what was."""
        self._pool.shutdown(wait=True, cancel_futures=True)


@dataclass(slots=True)
class _Given:
    unit: Unit
    since: float
    times: int


class ClientPool:
    """Workers of a Dask client."""

    def __init__(self, job: Job, client: Client) -> None:
        self._job, self._client = job, client
        self._given: dict[str, _Given] = {}
        self._futures: dict[str, Future[Outcome]] = {}
        self._ended: queue.SimpleQueue[Future[Outcome]] = queue.SimpleQueue()
        self._late: list[Outcome] = []
        self._counted = (-math.inf, 0)

    def room(self) -> int:
        """Return how many units more it takes now."""
        return max(1, AHEAD * self._threads()) - len(self._given)

    def give(self, unit: Unit) -> None:
        """Take a unit."""
        self._submit(unit, times=1)

    def next(self, seconds: float) -> Outcome | None:
        """Return what became of a unit; ``None`` if none ends within `seconds`."""
        if self._client.status not in ("running", "connecting"):
            raise _lost(self._client)
        self._end_stuck()
        if self._late:
            return self._late.pop()
        try:
            future = self._ended.get(timeout=seconds)
        except queue.Empty:
            return None
        key = str(future.key)
        given = self._given.get(key)
        if given is None:
            return None  # of a unit that was given again
        if future.status == "finished":
            self._forget(key)
            outcome: Outcome = future.result()
            return outcome
        if future.status == "error":
            return self._failed(future, given)
        # Cancelled or lost by a scheduler that went away, or that we were cut off from.
        if self._client.status != "running":
            raise _lost(self._client)
        return self._again(key, given, "its result was lost")

    def drop(self) -> None:
        """Forget what was not begun; what was begun may still be committed."""
        futures = list(self._futures.values())
        self._given.clear()
        self._futures.clear()
        if futures and self._client.status == "running":
            self._client.cancel(futures, force=True)

    def _threads(self) -> int:
        """Return the threads of all workers, asked for at most every other second."""
        when, threads = self._counted
        if time.monotonic() - when > 2.0:
            threads = sum(self._client.nthreads().values())
            self._counted = (time.monotonic(), threads)
        return threads

    def _submit(self, unit: Unit, times: int) -> None:
        job = self._job
        future = self._client.submit(
            run_unit, job.store, job.recipe, unit, job.tries,
            key=f"unit-{unit.key[:24]}-{time.monotonic_ns():x}", pure=False, retries=0,
        )  # fmt: skip
        self._given[str(future.key)] = _Given(unit, time.monotonic(), times)
        self._futures[str(future.key)] = future
        future.add_done_callback(self._ended.put)

    def _forget(self, key: str) -> None:
        self._given.pop(key, None)
        self._futures.pop(key, None)

    def _failed(self, future: Future[Outcome], given: _Given) -> Outcome:
        """Return the outcome of a unit that did not end as it should."""
        self._forget(str(future.key))
        error = future.exception()
        if isinstance(error, KilledWorker):
            reason = f"it ended its worker again and again, the last one {error.last_worker}"
            return Outcome(given.unit.key, "failed", tries=given.times, reason=reason)
        assert error is not None  # noqa: S101  # of a future in error
        return failed(given.unit, error, given.times)

    def _again(self, key: str, given: _Given, why: str) -> Outcome | None:
        self._forget(key)
        if given.times >= self._job.tries:
            return Outcome(given.unit.key, "failed", tries=given.times, reason=why)
        self._submit(given.unit, given.times + 1)
        return None

    def _end_stuck(self) -> None:
        """Restart the workers of units that take too long."""
        limit = time.monotonic() - (AHEAD + 1) * self._job.timeout
        stuck = [key for key, given in self._given.items() if given.since < limit]
        if not stuck:
            return
        working = self._client.processing()
        workers = [address for address, keys in working.items() if set(keys) & set(stuck)]
        for key in stuck:
            given = self._given[key]
            self._client.cancel([self._futures[key]], force=True)
            outcome = self._again(key, given, f"it took over {self._job.timeout:g} s")
            if outcome is not None:
                self._late.append(outcome)
        if workers:
            self._client.restart_workers(workers, timeout=30, raise_for_error=False)


def failed(unit: Unit, error: BaseException, tries: int = 1) -> Outcome:
    """Return the outcome of a unit that raised; what ails the store ends the run instead."""
    if isinstance(error, StoreError) and not isinstance(error, StoreUnavailableError):
        raise error
    reason = f"{type(error).__name__}: {without_secrets(str(error))}"
    return Outcome(unit.key, "failed", tries=tries, reason=reason)


def _lost(client: Client) -> ClusterError:
    return ClusterError(
        "the cluster went away during the run",
        given=f"a client that is {client.status}",
        hint="start a cluster and run again: what was committed stays, the rest is done then",
    )


def make_pool(job: Job, client: Client | None) -> Pool:
    """Return the pool of a client, or threads without one."""
    return ThreadPool(job) if client is None else ClientPool(job, client)
