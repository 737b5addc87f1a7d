"""The lazy blocks of a band: which sources a block has, and how they meet when it is read.

odc-loader fills a block, reads each source apart, and merges it. Nearly all blocks have one
source for each date, which is read here straight into the block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import dask.array as da
import numpy as np
from dask import task_spec
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox, GeoboxTiles
from odc.loader import RasterLoadParams, RasterSource

from cbmcube.cube.reading._reader import CardDriver, CardReader

Bins = Mapping[tuple[int, int, int], Sequence[int]]
"""For each plane, block row and block column, the numbers of the sources that meet it."""


@dataclass(frozen=True, slots=True)
class Filling:
    """What all blocks of a band have in common."""

    tiles: GeoboxTiles
    """The grid, cut into blocks."""
    params: RasterLoadParams
    """Type, number for "no data", and resampling."""
    driver: CardDriver
    """What opens sources."""
    env: dict[str, Any]
    """Options of the user that travel in the graph."""
    state: Any
    """What the driver shares between all blocks."""


def band_array(
    name: str,
    token: str,
    filling: Filling,
    sources: Mapping[int, RasterSource],
    bins: Bins,
    chunks: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]],
) -> da.Array:
    """Return the blocks of a band (time, y, x); nothing is opened.

    Parameters
    ----------
    name, token
        Name of the band, and what tells apart the keys of this cube.
    filling
        What all blocks have in common.
    sources
        The sources of this band, by number.
    bins
        Where the sources of all bands lie.
    chunks
        Sizes of the blocks.
    """
    key, opened, common = (f"{part}{name}-{token}" for part in ("", "open-", "fill-"))
    graph: dict[Any, Any] = {common: task_spec.DataNode(common, filling)}
    for number, source in sources.items():
        reader = (opened, number)
        graph[reader] = task_spec.Task(reader, open_source, filling.driver, source)
    shared = task_spec.TaskRef(common)
    firsts = np.cumsum([0, *chunks[0]])
    for t, row, column in np.ndindex(*map(len, chunks)):
        planes = [
            [number for number in bins.get((plane, row, column), ()) if number in sources]
            for plane in range(firsts[t], firsts[t + 1])
        ]
        readers = [
            task_spec.List(*(task_spec.TaskRef((opened, number)) for number in plane))
            for plane in planes
        ]
        place = (key, t, row, column)
        graph[place] = task_spec.Task(
            place, fill_block, shared, (row, column), *readers, _data_producer=True
        )
    return da.Array(graph, key, chunks, dtype=filling.params.dtype)


def open_source(driver: CardDriver, source: RasterSource) -> CardReader:
    """Return a reader of a source; opens nothing."""
    return driver.open(source, None)


def fill_block(
    filling: Filling, place: tuple[int, int], *planes: Sequence[CardReader]
) -> NDArray[Any]:
    """Return the block (time, y, x) at `place`, for each date from its sources, in order."""
    geobox = cast("GeoBox", filling.tiles[place])
    block = np.empty((len(planes), *geobox.shape), filling.params.dtype)
    with filling.driver.restore_env(filling.env, filling.state):
        for plane, readers in zip(block, planes, strict=True):
            _fill_plane(plane, readers, geobox, filling.params)
    return block


def _fill_plane(
    plane: NDArray[Any], readers: Sequence[CardReader], geobox: GeoBox, params: RasterLoadParams
) -> None:
    """Fill one date: where the first source has no data, the next one may."""
    if not readers:
        plane.fill(params.fill_value)
        return
    (rows, columns), _ = readers[0].read(params, geobox, dst=plane)
    for outside in (
        plane[: rows.start],
        plane[rows.stop :],
        plane[rows, : columns.start],
        plane[rows, columns.stop :],
    ):
        outside.fill(params.fill_value)
    for reader in readers[1:]:
        roi, values = reader.read(params, geobox)
        np.copyto(plane[roi], values, where=_missing(plane[roi], params.fill_value))


def _missing(values: NDArray[Any], nodata: Any) -> NDArray[np.bool_]:
    """Return where a pixel has no data yet."""
    return np.isnan(values) if values.dtype.kind == "f" else np.asarray(values == nodata)
