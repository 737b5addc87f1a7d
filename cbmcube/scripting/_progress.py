"""Progress of a run: a line for people, or JSON lines for programs."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from cbmcube.exceptions import OptionError

_EVERY_LINE = 10.0
"""Seconds between two lines of progress where they do not overwrite each other."""

_EVERY_EVENT = 1.0
"""Seconds between two progress events for programs, and between two updates of a terminal."""


class Reporter(Protocol):
    """What a run tells about itself, while it goes on."""

    def tell(self, event: str, facts: Mapping[str, Any], text: str = "") -> None:
        """Take one event: ``begin``, ``progress``, ``end``, ``cancelled`` or ``error``.

        Parameters
        ----------
        event
            Its name.
        facts
            What a program wants to know, as JSON values.
        text
            The same for people.
        """


class Reporters:
    """Several reporters as one, which leaves out progress that comes too fast."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters
        self._last = -math.inf

    def tell(self, event: str, facts: Mapping[str, Any], text: str = "") -> None:
        """Pass an event on to each."""
        now = time.monotonic()
        if event == "progress":
            if now - self._last < _EVERY_EVENT and facts.get("left"):
                return
            self._last = now
        for one in self._reporters:
            one.tell(event, facts, text)


class JsonLines:
    """Writes each event as a line of JSON, with ``event`` and ``time`` in it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def tell(self, event: str, facts: Mapping[str, Any], text: str = "") -> None:  # noqa: ARG002
        """Write an event; a program that reads along sees it at once."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps(plain({"event": event, "time": now, **facts}), allow_nan=False)
        print(line, file=self._stream, flush=True)


class HumanLine:
    """Shows progress on one line of a terminal, or now and then on a line of its own."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._shown = -math.inf
        self._open = False

    def tell(self, event: str, facts: Mapping[str, Any], text: str = "") -> None:
        """Show an event."""
        if event == "begin":
            print(text, file=self._stream, flush=True)
        elif event == "progress":
            self._show(text, last=not facts.get("left"))
        elif self._open:
            # What comes next must not continue the line.
            print(file=self._stream, flush=True)
            self._open = False

    def _show(self, text: str, *, last: bool) -> None:
        if self._stream.isatty():
            print(f"\r\x1b[K{text[:110]}", end="", file=self._stream, flush=True)
            self._open = True
        elif last or time.monotonic() - self._shown >= _EVERY_LINE:
            self._shown = time.monotonic()
            print(text, file=self._stream, flush=True)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: no NaN, keys as text, the rest by its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if hasattr(value, "item"):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, datetime) else str(value)


@contextmanager
def json_lines(target: str | None) -> Iterator[list[Reporter]]:
    """Yield the reporter that writes to a file, or with ``-`` to standard output; or none."""
    if target is None:
        yield []
    elif target == "-":
        yield [JsonLines(sys.stdout)]
    else:
        try:
            # Appended: a run that is taken up again adds to what the first one told.
            stream = Path(target).open("a", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise OptionError(
                "the file for progress cannot be written",
                given=f"{target}: {error.strerror}",
                hint="name another file, or - for standard output",
            ) from error
        with stream:
            yield [JsonLines(stream)]
