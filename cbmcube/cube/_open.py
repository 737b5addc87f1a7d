"""Open the sources of one native grid as a lazy Dataset, in physical units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import odc.stac
import pystac
import xarray as xr
from odc.geo.geobox import GeoBox

from cbmcube.catalog import Acquisition
from cbmcube.cube._grid import crs_text
from cbmcube.cube._nodata import nodata_number
from cbmcube.cube._radiometry import Radiometry, agree, calibrate, decide
from cbmcube.cube._reader import NamingDriver, owned
from cbmcube.cube._sources import NativeGrid, Source
from cbmcube.products import Band, Product


def open_grid(
    grid: NativeGrid,
    acquisitions: Sequence[Acquisition],
    product: Product,
    block: int,
    offset: float | None,
) -> xr.Dataset:
    """Return the cube of one grid: bands (time, y, x), and where each plane comes from.

    Parameters
    ----------
    grid
        The grid and its sources.
    acquisitions
        All acquisitions; those without a source on the grid give no plane.
    product
        What the items hold.
    block
        Chunk size, pixels of the grid.
    offset
        Reflectance offset given by the caller.
    """
    sources: dict[str, dict[str, Source]] = {}
    for source in grid.sources:
        sources.setdefault(source.item.id, {})[source.band.name] = source
    here = [a for a in acquisitions if any(item.id in sources for item in a.items)]
    raw = _open_raw(grid, here, sources, block)
    cube = raw.assign_coords(_time_coords(here, sources))
    reasons: list[dict[str, Radiometry]] = [{} for _ in here]
    for band in grid.bands:
        decisions = [_plane_radiometry(a, band, sources, offset) for a in here]
        if band.kind != "classes":
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
                href=owned(asset.get_absolute_href() or asset.href, item.id, source.key),
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
    texts = {name: str(decision) for name, decision in plane.items()}
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
