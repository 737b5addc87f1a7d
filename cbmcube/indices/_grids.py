"""Which grids an index can lie on, and the blocks of its bands on such a grid."""

from __future__ import annotations

from collections.abc import Mapping

import dask.array as da
import numpy as np
import odc.geo.xr  # noqa: F401  # registers the .odc accessor
import xarray as xr
from odc.geo.geobox import GeoBox

from cbmcube.cube import covering_blocks
from cbmcube.exceptions import GridMismatchError, OptionError, UnknownBandError
from cbmcube.indices._blocks import Input
from cbmcube.indices._index import Index

SAME = 0.01
"""Relative difference of pixel sizes below which neither is the finer."""

Nodes = Mapping[str, xr.Dataset]
Blocks = list[tuple[da.Array, Input]]


def find_grids(nodes: Nodes, index: Index, resolution: float | None) -> list[str]:
    """Return the nodes on which an index is computed: in each CRS the coarsest of its bands.

    Parameters
    ----------
    nodes
        Cubes by path.
    index
        The index.
    resolution
        Pixel size of the node, in units of the CRS, if it is not to be that of the bands.

    Raises
    ------
    UnknownBandError
        If a CRS that holds one of the bands lacks another, or none holds any.
    GridMismatchError
        If a band is coarser than the grid asked for, or there is no such grid.
    """
    found = []
    for paths in _systems(nodes).values():
        held = {band for path in paths for band in index.bands if band in nodes[path]}
        if held and held != set(index.bands):
            raise _lacking(nodes, index, held, paths)
        if held:
            found += _hosts({path: nodes[path] for path in paths}, index, resolution)
    if not found:
        raise _lacking(nodes, index, set(), list(nodes))
    return found


def gather_blocks(nodes: Nodes, path: str, index: Index) -> tuple[xr.DataArray, Blocks]:
    """Return a raster of a node, and the bands of an index in blocks that match its own."""
    own = [band for band in index.bands if band in nodes[path]]
    like = _raster(nodes[path], own[0]) if own else _blocked(nodes[path][_timed(nodes[path])[0]])
    blocks: Blocks = []
    for band in index.bands:
        if band in own:
            array = _raster(nodes[path], band)
            if {*array.dims} != {*like.dims}:
                raise _unlike(band, array, like)
            data, factors = array.transpose(*like.dims).data.rechunk(like.chunks), (1, 1)
        else:
            array, data, factors = _from_finer(nodes, path, band, like)
        blocks.append((data, Input(band, _nodata(array), factors)))
    return like, blocks


def _systems(nodes: Nodes) -> dict[str, list[str]]:
    """Return the paths of the nodes by CRS; a lone cube needs none."""
    systems: dict[str, list[str]] = {}
    for path, node in nodes.items():
        if node.data_vars:
            systems.setdefault(_system(node), []).append(path)
    return systems


def _system(node: xr.Dataset) -> str:
    crs = node.odc.crs
    if crs is None:
        return "no CRS"
    return f"EPSG:{crs.epsg}" if crs.epsg else str(crs)


def _hosts(nodes: Nodes, index: Index, resolution: float | None) -> list[str]:
    """Return the nodes of one CRS on which all bands lie, or can be brought by area means."""
    if len(nodes) == 1 and resolution is None:
        return list(nodes)
    sizes = {path: _pixel_size(node) for path, node in nodes.items()}
    if resolution is None:
        holding = [path for path in nodes if any(band in nodes[path] for band in index.bands)]
    else:
        holding = [
            path
            for path in nodes
            if abs(sizes[path] / resolution - 1) < SAME and _timed(nodes[path])
        ]
    hosts = [
        path
        for path in holding
        if all(band in nodes[path] or _finer(nodes, sizes, path, band) for band in index.bands)
    ]
    if not hosts:
        raise GridMismatchError(
            f"{index.name} has no grid to lie on",
            given=f"resolution={resolution}; " + "; ".join(_describe(nodes, index)),
            allowed="the pixel size of a node that is not finer than any of the bands",
            hint="leave resolution= out: an index lies on the coarsest grid of its bands",
        )
    return hosts


def _finer(nodes: Nodes, sizes: Mapping[str, float], path: str, band: str) -> list[str]:
    """Return the nodes that hold a band in smaller pixels, those with the largest first."""
    found = [
        other
        for other, node in nodes.items()
        if band in node and sizes[other] < sizes[path] * (1 - SAME)
    ]
    return sorted(found, key=lambda other: (-sizes[other], other))


def _from_finer(
    nodes: Nodes, path: str, band: str, like: xr.DataArray
) -> tuple[xr.DataArray, da.Array, tuple[int, int]]:
    """Return a band of the finer grid that nests in that of `like`, its blocks, and how."""
    near = {key: nodes[key] for key in _systems(nodes)[_system(nodes[path])]}
    sizes = {key: _pixel_size(node) for key, node in near.items()}
    refused: list[GridMismatchError] = []
    for other in _finer(near, sizes, path, band):
        array = _raster(near[other], band)
        if array.dims != like.dims or array.dims != ("time", "y", "x"):
            raise _unlike(band, array, like)
        try:
            return array, *covering_blocks(array, like)
        except GridMismatchError as error:
            refused.append(error)
    raise refused[0]


def _timed(node: xr.Dataset) -> list[str]:
    dims = ("time", "y", "x")
    return [str(name) for name, array in node.data_vars.items() if array.dims == dims]


def _raster(node: xr.Dataset, band: str) -> xr.DataArray:
    array = node[band]
    if not {"y", "x"} <= {*array.dims} or array.dtype.kind not in "fui":
        raise OptionError(
            f"{band} holds no numbers of pixels",
            given=f"dims {array.dims}, {array.dtype}",
            allowed="a raster with dims (time, y, x) of real numbers",
            hint="name the bands of the cube",
        )
    if "flag_values" in array.attrs:
        raise OptionError(
            f"{band} holds class codes, and arithmetic on codes means nothing",
            given=str(array.attrs.get("long_name", band)),
            allowed="bands of measured numbers",
            hint="take the shares <class band>_fraction after the reduction",
        )
    return _blocked(array)


def _blocked(array: xr.DataArray) -> xr.DataArray:
    return array if array.chunks else array.chunk({"time": 1} if "time" in array.dims else {})


def _unlike(band: str, array: xr.DataArray, like: xr.DataArray) -> GridMismatchError:
    return GridMismatchError(
        f"{band} and {like.name} do not have the same dimensions",
        given=f"{array.dims} and {like.dims}",
        allowed="(time, y, x) on each grid",
        hint="expand or transpose the band before it meets the others",
    )


def _nodata(array: xr.DataArray) -> float:
    """Return the number that means "no data", as the reduction finds it."""
    for facts in (array.attrs, array.encoding):
        for name in ("nodata", "_FillValue"):
            if facts.get(name) is not None:
                return float(facts[name])
    return float("nan")


def _pixel_size(node: xr.Dataset) -> float:
    geobox = node.odc.geobox
    if not isinstance(geobox, GeoBox):
        raise GridMismatchError(
            "a cube of the tree carries no regular grid with a CRS",
            given=", ".join(map(str, node.data_vars)),
            allowed="cubes with x, y and spatial_ref, as load_native returns",
            hint="keep spatial_ref, or write it with .odc.assign_crs(...)",
        )
    return float(np.sqrt(abs(geobox.affine.a * geobox.affine.e)))


def _describe(nodes: Nodes, index: Index) -> list[str]:
    return [
        f"{path.strip('/') or 'cube'}: {', '.join(held)}"
        for path, node in nodes.items()
        if (held := [band for band in index.bands if band in node])
    ]


def _lacking(nodes: Nodes, index: Index, held: set[str], paths: list[str]) -> UnknownBandError:
    missing = [band for band in index.bands if band not in held]
    present = dict.fromkeys(str(name) for path in paths for name in nodes[path].data_vars)
    where = f" in {_system(nodes[paths[0]])}" if held and len(_systems(nodes)) > 1 else ""
    return UnknownBandError(
        f"{index.name} needs bands that the cube does not hold{where}",
        given=", ".join(missing),
        allowed=", ".join(present) or "none",
        hint=f"load {', '.join(index.bands)} together",
    )
