"""From measurements to a page: the figures with their limits, then everything measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.data import Scale
from cbmcube.cluster import versions

STATISTICS = ("count", "mean", "std", "min", "max", "p25", "p50", "p75")
PACKAGES = ("dask", "distributed", "numpy", "numba", "odc-stac", "odc-loader", "rasterio")


@dataclass(frozen=True, slots=True)
class Summary:
    """What some runs of one piece of work took."""

    wall: float
    """Median, seconds."""
    low: float
    """Shortest wall time."""
    high: float
    """Longest wall time."""
    cpu: float
    """Median, seconds."""
    peak: float
    """Highest peak, megabytes over the bare process."""
    facts: dict[str, float]
    """Other numbers, of the last run."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What holds for a whole run."""

    scale: Scale
    """How much was done."""
    codec: str
    """Codec of the comparisons of engines."""
    repeat: int
    """Repeats of each timing."""
    compression: Mapping[str, float]
    """Raw over stored bytes, for each codec."""
    pixels: float
    """Pixels that parcels touch, each parcel's counted."""
    index_bytes: int
    """Size of the pixel index on disk."""
    subset: int
    """Parcels of rasterstats."""
    load: float
    """Load average before the run."""
    minutes: float
    """How long the run took."""


Results = Mapping[str, Summary]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with limits; ``must`` and ``aim`` are lower limits where ``aim > must``."""

    name: str
    """What it is."""
    must: float
    """The limit that has to be kept."""
    aim: float
    """The limit that is wanted."""
    form: str
    """How a number is written."""
    value: Callable[[Facts, Results], float]
    """How it follows from the results; a KeyError means that it was not measured."""
    by_cpu: Callable[[Facts, Results], float] | None = None
    """The same from CPU instead of wall time, which other load on the machine shifts less."""

    def row(self, facts: Facts, results: Results) -> list[str]:
        """Return the cells of its row."""
        limits = [self.form.format(limit) for limit in (self.must, self.aim)]
        try:
            found = self.value(facts, results)
        except KeyError:
            return [self.name, *limits, "not measured", ""]
        text = self.form.format(found)
        if self.by_cpu is not None:
            text += f" (CPU {self.form.format(self.by_cpu(facts, results))})"
        return [self.name, *limits, text, self.verdict(found)]

    def verdict(self, found: float) -> str:
        """Return which limit is kept."""
        sign = 1 if self.aim > self.must else -1
        if sign * found >= sign * self.aim:
            return "aim"
        return "must" if sign * found >= sign * self.must else "missed"


def _wall(slow: str, fast: str) -> Callable[[Facts, Results], float]:
    return lambda _, results: results[slow].wall / results[fast].wall


def _cpu(whole: str, part: str) -> Callable[[Facts, Results], float]:
    return lambda _, results: results[whole].cpu / results[part].cpu


def _rates(slow: str, fast: str) -> tuple[Callable[[Facts, Results], float], ...]:
    return _wall(slow, fast), _cpu(slow, fast)


def _over_decode(codec: str) -> Callable[[Facts, Results], float]:
    return _cpu(f"codecs: cbmcube, {codec}", f"codecs: decode, {codec}")


def _growth(how: str) -> Callable[[Facts, Results], float]:
    few, many = f"memory: 12 dates, {how}", f"memory: 48 dates, {how}"
    return lambda _, results: 100 * (results[many].peak / results[few].peak - 1)


def _tasks(_: Facts, results: Results) -> float:
    facts = results["graph: reduce_parcels returns"].facts
    return facts["tasks_optimised"] / facts["blocks"]


def _per_pixel(facts: Facts, _: Results) -> float:
    if not facts.index_bytes:
        raise KeyError
    return facts.index_bytes / facts.pixels


SCENE, BATCH = "scene: cbmcube, index cached", "batch: cbmcube, index cached"
COLD = "batch: cbmcube, index cold"
FIGURES = (
    Figure("one scene, index cached: rate over exactextract", 20, 40, "{:.1f}x",
           *_rates("scene: exactextract", SCENE)),
    Figure("one scene, index cached: rate over xvec", 25, 52, "{:.1f}x",
           *_rates("scene: xvec", SCENE)),
    Figure("many scenes in one call, index cold: rate over exactextract", 5, 10, "{:.1f}x",
           *_rates("batch: exactextract", COLD)),
    Figure("many scenes in one call, index cached: rate over exactextract", 12, 30, "{:.1f}x",
           *_rates("batch: exactextract", BATCH)),
    Figure("CPU from COG to statistics over bare decode, deflate", 2.0, 1.5, "{:.2f}",
           _over_decode("deflate")),
    Figure("CPU from COG to statistics over bare decode, zstd", 2.6, 1.8, "{:.2f}",
           _over_decode("zstd")),
    Figure("two workers over one, index cached", 1.8, 1.95, "{:.2f}x",
           _wall("workers: 1, index cached", "workers: 2, index cached")),
    Figure("peak memory of many scenes, index cold, over bare interpreter", 800, 400, "{:.0f} MB",
           lambda _, results: results[COLD].peak),
    Figure("peak memory of many scenes, index cached, over bare interpreter", 800, 400,
           "{:.0f} MB", lambda _, results: results[BATCH].peak),
    Figure("growth of the peak from 12 to 48 dates, result kept in memory", 10, 0, "{:.1f} %",
           _growth("kept")),
    Figure("growth of the peak from 12 to 48 dates, result written to a store", 10, 0, "{:.1f} %",
           _growth("written")),
    Figure("tasks after optimisation per loaded block, three bands", 1.5, 1.05, "{:.2f}", _tasks),
    Figure("time for `reduce_parcels` to return, 100 dates, three bands", 2, 0.5, "{:.2f} s",
           lambda _, results: results["graph: reduce_parcels returns"].wall),
    Figure("index on disk per covered pixel", 3, 2, "{:.2f} B", _per_pixel),
)  # fmt: skip


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
        '  scheduler. "Index cached" finds the pixel index on disk, "index cold" an empty',
        "  folder.",
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
