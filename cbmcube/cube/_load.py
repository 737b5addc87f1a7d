"""From items to lazy cubes: on their native grids, or on the one grid the caller asks for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import pystac
import xarray as xr

from cbmcube.catalog import AccessPolicy, gate_items, group_acquisitions
from cbmcube.cube._open import Wish, open_grid
from cbmcube.cube.grids import (
    DEFAULT_BLOCK,
    CubeGrid,
    Like,
    Resampling,
    Source,
    asked_geobox,
    block_sizes,
    choose_resampling,
    item_profile,
    item_sources,
    native_grids,
)
from cbmcube.cube.reading import OnError, Verify, header_geobox, require_on_error, require_verify
from cbmcube.exceptions import BadItemError, EmptySearchError, OptionError, SeveralGridsError
from cbmcube.products import Band, Product


def load_native(  # noqa: PLR0913  # each is one thing that a user may say
    items: Iterable[pystac.Item],
    product: Product,
    *,
    bands: Sequence[str] | str | None = None,
    block: int = DEFAULT_BLOCK,
    offset: float | None = None,
    on_error: OnError = "raise",
    verify: Verify = "none",
    read_headers: bool = False,
    access: AccessPolicy | None = None,
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
        of the same extent on the ground. A chunk holds one date, or several where a
        band would be cut into more than 4,096 blocks; results never depend on it.
    offset
        Reflectance offset, where items do not say and you know it.
    on_error
        What a file that cannot be read does when the cube is computed. ``"raise"``: an
        error that names it. ``"record"``: its pixels become -inf (in class bands the
        largest code, listed in ``flag_meanings`` as ``could_not_be_read``), so that later
        steps can count them.
    verify
        Whether files are held against what their items say of their bytes, before pixels are
        used: ``"size"`` compares ``file:size``; ``"checksum"`` also reads each file whole, once
        for each process, and compares ``file:checksum``; ``"none"`` trusts what opens.
    read_headers
        Whether the grid of an asset whose item states none is read from its file: one
        file after the other, now.
    access
        Where items may point at; by default as in `search`, and files of your own.

    Returns
    -------
    xarray.DataTree
        One child per native grid, named like ``EPSG32632_10m``; each holds a Dataset
        with dims ``(time, y, x)`` and Dask chunks. Reflectance (a fraction), backscatter
        (linear power) and coherence are float32 with NaN where there is no data; class
        bands keep their codes and integer type. ``time`` is the UTC start of the
        acquisition, with coordinates ``acquisition``, ``platform``,
        ``relative_orbit``, ``orbit_state``, ``items``, ``radiometry``, and for
        coherence ``reference_time``.

    Raises
    ------
    EmptySearchError
        If there are no items.
    UnknownBandError, NoGridError, OffGridError, UnprojectedProductError, UnknownOffsetError
        If a band or an item cannot be used; the message names it.
    TooLargeError
        If the items are so far apart that no cube can hold them.

    Notes
    -----
    Stored numbers become values source by source, before sources meet in a plane; so
    items with different offsets may share one, and ``radiometry`` names both.

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
    require_on_error(on_error)
    require_verify(verify)
    sources = find_sources(items, product, bands, access, read_headers=read_headers)
    return _tree(native_grids(sources), product, block, Wish(offset, on_error, verify))


def load(  # noqa: PLR0913  # each is one thing that a user may say
    items: Iterable[pystac.Item],
    product: Product,
    *,
    bands: Sequence[str] | str | None = None,
    resolution: float | None = None,
    crs: Any = None,
    like: Like | None = None,
    resampling: Resampling | None = None,
    block: int = DEFAULT_BLOCK,
    offset: float | None = None,
    on_error: OnError = "raise",
    verify: Verify = "none",
    read_headers: bool = False,
    access: AccessPolicy | None = None,
) -> xr.Dataset:
    """Open items as one lazy cube: on the native grid they share, or on the one you ask for.

    Nothing is resampled unless `resolution`, `crs` or `like` is given.

    Parameters
    ----------
    items, product, bands, block, offset, on_error, verify, read_headers, access
        As in `load_native`.
    resolution
        Pixel size in units of the CRS (metres for UTM); by default the finest there is.
    crs
        CRS of the result; by default the one that all items share.
    like
        A cube or GeoBox whose grid is taken as it is; alone.
    resampling
        How pixels come onto another grid, a name of GDAL's, for all bands, or by band or
        kind of band. By default class codes are taken from the ``nearest`` pixel; other
        bands are averaged where the grid is coarser than the source (``average``), and
        interpolated where it is finer or shifted (``bilinear``). Recorded in the
        attribute ``resampling``.

    Returns
    -------
    xarray.Dataset
        The cube, dims ``(time, y, x)``, contents as in `load_native`.

    Raises
    ------
    SeveralGridsError
        If items or bands lie on several native grids and none is asked for; the message
        names them.
    OptionError
        If arguments contradict each other, or numbers that are stored as decibels or
        amplitudes would be mixed: a mean of those is not a mean of power.
    Error
        As in `load_native`.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> items = cbm.search(
    ...     cbm.open_catalog(country.catalogue), cbm.CARD_2A, filter="grid:code LIKE 'MGRS-33%'"
    ... )
    >>> cube = cbm.load(items, cbm.CARD_2A, bands=["B04", "B08", "SCL"], resolution=10)
    >>> list(cube.data_vars)
    ['B04', 'B08', 'SCL']
    >>> cube.attrs["resampling"]
    'B04: nearest; B08: nearest; SCL: nearest'
    """
    require_on_error(on_error)
    require_verify(verify)
    asked = resolution is not None or crs is not None or like is not None
    if resampling is not None and not asked:
        raise OptionError(
            "resampling= has nothing to do without another grid",
            given=repr(resampling),
            allowed="resolution=, crs= or like= beside it",
            hint="leave it out: on their native grid pixels are taken as they are",
        )
    sources = find_sources(
        items, product, bands, access, read_headers=read_headers, grid_needed=like is None
    )
    if asked:
        geobox = asked_geobox(sources, resolution=resolution, crs=crs, like=like)
        methods = choose_resampling(sources, geobox, resampling)
        grids = [CubeGrid("cube", geobox, tuple(sources), methods)]
    else:
        grids = native_grids(sources)
        _require_one(grids)
    tree = _tree(grids, product, block, Wish(offset, on_error, verify))
    return next(iter(tree.children.values())).to_dataset()


def _tree(grids: Sequence[CubeGrid], product: Product, block: int, wish: Wish) -> xr.DataTree:
    items = {source.item.id: source.item for grid in grids for source in grid.sources}
    acquisitions = group_acquisitions(items.values())
    planes = []
    for grid in grids:
        here = {source.item.id for source in grid.sources}
        planes.append([a for a in acquisitions if any(item.id in here for item in a.items)])
    sizes = block_sizes(grids, [len(found) for found in planes], block)
    nodes = {
        f"/{grid.name}": open_grid(grid, found, product, size, wish)
        for grid, found, size in zip(grids, planes, sizes, strict=True)
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={"product": product.name}), **nodes})


def find_sources(
    items: Iterable[pystac.Item],
    product: Product,
    bands: Sequence[str] | str | None,
    access: AccessPolicy | None,
    *,
    read_headers: bool = False,
    grid_needed: bool = True,
) -> list[Source]:
    """Return the assets to read, band by band in the order asked for."""
    wanted = product.select_bands(bands)
    reader = header_geobox if read_headers else None
    found = _sorted_items(items, product)
    for item in found:
        item_profile(item, product)
    sources = [
        source
        for item in gate_items(found, access, product)
        for source in item_sources(item, product, wanted, reader, grid_needed=grid_needed)
    ]
    return in_order(sources, wanted)


def in_order(sources: Iterable[Source], bands: Sequence[Band]) -> list[Source]:
    """Return sources band by band."""
    rank = {band.name: number for number, band in enumerate(bands)}
    return sorted(sources, key=lambda source: rank[source.band.name])


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


def _require_one(grids: Sequence[CubeGrid]) -> None:
    if len(grids) > 1:
        raise SeveralGridsError(
            "the items and bands lie on several native grids",
            given="; ".join(
                f"{grid.name}: {', '.join(band.name for band in grid.bands)}" for grid in grids
            ),
            allowed="one grid for load",
            hint="use load_native, which keeps each grid; or choose bands or items of one grid; "
            "or ask for a grid with resolution= and crs=",
        )
