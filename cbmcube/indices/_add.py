"""Indices added to cubes, pixel by pixel, before the reduction."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import TypeVar

import dask.array as da
import numpy as np
import xarray as xr

from cbmcube.exceptions import OptionError
from cbmcube.indices._blocks import Input, bad_block, index_block
from cbmcube.indices._grids import find_grids, gather_blocks
from cbmcube.indices._index import BAD, Index
from cbmcube.indices._table import choose_indices

Cube = TypeVar("Cube", xr.Dataset, xr.DataTree)


def add_indices(
    cubes: Cube,
    indices: Iterable[str | Index] | str | Index,
    *,
    resolution: float | None = None,
    flags: bool = False,
    keep_bands: bool | Collection[str] = True,
) -> Cube:
    """Add indices to a cube, lazily and pixel by pixel, for the reduction to treat as bands.

    The index of parcel means is another number than the mean of pixel indices: 0.598 and
    0.522 for NDVI on a parcel that is half green, half bare. Call this after `mask`.

    Parameters
    ----------
    cubes
        A cube with dims ``(time, y, x)``, or a tree of `load_native` with one for each grid.
    indices
        Names (see `list_indices`), or `Index` objects of your own. An index may use those
        that stand before it.
    resolution
        Pixel size, in units of the CRS, of the grid on which indices are computed, if they
        are to meet on a coarser grid than that of their bands, such as NDVI at 20 m.
    flags
        Whether to add ``<index>_bad`` for each index: 1 where all bands have a value and the
        index has none, 0 where it has one. `count_bad` turns them into numbers of pixels.
    keep_bands
        Whether the bands that were used stay, or the name or names of those that do. Without
        them the reduction has less to do.

    Returns
    -------
    xarray.Dataset or xarray.DataTree
        A lazy copy with a float32 variable for each index and the attributes ``long_name``,
        ``units``, ``formula`` and ``source``. It lies on a grid of the cube, never on a new
        one: that of its bands or, if these are on several, the coarsest of them; in each CRS.

    Raises
    ------
    UnknownBandError
        If bands of an index are missing.
    OptionError
        If an index is not known, is computed from parcel means, has the name of a variable
        that is there, or uses a class band.
    GridMismatchError
        If the grids of its bands do not nest, or hold different acquisitions.

    Notes
    -----
    *Grids.* Finer bands come to a coarser grid by the mean of the pixels in each coarse one.
    A coarse pixel of which a part is masked, missing or outside the image has no value: the
    mean of the rest would be of other ground than the coarse band it is combined with. (Scene
    classes of Sentinel-2 have 20 m pixels, so their mask never cuts a pixel of 20 m.)

    *Mask.* A pixel has a value where all bands of the formula have one. In a cube loaded with
    ``on_error="record"``, a pixel of which a band could not be read stays unread, -inf.

    *Guard.* No value where a denominator is nearer to 0 than 1e-6, where the result is not
    finite, and outside the bounds of the index: a normalised difference beyond -1 to 1 comes
    from a negative reflectance, which is legal. Such pixels are *bad* (see `flags`).

    *Numbers.* Float32 bands are combined in float32, in the order in which the formula is
    written: the bits of the same arithmetic on the arrays.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube import indices
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_2A)
    >>> bands = ["B04", "B08", "B11", "SCL"]
    >>> cubes = cbm.mask(cbm.load_native(items, cbm.CARD_2A, bands=bands), cbm.CARD_2A)
    >>> cubes = indices.add_indices(cubes, ["NDVI", "NDMI"])
    >>> list(cubes["EPSG32632_10m"].data_vars)
    ['B04', 'B08', 'observed', 'NDVI']
    >>> list(cubes["EPSG32632_20m"].data_vars)
    ['B11', 'SCL', 'observed', 'NDMI']
    """
    chosen = choose_indices(indices, of_means=False)
    _require_size(resolution)
    if isinstance(cubes, xr.Dataset):
        nodes = {"/": cubes.copy()}
    else:
        nodes = {node.path: node.to_dataset() for node in cubes.subtree}
    for index in chosen:
        for path in find_grids(nodes, index, resolution):
            nodes[path] = _with_index(nodes, path, index, flags=flags)
    if keep_bands is not True:
        kept = [keep_bands] if isinstance(keep_bands, str) else keep_bands or ()
        nodes = _without_bands(nodes, chosen, kept=kept)
    if isinstance(cubes, xr.Dataset):
        return nodes["/"]
    return xr.DataTree.from_dict(nodes, name=cubes.name)


def _require_size(resolution: float | None) -> None:
    if resolution is not None and not (math.isfinite(resolution) and resolution > 0):
        raise OptionError(
            "resolution must be a pixel size in units of the CRS",
            given=resolution,
            allowed="a positive number",
            hint="pass resolution=20 for the grid with pixels of 20 m",
        )


def _with_index(
    nodes: dict[str, xr.Dataset], path: str, index: Index, *, flags: bool
) -> xr.Dataset:
    node = nodes[path]
    names = [index.name, index.name + BAD] if flags else [index.name]
    taken = [name for name in names if name in node.variables]
    if taken:
        raise OptionError(
            f"the cube holds {taken[0]} already",
            given=index.name,
            allowed="a name that is free",
            hint=f"drop it first, or give the index another name: Index(name, {index.formula!r})",
        )
    like, blocks = gather_blocks(nodes, path, index)
    node = node.assign({index.name: _variable(index_block, index, like, blocks)})
    node[index.name].attrs |= index.attributes()
    if flags:
        node = node.assign({names[1]: _variable(bad_block, index, like, blocks)})
        node[names[1]].attrs |= {
            "long_name": f"{index.name} has no value although its bands have",
            "units": "1",
            "kind": "index",
        }
    return node


def _variable(
    function: object, index: Index, like: xr.DataArray, blocks: list[tuple[da.Array, Input]]
) -> xr.DataArray:
    """Return a lazy raster in the blocks of `like`, one task for each block."""
    axes = tuple(range(like.ndim))
    chunks = like.chunks
    data = da.blockwise(
        function,
        axes,
        *(part for array, _ in blocks for part in (array, axes)),
        index=index,
        inputs=tuple(one for _, one in blocks),
        adjust_chunks=dict(zip(axes, chunks or (), strict=True)),
        align_arrays=False,
        dtype=np.float32,
        meta=np.empty((0,) * like.ndim, np.float32),
    )
    made = like.copy(data=data)
    made.attrs = {name: like.attrs[name] for name in ("grid_mapping",) if name in like.attrs}
    made.encoding = {
        name: like.encoding[name] for name in ("grid_mapping",) if name in like.encoding
    }
    return made


def _without_bands(
    nodes: dict[str, xr.Dataset], chosen: tuple[Index, ...], *, kept: Collection[str]
) -> dict[str, xr.Dataset]:
    """Drop the bands of the indices, and nodes of which nothing but `observed` is left."""
    made = {index.name for index in chosen}
    used = {band for index in chosen for band in index.bands} - made - {*kept}
    left = {}
    for path, node in nodes.items():
        rest = node.drop_vars([band for band in used if band in node])
        if path == "/" or not node.data_vars or set(rest.data_vars) - {"observed"}:
            left[path] = rest
    return left
