"""Signals that would end the process at once, or in the middle of what must be finished."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What an operator, a batch system or a closed terminal sends; Windows has no SIGHUP."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let a signal that ends the process leave the block as `SystemExit`, so that it is tidied.

    Without this, Python ends on SIGTERM without running any ``finally``. A handler that someone
    chose, and a signal that is ignored (``nohup``), stay as they are. Signals are the main
    thread's: in another thread this does nothing.
    """
    ours: list[int] = []
    if threading.current_thread() is threading.main_thread():
        ours = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in ours:
            if signal.getsignal(number) is _leave:
                signal.signal(number, signal.SIG_DFL)


@contextmanager
def held_back() -> Iterator[None]:
    """Hold back Ctrl-C and the ending signals until the end of the block; then the first counts.

    For the moments in which being interrupted would lose track of a cluster. Keep them short.
    """
    came: list[int] = []
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        found = {number: signal.getsignal(number) for number in (signal.SIGINT, *_ENDING)}
        # What is ignored or not Python's is left alone.
        handlers = {number: handler for number, handler in found.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda arrived, _frame: came.append(arrived))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            handlers[came[0]](came[0], None)


def _leave(number: int, _frame: FrameType | None) -> None:
    # What a shell says of a process that a signal ended.
    raise SystemExit(128 + number)
