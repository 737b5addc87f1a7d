"""What a trial is: one row of the table, measured by one function, or said not to be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_MARK = re.compile(r"(\d+) (passed|failed|skipped|error)")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done."""

    name: str
    """``short`` or ``long``."""
    kills: int
    """Kills of each cast."""
    units: int
    """Units of the synthetic job."""
    rows: int
    """Rows of such a unit."""
    parcels: int
    """Parcels of the season that is killed."""
    requests: int
    """Units of the job whose requests are broken."""
    suites: bool
    """Whether test suites with figures of their own run, too."""


SHORT = Scale("short", 6, 24, 1_000, 300, 40, suites=False)
LONG = Scale("long", 34, 420, 2_500, 20_000, 200, suites=True)


@dataclass(slots=True)
class Row:
    """One row of the table."""

    figure: str
    """What is looked at."""
    must: str
    """What must come out."""
    result: str
    """What came out, with numbers."""
    kept: bool | None
    """Whether it must; None if it was not run."""
    command: str
    """What repeats it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Makes one row."""

    name: str
    """Name for the command line."""
    figure: str
    """What is looked at."""
    must: str
    """What must come out."""
    run: Callable[[Scale, Path], tuple[str, bool | None]]
    """Measures; gets a scratch folder."""
    command: str = ""
    """What repeats it, if not the command of this folder."""

    def row(self, scale: Scale, folder: Path) -> Row:
        """Run the trial; what breaks it is its result."""
        command = self.command or f"python -m benchmarks.faults --{scale.name} --only {self.name}"
        try:
            result, kept = self.run(scale, folder)
        except Exception as error:  # noqa: BLE001  # the other trials go on
            text = " ".join(str(error).split())[:200]
            result, kept = f"broke off: {type(error).__name__}: {text}", False
        return Row(self.figure, self.must, result, kept, command)


@dataclass(slots=True)
class Command:
    """A job that ran to its end."""

    code: int
    """Exit code."""
    answer: dict[str, Any] = field(default_factory=dict)
    """Its last line of output, from JSON."""
    error: str = ""
    """Its last line of error output."""


def start(command: Sequence[str], **environment: str) -> subprocess.Popen[str]:
    """Start a job."""
    return subprocess.Popen(  # noqa: S603  # commands made here
        list(command),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> Command:
    """Wait for a job."""
    out, err = process.communicate()
    lines = out.strip().splitlines()
    answer = json.loads(lines[-1]) if process.returncode == 0 and lines else {}
    return Command(process.returncode, answer, (err.strip().splitlines() or [""])[-1])


def finished(command: Sequence[str], **environment: str) -> dict[str, Any]:
    """Run a job that must succeed; return its answer."""
    done = end(start(command, **environment))
    if done.code != 0:
        message = f"exit code {done.code}: {done.error}"
        raise RuntimeError(message)
    return done.answer


def suite(*arguments: str, **environment: str) -> Callable[[Scale, Path], tuple[str, bool | None]]:
    """Return a trial that is a test suite; it runs at the long scale only."""

    def run(scale: Scale, _: Path) -> tuple[str, bool | None]:
        if not scale.suites:
            return "not run at the short scale: its own step of the gate runs it", None
        # Long ones take hours, which elsewhere means that a test hangs.
        command = [sys.executable, "-m", "pytest", "-q", "-o", "faulthandler_timeout=0", *arguments]
        process = start(command, **environment)
        text, _ = process.communicate()
        counts = {what: int(number) for number, what in _MARK.findall(text.splitlines()[-1])}
        told = ", ".join(f"{number} {what}" for what, number in counts.items()) or "nothing ran"
        if not counts.get("passed"):
            return f"{told}: not run here", None
        return told, process.returncode == 0

    return run
