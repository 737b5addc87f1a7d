"""STAC items and collections that describe the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pystac
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import Polygon, mapping
from shapely.geometry.polygon import orient

from cbmcube.demo._passes import Pass
from cbmcube.demo._sizes import Recipe
from cbmcube.products import CARD_2A, CARD_BS, CARD_COH6, Product

_SCHEMA = "https://stac-extensions.github.io"
_PROJECTION = f"{_SCHEMA}/projection/v2.0.0/schema.json"
_RASTER = f"{_SCHEMA}/raster/v2.0.0/schema.json"
_EO = f"{_SCHEMA}/eo/v2.0.0/schema.json"
_SAR = f"{_SCHEMA}/sar/v1.0.0/schema.json"
_SAT = f"{_SCHEMA}/sat/v1.0.0/schema.json"
_GRID = f"{_SCHEMA}/grid/v1.1.0/schema.json"
_PROCESSING = f"{_SCHEMA}/processing/v1.2.0/schema.json"
_SENTINEL_2 = f"{_SCHEMA}/sentinel-2/v1.0.0/schema.json"
_INSAR = f"{_SCHEMA}/insar/v1.0.0/schema.json"
_STATED = "2025-01-01T00:00:00Z"
"""``created`` and ``updated`` of every item."""
_COMMON = {
    "B02": ("blue", 0.490),
    "B03": ("green", 0.560),
    "B04": ("red", 0.665),
    "B08": ("nir", 0.842),
    "B11": ("swir16", 1.610),
}
OFFSET_BASELINE = "05.10"
"""Processing baseline whose numbers carry an offset of 1000."""
PLAIN_BASELINE = "03.01"
"""Processing baseline whose numbers carry none."""


@dataclass(frozen=True, slots=True)
class Raster:
    """One file of an item."""

    band: str
    """Band and asset key."""
    crs: str
    """CRS of its grid."""
    transform: Affine
    """Transform of its grid."""
    shape: tuple[int, int]
    """Rows and columns."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The files of one item and where they show data."""

    rasters: Sequence[Raster]
    """Files, the first with the finest pixels."""
    footprint: Polygon
    """Extent of the data, longitude and latitude."""


def footprint(raster: Raster, seen: Polygon | None = None) -> Polygon:
    """Return the extent of a file's data in longitude and latitude.

    Parameters
    ----------
    raster
        The file.
    seen
        What the sensor saw, in the CRS of the file; None for all of it.
    """
    rows, columns = raster.shape
    west, north = raster.transform.c, raster.transform.f
    box = shapely.box(
        west, north + rows * raster.transform.e, west + columns * raster.transform.a, north
    )
    data = box if seen is None else box.intersection(seen)
    to_degrees = Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True)

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(np.stack(to_degrees.transform(*points.T), axis=1), 7)

    return orient(Polygon(move(shapely.get_coordinates(data))))


def optical_item(
    scene: Scene, at: Pass, *, tile: str, baseline: str, cloud_cover: float, late: bool
) -> pystac.Item:
    """Describe a CARD-2A item; `late` marks one that was processed again months later."""
    made = datetime(2024, 12, 1, 9, 30, tzinfo=UTC) if late else at.time + timedelta(hours=4)
    unit = at.platform[-1].upper()
    number = f"N{baseline}"
    facts = {
        "platform": at.platform,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "gsd": 10,
        "eo:cloud_cover": cloud_cover,
        "sat:relative_orbit": at.relative_orbit,
        "sat:absolute_orbit": at.absolute_orbit,
        "sat:orbit_state": at.state,
        "grid:code": f"MGRS-{tile}",
        "s2:processing_baseline": baseline,
        "s2:datatake_id": f"GS2{unit}_{at.stamp}_{at.absolute_orbit:06d}_{number}",
        "s2:datastrip_id": (
            f"S2{unit}_OPER_MSI_L2A_DS_2APS_{made:%Y%m%dT%H%M%S}_S{at.stamp}_{number}"
        ),
        "s2:generation_time": _text(made),
    }
    name = (
        f"S2{unit}_MSIL2A_{at.stamp}_N{baseline.replace('.', '')}"
        f"_R{at.relative_orbit:03d}_T{tile}_{made:%Y%m%dT%H%M%S}"
    )
    extensions = [_PROJECTION, _RASTER, _EO, _SAT, _GRID, _SENTINEL_2]
    item = _item(name, CARD_2A, scene, at, facts, extensions)
    if baseline == OFFSET_BASELINE:
        for band in item.assets.keys() - {"SCL"}:
            item.assets[band].extra_fields |= {"raster:scale": 0.0001, "raster:offset": -0.1}
    return item


def backscatter_item(scene: Scene, at: Pass) -> pystac.Item:
    """Describe a CARD-BS item."""
    name = f"S1{at.platform[-1].upper()}_CARD-BS_{at.stamp}_{at.track}_{_zone(scene)}"
    facts = _radar_facts(at, "GRD") | {"processing:datetime": _text(at.time + timedelta(hours=7))}
    extensions = [_PROJECTION, _RASTER, _SAR, _SAT, _PROCESSING]
    return _item(name, CARD_BS, scene, at, facts, extensions)


def coherence_item(scene: Scene, first: Pass, second: Pass) -> pystac.Item:
    """Describe a CARD-COH6 item, the pair of two passes."""
    unit = second.platform[-1].upper()
    name = f"S1{unit}_CARD-COH6_{second.stamp}_{first.stamp}_{second.track}_{_zone(scene)}"
    facts = _radar_facts(second, "SLC") | {
        "processing:datetime": _text(second.time + timedelta(hours=9)),
        "insar:reference_datetime": _text(first.time),
        "insar:secondary_datetime": _text(second.time),
        "insar:temporal_baseline": (second.time.date() - first.time.date()).days,
    }
    extensions = [_PROJECTION, _RASTER, _SAR, _SAT, _PROCESSING, _INSAR]
    return _item(name, CARD_COH6, scene, second, facts, extensions)


def _radar_facts(at: Pass, product: str) -> dict[str, Any]:
    return {
        "platform": at.platform,
        "constellation": "sentinel-1",
        "instruments": ["c-sar"],
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:center_frequency": 5.405,
        "sar:polarizations": ["VV", "VH"],
        "sar:product_type": product,
        "sat:relative_orbit": at.relative_orbit,
        "sat:absolute_orbit": at.absolute_orbit,
        "sat:orbit_state": at.state,
    }


def _zone(scene: Scene) -> str:
    return scene.rasters[0].crs.removeprefix("EPSG:")


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _item(
    name: str,
    product: Product,
    scene: Scene,
    at: Pass,
    facts: Mapping[str, Any],
    extensions: list[str],
) -> pystac.Item:
    item = pystac.Item(
        id=name,
        geometry=mapping(scene.footprint),
        bbox=[round(value, 7) for value in scene.footprint.bounds],
        datetime=at.time,
        properties={
            **facts,
            "proj:code": scene.rasters[0].crs,
            "created": _STATED,
            "updated": _STATED,
        },
        stac_extensions=extensions,
        collection=product.name,
    )
    link = f"./{product.name}/collection.json"
    item.add_link(pystac.Link("collection", link, media_type=pystac.MediaType.JSON))
    for raster in scene.rasters:
        href = f"./{product.name}/{name}/{raster.band}.tif"
        item.add_asset(raster.band, _asset(href, product, raster))
    return item


def _asset(href: str, product: Product, raster: Raster) -> pystac.Asset:
    band = product.band(raster.band)
    described: dict[str, Any] = {"name": band.name}
    if band.name in _COMMON:
        common, wavelength = _COMMON[band.name]
        described |= {"eo:common_name": common, "eo:center_wavelength": wavelength}
    return pystac.Asset(
        href,
        title=band.long_name,
        media_type=pystac.MediaType.COG,
        roles=["data"],
        extra_fields={
            "bands": [described],
            "data_type": band.dtype,
            "nodata": "nan" if band.dtype == "float32" else int(band.nodata),
            "gsd": raster.transform.a,
            "raster:spatial_resolution": raster.transform.a,
            "proj:code": raster.crs,
            "proj:shape": list(raster.shape),
            "proj:transform": list(raster.transform)[:6],
        },
    )


def collections(items: Sequence[pystac.Item], recipe: Recipe) -> list[pystac.Collection]:
    """Return the three collections, with the extent of their items."""
    return [
        _collection(product, [item for item in items if item.collection_id == product.name], recipe)
        for product in (CARD_2A, CARD_BS, CARD_COH6)
    ]


def _collection(
    product: Product, items: Sequence[pystac.Item], recipe: Recipe
) -> pystac.Collection:
    boxes = list(zip(*(item.bbox or () for item in items), strict=True))
    bounds = [min(boxes[0]), min(boxes[1]), max(boxes[2]), max(boxes[3])]
    start, end = (
        datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (recipe.start, recipe.end)
    )
    return pystac.Collection(
        id=product.name,
        title=product.title,
        description=f"{product.title}, simulated for a country that does not exist.",
        license="CC0-1.0",
        extent=pystac.Extent(
            pystac.SpatialExtent([bounds]),
            pystac.TemporalExtent([[start, end + timedelta(days=1)]]),
        ),
        keywords=["Copernicus", "simulated"],
    )
