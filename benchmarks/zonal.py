"""The benchmark of the zonal engine: ``python -m benchmarks.zonal``.

Measures cbmcube through its public API, exactextract, xvec, rasterstats and bare decoding on
the same files in one run, prints the report, and writes it to ``docs/benchmarks.md``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data, figures, report
from benchmarks.measure import ROOT, Measurement, Request, run

CODEC = "zstd"
"""Codec of all comparisons of engines: it decodes faster, so that less of the time is shared."""
CONTENDERS = [
    {"strategy": strategy, "source": source, "order": order}
    for strategy, source, order in (
        ("feature-sequential", "numpy", "given"),
        ("feature-sequential", "numpy", "sorted"),
        ("feature-sequential", "rasterio", "sorted"),
        ("raster-sequential", "numpy", "given"),  # it sorts parcels itself
        ("raster-sequential", "rasterio", "given"),
    )
]
SUBSET = 2_000
"""Parcels that rasterstats gets; its time is a loop over parcels."""
RETURN_DATES = 100
GROWTH_DATES = (12, 48)


@dataclass(frozen=True, slots=True)
class Entry:
    """One competitor of a race."""

    engine: str
    """Name of the engine."""
    options: Mapping[str, Any]
    """Its keyword arguments."""
    cold: bool = False
    """Whether each run starts without an index on disk."""
    keep: str | None = None
    """Where to save the values of the first layer."""


@dataclass
class Session:
    """One run of the command."""

    work: data.Work
    """The data."""
    repeat: int
    """Repeats of every timing; the report states medians."""
    scratch: Path
    """Folder for caches and values."""
    results: dict[str, figures.Summary] = field(default_factory=dict)
    """What was measured, by name."""

    @property
    def index(self) -> Path:
        """The folder with the finished pixel index."""
        return self.scratch / "index"

    def measure(self, name: str, entry: Entry) -> Measurement:
        """Run one competitor once, in a process of its own."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as empty:
            request = Request(
                engine=entry.engine,
                folder=str(self.work.folder),
                scale=self.work.scale.name,
                options=dict(entry.options),
                cache=empty if entry.cold else str(self.index),
                keep=None if entry.keep is None else str(self.scratch / entry.keep),
            )
            found = run(request)
        line = f"{name:<52} {found.wall:8.2f} s {found.cpu:8.2f} s cpu {found.peak:7.0f} MB"
        print(line, file=sys.stderr, flush=True)
        return found

    def race(self, entries: Mapping[str, Entry], repeat: int | None = None) -> None:
        """Run all competitors in turn, round after round, and keep the medians."""
        rounds: dict[str, list[Measurement]] = {name: [] for name in entries}
        for _ in range(repeat or self.repeat):
            for name, entry in entries.items():
                rounds[name].append(self.measure(name, entry))
        self.results |= {name: summarise(found) for name, found in rounds.items()}

    def best_contender(self, dates: int) -> dict[str, str]:
        """Return the way to call exactextract that needs the least CPU, tried once each."""
        tried = {
            f"probe {dates}: {', '.join(way.values())}": Entry(
                "exactextract", {"codec": CODEC, "dates": dates, **way}
            )
            for way in CONTENDERS
        }
        self.race(tried, repeat=1)
        return min(zip(tried, CONTENDERS, strict=True), key=lambda pair: self.results[pair[0]].cpu)[
            1
        ]


def summarise(runs: list[Measurement]) -> figures.Summary:
    """Return medians, the spread of the wall time, and the highest peak."""
    return figures.Summary(
        wall=statistics.median(run.wall for run in runs),
        low=min(run.wall for run in runs),
        high=max(run.wall for run in runs),
        cpu=statistics.median(run.cpu for run in runs),
        peak=max(run.peak for run in runs),
        facts=runs[-1].facts,
    )


# --- sections ---------------------------------------------------------------------------------


def scene(session: Session) -> None:
    """Measure all engines on one scene."""
    way = session.best_contender(1)
    one = {"codec": CODEC, "dates": 1}
    subset = {"codec": CODEC, "parcels": min(SUBSET, session.work.scale.parcels)}
    session.race(
        {
            "scene: cbmcube, index cached": Entry("cbmcube", one, keep="ours.npy"),
            "scene: cbmcube, index cached, two threads": Entry("cbmcube", one | {"threads": 2}),
            "scene: cbmcube, index cold": Entry("cbmcube", one, cold=True),
            "scene: exactextract": Entry("exactextract", one | way, keep="theirs.npy"),
            "scene: xvec": Entry("xvec", {"codec": CODEC}),
            "scene: rasterstats": Entry("rasterstats", subset),
            "scene: decode": Entry("decode", one),
        }
    )
    ours, theirs = (np.load(session.scratch / f"{name}.npy") for name in ("ours", "theirs"))
    for name, number in zip(report.STATISTICS, _difference(ours, theirs), strict=True):
        session.results["scene: exactextract"].facts[f"difference {name}"] = number


def _difference(ours: Any, theirs: Any) -> list[float]:
    """Return the largest relative difference of each statistic over all parcels."""
    apart = np.abs(ours - theirs) / np.maximum(np.abs(theirs), np.finfo("float32").tiny)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return [float(number) for number in np.where(same, 0.0, apart).max(axis=0)]


def batch(session: Session) -> None:
    """Measure cbmcube and exactextract on many scenes in one call."""
    way = session.best_contender(session.work.scale.probe_dates)
    many = {"codec": CODEC, "dates": session.work.scale.dates}
    session.race(
        {
            "batch: cbmcube, index cached": Entry("cbmcube", many),
            "batch: cbmcube, index cached, two threads": Entry("cbmcube", many | {"threads": 2}),
            "batch: cbmcube, index cold": Entry("cbmcube", many, cold=True),
            "batch: cbmcube, index cold, two threads": Entry(
                "cbmcube", many | {"threads": 2}, cold=True
            ),
            "batch: exactextract": Entry("exactextract", many | way),
        }
    )


def codecs(session: Session) -> None:
    """Measure cbmcube against bare decoding, for every codec."""
    entries = {}
    for codec in data.CODECS:
        many = {"codec": codec, "dates": session.work.scale.dates}
        entries[f"codecs: cbmcube, {codec}"] = Entry("cbmcube", many)
        entries[f"codecs: decode, {codec}"] = Entry("decode", many)
    session.race(entries)


def workers(session: Session) -> None:
    """Measure one worker process and two."""
    many = {"codec": CODEC, "dates": session.work.scale.dates}
    session.race(
        {
            f"workers: {number}, index {state}": Entry(
                "cbmcube workers", many | {"workers": number}, cold=state == "cold"
            )
            for state in ("cached", "cold")
            for number in (1, 2)
        }
    )


def memory(session: Session) -> None:
    """Measure the peak memory for few dates and many, result kept or written to a store."""
    entries = {
        f"memory: {dates} dates, {'written' if write else 'kept'}": Entry(
            "cbmcube", {"codec": CODEC, "dates": dates, "write": write}
        )
        for write in (False, True)
        for dates in GROWTH_DATES
    }
    session.race(entries)


def graph(session: Session) -> None:
    """Measure how long `reduce_parcels` takes to return, and count tasks."""
    cube = {"codec": CODEC, "dates": RETURN_DATES, "bands": len(data.BANDS)}
    session.race({"graph: reduce_parcels returns": Entry("cbmcube return", cube)})


SECTIONS: dict[str, Callable[[Session], None]] = {
    section.__name__: section for section in (scene, batch, codecs, workers, memory, graph)
}


# --- the command ------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark as the command line says."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "data"
        print(f"preparing data, scale {options.scale}", file=sys.stderr, flush=True)
        work = data.prepare(folder.resolve(), data.SCALES[options.scale])
        repeat = options.repeat or (1 if options.scale == "small" else 3)
        session = Session(work, repeat, Path(scratch))
        text = _measure(session, options.only)
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


def _measure(session: Session, names: Iterable[str]) -> str:
    begin = time.monotonic()
    load = report.load_average()
    # Compiles what there is to compile, fills the index, and is itself never reported.
    prime = session.measure("index is built", Entry("cbmcube", {"codec": CODEC, "dates": 1}))
    for name in names:
        SECTIONS[name](session)
    facts = figures.Facts(
        scale=session.work.scale,
        codec=CODEC,
        repeat=session.repeat,
        compression={codec: session.work.compression(codec) for codec in data.CODECS},
        pixels=prime.facts["pixels"],
        index_bytes=sum(p.stat().st_size for p in session.index.rglob("*") if p.is_file()),
        subset=min(SUBSET, session.work.scale.parcels),
        load=load,
        minutes=(time.monotonic() - begin) / 60,
    )
    return report.render(facts, session.results)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.zonal", description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep the data here and find them again")
    parser.add_argument("--scale", choices=data.SCALES, default="full")
    parser.add_argument("--repeat", type=int, help="default 3, and 1 for the small scale")
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="NAME",
        help=f"sections to measure: {', '.join(SECTIONS)}",
    )  # fmt: skip
    parser.add_argument(
        "--output",
        type=Path,
        help="file of the report; docs/benchmarks.md for a whole run at full scale, else none",
    )
    options = parser.parse_args(arguments)
    whole = options.scale == "full" and set(options.only) == set(SECTIONS)
    if options.output is None and whole:
        options.output = ROOT / "docs" / "benchmarks.md"
    return options


if __name__ == "__main__":
    main()
