"""A resumable job on a store, as a command: does the units that are left, then publishes.

``python -m benchmarks.faults.job STORE --units 400 --rows 2500`` may be killed anywhere and run
again. The last line of its output is JSON with the root hash of the store.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import sys
from collections.abc import Callable, Iterator

import dask
from distributed import Client, LocalCluster, wait

from benchmarks.faults import units
from cbmcube.observations.store import Store

_IN_FLIGHT = 8
_SILENCE = 60.0  # seconds; a unit takes a fraction of one


def main() -> None:
    """Run the job that the command line asks for."""
    given = _arguments()
    store = units.make_store(given.store, given.endpoint)
    keys = {units.key(number, given.rows): number for number in range(given.units)}
    done = store.committed() if not given.twice else set()
    left = [number for key, number in keys.items() if key not in done]
    random.Random(given.order).shuffle(left)  # noqa: S311  # an order, no secret
    for _ in range(2 if given.twice else 1):
        with client_of(given) as client:
            if client is None:
                units.do_all(store, left, given.rows, given.pause)
            else:
                _spread(client, store, left, given)
    found = units.publish(store, given.units, given.rows)
    print(json.dumps({**found, "computed": len(left)}), flush=True)


@contextlib.contextmanager
def client_of(given: argparse.Namespace) -> Iterator[Client | None]:
    """Connect to the scheduler that was named, or start workers, or do without."""
    # Workers that are killed on purpose are not the fault of the unit they were at.
    dask.config.set({"distributed.scheduler.allowed-failures": 1000})
    if given.address:
        with Client(given.address, timeout=given.patience) as client:
            yield client
    elif given.workers:
        options = {"dashboard_address": None, "memory_limit": 0, "threads_per_worker": 1}
        with (
            LocalCluster(n_workers=given.workers, processes=True, **options) as cluster,
            Client(cluster) as client,
        ):
            yield client
    else:
        yield None


def _spread(client: Client, store: Store, left: list[int], given: argparse.Namespace) -> None:
    """Let workers do the units, a few in flight, so that little is lost with a client."""

    def submit(number: int) -> object:
        return client.submit(units.do_all, store, [number], given.rows, given.pause, pure=False)

    waiting = iter(left)
    running = {submit(number) for number in itertools.islice(waiting, _IN_FLIGHT)}
    while running:
        # Dask may never tell of units that a scheduler held which was killed: then end, and
        # be started again.
        done, _ = wait(running, timeout=_SILENCE, return_when="FIRST_COMPLETED")
        for future in done:
            future.result()
            running.discard(future)
        running |= {submit(number) for number in itertools.islice(waiting, len(done))}


def arguments(text: str | None) -> argparse.ArgumentParser:
    """Return what all jobs take: where the store is, and who does the work."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("store", help="folder, or s3://bucket/prefix")
    parser.add_argument("--endpoint", help="address of the object store")
    parser.add_argument("--address", help="a Dask scheduler; default: a cluster of its own")
    parser.add_argument("--workers", type=int, default=0, help="of its own cluster; 0: none")
    parser.add_argument("--patience", type=float, default=10.0, help="seconds to a scheduler")
    return parser


def _arguments() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("--units", type=int, default=400)
    parser.add_argument("--rows", type=int, default=2500, help="rows of a unit, even")
    parser.add_argument("--order", type=int, default=0, help="seed of the order of units")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds that a unit takes")
    parser.add_argument("--twice", action="store_true", help="do every unit twice, done or not")
    return parser.parse_args()


def in_one_line(work: Callable[[], None]) -> None:
    """Do the work of a command; of an error, one line is enough for who starts it again."""
    try:
        work()
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    in_one_line(main)
