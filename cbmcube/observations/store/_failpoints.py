"""Named places in the store's own steps at which a test can end the process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cbmcube.exceptions import OptionError

VARIABLE = "CBMCUBE_FAILPOINT"
"""Variable that arms one failpoint: ``name``, ``name:raise`` or ``name:kill:3`` (third time)."""

_PUT = ("begin", "temp", "synced", "renamed", "end")
_CREATE = ("begin", "temp", "synced", "linked", "end")
_STEPS = {
    "store": _CREATE,
    "probe": ("begin", "first", "second", "end"),
    "blob": _PUT,
    "part": _PUT,
    "commit": (*_CREATE, "readback"),
    "index": _PUT,
    "snapshot": (*_CREATE, "taken"),
    "pack": _PUT,
    "gc": ("begin", "commit", "object", "end"),
    "withdraw": ("begin", "kept", "end"),
}

FAILPOINTS = tuple(f"{what}.{step}" for what, steps in _STEPS.items() for step in steps)
"""Every failpoint, in the order in which a run meets them.

``begin`` and ``end`` stand before and after a step; between them, a local store writes a
temporary file (``temp``), brings it to disk (``synced``), and gives it its name (``renamed`` or
``linked``), whose folder is brought to disk before ``end``. An object store does all that in one
request.
"""


class FailpointReached(BaseException):
    """An armed failpoint was reached. Nothing catches it, as nothing catches a kill."""


@dataclass(slots=True)
class _Armed:
    name: str
    action: str
    left: int


def _parse(text: str) -> _Armed | None:
    if not text:
        return None
    name, _, rest = text.partition(":")
    action, _, nth = rest.partition(":")
    action = action or "kill"
    if name not in FAILPOINTS or action not in ("kill", "raise") or not (nth or "1").isdecimal():
        raise OptionError(
            f"{VARIABLE} names no failpoint",
            given=repr(text),
            allowed="name[:kill|raise][:nth], with a name of FAILPOINTS",
        )
    return _Armed(name, action, int(nth or "1"))


_armed: _Armed | None = _parse(os.environ.get(VARIABLE, ""))


def failpoint(what: str, step: str) -> None:
    """End the process here if this failpoint is armed; otherwise nothing."""
    if _armed is not None:
        _reach(_armed, f"{what}.{step}")


def _reach(armed: _Armed, name: str) -> None:
    if armed.name != name:
        return
    armed.left -= 1
    if armed.left != 0:
        return
    if armed.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise FailpointReached(name)


@contextmanager
def armed(text: str) -> Iterator[None]:
    """Arm a failpoint inside a ``with`` block, in the spelling of the variable."""
    global _armed  # noqa: PLW0603  # one failpoint for each process, as with the variable
    before, _armed = _armed, _parse(text)
    try:
        yield
    finally:
        _armed = before
