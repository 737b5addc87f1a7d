"""Speed of the analysis of vector cubes: composites, gaps, smoothing and mowing.

Run as ``python -m benchmarks.analysis``; prints a table, and writes it to docs/markers.md with
``--page``. Each row is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr
from distributed import Client, LocalCluster, wait

from benchmarks.markers.page import paragraph, replace_between, table
from benchmarks.measure import MARK, ONE_THREAD, ROOT, _forget_peak, _status
from cbmcube.markers import mowing
from cbmcube.series import composite, gaps, smooth
from cbmcube.testing import vector_cube

PARCELS = (25_000, 50_000, 100_000)
DAYS = 150  # 60 dates: two orbits, each every 5 days
STATISTICS = ("count", "mean", "std", "min", "max")
WALL_SECONDS, PEAK_MB = 60.0, 4000.0
"""What the largest must keep to."""

STEPS: dict[str, Callable[[xr.Dataset], Any]] = {
    "composite": lambda stats: composite(stats, "5D").compute(),
    "gaps": lambda stats: gaps(stats, "NDVI"),
    "smooth": lambda stats: smooth(stats, "NDVI", method="whittaker").compute(),
    "mowing": mowing,
}


def run(parcels: int, workers: int) -> dict[str, float]:
    """Measure in a new process; without workers, in memory and on one thread."""
    command = [sys.executable, "-m", "benchmarks.analysis", "--one", f"{parcels}", f"{workers}"]
    done = subprocess.run(  # noqa: S603  # this module, with arguments made here
        command,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    return json.loads(lines[-1].removeprefix(MARK))


def in_memory(parcels: int) -> dict[str, float]:
    """Measure in this process, which must be a fresh one."""
    warm_up()
    gc.collect()
    bare = _status("VmRSS")
    stats = _cube(parcels)
    gc.collect()
    _forget_peak()
    found = _timed(stats)
    return {**found, "dates": stats.sizes["time"], "peak": _status("VmHWM") - bare}


def on_workers(parcels: int, workers: int) -> dict[str, float]:
    """Measure on processes of one thread each, which hold the lazy cube before."""
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0
        ) as cluster,
        Client(cluster) as client,
    ):
        client.run(warm_up)
        bare = client.run(_status, "VmRSS")
        with warnings.catch_warnings():  # the cube is sent as a graph, which is not timed
            warnings.simplefilter("ignore", UserWarning)
            stats = _cube(parcels, lazy=True).persist()
            wait(stats)
        client.run(_forget_peak)
        before = client.run(time.process_time)
        mine = _status("VmRSS")
        _forget_peak()
        found = _timed(stats)
        cpu = sum(client.run(time.process_time).values()) - sum(before.values())
        peaks = client.run(_status, "VmHWM")
        peak = sum(peaks[one] - bare[one] for one in peaks) + _status("VmHWM") - mine
        return {
            **found,
            "cpu": found["cpu"] + cpu,
            "dates": stats.sizes["time"],
            "peak": peak,
        }


def warm_up() -> None:
    """Let compiled parts be loaded or compiled, which a season does once."""
    for step in STEPS.values():
        step(_cube(50))


def _cube(parcels: int, *, lazy: bool = False) -> xr.Dataset:
    names = {"bands": ["NDVI"], "statistics": STATISTICS}
    return vector_cube("CARD-2A", parcels=parcels, days=DAYS, lazy=lazy, **names)


def _timed(stats: xr.Dataset) -> dict[str, float]:
    """Run one step after the other and keep what they return, as a session does."""
    found: dict[str, float] = {}
    kept = []
    wall, cpu = time.perf_counter(), time.process_time()
    for name, step in STEPS.items():
        begin = time.perf_counter()
        kept.append(step(stats))
        found[name] = time.perf_counter() - begin
    found["wall"] = time.perf_counter() - wall
    found["cpu"] = time.process_time() - cpu
    return found


def rows(results: dict[tuple[int, int], dict[str, float]]) -> list[list[str]]:
    """Return the cells of a table."""
    made = []
    for (parcels, workers), one in results.items():
        where = f"{workers} workers" if workers else "in memory, one thread"
        seconds = [f"{one[name]:.1f}" for name in (*STEPS, "wall", "cpu")]
        made.append([f"{parcels:,}", where, *seconds, f"{one['peak']:,.0f}"])
    return made


def render(results: dict[tuple[int, int], dict[str, float]], load: float) -> list[str]:
    """Return the table and what it is of, as Markdown."""
    head = ["parcels", "where", *(f"{name} s" for name in STEPS), "all s", "CPU s", "peak MB"]
    dates = next(iter(results.values()))["dates"]
    return [
        *table(head, rows(results)),
        "",
        *paragraph(
            f"NDVI on {dates:.0f} dates with {len(STATISTICS)} statistics: a composite of 5 days,",
            f"gaps, Whittaker smoothing to a daily series, and mowing; on {os.cpu_count()} cores",
            f"with a load average of {load:.1f} before it; other work lengthens seconds, not CPU.",
            "Peak is over the process before it made its cube; of workers, the sum of them and the",
            f"client. The largest must take at most {WALL_SECONDS:.0f} s and {PEAK_MB:,.0f} MB.",
        ),
    ]


def main() -> None:
    """Measure what the command line asks for."""
    options = _options()
    if options.one:
        parcels, workers = options.one
        found = on_workers(parcels, workers) if workers else in_memory(parcels)
        print(MARK + json.dumps(found), flush=True)
        return
    results, load = {}, os.getloadavg()[0]
    for parcels, workers in [*((one, 0) for one in options.parcels), (options.parcels[-1], 2)]:
        results[parcels, workers] = run(parcels, workers)
        print(f"{parcels:,} parcels, {workers} workers: {results[parcels, workers]}", flush=True)
    lines = render(results, load)
    print("\n".join(lines))
    if options.page:
        text = options.page.read_text(encoding="utf-8")
        options.page.write_text(replace_between(text, "speed", lines), encoding="utf-8")
    late = [one["wall"] > WALL_SECONDS or one["peak"] > PEAK_MB for one in results.values()]
    sys.exit(1 if any(late) else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.analysis", description=__doc__)
    parser.add_argument("--parcels", type=int, nargs="+", default=PARCELS)
    parser.add_argument("--page", type=Path, help="write the table to this page")
    parser.add_argument("--one", type=int, nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
