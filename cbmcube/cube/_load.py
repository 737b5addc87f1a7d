"""From items to lazy cubes on their native grids."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import odc.stac
import pystac
import xarray as xr
from odc.geo.geobox import GeoBox

from cbmcube.catalog import Acquisition, group_acquisitions
from cbmcube.cube._grid import crs_text
from cbmcube.cube._nodata import nodata_number
from cbmcube.cube._radiometry import Radiometry, agree, calibrate, decide
from cbmcube.cube._reader import NamingDriver
from cbmcube.cube._sources import NativeGrid, Source, native_grids
from cbmcube.exceptions import EmptySearchError, OptionError, SeveralGridsError
from cbmcube.products import Band, Product

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
        f"/{grid.key.name}": _load_grid(
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
    return found


def _grid_block(grid: NativeGrid, grids: Sequence[NativeGrid], block: int) -> int:
    """Return the block size, in pixels of `grid`, that covers the finest grid's block."""
    if block < 1:
        raise OptionError("block must be a number of pixels", given=block, allowed="1 or more")
    finest = min(abs(g.key.step_x) for g in grids if g.key.crs == grid.key.crs)
    return max(1, math.floor(block * finest / abs(grid.key.step_x) + 1e-6))


def _load_grid(
    grid: NativeGrid,
    acquisitions: Sequence[Acquisition],
    product: Product,
    block: int,
    offset: float | None,
) -> xr.Dataset:
    sources: dict[str, dict[str, Source]] = {}
    for source in grid.sources:
        sources.setdefault(source.item.id, {})[source.band.name] = source
    here = [a for a in acquisitions if any(item.id in sources for item in a.items)]
    raw = _open_raw(grid, here, sources, block)
    cube = raw.assign_coords(_time_coords(here, sources))
    reasons: list[dict[str, Radiometry]] = [{} for _ in here]
    for band in grid.bands:
        decisions = [_plane_radiometry(a, band, sources, offset) for a in here]
        for plane, decision in zip(reasons, decisions, strict=True):
            plane[band.name] = decision
        cube[band.name] = _band_values(
            raw[band.name], band, decisions, nodata_number(band, grid.sources)
        )
    cube = cube.assign_coords(radiometry=("time", [_summary(plane) for plane in reasons]))
    cube.attrs = {"product": product.name, "source_bounds": grid.footprints}
    return cube


def _open_raw(
    grid: NativeGrid,
    acquisitions: Sequence[Acquisition],
    sources: dict[str, dict[str, Source]],
    block: int,
) -> xr.Dataset:
    """Let odc-stac open stored numbers on the grid, one plane for each acquisition."""
    items, planes = [], []
    for plane, acquisition in enumerate(acquisitions):
        for item in acquisition.items:
            if item.id in sources:
                items.append(_plain_item(sources[item.id]))
                planes.append(plane)
    assets = {
        band.name: {"data_type": band.dtype, "nodata": nodata_number(band, grid.sources)}
        for band in grid.bands
    }
    return odc.stac.load(
        items,
        bands=[band.name for band in grid.bands],
        geobox=grid.geobox,
        groupby=lambda _item, _parsed, index: planes[index],
        chunks={"time": 1, "y": block, "x": block},
        resampling="nearest",
        stac_cfg={"*": {"assets": assets, "warnings": "ignore"}},
        driver=NamingDriver(),
        fail_on_error=True,
    )


def _plain_item(sources: dict[str, Source]) -> pystac.Item:
    """Return a new item with only the wanted assets, spelt in the one way odc-stac reads.

    Provider spellings of bands and projection end here.
    """
    item = next(iter(sources.values())).item
    plain = pystac.Item(
        id=item.id,
        geometry=item.geometry,
        bbox=item.bbox,
        datetime=item.datetime or item.common_metadata.start_datetime,
        properties={},
        stac_extensions=["https://stac-extensions.github.io/projection/v2.0.0/schema.json"],
        collection="cbmcube",
    )
    for name, source in sources.items():
        asset = item.assets[source.key]
        plain.add_asset(
            name,
            pystac.Asset(
                href=asset.get_absolute_href() or asset.href,
                media_type=asset.media_type,
                roles=["data"],
                extra_fields=_projection(source.geobox),
            ),
        )
    return plain


def _projection(geobox: GeoBox) -> dict[str, Any]:
    crs = crs_text(geobox)
    spelt = {"proj:code" if crs.startswith("EPSG:") else "proj:wkt2": crs}
    return spelt | {"proj:shape": list(geobox.shape), "proj:transform": list(geobox.affine[:6])}


def _plane_radiometry(
    acquisition: Acquisition,
    band: Band,
    sources: dict[str, dict[str, Source]],
    offset: float | None,
) -> Radiometry:
    decisions = {}
    for item in acquisition.items:
        source = sources.get(item.id, {}).get(band.name)
        if source is not None:
            decisions[item.id] = decide(item, source.key, band, offset)
    return agree(decisions, band)


def _band_values(
    raw: xr.DataArray, band: Band, decisions: Sequence[Radiometry], nodata: float
) -> xr.DataArray:
    attrs: dict[str, Any] = {"long_name": band.long_name, "units": band.units, "kind": band.kind}
    if band.kind == "classes":
        attrs |= {
            "flag_values": np.array(list(band.classes), dtype=band.dtype),
            "flag_meanings": " ".join(m.replace(" ", "_") for m in band.classes.values()),
            "nodata": int(nodata),
        }
        return raw.assign_attrs(attrs)
    values = raw.copy(data=calibrate(raw.data, decisions, nodata))
    values.attrs = {"grid_mapping": "spatial_ref"} | attrs
    return values


def _summary(plane: dict[str, Radiometry]) -> str:
    """Describe the radiometry of a plane, once for all bands that share it."""
    texts = {
        name: str(decision)
        for name, decision in plane.items()
        if "class codes" not in str(decision)
    }
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{name}: {text}" for name, text in texts.items())


def _time_coords(
    acquisitions: Sequence[Acquisition], sources: dict[str, dict[str, Source]]
) -> dict[str, Any]:
    """Return the coordinates along ``time`` that say where each plane comes from."""
    ids = [
        " ".join(sorted(item.id for item in a.items if item.id in sources)) for a in acquisitions
    ]
    coords: dict[str, Any] = {
        "time": np.array([_utc(a.time) for a in acquisitions], dtype="datetime64[ns]"),
        "acquisition": ("time", [a.id for a in acquisitions]),
        "platform": ("time", [a.platform or "" for a in acquisitions]),
        "relative_orbit": (
            "time",
            [-1 if a.relative_orbit is None else a.relative_orbit for a in acquisitions],
        ),
        "orbit_state": ("time", [a.orbit_state or "" for a in acquisitions]),
        "items": ("time", ids),
    }
    if any(a.reference_time is not None for a in acquisitions):
        references = [_utc(a.reference_time) for a in acquisitions]
        coords["reference_time"] = ("time", np.array(references, dtype="datetime64[ns]"))
    return coords


def _utc(moment: Any) -> Any:
    """Return a datetime as a naive UTC stamp, NaT for none."""
    if moment is None:
        return np.datetime64("NaT")
    return np.datetime64(moment.replace(tzinfo=None), "ns")
