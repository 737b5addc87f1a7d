"""Which request meets which fault: drawn from a seed, whatever the order of requests."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

from benchmarks.faults.http1 import Head

KINDS = ("error", "stall", "reset", "truncate", "wrong_range")
"""Faults of which a request meets one at most, in this order; their shares add up."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How large a share of the requests meets which fault, from 0 to 1."""

    error: float = 0.0
    """Answered with 503, without asking the upstream."""
    stall: float = 0.0
    """Not answered: after `stall_seconds` the connection is reset."""
    reset: float = 0.0
    """Reset at once, without asking the upstream."""
    truncate: float = 0.0
    """The first half of the body is sent, then the connection closed."""
    wrong_range: float = 0.0
    """Another range of the same length is sent."""
    lost: float = 0.0
    """The upstream did what a PUT asked for, and the client gets a reset."""
    lost_commit: float = 0.0
    """The same, for PUTs with ``If-None-Match: *`` only."""
    lost_times: int = 1
    """How often the response to one PUT is lost; always would be an outage."""
    stall_seconds: float = 3.0
    """How long a stalled request waits."""
    honest_ranges: bool = True
    """Whether ``Content-Range`` tells which range was sent instead."""
    only: str = ""
    """Text that a path must contain to be broken at all; empty for every path."""


class Dice:
    """Random numbers that belong to a request, not to a moment.

    The n-th attempt at one request (method, path and range) draws the same number in every
    run, so that faults do not depend on how requests of several clients interleave.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._seen: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()

    def throw(self, head: Head, faults: Faults) -> str | None:
        """Return the fault that a request meets, if any."""
        if faults.only not in head.target:
            return None
        number = self._draw(f"{head.method} {head.target} {head.asked_range}")
        for kind in KINDS:
            share = getattr(faults, kind)
            if number < share:
                return kind if _suits(kind, head) else None
            number -= share
        return None

    def loses(self, head: Head, answer: Head, faults: Faults) -> bool:
        """Whether the answer to a PUT that was done is lost."""
        if head.method != "PUT" or answer.status >= 300 or faults.only not in head.target:
            return False
        share = max(faults.lost, faults.lost_commit if head.is_conditional_put else 0.0)
        if self._lost[head.target] >= faults.lost_times:
            return False
        if self._draw(f"lost {head.target}") >= share:
            return False
        self._lost[head.target] += 1
        return True

    def _draw(self, name: str) -> float:
        self._seen[name] += 1
        text = f"{self._seed} {name} {self._seen[name]}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def _suits(kind: str, head: Head) -> bool:
    """Whether a request has what the fault breaks."""
    if kind == "wrong_range":
        return head.method == "GET" and bool(head.asked_range)
    return kind != "truncate" or head.method == "GET"
