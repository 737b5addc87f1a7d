"""One acquisition on the parts of native grids that some parcels need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pystac
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cbmcube.catalog import AccessPolicy, Acquisition
from cbmcube.cube._load import find_sources, in_order
from cbmcube.cube._open import Wish, open_grid
from cbmcube.cube.grids import (
    BlockSize,
    Bounds,
    CubeGrid,
    Source,
    geobox_bounds,
    grid_key,
    item_sources,
    native_grids,
)
from cbmcube.cube.reading import OnError, Verify
from cbmcube.exceptions import NoGridError, NoOverlapError, UnknownBandError
from cbmcube.products import Product


def find_grids(
    items: Iterable[pystac.Item],
    product: Product,
    *,
    bands: Sequence[str] | str | None = None,
    access: AccessPolicy | None = None,
) -> list[CubeGrid]:
    """Return the native grids of items, with all sources on each; opens and plans nothing.

    Parameters
    ----------
    items, product, bands, access
        As in `load_native`.

    Raises
    ------
    Error
        As in `load_native`.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.cube import find_grids
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_BS)
    >>> [grid.name for grid in find_grids(items, cbm.CARD_BS)]
    ['EPSG32632_10m', 'EPSG32633_10m']
    """
    return native_grids(find_sources(items, product, bands, access))


def load_window(
    acquisition: Acquisition,
    product: Product,
    windows: Mapping[str, GeoBox],
    *,
    bands: Sequence[str] | str | None = None,
    block: int,
    offset: float | None = None,
    on_error: OnError = "raise",
    verify: Verify = "none",
) -> xr.DataTree:
    """Open one acquisition on a part of each of its native grids, as `load_native` would.

    Parameters
    ----------
    acquisition
        The time step. Its items are ones that a search, or `find_grids`, let in: where they
        point at is not checked again.
    product, bands, offset, on_error, verify
        As in `load_native`.
    windows
        For each grid, by the name that `load_native` gives it, whole pixels of it. Items that
        lie on none of them are left alone.
    block
        Chunk size in pixels of the finest window; coarser ones use the same ground.

    Returns
    -------
    xarray.DataTree
        As of `load_native`, one time step; the numbers are the same, pixel by pixel.

    Raises
    ------
    NoOverlapError
        If no item meets a window.
    UnknownBandError
        If a band has no source there.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.catalog import group_acquisitions
    >>> from cbmcube.cube import find_grids, load_window
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_BS)
    >>> windows = {grid.name: grid.geobox[:64, :64] for grid in find_grids(items, cbm.CARD_BS)}
    >>> first, *_ = group_acquisitions(items)
    >>> tree = load_window(first, cbm.CARD_BS, windows, bands="VV", block=64)
    >>> {name: dict(node.sizes) for name, node in tree.children.items()}
    {'EPSG32632_10m': {'y': 64, 'x': 64, 'time': 1}, 'EPSG32633_10m': {'y': 64, 'x': 64, 'time': 1}}
    """
    wanted = product.select_bands(bands)
    found = (s for item in acquisition.items for s in item_sources(item, product, wanted))
    here: dict[str, list[Source]] = {}
    for source in in_order(found, wanted):
        if source.geobox is None:
            continue
        name = grid_key(source.geobox).name
        if name in windows and meets(source, windows[name]):
            here.setdefault(name, []).append(source)
    if not here:
        raise NoOverlapError(
            f"acquisition {acquisition.id} does not meet the window",
            given=", ".join(windows),
            hint="load an acquisition that does",
        )
    missing = {band.name for band in wanted} - {
        s.band.name for found in here.values() for s in found
    }
    if missing:
        raise UnknownBandError(
            f"acquisition {acquisition.id} has no source of a band there",
            given=", ".join(sorted(missing)),
            hint="leave the band out",
        )
    wish = Wish(offset, on_error, verify)
    finest = min(abs(windows[name].affine.a) for name in here)
    nodes = {"/": xr.Dataset(attrs={"product": product.name})}
    for name in sorted(here):
        window = windows[name]
        side = max(1, int(block * finest / abs(window.affine.a) + 1e-6))
        grid = CubeGrid(name, window, tuple(here[name]))
        cube = open_grid(grid, [acquisition], product, BlockSize(1, side), wish)
        # Which parcels belong here was decided when the window was cut.
        del cube.attrs["source_bounds"]
        nodes[f"/{name}"] = cube
    return xr.DataTree.from_dict(nodes)


def source_extent(source: Source) -> Bounds:
    """Return the extent of a source's own grid, in units of its CRS.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.cube import find_grids, source_extent
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_BS)
    >>> grid, *_ = find_grids(items, cbm.CARD_BS)
    >>> source_extent(grid.sources[0])
    (719710.0, 5393280.0, 721300.0, 5394760.0)
    """
    if source.geobox is None:
        raise NoGridError(f"item {source.item.id!r}, asset {source.key!r} states no grid")
    return geobox_bounds(source.geobox)


def meets(source: Source, window: GeoBox) -> bool:
    """Return whether a source and a window of its grid share ground."""
    return bool(overlap(np.array(geobox_bounds(window)), source_extent(source)) > 0)


def overlap(boxes: NDArray[np.float64], window: Bounds) -> NDArray[np.float64]:
    """Return the area that boxes (…, 4) share with a window, in square units of the CRS.

    Examples
    --------
    >>> import numpy as np
    >>> from cbmcube.cube import overlap
    >>> boxes = np.array([[0.0, 0.0, 20.0, 20.0], [50.0, 50.0, 60.0, 60.0]])
    >>> overlap(boxes, (10.0, 10.0, 40.0, 40.0))
    array([100.,   0.])
    """
    wide = np.minimum(boxes[..., 2], window[2]) - np.maximum(boxes[..., 0], window[0])
    high = np.minimum(boxes[..., 3], window[3]) - np.maximum(boxes[..., 1], window[1])
    return np.asarray(np.maximum(wide, 0.0) * np.maximum(high, 0.0))
