"""The vector cube of a store: coordinates now, numbers when they are computed."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import dask.array as da
import geopandas as gpd
import numpy as np
import xarray as xr
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray

from cbmcube.observations.reading._attributes import (
    class_bands,
    cube_attributes,
    variable_attributes,
)
from cbmcube.observations.reading._blocks import Axes, read_block, read_totals
from cbmcube.observations.reading._facts import Steps
from cbmcube.observations.reading._selection import Selection
from cbmcube.observations.reading._source import Source
from cbmcube.observations.reading._units import FAILURES
from cbmcube.zonal import with_parcels

BLOCK_ROWS = 1_000_000
"""Rows that one task reads, if it reads more than one time step: some 100 MB."""


def lazy_cube(
    source: Source, selection: Selection, parcels: gpd.GeoDataFrame, *, unfinished: bool
) -> xr.Dataset:
    """Return the vector cube of a selection; parts are read when it is computed.

    Parameters
    ----------
    parcels
        The chosen parcels, in the user's order.
    unfinished
        Whether some of its cells belong to units that are not committed yet.
    """
    steps = source.facts.steps(selection.units)
    bands = source.bands if selection.bands is None else selection.bands
    failed = np.isin(source.units.status[selection.units].astype(str), FAILURES).any()
    axes = Axes(
        ranks=selection.ranks,
        steps=steps.number,
        bands=bands,
        statistics=source.statistics,
        classes=class_bands(source.classes),
        failures=bool(failed) or unfinished,
    )
    arrays = _arrays(source, selection, axes)
    attrs = variable_attributes(source, axes)
    data = {name: (axes.dims(name), array, attrs[name]) for name, array in arrays.items()}
    cube = xr.Dataset(data, coords=_coords(steps, axes), attrs=cube_attributes(source, parcels))
    return with_parcels(cube, parcels)


def _arrays(source: Source, selection: Selection, axes: Axes) -> dict[str, da.Array]:
    """Return one lazy array for each variable; one task reads all of some time steps."""
    token = tokenize(source.snapshot.index, source.snapshot.plan, selection.units, axes)
    block, shared = f"read-observations-{token}", f"parcels-{token}"
    tasks: dict[Any, Any] = {shared: _Parcels(selection, axes)}
    spans = _spans(axes)
    of_unit = np.searchsorted(axes.steps, source.units.step[selection.units])
    for number, span in enumerate(spans):
        mine = np.flatnonzero((of_unit >= span.start) & (of_unit < span.stop))
        tasks[block, number] = (_read, source, shared, selection.units[mine], span)
    tasks[f"total-{token}"] = (_totals, source, shared)
    graph = HighLevelGraph.from_collections(block, tasks)
    arrays = {
        name: _pick(graph, block, token, name, axes, spans)
        for name in axes.variables
        if name != "n_total"
    }
    key = f"n_total-{token}"
    layer: dict[Any, Any] = {(key, 0, 0): f"total-{token}"}
    layered = HighLevelGraph(
        layers={**graph.layers, key: layer}, dependencies={**graph.dependencies, key: {block}}
    )
    chunks = ((len(axes.bands),), (len(axes.ranks),))
    arrays["n_total"] = da.Array(layered, key, chunks, dtype="int32")
    return {name: arrays[name] for name in axes.variables}


class _Parcels:
    """What all tasks of a cube share: which parcels, and where they are."""

    def __init__(self, selection: Selection, axes: Axes) -> None:
        self.selection = selection.of(selection.units[:0])
        self.axes = axes


def _read(
    source: Source, shared: _Parcels, units: NDArray[np.int64], span: slice
) -> dict[str, NDArray[Any]]:
    return read_block(source, shared.selection.of(units), shared.axes, span)


def _totals(source: Source, shared: _Parcels) -> NDArray[np.int32]:
    return read_totals(source, shared.selection, shared.axes)


def _spans(axes: Axes) -> list[slice]:
    """Cut the time axis so that a task reads about `BLOCK_ROWS`, or one step."""
    step = max(1, BLOCK_ROWS // max(1, len(axes.ranks) * len(axes.bands)))
    times = len(axes.steps)
    return [slice(first, min(first + step, times)) for first in range(0, times, step)]


def _pick(
    graph: HighLevelGraph, block: str, token: str, name: str, axes: Axes, spans: list[slice]
) -> da.Array:
    """Return one variable of the blocks as an array."""
    key = f"{name}-{token}"
    dims = axes.dims(name)
    sizes = axes.sizes
    axis = dims.index("time")
    dates = tuple(span.stop - span.start for span in spans) or (0,)
    chunks = tuple(dates if dim == "time" else (sizes[dim],) for dim in dims)
    layer: dict[Any, Any] = {}
    for number in range(len(spans)):
        position = [0] * len(dims)
        position[axis] = number
        layer[key, *position] = (itemgetter(name), (block, number))
    if not spans:
        shape = tuple(sizes[dim] for dim in dims)
        return da.zeros(shape, dtype=axes.dtype(name), chunks=chunks)
    picked = HighLevelGraph(
        layers={**graph.layers, key: layer}, dependencies={**graph.dependencies, key: {block}}
    )
    return da.Array(picked, key, chunks, dtype=axes.dtype(name))


def _coords(steps: Steps, axes: Axes) -> dict[str, Any]:
    times = steps.time.astype("datetime64[ns]")
    coords: dict[str, Any] = {
        "time": times,
        "acquisition": ("time", np.array(list(steps.acquisition), dtype=str)),
        **{name: ("time", _along_time(name, v)) for name, v in _known(steps.facts).items()},
        "statistic": np.array(axes.statistics, dtype=str),
        "band": np.array(axes.bands, dtype=str),
    }
    if axes.classes:
        coords["class"] = np.array(axes.codes, dtype="int16")
    return coords


def _known(facts: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Leave out what only pairs of images, or none of these acquisitions, have."""
    optional = ("reference_time", "radiometry")
    return {
        name: values
        for name, values in facts.items()
        if name not in optional or any(value is not None for value in values)
    }


def _along_time(name: str, values: list[Any]) -> NDArray[Any]:
    """Return facts as a cube spells them: "", -1 and NaT for what is not known."""
    if name == "reference_time":
        moments = ["NaT" if value is None else value for value in values]
        return np.array(moments, dtype="datetime64[us]").astype("datetime64[ns]")
    if name == "relative_orbit":
        return np.array([-1 if value is None else value for value in values], dtype=np.int64)
    return np.array(["" if value is None else value for value in values], dtype=str)
