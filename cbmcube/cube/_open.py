"""Open the sources of one grid as a lazy Dataset, in physical units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from dask.base import tokenize
from odc.geo.xr import xr_coords
from odc.loader import RasterLoadParams, RasterSource

from cbmcube.catalog import Acquisition
from cbmcube.cube.grids import Blocks, BlockSize, CubeGrid, Source, source_bounds
from cbmcube.cube.radiometry import (
    Radiometry,
    decide,
    nodata_number,
    one_nodata,
    require_no_guess,
    stated_number,
    stored_dtype,
    time_coords,
)
from cbmcube.cube.reading import (
    COULD_NOT_BE_READ,
    CardDriver,
    Filling,
    OnError,
    Promise,
    ReadOrder,
    Verify,
    band_array,
    failed_code,
    require_free_code,
)
from cbmcube.exceptions import OptionError
from cbmcube.products import Band, Product


@dataclass(frozen=True, slots=True)
class Wish:
    """What the caller says about reading."""

    offset: float | None = None
    """Reflectance offset, where items do not say."""
    on_error: OnError = "raise"
    """What a file that cannot be read does."""
    verify: Verify = "none"
    """How closely files are looked at before their pixels are used."""


def open_grid(
    grid: CubeGrid,
    acquisitions: Sequence[Acquisition],
    product: Product,
    size: BlockSize,
    wish: Wish,
) -> xr.Dataset:
    """Return the cube of one grid: bands (time, y, x), and where each plane comes from.

    Each source is calibrated when it is read, before it meets others in a plane.

    Parameters
    ----------
    grid
        The grid and its sources.
    acquisitions
        Those that have sources on the grid.
    product
        What the items hold.
    size
        Size of blocks.
    wish
        What the caller says about reading.
    """
    orders = _orders(grid.sources, wish)
    _require_linear(grid, orders)
    nodata = _class_nodata(grid, orders)
    types = _types(grid, orders)
    cube = _load(grid, acquisitions, orders, size, _params(grid, types, nodata))
    decisions: dict[str, dict[str, Radiometry]] = {source.item.id: {} for source in grid.sources}
    for (item, name), order in orders.items():
        if order.radiometry is not None:
            decisions[item][name] = order.radiometry
    cube = cube.assign_coords(time_coords(acquisitions, decisions))
    for band in grid.bands:
        cube[band.name].attrs = _attributes(grid, band, orders, nodata.get(band.name), wish)
        if band.kind == "classes":
            cube[band.name].encoding = {"grid_mapping": "spatial_ref"}
    cube.attrs = {"product": product.name, "source_bounds": source_bounds(grid)}
    if grid.resampling:
        cube.attrs["resampling"] = "; ".join(f"{b}: {how}" for b, how in grid.resampling.items())
    if wish.on_error == "record":
        cube.attrs["on_error"] = "record"
    return cube


def _orders(sources: Sequence[Source], wish: Wish) -> dict[tuple[str, str], ReadOrder]:
    """Return what a reader must know of each source, by item id and band."""
    orders = {}
    for source in sources:
        facts = (source.band, source.profile, source.item, source.key)
        codes = source.band.kind == "classes"
        orders[source.item.id, source.band.name] = ReadOrder(
            item=source.item.id,
            asset=source.key,
            dtype=stored_dtype(*facts),
            nodata=nodata_number(*facts),
            radiometry=None
            if codes
            else decide(source.item, source.key, source.band, source.profile, wish.offset),
            on_error=wish.on_error,
            **_promise(source, wish.verify),
        )
    _require_no_guess(sources, orders)
    return orders


def _promise(source: Source, verify: Verify) -> dict[str, Any]:
    """Return what the item says of the bytes of a file, where that is to be looked at."""
    if verify == "none":
        return {}
    promise = Promise.of(source.item.assets[source.key].extra_fields)
    return {"verify": verify, "size": promise.size, "checksum": promise.checksum}


def _require_no_guess(
    sources: Sequence[Source], orders: Mapping[tuple[str, str], ReadOrder]
) -> None:
    numbers: dict[str, tuple[dict[str, float], dict[str, float]]] = {}
    bands = {source.band.name: source.band for source in sources}
    for source in sources:
        if source.band.kind == "classes":  # which have to agree, stated or not
            continue
        known = stated_number(source.item, source.key, "nodata") is not None
        found = numbers.setdefault(source.band.name, ({}, {}))[0 if known else 1]
        found[source.item.id] = orders[source.item.id, source.band.name].nodata
    for name, (told, assumed) in numbers.items():
        require_no_guess(bands[name], told, assumed)


def _require_linear(grid: CubeGrid, orders: Mapping[tuple[str, str], ReadOrder]) -> None:
    """Refuse to mix stored numbers whose mean is not the mean of what they stand for."""
    for (item, band), order in orders.items():
        how = grid.resampling.get(band, "nearest")
        decided = order.radiometry
        if decided is not None and decided.form != "linear" and how != "nearest":
            raise OptionError(
                f"item {item!r}, asset {order.asset!r}: its numbers are stored as {decided.form}, "
                "and a mean of those is not a mean of power",
                given=f"{band}: {how}",
                allowed="nearest",
                hint=f'pass resampling={{"{band}": "nearest"}}, or stay on the native grid',
            )


def _class_nodata(grid: CubeGrid, orders: Mapping[tuple[str, str], ReadOrder]) -> dict[str, float]:
    """Return the number of "no data" of each class band."""
    found = {}
    for band in grid.bands:
        if band.kind == "classes":
            numbers = {item: o.nodata for (item, name), o in orders.items() if name == band.name}
            found[band.name] = one_nodata(band, numbers)
    return found


def _types(grid: CubeGrid, orders: Mapping[tuple[str, str], ReadOrder]) -> dict[str, str]:
    """Return the type of each band of the cube."""
    types = {}
    for band in grid.bands:
        stored = {order.dtype for (_, name), order in orders.items() if name == band.name}
        types[band.name] = str(np.result_type(*stored)) if band.kind == "classes" else "float32"
    return types


def _params(
    grid: CubeGrid, types: Mapping[str, str], nodata: Mapping[str, float]
) -> dict[str, RasterLoadParams]:
    return {
        band.name: RasterLoadParams(
            dtype=types[band.name],
            fill_value=nodata.get(band.name, np.nan),
            # Nothing says how overviews were made, so no number is taken from them.
            use_overviews=False,
            resampling=grid.resampling.get(band.name, "nearest"),
            fail_on_error=True,
        )
        for band in grid.bands
    }


def _load(
    grid: CubeGrid,
    acquisitions: Sequence[Acquisition],
    orders: Mapping[tuple[str, str], ReadOrder],
    size: BlockSize,
    params: dict[str, RasterLoadParams],
) -> xr.Dataset:
    """Plan the reads, one plane for each acquisition; nothing is opened."""
    blocks = Blocks(grid.geobox, size.side)
    by_item: dict[str, list[Source]] = {}
    for source in grid.sources:
        by_item.setdefault(source.item.id, []).append(source)
    sources: dict[str, dict[int, RasterSource]] = {name: {} for name in params}
    bins: dict[tuple[int, int, int], list[int]] = {}
    number = 0
    for plane, acquisition in enumerate(acquisitions):
        for item in sorted(item.id for item in acquisition.items if item.id in by_item):
            grids = {id(source.geobox): source for source in by_item[item]}  # a hash takes long
            places = dict.fromkeys(place for s in grids.values() for place in blocks.met_by(s))
            for row, column in places:
                bins.setdefault((plane, row, column), []).append(number)
            for source in by_item[item]:
                sources[source.band.name][number] = _raster(source, orders)
            number += 1
    chunks = (_even(len(acquisitions), size.dates), *blocks.tiles.chunks)
    driver = CardDriver()
    env, state = driver.capture_env(), driver.new_load(grid.geobox)
    token = tokenize(sources, bins, grid.geobox, chunks, params, env)
    coords = xr_coords(grid.geobox)
    cube = xr.Dataset(coords={"time": [a.time.replace(tzinfo=None) for a in acquisitions]})
    cube = cube.assign_coords(coords)
    for name, param in params.items():
        filling = Filling(blocks.tiles, param, driver, env, state)
        array = band_array(name, token, filling, sources[name], bins, chunks)
        cube[name] = (("time", "y", "x"), array, {}, {"grid_mapping": "spatial_ref"})
    return cube


def _even(total: int, step: int) -> tuple[int, ...]:
    """Cut `total` into parts of `step`, the last one smaller."""
    return tuple(min(step, total - first) for first in range(0, total, step))


def _raster(source: Source, orders: Mapping[tuple[str, str], ReadOrder]) -> RasterSource:
    order = orders[source.item.id, source.band.name]
    href = order.attach(source.item.assets[source.key].href)
    return RasterSource(href, geobox=source.geobox)


def _attributes(
    grid: CubeGrid,
    band: Band,
    orders: Mapping[tuple[str, str], ReadOrder],
    nodata: float | None,
    wish: Wish,
) -> dict[str, Any]:
    stored = sorted({order.dtype for (_, name), order in orders.items() if name == band.name})
    attrs: dict[str, Any] = {
        "long_name": band.long_name,
        "units": band.units,
        "kind": band.kind,
        "stored": ", ".join(stored),
    }
    own = {id(s.geobox): s.geobox for s in grid.sources if s.band.name == band.name}.values()
    sizes = [geobox.shape[0] * geobox.shape[1] for geobox in own if geobox is not None]
    if len(sizes) == len(own):
        attrs["source_pixels"] = int(max(sizes))
    if grid.resampling:
        attrs["resampled"] = grid.resampling[band.name]
    if nodata is None:
        return {"grid_mapping": "spatial_ref"} | attrs
    codes, meanings = list(band.classes), [m.replace(" ", "_") for m in band.classes.values()]
    if wish.on_error == "record":
        dtype = str(np.result_type(*stored))
        require_free_code(band, dtype, nodata)
        codes.append(failed_code(dtype))
        meanings.append(COULD_NOT_BE_READ)
    return attrs | {
        "flag_values": np.array(codes, dtype=np.result_type(*stored)),
        "flag_meanings": " ".join(meanings),
        "nodata": int(nodata),
    }
