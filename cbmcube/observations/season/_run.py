"""Run a plan: give out what is left, take in what became of it, publish what is there."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING, Any

import pandas as pd
from distributed import Client, get_client

from cbmcube.exceptions import MemoryLimitError, OptionError
from cbmcube.observations.season._estimate import BASE_MEMORY, group_memory, unit_memory
from cbmcube.observations.season._journal import write_lines
from cbmcube.observations.season._pools import Job, Pool, make_pool
from cbmcube.observations.season._progress import Counter, Watch, watcher
from cbmcube.observations.season._report import RunReport
from cbmcube.observations.season._work import Outcome, Unit
from cbmcube.observations.store import Snapshot

if TYPE_CHECKING:
    from cbmcube.observations.season._plan import Plan

LOG_EVERY = 30.0
"""Seconds between additions to the log of a run."""


def run_plan(
    plan: Plan,
    client: Client | None,
    *,
    progress: bool | Watch,
    part: tuple[int, int] | None,
    tries: int,
    timeout: float,
    stop: Event | Callable[[], bool] | None,
) -> RunReport:
    """Do what is left of a plan; see `Plan.run`."""
    _require_sense(part, tries, timeout)
    client = client or _client_in_use()
    units = _part(plan.left(), plan.units, part)
    if client is not None:
        _require_memory(plan, units, client)
    run = f"run-{datetime.now(UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"
    begin = time.perf_counter()
    watch, every = watcher(progress)
    counter = Counter(
        len(units), dict(zip(units["key"], units["pixels"], strict=True)), watch, every
    )
    asked = stop.is_set if isinstance(stop, Event) else stop or (lambda: False)
    log = _Log(plan, run, client, len(units))
    pool = make_pool(Job(plan.store, plan.recipe, tries, timeout), client)
    with _ending(pool, counter):
        outcomes, stopped = _work(pool, plan.tasks(units), counter, log, asked)
    snapshot, left = publish(plan)
    report = RunReport(run, tuple(outcomes), left, time.perf_counter() - begin, snapshot, stopped)
    log.end(report)
    return report


def publish(plan: Plan) -> tuple[Snapshot | None, int]:
    """Publish what is committed of a plan; return the snapshot, and how many units are left."""
    done = plan.store.committed() & set(plan.units["key"])
    left = len(plan.units) - len(done)
    return (plan.store.publish(plan=plan.name, keys=done) if done else None), left


def _work(
    pool: Pool, tasks: list[Unit], counter: Counter, log: _Log, asked: Callable[[], bool]
) -> tuple[list[Outcome], bool]:
    waiting, working = iter(tasks), 0
    outcomes: list[Outcome] = []
    while True:
        stopped = asked()
        for _ in range(0 if stopped else pool.room()):
            unit = next(waiting, None)
            if unit is None:
                break
            pool.give(unit)
            working += 1
        if not working or stopped:
            return outcomes, stopped
        outcome = pool.next(0.5)
        if outcome is not None:
            working -= 1
            outcomes.append(outcome)
            counter.count(outcome)
            log.add(outcome)
        counter.tell()


@contextmanager
def _ending(pool: Pool, counter: Counter) -> Iterator[None]:
    """Let go of what was not begun and say how far it came, whatever ends the run."""
    try:
        yield
    finally:
        pool.drop()
        counter.tell(over=True)


class _Log:
    """The log of a run, written to the store now and then."""

    def __init__(self, plan: Plan, run: str, client: Client | None, units: int) -> None:
        self._store, self._run = plan.store, run
        self._lines: list[dict[str, Any]] = []
        self._written = time.monotonic()
        workers = None if client is None else len(client.nthreads())
        first = {"run": run, "plan": plan.name, "units": units, "workers": workers}
        write_lines(self._store, run, [first | {"at": _now()}])

    def add(self, outcome: Outcome) -> None:
        """Note what became of a unit."""
        line = {name: getattr(outcome, name) for name in outcome.__dataclass_fields__}
        self._lines.append(line | {"at": _now()})
        if time.monotonic() - self._written > LOG_EVERY:
            self._flush()

    def end(self, report: RunReport) -> None:
        """Note what the run did."""
        facts = {n: v for n, v in report.to_dict().items() if n != "problems"}
        self._lines.append(facts | {"at": _now()})
        self._flush()

    def _flush(self) -> None:
        write_lines(self._store, self._run, self._lines)
        self._lines, self._written = [], time.monotonic()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _client_in_use() -> Client | None:
    try:
        return get_client()
    except ValueError:
        return None


def _part(left: pd.DataFrame, units: pd.DataFrame, part: tuple[int, int] | None) -> pd.DataFrame:
    """Return the units of a part: whole groups where there are enough of them.

    Parts are the same for each run of a plan, whatever is done of it.
    """
    if part is None:
        return left
    number, parts = part
    by_group = units["group"].nunique() >= parts
    lot = units["group"].rank(method="dense") if by_group else units["key"].rank()
    mine = units["key"][(lot.astype(int) - 1) % parts == number - 1]
    return left[left["key"].isin(mine)]


def _require_sense(part: tuple[int, int] | None, tries: int, timeout: float) -> None:
    if part is not None and not (1 <= part[0] <= part[1]):
        raise OptionError("part= names one of n parts", given=part, allowed="(1, n) to (n, n)")
    if tries < 1 or timeout <= 0:
        raise OptionError(
            "a unit is tried at least once, and gets time",
            given=f"tries={tries}, timeout={timeout:g}",
            allowed="tries of 1 or more, timeout over 0 seconds",
        )


def _require_memory(plan: Plan, units: pd.DataFrame, client: Client) -> None:
    """Refuse a run whose units would not fit into the workers' memory."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    rooms = [w["memory_limit"] / max(1, w["nthreads"]) for w in workers if w.get("memory_limit")]
    if units.empty or not rooms:
        return
    needed = unit_memory(plan)
    if needed > min(rooms):
        raise MemoryLimitError(
            "a unit of this plan needs more memory than a worker's thread has",
            given=f"{needed / 2**30:.1f} GiB; the smallest worker has {min(rooms) / 2**30:.1f} GiB"
            " for each thread",
            allowed=f"units of {_fitting(plan, min(rooms)):,} records",
            hint="plan again into the same store with records_per_unit= of that size, or fewer"
            " bands, or give the workers fewer threads or more memory",
        )


def _fitting(plan: Plan, room: float) -> int:
    """Return the records of a unit that fit, at the ratio of pixels to records of the plan."""
    free = max(room - BASE_MEMORY, room * 0.1)
    groups = plan.facts["groups"]
    ratios = [group_memory(plan, g) / g["count"] for g in groups]
    return max(1, int(free / max(ratios))) * plan.recipe.rows_per_parcel
