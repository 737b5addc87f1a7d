"""A process that works on a store and may be killed at a failpoint; started by the tests.

It reads one order a line, ``folder failpoint`` or ``folder season:seed``, and runs it in a
process of its own. It answers with the number of that process, and in the next line with how it
ended: 0, or minus the number of the signal.
"""

from __future__ import annotations

import os
import random
import sys
from datetime import timedelta
from pathlib import Path

from cbmcube.observations.store import Store, compact, create_store, gc, repair, withdraw
from cbmcube.observations.store._failpoints import armed
from tests.observations.store.units import RECIPE, commit, key_of, put_plan

NAMES = ["a", "b", "c", "d"]
UNITS = 300


class Racing(Store):
    """A store whose first look at the snapshots comes too early."""

    looks = 0

    def snapshots(self) -> list[int]:
        self.looks += 1
        return [] if self.looks == 1 else super().snapshots()


def work(folder: str) -> None:
    """Do all that a season does to its store; doing it again must change nothing."""
    store = create_store(folder, RECIPE)
    put_plan(store, ["given up"])
    commit(store, "given up")
    plan = put_plan(store, [*NAMES, "failed"])
    commit(store, "failed", status="corrupt", reason="its file was torn")
    withdraw(store, [key_of("failed")])
    for name in NAMES[:2]:
        commit(store, name)
        commit(store, name)
    store.publish(plan=plan, keys=[key_of(name) for name in NAMES[:2]])
    compact(store)
    for name in NAMES[2:]:
        commit(store, name)
    racing = Racing(store.objects.address, store.recipe)
    racing.publish(plan=plan, keys=[key_of(name) for name in NAMES])
    compact(store)
    repair(store)
    gc(store, timedelta(0))


def season(folder: str, seed: int) -> None:
    """Do what is left of a season, in an order of one's own, and publish it."""
    store = create_store(folder, RECIPE)
    names = [str(number) for number in range(UNITS)]
    random.Random(seed).shuffle(names)  # noqa: S311  # an order, no secret
    done = store.committed()
    for name in names:
        if key_of(name) not in done:
            commit(store, name)
    store.publish(plan=put_plan(store, sorted(names)), keys=map(key_of, names))


def run(folder: str, order: str) -> None:
    """Run one order."""
    if order.startswith("season:"):
        season(folder, int(order.partition(":")[2]))
    elif order == "none":
        work(folder)
    else:
        with armed(order):
            work(folder)


def main() -> None:
    """Answer orders until there are none."""
    for line in sys.stdin:
        folder, order = line.split()
        child = os.fork()
        if child == 0:
            # After all that an interpreter does at its end, the child would answer orders, too.
            try:
                run(folder, order)
            except BaseException as error:  # noqa: BLE001  # told to the test
                Path(f"{folder}.error").write_text(repr(error))
                os._exit(1)
            os._exit(0)
        print(child, flush=True)  # noqa: T201
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
