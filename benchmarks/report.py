"""From measurements to a page: the figures with their limits, then everything measured."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.figures import FIGURES, Facts, Results
from cbmcube.cluster import versions

STATISTICS = ("count", "mean", "std", "min", "max", "p25", "p50", "p75")
PACKAGES = ("dask", "distributed", "numpy", "numba", "odc-loader", "rasterio")


def render(facts: Facts, results: Results) -> str:
    """Return the page as Markdown."""
    scale = facts.scale
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m benchmarks.zonal`, which makes its data, measures everything in one",
        f"run, and replaces this page. This run: scale `{scale.name}`, medians of {facts.repeat},",
        f"{facts.minutes:.0f} minutes; load average {facts.load:.1f} before it.",
        "",
        "## Figures",
        "",
        *_table(
            ["figure", "must", "aim", "measured", "kept"],
            [figure.row(facts, results) for figure in FIGURES],
        ),
        "",
        "In brackets, the same ratio of CPU instead of wall times. The limits hold for the full",
        "scale; a smaller one only shows that the command works.",
        "",
        *_method(facts),
        "",
        "## Everything measured",
        "",
        *_everything(facts, results),
        *_agreement(results),
        *_result_sizes(results),
        *_graph(results),
        "",
        "## Machine",
        "",
        *_machine(),
    ]
    return "\n".join(lines) + "\n"


def _method(facts: Facts) -> list[str]:
    scale = facts.scale
    stored = ", ".join(f"{name} {ratio:.2f}" for name, ratio in facts.compression.items())
    return [
        "## Method",
        "",
        f"- Layers of {scale.pixels} x {scale.pixels} pixels of 10 m, blocks of 512; raw over",
        f"  stored bytes: {stored} (deflate and zstd: float32). {scale.layers} distinct layers;",
        "  further dates repeat them under names of their own.",
        f"- {scale.parcels:,} parcels in random order, {facts.pixels / 1e6:.2f} million covered",
        f"  pixels, index {facts.index_bytes / 1e6:.1f} MB on disk. A record is the statistics of",
        f"  one parcel on one layer: {', '.join(STATISTICS)}.",
        f'- "Many scenes" are {scale.dates} dates of one band. Engines compete on {facts.codec}',
        "  files. All start from files in the system's page cache and end with statistics in",
        "  memory; decoding is in every time, making ready (imports, reading parcels, loading",
        "  compiled code) in none.",
        "- Every run is a process of its own with one thread (also for GDAL). cbmcube goes through",
        "  its public API: items, `load`, `reduce_parcels`, `compute` on the synchronous",
        '  scheduler; "two threads" is the threaded one, as `compute()` has it by default on two',
        "  cores. exactextract and xvec have no threads. The ratio of CPU is that of one core.",
        '- "Index cached" finds the pixel index on disk, "index cold" an empty folder.',
        "- exactextract: all layers in one call, in the way that needs least CPU of those tried",
        f'  once on 1 and on {scale.probe_dates} layers (the rows that begin with "probe"):',
        "  strategy, who decodes, and parcels in the order given or sorted along a Hilbert curve,",
        "  which spares it jumps in the raster. cbmcube and xvec get them as given.",
        f"- rasterstats: {facts.subset:,} parcels only, pixel centres; compare its records per",
        "  second.",
        "- Peak memory is the highest resident size over that of the process with its imports, the",
        "  parcels and the result included. CPU of cluster workers is not counted.",
    ]  # fmt: skip


def _everything(facts: Facts, results: Results) -> list[str]:
    rows = []
    for name, found in results.items():
        records = _records(name, facts)
        rate = f"{records / found.wall:,.0f}" if records else ""
        spread = f"{found.low:.2f} to {found.high:.2f}"
        cells = [f"{found.wall:.2f}", spread, f"{found.cpu:.2f}", rate, f"{found.peak:.0f}"]
        rows.append([name, *cells])
    return _table(["run", "wall s", "shortest, longest", "CPU s", "records/s", "peak MB"], rows)


def _records(name: str, facts: Facts) -> int:
    """Return parcels times layers of a run; 0 where nothing is reduced."""
    section, _, what = name.partition(": ")
    if section == "graph" or what.startswith("decode"):
        return 0
    if what == "rasterstats":
        return facts.subset
    dates = facts.scale.dates
    if section == "scene":
        dates = 1
    elif section == "memory":
        dates = int(what.split()[0])
    elif section.startswith("probe"):
        dates = int(section.split()[1])
    return dates * facts.scale.parcels


def _agreement(results: Results) -> Iterator[str]:
    """Say how far the values of the race are apart: the engines did the same work."""
    facts = results["scene: exactextract"].facts if "scene: exactextract" in results else {}
    apart = [f"{name} {facts[f'difference {name}']:.1e}" for name in STATISTICS if facts]
    if apart:
        yield ""
        yield f"Largest relative difference from exactextract, one scene: {', '.join(apart)}."
        yield "Percentiles of weighted pixels are defined differently in the two."


def _result_sizes(results: Results) -> Iterator[str]:
    """Say how much of the memory is the result itself."""
    sizes = [
        f"{name.removeprefix('memory: ').removesuffix(', kept')} {found.facts['result_mb']:.0f} MB"
        for name, found in results.items()
        if name.startswith("memory: ") and "result_mb" in found.facts
    ]
    if sizes:
        yield ""
        yield f"Size of the result that is kept in memory: {', '.join(sizes)}."


def _graph(results: Results) -> Iterator[str]:
    found = results.get("graph: reduce_parcels returns")
    if found:
        facts = found.facts
        yield ""
        yield (
            f"Graph of 100 dates and three bands: {facts['tasks']:,.0f} tasks,"
            f" {facts['tasks_optimised']:,.0f} after optimisation,"
            f" {facts['blocks']:,.0f} loaded blocks (block x date x band)."
        )


def _machine() -> list[str]:
    known = versions()
    named = [f"{name} {known[name]}" for name in ("python", "cbmcube", "GDAL", *PACKAGES)]
    rivals = [f"{name} {version(name)}" for name in ("exactextract", "xvec", "rasterstats")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"- {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB of memory",
        f"- {', '.join(named)}",
        f"- {', '.join(rivals)}",
    ]


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    text = listing.read_text(encoding="utf-8") if listing.exists() else ""
    models = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return models[0] if models else "unknown processor"


def load_average() -> float:
    """Return the load of the last minute: what else the machine was doing."""
    return os.getloadavg()[0]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    marks = ["---", *(["---:"] * (len(head) - 1))]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)]
