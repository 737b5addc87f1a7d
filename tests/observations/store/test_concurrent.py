"""Two runs on one store at once, both killed again and again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time

import pytest

from cbmcube.observations.store import create_store, open_store, verify
from tests.observations.store.test_failpoints import start
from tests.observations.store.units import RECIPE, commit, key_of, put_plan
from tests.observations.store.writer import UNITS

KILLS = 8  # of each of the two


def disturbed_run(folder, seed, deaths):
    """Run until it ends by itself; the first times it is killed before that."""
    random_ = random.Random(seed)  # noqa: S311  # when, no secret
    with start() as process:
        for attempt in range(KILLS + 5):
            process.stdin.write(f"{folder} season:{seed}\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            if attempt < KILLS:
                time.sleep(random_.uniform(0.02, 0.25))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            ended = int(process.stdout.readline())
            deaths.append(ended)
            if ended == 0:
                break
        process.stdin.close()


@pytest.mark.slow
def test_two_disturbed_runs_end_as_one_undisturbed(ram):
    names = [str(number) for number in range(UNITS)]
    whole = create_store(ram / "whole", RECIPE)
    for name in names:
        commit(whole, name)
    root = whole.publish(plan=put_plan(whole, sorted(names)), keys=map(key_of, names)).root

    deaths = [[], []]
    threads = [
        threading.Thread(target=disturbed_run, args=(ram / "store", seed, deaths[seed]))
        for seed in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[-1] == 0 and set(found[:-1]) <= {-9} for found in deaths), deaths
    assert sum(len(found) - 1 for found in deaths) >= 3
    store = open_store(ram / "store")
    assert store.snapshot().root == root
    assert store.committed() == {key_of(name) for name in names}
    # Nothing lost, nothing twice: as many parts as units, and each of them sound.
    assert len(list((ram / "store" / "parts").rglob("*.parquet"))) == UNITS
    assert not list((ram / "store").glob("runs/conflicts/*"))
    assert verify(store, rows=True).ok
