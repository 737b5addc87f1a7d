"""The task graph: one index per block, one task per block and date, one per result date.

The graph is written as a plain mapping: thousands of small Dask collections would take
longer to build than to run. Blocks without parcels never enter it, so they are never
read. What reads a block becomes part of the task that reduces it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray

from cbmcube.zonal._cache import cached_index
from cbmcube.zonal._coverage import PixelRule
from cbmcube.zonal._fuse import fuse_reads
from cbmcube.zonal._index import Block
from cbmcube.zonal._node import Node
from cbmcube.zonal._numbers import Recipe
from cbmcube.zonal._parcels import BlockParcels
from cbmcube.zonal._tasks import (
    Layout,
    assemble,
    count_pixels,
    plan_straddling,
    reduce_block,
)

RESULT_BYTES = 2 << 20
"""Size of the results that one task assembles: what a block yields is held until all blocks
of these dates are done, and this is what memory grows by; smaller, and tasks would multiply."""

_straddling = attrgetter("straddling")


@dataclass(frozen=True, slots=True)
class GridWork:
    """Everything that is to be done on one grid."""

    node: Node
    """The grid and its rasters."""
    recipe: Recipe
    """What to compute."""
    blocks: tuple[tuple[int, int, Block, BlockParcels], ...]
    """Blocks that parcels meet."""
    positions: NDArray[np.int64]
    """Position in the result of each time step of the grid."""


def build_arrays(
    works: Sequence[GridWork], layout: Layout, *, times: int, rule: PixelRule
) -> dict[str, da.Array]:
    """Return the lazy result arrays, each chunk some dates of all parcels.

    Bands have dims (time, parcel, statistic), ``<class band>_fraction`` (time, parcel,
    class), ``observed`` (time, parcel), ``n_valid`` and, where failed reads are marked,
    ``n_failed`` (band, time, parcel), and ``n_total`` (band, parcel).
    """
    inputs: list[Any] = [array for work in works for array in _inputs(work)]
    token = tokenize(
        [array.name for array in inputs],
        [(work.recipe, work.blocks, work.positions, work.node.lattice) for work in works],
        layout,
        rule,
    )
    tasks: dict[Any, Any] = {}
    sources: list[list[Any]] = [[] for _ in range(times)]
    for number, work in enumerate(works):
        _grid_tasks(tasks, sources, work, number, token, rule)
    recipes = [work.recipe for work in works]
    plans = [(f"plan-{token}", number) for number in range(len(works))]
    spans = _date_spans(layout, times)
    for chunk, span in enumerate(spans):
        tasks[f"assemble-{token}", chunk] = (assemble, layout, sources[span], plans, recipes)
    blocks = [key for key in tasks if key[0] == f"block-{token}"]
    fused = fuse_reads(inputs, tasks, blocks)
    graph = HighLevelGraph.from_collections(f"reduce-{token}", fused)
    arrays = {
        name: _pick(graph, token, name, shape, dtype, spans)
        for name, (shape, dtype) in _results(layout).items()
    }
    arrays["n_total"] = _n_total(graph, works, layout, token)
    return arrays


def _inputs(work: GridWork) -> list[da.Array]:
    cube = work.node.cube
    names = [*work.recipe.bands, *(band.name for band in work.recipe.classes)]
    arrays = [cube[name].data for name in names]
    return arrays if work.node.observed is None else [*arrays, work.node.observed]


def _grid_tasks(
    tasks: dict[Any, Any],
    sources: list[list[Any]],
    work: GridWork,
    number: int,
    token: str,
    rule: PixelRule,
) -> None:
    node, recipe = work.node, work.recipe
    bands = [node.cube[name].data.name for name in recipe.bands]
    classes = [node.cube[band.name].data.name for band in recipe.classes]
    observed = None if node.observed is None else node.observed.name
    date_chunks = np.split(work.positions, np.cumsum(node.chunks[0])[:-1])
    straddlers = [(f"straddling-{token}", number, i, j) for i, j, _, _ in work.blocks]
    tasks[f"plan-{token}", number] = (plan_straddling, straddlers)
    for straddling, (i, j, block, parcels) in zip(straddlers, work.blocks, strict=True):
        index = (f"index-{token}", number, i, j)
        tasks[index] = (cached_index, parcels, block, node.lattice, rule)
        tasks[straddling] = (_straddling, index)
        for t, dates in enumerate(date_chunks):
            key = (f"block-{token}", number, t, i, j)
            tasks[key] = (
                reduce_block,
                index,
                [(name, t, i, j) for name in bands],
                [(name, t, i, j) for name in classes],
                None if observed is None else (observed, t, i, j),
                recipe,
            )
            for inside, date in enumerate(dates):
                sources[date].append([number, key, inside])


def _results(layout: Layout) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return the shape of one date, with 0 for the time axis, and the dtype of each result."""
    results: dict[str, tuple[tuple[int, ...], str]] = dict.fromkeys(
        layout.bands, ((0, layout.parcels, len(layout.statistics)), "float32")
    )
    for band in layout.classes:
        results[f"{band.name}_fraction"] = ((0, layout.parcels, len(layout.codes)), "float32")
    results["observed"] = ((0, layout.parcels), "float32")
    for name in layout.counts:
        results[name] = ((len(layout.bands), 0, layout.parcels), "int32")
    return results


def _date_spans(layout: Layout, times: int) -> list[slice]:
    """Cut the dates so that the results of each part stay near `RESULT_BYTES`."""
    per_date = (
        4
        * layout.parcels
        * (
            len(layout.bands) * (len(layout.statistics) + 1)
            + len(layout.classes) * len(layout.codes)
        )
    )
    step = max(1, RESULT_BYTES // max(per_date, 1))
    return [slice(first, min(first + step, times)) for first in range(0, times, step)]


def _pick(
    graph: HighLevelGraph,
    token: str,
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    spans: Sequence[slice],
) -> da.Array:
    """Return one result of the assembled dates as an array."""
    key = f"{name}-{token}"
    axis = shape.index(0)
    dates = tuple(span.stop - span.start for span in spans)
    chunks = tuple(dates if n == axis else (size,) for n, size in enumerate(shape))
    take = itemgetter(name)
    layer: dict[Any, Any] = {}
    for chunk in range(len(spans)):
        position = [0] * len(shape)
        position[axis] = chunk
        layer[key, *position] = (take, (f"assemble-{token}", chunk))
    picked = HighLevelGraph(
        layers={**graph.layers, key: layer},
        dependencies={**graph.dependencies, key: {f"reduce-{token}"}},
    )
    return da.Array(picked, key, chunks, dtype=dtype)


def _n_total(
    graph: HighLevelGraph, works: Sequence[GridWork], layout: Layout, token: str
) -> da.Array:
    key = f"n_total-{token}"
    parts = [
        [list(work.recipe.bands), (f"index-{token}", number, i, j)]
        for number, work in enumerate(works)
        for i, j, _, _ in work.blocks
    ]
    layer: dict[Any, Any] = {(key, 0, 0): (count_pixels, layout, parts)}
    counted = HighLevelGraph(
        layers={**graph.layers, key: layer},
        dependencies={**graph.dependencies, key: {f"reduce-{token}"}},
    )
    return da.Array(counted, key, ((len(layout.bands),), (layout.parcels,)), dtype="int32")
