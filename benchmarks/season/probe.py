"""Time and memory of this process and of the workers of a client."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from distributed import Client


class Clock:
    """Wall and CPU seconds of what happens in a ``with`` block."""

    def __enter__(self) -> Self:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu


def status(field: str) -> float:
    """Return a size of this process in megabytes, such as ``VmRSS`` or ``VmHWM``."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    found = next(line for line in text.splitlines() if line.startswith(field))
    return float(found.split()[1]) * 1024 / 1e6


def worker_facts(client: Client) -> dict[str, dict[str, float]]:
    """Return CPU seconds and highest resident size (MB) of every worker so far."""
    found: dict[str, dict[str, float]] = client.run(_facts)
    return found


def _facts() -> dict[str, float]:
    return {"cpu": time.process_time(), "peak": status("VmHWM")}


class Samples:
    """The resident size of this process, taken now and then, beside how far the work is."""

    def __init__(self) -> None:
        self.records = 0
        """Records done; whoever does them writes it here."""
        self.taken: list[tuple[float, int]] = []
        """Megabytes and records."""

    def at(self, share: float) -> float:
        """Return the size when this share of the records was done."""
        wanted = share * self.taken[-1][1]
        return next(size for size, records in self.taken if records >= wanted)


@contextmanager
def sampled(every: float = 0.25) -> Iterator[Samples]:
    """Sample the resident size of this process while the block runs."""
    samples, end = Samples(), threading.Event()

    def work() -> None:
        while not end.wait(every):
            samples.taken.append((status("VmRSS"), samples.records))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        end.set()
        thread.join()
        samples.taken.append((status("VmRSS"), samples.records))


def folder_size(folder: Path, under: str = "") -> dict[str, Any]:
    """Return files and bytes below a folder."""
    files = [path for path in (folder / under).rglob("*") if path.is_file()]
    return {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}
