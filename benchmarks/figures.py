"""The figures with their limits, and how each follows from what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.data import Scale


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
COLD, TWO = "batch: cbmcube, index cold", ", two threads"
FIGURES = (
    Figure("one scene, index cached: rate over exactextract", 20, 40, "{:.1f}x",
           *_rates("scene: exactextract", SCENE)),
    Figure("the same on two threads", 20, 40, "{:.1f}x",
           *_rates("scene: exactextract", SCENE + TWO)),
    Figure("one scene, index cached: rate over xvec", 25, 52, "{:.1f}x",
           *_rates("scene: xvec", SCENE)),
    Figure("the same on two threads", 25, 52, "{:.1f}x",
           *_rates("scene: xvec", SCENE + TWO)),
    Figure("many scenes in one call, index cold: rate over exactextract", 5, 10, "{:.1f}x",
           *_rates("batch: exactextract", COLD)),
    Figure("the same on two threads", 5, 10, "{:.1f}x",
           *_rates("batch: exactextract", COLD + TWO)),
    Figure("many scenes in one call, index cached: rate over exactextract", 12, 30, "{:.1f}x",
           *_rates("batch: exactextract", BATCH)),
    Figure("the same on two threads", 12, 30, "{:.1f}x",
           *_rates("batch: exactextract", BATCH + TWO)),
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
