"""From items to lazy cubes on their native grids."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import pystac
import xarray as xr

from cbmcube.catalog import group_acquisitions
from cbmcube.cube._open import open_grid
from cbmcube.cube._sources import NativeGrid, native_grids
from cbmcube.exceptions import BadItemError, EmptySearchError, OptionError, SeveralGridsError
from cbmcube.products import Product

DEFAULT_BLOCK = 2048
"""Pixels along each side of a block of the finest grid of a CRS.

A multiple of the usual 256 and 512 pixel COG blocks, large enough that few parcels
straddle blocks and that the scheduler's share of the time is small.
"""


def load_native(
    items: Iterable[pystac.Item],
    product: Product,
    *,
    bands: Sequence[str] | str | None = None,
    block: int = DEFAULT_BLOCK,
    offset: float | None = None,
) -> xr.DataTree:
    """Open items as lazy cubes, one node for each native grid; nothing is resampled.

    Items of one acquisition (one pass of one satellite) form one time step; two
    passes of a day stay two. Where tiles of one grid overlap, the first item by id
    fills a pixel and the others only what it left empty.

    Parameters
    ----------
    items
        STAC items of `product`, for example from `search`.
    product
        What the items hold.
    bands
        Names of bands; all of the product by default. Bands of different
        resolution land in different nodes.
    block
        Chunk size in pixels of the finest grid of each CRS; coarser grids use chunks
        of the same extent on the ground.
    offset
        Reflectance offset, where items do not say and you know it.

    Returns
    -------
    xarray.DataTree
        One child per native grid, named like ``EPSG32632_10m``; each holds a Dataset
        with dims ``(time, y, x)`` and Dask chunks ``(1, block, block)``. Reflectance,
        backscatter and coherence are float32 with NaN where there is no data; class
        bands keep their codes and integer type. ``time`` is the UTC start of the
        acquisition, with coordinates ``acquisition``, ``platform``,
        ``relative_orbit``, ``orbit_state``, ``items``, ``radiometry``, and for
        coherence ``reference_time``.

    Raises
    ------
    EmptySearchError
        If there are no items.
    UnknownBandError, NoGridError, OffGridError, UnknownOffsetError, MixedOffsetError
        If a band or an item cannot be used; the message names it.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_2A)
    >>> cubes = cbm.load_native(items, cbm.CARD_2A, bands=["B04", "SCL"])
    >>> sorted(cubes.children)
    ['EPSG32632_10m', 'EPSG32632_20m', 'EPSG32633_10m', 'EPSG32633_20m']
    >>> cubes["EPSG32632_10m"].B04.dims
    ('time', 'y', 'x')
    """
    items = _sorted_items(items, product)
    grids = native_grids(items, product, product.select_bands(bands))
    acquisitions = group_acquisitions(items)
    nodes = {
        f"/{grid.key.name}": open_grid(
            grid, acquisitions, product, _grid_block(grid, grids, block), offset
        )
        for grid in grids
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={"product": product.name}), **nodes})


def load(
    items: Iterable[pystac.Item],
    product: Product,
    *,
    bands: Sequence[str] | str | None = None,
    block: int = DEFAULT_BLOCK,
    offset: float | None = None,
) -> xr.Dataset:
    """Open items that share one native grid as one lazy cube; nothing is resampled.

    Parameters and contents are those of `load_native`.

    Returns
    -------
    xarray.Dataset
        The cube, dims ``(time, y, x)``.

    Raises
    ------
    SeveralGridsError
        If items or bands lie on several native grids; the message names them.
    Error
        As in `load_native`.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> items = cbm.search(
    ...     cbm.open_catalog(country.catalogue), cbm.CARD_2A, filter="grid:code LIKE 'MGRS-33%'"
    ... )
    >>> cube = cbm.load(items, cbm.CARD_2A, bands=["B04", "B08"])
    >>> list(cube.data_vars)
    ['B04', 'B08']
    """
    tree = load_native(items, product, bands=bands, block=block, offset=offset)
    if len(tree.children) > 1:
        listed = "; ".join(
            f"{name}: {', '.join(map(str, node.data_vars))}" for name, node in tree.children.items()
        )
        raise SeveralGridsError(
            "the items and bands lie on several native grids",
            given=listed,
            allowed="one grid for load",
            hint="use load_native, which keeps each grid, or choose bands or items of one grid",
        )
    return next(iter(tree.children.values())).to_dataset()


def _sorted_items(items: Iterable[pystac.Item], product: Product) -> list[pystac.Item]:
    found = sorted(items, key=lambda item: item.id)
    if not found:
        raise EmptySearchError(
            f"there are no items of {product.name} to load",
            given="0 items",
            hint="widen the search; cbmcube.report(items) says what it found and dropped",
        )
    for first, second in itertools.pairwise(found):
        if first.id == second.id:
            raise BadItemError(
                "two items carry one id, so one of them would be lost",
                given=repr(first.id),
                allowed="each item once",
                hint="search once for all of them: a search drops what is repeated",
            )
    return found


def _grid_block(grid: NativeGrid, grids: Sequence[NativeGrid], block: int) -> int:
    """Return the block size, in pixels of `grid`, that covers the finest grid's block."""
    if block < 1:
        raise OptionError("block must be a number of pixels", given=block, allowed="1 or more")
    finest = min(abs(g.key.step_x) for g in grids if g.key.crs == grid.key.crs)
    return max(1, math.floor(block * finest / abs(grid.key.step_x) + 1e-6))
