"""One native grid of a cube, as the reduction sees it: bands, blocks, extent, times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import odc.geo.xr  # noqa: F401  # registers the .odc accessor
import shapely
import xarray as xr
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from cbmcube.exceptions import (
    GridMismatchError,
    MissingCRSError,
    OptionError,
    UnknownBandError,
)
from cbmcube.zonal._index import Block, Lattice


@dataclass(frozen=True, slots=True)
class ClassBand:
    """A band of class codes."""

    name: str
    """Name of the variable."""
    codes: tuple[int, ...]
    """Codes in the order of the class axis."""
    nodata: int = 0
    """Code of pixels without source data."""


@dataclass(frozen=True, slots=True)
class Node:
    """A cube on one grid, with the chunks of all its bands brought in line."""

    name: str
    """Name of the grid, for messages and keys."""
    cube: xr.Dataset
    """The cube; every band a Dask array with dims (time, y, x)."""
    geobox: GeoBox
    """The grid."""
    bands: dict[str, float]
    """Bands that reduce to statistics, each with its number for "no data" (NaN for none)."""
    classes: tuple[ClassBand, ...]
    """Bands that reduce to class shares."""

    @property
    def crs(self) -> CRS:
        """The CRS of the grid."""
        return CRS(self.geobox.crs)

    @property
    def lattice(self) -> Lattice:
        """The pixel lattice."""
        rows, columns = self.geobox.shape
        a, b, c, d, e, f = self.geobox.affine[:6]
        return Lattice((int(rows), int(columns)), (a, b, c, d, e, f))

    @property
    def chunks(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Chunk sizes along time, y and x."""
        chunks: tuple[tuple[int, ...], ...] = self._any.chunks
        return chunks[0], chunks[1], chunks[2]

    @property
    def _any(self) -> da.Array:
        name = next(iter(self.bands), None) or self.classes[0].name
        return self.cube[name].data

    @property
    def marks_failures(self) -> bool:
        """Whether minus infinity marks pixels that could not be read."""
        return self.cube.attrs.get("on_error") == "record"

    @property
    def observed(self) -> da.Array | None:
        """Where source data were present before masking, if the cube says."""
        return self.cube["observed"].data if "observed" in self.cube else None

    def blocks(self) -> Iterator[tuple[int, int, Block]]:
        """Yield row number, column number and extent of every block."""
        _, rows, columns = self.chunks
        tops = np.concatenate([[0], np.cumsum(rows)])
        lefts = np.concatenate([[0], np.cumsum(columns)])
        for i, height in enumerate(rows):
            for j, width in enumerate(columns):
                yield i, j, Block(int(tops[i]), int(lefts[j]), int(height), int(width))

    def footprint(self) -> Any:
        """Return the ground that the sources cover, as a geometry in the grid's CRS."""
        stated = self.cube.attrs.get("source_bounds")
        whole = shapely.box(*self.geobox.boundingbox.bbox)
        if not stated:
            return whole
        boxes = shapely.box(*np.asarray(stated, dtype=float).reshape(-1, 4).T)
        return shapely.intersection(shapely.union_all(boxes), whole)


def read_nodes(cube: xr.Dataset | xr.DataTree) -> list[Node]:
    """Return the grids of a cube or of a tree of cubes.

    Raises
    ------
    MissingCRSError, GridMismatchError, UnknownBandError
        If a cube has no CRS, no regular grid, or no band.
    """
    if isinstance(cube, xr.Dataset):
        return [_node("cube", cube)]
    datasets = {
        node.path.strip("/") or "cube": node.to_dataset() for node in cube.subtree if node.data_vars
    }
    nodes = [_node(name, dataset) for name, dataset in datasets.items()]
    if not nodes:
        raise UnknownBandError(
            "the tree holds no cube",
            given=f"{len(list(cube.subtree))} empty nodes",
            hint="pass what load_native returned",
        )
    return nodes


def _node(name: str, cube: xr.Dataset) -> Node:
    bands: dict[str, float] = {}
    classes: list[ClassBand] = []
    for key, variable in cube.data_vars.items():
        if not {"y", "x"} <= set(variable.dims) or key == "observed":
            continue
        if "flag_values" in variable.attrs:
            _require_codes(str(key), variable.dtype)
            codes = np.atleast_1d(variable.attrs["flag_values"])
            nodata = int(variable.attrs.get("nodata", 0))
            classes.append(ClassBand(str(key), tuple(int(code) for code in codes), nodata))
        else:
            bands[str(key)] = _nodata(variable)
    if not bands and not classes:
        raise UnknownBandError(
            f"{name} holds no band with dims (time, y, x)",
            given=", ".join(map(str, cube.data_vars)) or "no variables",
            hint="pass a cube with at least one raster variable",
        )
    geobox = _require_grid(name, cube)
    return Node(name, _in_line(cube, bands, classes), geobox, bands, tuple(classes))


def _require_codes(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind != "u" or dtype.itemsize > 2:
        raise OptionError(
            f"class band {name} does not hold small codes",
            given=str(dtype),
            allowed="uint8 or uint16",
            hint=f'convert it, such as cube["{name}"].astype("uint8"), and keep its attributes',
        )


def _require_grid(name: str, cube: xr.Dataset) -> GeoBox:
    if cube.odc.crs is None:
        raise MissingCRSError(
            f"{name} carries no CRS",
            given=f"coordinates {', '.join(map(str, cube.coords))}",
            hint='write it with cube.odc.assign_crs("EPSG:32632"), if you know it',
        )
    geobox = cube.odc.geobox
    if not isinstance(geobox, GeoBox):
        raise GridMismatchError(
            f"{name} does not lie on a regular grid",
            allowed="evenly spaced x and y, at least two of each",
            hint="pass a cube as load returns it",
        )
    return geobox


def _nodata(variable: xr.DataArray) -> float:
    """Return the number that means "no data", as odc-stac, rioxarray and CF record it."""
    for facts in (variable.attrs, variable.encoding):
        for name in ("nodata", "_FillValue"):
            if facts.get(name) is not None:
                return float(facts[name])
    return float("nan")


def _in_line(cube: xr.Dataset, bands: Iterable[str], classes: list[ClassBand]) -> xr.Dataset:
    """Give every raster dims (time, y, x) and common chunks; nothing is computed."""
    names = [*bands, *(band.name for band in classes)]
    names += ["observed"] if "observed" in cube else []
    kept = cube[names]
    if "time" not in kept.dims:
        kept = kept.expand_dims("time")
    kept = kept.transpose("time", "y", "x")
    for name in names:
        if not kept[name].chunks:
            kept[name] = kept[name].chunk({"time": 1, "y": 2048, "x": 2048})
    return kept.unify_chunks()


def time_axis(nodes: list[Node]) -> tuple[xr.Dataset, list[NDArray[np.int64]]]:
    """Merge the time steps of all grids by acquisition.

    Returns
    -------
    xarray.Dataset
        Coordinates along ``time``, sorted.
    list of int64 arrays
        For each node, the merged position of each of its time steps.
    """
    steps: dict[tuple[Any, str], dict[str, Any]] = {}
    keys: list[list[tuple[Any, str]]] = []
    for node in nodes:
        own = _steps(node.cube)
        keys.append(list(own))
        for key, facts in own.items():
            merged = steps.setdefault(key, facts)
            if merged is not facts and "items" in facts:
                ids = {*merged["items"].split(), *facts["items"].split()}
                merged["items"] = " ".join(sorted(ids))
    ordered = sorted(steps)
    position = {key: number for number, key in enumerate(ordered)}
    names = list(dict.fromkeys(name for facts in steps.values() for name in facts))
    coords = {name: ("time", [steps[key].get(name) for key in ordered]) for name in names}
    times = np.array([key[0] for key in ordered], dtype="datetime64[ns]")
    axis = xr.Dataset(coords={"time": times, **coords})
    return axis, [np.array([position[key] for key in own], dtype=np.int64) for own in keys]


def _steps(cube: xr.Dataset) -> dict[tuple[Any, str], dict[str, Any]]:
    """Return the facts of each time step, keyed by time and acquisition."""
    along = [str(name) for name, c in cube.coords.items() if c.dims == ("time",) and name != "time"]
    columns = {name: cube[name].values for name in along}
    if "time" in cube.coords:
        times = cube["time"].values.astype("datetime64[ns]")
    else:
        times = np.full(cube.sizes["time"], np.datetime64("NaT", "ns"))
    found: dict[tuple[Any, str], dict[str, Any]] = {}
    for number, time in enumerate(times):
        facts = {name: values[number] for name, values in columns.items()}
        name = str(facts.get("acquisition", ""))
        if (time, name) in found:
            raise GridMismatchError(
                "two time steps of a cube cannot be told apart",
                given=f"{time} {name}".strip(),
                allowed="distinct times, or a coordinate 'acquisition' that differs",
                hint="drop one of them, or add the coordinate",
            )
        found[time, name] = facts
    return found
