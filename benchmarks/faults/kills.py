"""Kill the processes of a resumable run at random, start it again, until it is done.

Every process that may be killed was started here, or descends from one that was; nothing is
looked up by name. A run is a `Cast` of roles: some stay up (a scheduler, workers with their
nannies), one is the client, whose success ends it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

ROOT = Path(__file__).parents[2]
CLIENT = "client"
_STEP = 0.05
_HELPER = "resource_tracker"
_OURS = {"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"}


@dataclass(frozen=True, slots=True)
class Role:
    """A process of a run, started again when it is gone."""

    name: str
    """Its kind when it is killed; where there are several of it, followed by a number."""
    command: Sequence[str]
    """How it is started."""
    children: str = ""
    """Kind of the processes that it starts itself; empty if they are not to be killed."""

    @property
    def kind(self) -> str:
        """What it is."""
        return self.name.split(" ")[0]


@dataclass
class KillReport:
    """What was killed, and how the run ended."""

    kills: Counter[str] = field(default_factory=Counter)
    """Kills by kind."""
    working: int = 0
    """Kills after the first unit of a run and before its last: not in start or end."""
    starts: Counter[str] = field(default_factory=Counter)
    """Starts by role."""
    hung: int = 0
    """Clients that did nothing for too long and were ended: a fault of the run."""
    seconds: float = 0.0
    """How long it took."""
    answers: list[dict[str, Any]] = field(default_factory=list)
    """Last line of each client that succeeded, from JSON."""
    messages: Counter[str] = field(default_factory=Counter)
    """First line of what clients said that failed by themselves."""

    def __iadd__(self, other: KillReport) -> Self:
        """Take another report in."""
        for name in ("kills", "starts", "messages"):
            getattr(self, name).update(getattr(other, name))
        self.working += other.working
        self.hung += other.hung
        self.seconds += other.seconds
        self.answers += other.answers
        return self


class Cast:
    """The processes of one run."""

    def __init__(self, roles: Sequence[Role], environment: Mapping[str, str], log: Path) -> None:
        self._roles = {role.name: role for role in roles}
        self._environment = {**os.environ, **_OURS, **environment}
        self._log = log
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._seen: dict[int, psutil.Process] = {}
        self.starts: Counter[str] = Counter()

    def start(self, name: str) -> None:
        """Start a role in a session of its own."""
        self.starts[name] += 1
        path = self._log / f"{name}-{self.starts[name]}"
        with path.with_suffix(".out").open("wb") as out, path.with_suffix(".err").open("wb") as err:
            self._running[name] = subprocess.Popen(  # noqa: S603  # commands made here
                list(self._roles[name].command),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def revive(self) -> None:
        """Start the roles again that are gone, but for the client."""
        for name in self._roles:
            if name != CLIENT and self.code(name) is not None:
                self.start(name)

    def code(self, name: str) -> int | None:
        """Return how a role ended, None while it runs; -1 if it was never started."""
        process = self._running.get(name)
        return -1 if process is None else process.poll()

    def said(self, name: str, suffix: str) -> str:
        """Return what the last process of a role wrote."""
        path = self._log / f"{name}-{self.starts[name]}{suffix}"
        return path.read_text(encoding="utf-8", errors="replace")

    def victims(self) -> list[tuple[str, psutil.Process]]:
        """Return the living processes that may be killed, with their kinds."""
        found = []
        for name, process in self._running.items():
            if process.poll() is not None:
                continue
            with contextlib.suppress(psutil.Error):
                parent = psutil.Process(process.pid)
                self._seen[parent.pid] = parent
                found.append((self._roles[name].kind, parent))
                for child in parent.children(recursive=True):
                    self._seen[child.pid] = child
                    if self._roles[name].children and _HELPER not in " ".join(child.cmdline()):
                        found.append((self._roles[name].children, child))
        return found

    def where(self, name: str) -> str:
        """End a process that hangs, and return where its threads were."""
        process = self._running[name]
        process.send_signal(signal.SIGABRT)  # Python prints where it is, because of the variable
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        lines = (line.strip() for line in self.said(name, ".err").splitlines())
        return " < ".join(line[-70:] for line in lines if line.startswith("File "))[:600]

    def end(self) -> None:
        """Kill all that was started here and what descends from it, orphans, too."""
        self.victims()
        for process in (*self._running.values(), *self._seen.values()):
            # psutil compares start times, so that a number used anew is safe.
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                process.kill()
        for process in self._running.values():
            process.wait()


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is disturbed."""

    kills: int
    """How many processes to kill."""
    mean: float
    """Mean seconds to the next kill; it comes at random."""
    early: float = 0.2
    """Share of kills that may hit a start; the others wait for a new unit before the time runs."""
    seed: int = 0
    """Seed of times and victims."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """How likely each kind is killed against the others; 1 by default, 0 spares it."""
    patience: float = 300.0
    """Seconds without a new unit after which a client counts as hung."""
    limit: float = 1800.0
    """Seconds after which the run is given up."""


def disturb(
    roles: Sequence[Role],
    plan: Plan,
    progress: Callable[[], tuple[int, int]],
    environment: Mapping[str, str] | None = None,
) -> KillReport:
    """Run a client until it succeeds, killing what the plan says; return what happened.

    Parameters
    ----------
    roles
        The processes; one is named ``client``.
    plan
        How many kills, when and of what.
    progress
        Returns units that are done, and units in all.
    environment
        Variables of all processes.

    Raises
    ------
    TimeoutError
        If the run does not end within the plan's limit.
    """
    report = KillReport()
    dice = random.Random(plan.seed)  # noqa: S311  # times and victims, no secrets
    start = time.monotonic()
    with _running(roles, environment or {}) as cast:
        watch = _Watch(progress, plan.patience)
        clock = _Clock(plan, dice, watch)
        while True:
            if cast.code(CLIENT) == 0:
                report.answers.append(json.loads(cast.said(CLIENT, ".out").splitlines()[-1]))
                break
            _go_on(cast, watch, report)
            if report.kills.total() < plan.kills and clock.strikes():
                _kill_one(cast, plan, dice, report, watch)
                clock.wind()
            if time.monotonic() - start > plan.limit:
                message = f"not done within {plan.limit:.0f} s: {dict(report.kills)}"
                raise TimeoutError(message)
            time.sleep(_STEP)
        report.starts.update(cast.starts)
    report.seconds = time.monotonic() - start
    return report


def _go_on(cast: Cast, watch: _Watch, report: KillReport) -> None:
    """Start again what is gone, and end a client that hangs."""
    cast.revive()
    code = cast.code(CLIENT)
    if code is not None:
        if code > 0:
            lines = cast.said(CLIENT, ".err").strip().splitlines() or [f"exit code {code}"]
            report.messages[lines[-1][:100]] += 1
        cast.start(CLIENT)
        watch.wake()
    elif watch.asleep():
        report.hung += 1
        report.messages[f"hung at {cast.where(CLIENT)}"] += 1
        watch.wake()


def _kill_one(
    cast: Cast, plan: Plan, dice: random.Random, report: KillReport, watch: _Watch
) -> None:
    by_kind: dict[str, list[psutil.Process]] = {}
    for kind, process in cast.victims():
        if plan.weights.get(kind, 1.0) > 0:
            by_kind.setdefault(kind, []).append(process)
    if not by_kind:
        return
    kinds = sorted(by_kind)
    (kind,) = dice.choices(kinds, [plan.weights.get(kind, 1.0) for kind in kinds])
    done, total = watch.look()
    with contextlib.suppress(psutil.Error):
        dice.choice(sorted(by_kind[kind], key=lambda process: process.pid)).kill()
        report.kills[kind] += 1
        report.working += 0 < done < total


@contextlib.contextmanager
def _running(roles: Sequence[Role], environment: Mapping[str, str]) -> Iterator[Cast]:
    with tempfile.TemporaryDirectory() as log:
        cast = Cast(roles, environment, Path(log))
        try:
            yield cast
        finally:
            cast.end()


class _Clock:
    """Says when the next process is killed."""

    def __init__(self, plan: Plan, dice: random.Random, watch: _Watch) -> None:
        self._plan, self._dice, self._watch = plan, dice, watch
        self.wind()

    def wind(self) -> None:
        """Draw the next time."""
        self._done = self._watch.look()[0]
        self._delay = self._dice.expovariate(1 / self._plan.mean)
        early = self._dice.random() < self._plan.early
        self._from = time.monotonic() if early else None

    def strikes(self) -> bool:
        """Whether the time has come."""
        if self._from is None and self._watch.look()[0] > self._done:
            self._from = time.monotonic()
        return self._from is not None and time.monotonic() >= self._from + self._delay


class _Watch:
    """Notices that nothing gets done any more."""

    def __init__(self, progress: Callable[[], tuple[int, int]], patience: float) -> None:
        self._progress, self._patience = progress, patience
        self._last, self._looked = (-1, 0), 0.0
        self.wake()

    def wake(self) -> None:
        self._moved = time.monotonic()

    def look(self) -> tuple[int, int]:
        found = self._progress()
        if found != self._last:
            self._last = found
            self.wake()
        return found

    def asleep(self) -> bool:
        if time.monotonic() - self._looked > 1.0:  # listing a store takes time
            self._looked = time.monotonic()
            self.look()
        return time.monotonic() - self._moved > self._patience
