"""Look at a cube before it is computed: grids, blocks, tasks, bytes, decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import odc.geo.xr  # noqa: F401  # registers the .odc accessor
import pystac
import xarray as xr
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from cbmcube.cube._explanation import Explanation, GridExplanation
from cbmcube.cube._load import load_native
from cbmcube.cube.grids import geobox_bounds
from cbmcube.exceptions import GridMismatchError, OptionError
from cbmcube.parcels import check_parcels
from cbmcube.products import Product


def explain(
    cube: xr.Dataset | xr.DataTree | Iterable[pystac.Item],
    product: Product | None = None,
    *,
    parcels: gpd.GeoDataFrame | None = None,
    **options: Any,
) -> Explanation:
    """Say what computing a cube would do; nothing is computed and no file is read.

    Parameters
    ----------
    cube
        A cube of `load` or `load_native`, masked or sliced or not; or items.
    product
        What the items hold; only with items.
    parcels
        Parcels with a CRS, to count those on each grid and the blocks they meet.
    options
        Options of `load_native`, such as `bands`; only with items.

    Returns
    -------
    Explanation
        A record that prints as text or as a table. Memory and bytes are upper bounds.

    Raises
    ------
    OptionError
        If a product is missing, or given for a cube.
    Error
        As in `load_native`, with items.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.cube import explain
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_BS)
    >>> told = explain(items, cbm.CARD_BS, bands="VV")
    >>> told.grids[0].name, told.grids[0].bands
    ('EPSG32632_10m', ('VV',))
    """
    if isinstance(cube, xr.Dataset | xr.DataTree):
        if product is not None or options:
            raise OptionError(
                "a cube was loaded already",
                given=", ".join([*(["product"] if product else []), *options]),
                allowed="parcels beside a cube",
                hint="leave the rest out, or pass items",
            )
        return _explain(cube, parcels)
    if product is None:
        raise OptionError(
            "items need a product to be explained",
            allowed="explain(items, product, ...)",
            hint="pass the product that you would load",
        )
    return _explain(load_native(cube, product, **options), parcels)


def _explain(cube: xr.Dataset | xr.DataTree, parcels: gpd.GeoDataFrame | None) -> Explanation:
    if isinstance(cube, xr.Dataset):
        nodes = {"cube": cube}
    else:
        nodes = {
            node.path.strip("/") or "cube": node.to_dataset()
            for node in cube.subtree
            if node.data_vars
        }
    fields = None if parcels is None else check_parcels(parcels)
    product = cube.attrs.get("product") or next(
        (str(node.attrs["product"]) for node in nodes.values() if "product" in node.attrs), ""
    )
    return Explanation(
        str(product), tuple(_explain_grid(name, node, fields) for name, node in nodes.items())
    )


def _explain_grid(name: str, node: xr.Dataset, parcels: gpd.GeoDataFrame | None) -> GridExplanation:
    geobox = _geobox(name, node)
    bands = [node[key] for key in node.data_vars if {"y", "x"} <= set(node[key].dims)]
    stored = [band for band in bands if "stored" in band.attrs]
    chunks = _chunks(stored or bands)
    times = np.atleast_1d(node["time"].values) if "time" in node.coords else np.array([])
    items = (
        [str(ids).split() for ids in np.atleast_1d(node["items"].values)]
        if "items" in node.coords
        else []
    )
    found = None if parcels is None else _meet(parcels, geobox, node, chunks)
    graph = node.__dask_graph__()  # type: ignore[no-untyped-call]
    return GridExplanation(
        name=name,
        crs=_crs_name(geobox),
        pixel=(geobox.affine.a, geobox.affine.e),
        shape=(int(geobox.shape[0]), int(geobox.shape[1])),
        bands=tuple(str(band.name) for band in stored or bands),
        dates=len(times),
        period=(_day(times.min()), _day(times.max())) if times.size else ("", ""),
        items=len({one for ids in items for one in ids}),
        block=(max(chunks[0]), max(chunks[1]), max(chunks[2])),
        blocks=len(chunks[0]) * len(chunks[1]) * len(chunks[2]),
        tasks=0 if graph is None else len(graph),
        block_bytes=sum(_block_bytes(band) for band in bands),
        read_bytes=_read_bytes(stored, items, geobox, chunks, found),
        radiometry=_decisions(node),
        resampling=str(node.attrs.get("resampling", "")),
        mask=str(node.attrs.get("mask", "")),
        on_error=str(node.attrs.get("on_error", "raise")),
        parcels=None if found is None else found[0],
        parcel_blocks=None if found is None else found[1],
    )


def _geobox(name: str, node: xr.Dataset) -> GeoBox:
    geobox = node.odc.geobox
    if isinstance(geobox, GeoBox) and geobox.crs is not None:
        return geobox
    raise GridMismatchError(
        f"{name} carries no regular grid with a CRS",
        given=f"coordinates {', '.join(map(str, node.coords))}",
        allowed="a cube with x, y and spatial_ref, as load returns",
        hint="keep spatial_ref, or write it with .odc.assign_crs(...)",
    )


def _chunks(bands: Sequence[xr.DataArray]) -> tuple[tuple[int, ...], ...]:
    """Return chunk sizes along time, y and x; what has none is one chunk."""
    sizes = dict(zip(bands[0].dims, bands[0].chunks or ((n,) for n in bands[0].shape), strict=True))
    return tuple(sizes.get(dim, (1,)) for dim in ("time", "y", "x"))


def _block_bytes(band: xr.DataArray) -> int:
    largest = [max(sizes) for sizes in band.chunks] if band.chunks else band.shape
    return int(np.prod(largest, dtype=np.int64)) * band.dtype.itemsize


def _read_bytes(
    stored: Sequence[xr.DataArray],
    items: Sequence[Sequence[str]],
    geobox: GeoBox,
    chunks: tuple[tuple[int, ...], ...],
    found: tuple[int, int] | None,
) -> int | None:
    """Return an upper bound: each pixel of each source once, as it is stored."""
    pixels, total = int(np.prod(geobox.shape, dtype=np.int64)), 0
    if found is not None:
        pixels = min(pixels, found[1] * max(chunks[1]) * max(chunks[2]))
    reads = sum(len(ids) for ids in items)
    for band in stored:
        own = band.attrs.get("source_pixels")
        if own is None:
            return None
        # On a grid of another resolution a block says nothing of the pixels behind it.
        here = int(own) if "resampled" in band.attrs else min(int(own), pixels)
        total += reads * here * np.dtype(str(band.attrs["stored"]).split(", ")[-1]).itemsize
    return total if stored else None


def _decisions(node: xr.Dataset) -> dict[str, int]:
    if "radiometry" not in node.coords:
        return {}
    texts = map(str, np.atleast_1d(node["radiometry"].values))
    return dict(Counter(text for text in texts if text))


def _meet(
    parcels: gpd.GeoDataFrame,
    geobox: GeoBox,
    node: xr.Dataset,
    chunks: tuple[tuple[int, ...], ...],
) -> tuple[int, int]:
    """Return the number of parcels whose bounds meet the sources, and of places they meet."""
    bounds = parcels.geometry.to_crs(CRS(geobox.crs).proj).bounds.to_numpy()
    grounds = np.array(node.attrs.get("source_bounds") or [geobox_bounds(geobox)], dtype=float)
    whole = np.array(geobox_bounds(geobox))
    met = np.zeros(len(bounds), dtype=bool)
    for ground in grounds.reshape(-1, 4):  # a few tiles, not parcels
        west, south = np.maximum(ground[:2], whole[:2])
        east, north = np.minimum(ground[2:], whole[2:])
        met |= (
            (bounds[:, 0] < east)
            & (bounds[:, 2] > west)
            & (bounds[:, 1] < north)
            & (bounds[:, 3] > south)
        )
    return int(met.sum()), _places(bounds[met], geobox, chunks)


def _places(
    bounds: NDArray[np.float64], geobox: GeoBox, chunks: tuple[tuple[int, ...], ...]
) -> int:
    """Count the blocks of one date that any of `bounds` meets."""
    inverse = ~geobox.affine
    columns = np.sort(bounds[:, [0, 2]] * inverse.a + inverse.c, axis=1)
    rows = np.sort(bounds[:, [1, 3]] * inverse.e + inverse.f, axis=1)
    first_row, last_row = _hit(rows, chunks[1])
    first_column, last_column = _hit(columns, chunks[2])
    # Corners of rectangles, summed along both axes, count the rectangles over each block.
    corners = np.zeros((len(chunks[1]) + 1, len(chunks[2]) + 1), dtype=np.int64)
    np.add.at(corners, (first_row, first_column), 1)
    np.add.at(corners, (last_row + 1, first_column), -1)
    np.add.at(corners, (first_row, last_column + 1), -1)
    np.add.at(corners, (last_row + 1, last_column + 1), 1)
    return int(np.count_nonzero(corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]))


def _hit(
    intervals: NDArray[np.float64], sizes: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and last chunk that each pixel interval meets."""
    ends, last = np.cumsum(sizes), len(sizes) - 1
    first = np.searchsorted(ends, intervals[:, 0], side="right")
    final = np.searchsorted(ends, intervals[:, 1], side="left")
    return np.clip(first, 0, last), np.clip(final, 0, last)


def _crs_name(geobox: GeoBox) -> str:
    crs = CRS(geobox.crs)
    return f"EPSG:{crs.epsg}" if crs.epsg else str(crs.proj.name)


def _day(moment: Any) -> str:
    return str(np.datetime64(moment, "D"))
