"""Time and memory of one piece of work, in a process of its own.

Run as ``python -m benchmarks.measure REQUEST``: prepares the work untimed, runs it once, and
prints one line of JSON. `run` starts such a process and reads the line.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
MARK = "benchmark-result:"
ONE_THREAD = {
    "GDAL_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a process is to measure."""

    engine: str
    """Name in `benchmarks.engines.ENGINES`."""
    folder: str
    """Folder of the data."""
    scale: str
    """Name of the scale."""
    options: dict[str, Any]
    """Keyword arguments of the engine."""
    cache: str
    """Folder of cbmcube's pixel indexes."""
    keep: str | None = None
    """Where to save the values of the first layer (.npy)."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run took."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds of all threads of the process; workers of a cluster are not in it."""
    peak: float
    """Megabytes at the highest, over the process with nothing but its imports."""
    facts: dict[str, float]
    """What else the engine found out."""


def run(request: Request) -> Measurement:
    """Measure in a new process; its messages go to the standard error."""
    command = [sys.executable, "-m", "benchmarks.measure", json.dumps(asdict(request))]
    environment = {**os.environ, **ONE_THREAD, "CBMCUBE_CACHE": request.cache}
    done = subprocess.run(  # noqa: S603  # this module, with arguments made here
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    return Measurement(**json.loads(lines[-1].removeprefix(MARK)))


def measure(request: Request) -> Measurement:
    """Measure in this process, which must be a fresh one."""
    engines = importlib.import_module("benchmarks.engines")
    work = engines.data.Work(Path(request.folder), engines.data.SCALES[request.scale])
    gc.collect()
    bare = _status("VmRSS")
    with engines.ENGINES[request.engine](work, **request.options) as job:
        gc.collect()
        _forget_peak()
        wall, cpu = time.perf_counter(), time.process_time()
        result = job.run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = _status("VmHWM") - bare
        if request.keep:
            np.save(request.keep, job.first_layer(result))
        return Measurement(wall, cpu, peak, job.facts(result))


def _status(field: str) -> float:
    """Return a size of this process in megabytes; elsewhere than on Linux, the peak."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    found = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return float(found.split()[1]) * 1024 / 1e6


def _forget_peak() -> None:
    """Let Linux start the peak anew, so that preparations do not count."""
    control = Path("/proc/self/clear_refs")
    if control.exists():
        control.write_text("5")


def main() -> None:
    """Measure what the command line asks for."""
    request = Request(**json.loads(sys.argv[1]))
    print(MARK + json.dumps(asdict(measure(request))), flush=True)


if __name__ == "__main__":
    main()
