"""How a run is getting on: counted, and shown in a terminal or a notebook."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from cbmcube._html import html_bar
from cbmcube.observations.season._work import Outcome


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Examples
    --------
    >>> from cbmcube.observations import Progress
    >>> state = Progress(units=40, done=10, pixels=100, all_pixels=400, seconds=5.0)
    >>> state.share, state.left, state.seconds_left
    (0.25, 30, 15.0)
    """

    units: int
    """Units that the run has to do."""
    done: int = 0
    """Committed ones."""
    failed: int = 0
    """Ones that a later run will try again."""
    records: int = 0
    """Rows written."""
    pixels: int = 0
    """Pixels decoded, all bands together."""
    all_pixels: int = 0
    """Pixels that the run has to decode."""
    seconds: float = 0.0
    """Since the run began."""
    over: bool = False
    """Whether the run has ended, be it with units left."""

    @property
    def left(self) -> int:
        """Units still to do."""
        return self.units - self.done - self.failed

    @property
    def share(self) -> float:
        """Pixels decoded over all of the run, 0 to 1."""
        return self.pixels / self.all_pixels if self.all_pixels else 1.0

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time left at this rate; ``None`` before anything is done."""
        if not self.pixels:
            return None
        return self.seconds * (self.all_pixels - self.pixels) / self.pixels

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        facts = asdict(self)
        return facts | {"left": self.left, "rate": self.rate, "seconds_left": self.seconds_left}

    def __str__(self) -> str:
        parts = [
            f"{self.share:4.0%}",
            f"{self.done:,} of {self.units:,} units",
            f"{self.records:,} records",
            f"{self.rate:,.0f}/s",
            f"{self.pixels * 4 / 1e9:,.1f} GB decoded",
        ]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.seconds_left is not None and self.left:
            parts.append(f"{duration(self.seconds_left)} left")
        return " | ".join(parts)


Watch = Callable[[Progress], None]
"""Called with the state of a run whenever it changes."""


class Counter:
    """Counts outcomes and tells a watcher, not too often."""

    def __init__(self, units: int, pixels: dict[str, int], watch: Watch, every: float) -> None:
        self._sizes = pixels
        self._begin = time.perf_counter()
        self._watch, self._every, self._told = watch, every, 0.0
        self._units, self._all = units, sum(pixels.values())
        self._done = self._failed = self._records = self._pixels = 0

    def count(self, outcome: Outcome) -> None:
        """Take in what became of a unit."""
        self._pixels += self._sizes[outcome.key]
        if outcome.status == "failed":
            self._failed += 1
        else:
            self._done += 1
            self._records += outcome.rows

    def tell(self, *, over: bool = False) -> None:
        """Tell the watcher, if it is time or the run is `over`."""
        moment = time.perf_counter()
        if over or moment - self._told >= self._every:
            self._told = moment
            self._watch(self.state(over=over))

    def state(self, *, over: bool) -> Progress:
        """Return how far the run is."""
        return Progress(
            units=self._units,
            done=self._done,
            failed=self._failed,
            records=self._records,
            pixels=self._pixels,
            all_pixels=self._all,
            seconds=time.perf_counter() - self._begin,
            over=over,
        )


def watcher(progress: bool | Watch) -> tuple[Watch, float]:  # noqa: FBT001  # as users say it
    """Return what shows progress, and how often in seconds."""
    if callable(progress):
        return progress, 0.5
    if not progress:
        return lambda _state: None, 60.0
    if _in_notebook():
        return _Notebook(), 1.0
    return (_Line(sys.stderr), 0.5) if sys.stderr.isatty() else (_Lines(sys.stderr), 30.0)


class _Line:
    """One line of a terminal, written over."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._width = out, 0

    def __call__(self, state: Progress) -> None:
        # What reaches the edge of the terminal would wrap, and no longer be written over.
        text = str(state)[: shutil.get_terminal_size().columns - 1]
        self._width = max(self._width, len(text))
        end = "\n" if state.over else ""
        print(f"\r{text:<{self._width}}", end=end, file=self._out, flush=True)


class _Lines:
    """Lines of a log."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __call__(self, state: Progress) -> None:
        print(state, file=self._out, flush=True)


class _Notebook:
    """A bar in a notebook."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, state: Progress) -> None:
        from IPython.display import HTML, display  # noqa: PLC0415  # notebooks have it

        bar = HTML(html_bar(state.share, str(state)))  # type: ignore[no-untyped-call]
        if self._handle is None:
            self._handle = display(bar, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bar)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "kernel" in type(shell).__module__


def duration(seconds: float) -> str:
    """Return a time such as ``"2 h 05 min"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
