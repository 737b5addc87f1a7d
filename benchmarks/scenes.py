"""The items of the benchmarks, as a search would return them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pystac
import shapely
from shapely.geometry import mapping

from benchmarks.data import BANDS, CODECS, CRS, Work
from cbmcube.products import CARD_2A, Band, Product, Profile

FLOATS = Product(
    name="BENCHMARK",
    title="float32 layers without scale and offset",
    bands=tuple(
        Band(name, "index", f"layer {name}", "1", "float32", float("nan")) for name in BANDS
    ),
    profiles=(Profile("benchmark", ("BENCHMARK",), {name: name for name in BANDS}),),
    repeat_days=12,
)
"""What the float32 files hold; the uint16 files pass for CARD-2A reflectance."""


def product(codec: str) -> Product:
    """Return the product that the files of a codec pass for."""
    return CARD_2A if codec == "uint16" else FLOATS


def band_names(codec: str, bands: int) -> list[str]:
    """Return the first bands of the product of a codec."""
    return [band.name for band in product(codec).bands[:bands]]


def items(work: Work, codec: str, *, dates: int, bands: int = 1) -> pystac.ItemCollection:
    """Describe `dates` dates, as a search would return them."""
    return pystac.ItemCollection([_item(work, codec, date, bands) for date in range(dates)])


def _item(work: Work, codec: str, date: int, bands: int) -> pystac.Item:
    ground = gpd.GeoSeries([shapely.box(*work.bounds)], crs=CRS).to_crs("EPSG:4326").iloc[0]
    names = band_names(codec, bands)
    item = pystac.Item(
        id=f"{codec}-{date:03d}",
        geometry=mapping(ground),
        bbox=list(ground.bounds),
        datetime=datetime(2024, 1, 1, 10, tzinfo=UTC) + timedelta(days=3 * date),
        properties={"platform": "benchmark", "proj:code": CRS, "sat:relative_orbit": 1},
        collection=product(codec).collections[0],
    )
    for number, name in enumerate(names):
        item.add_asset(name, _asset(work, codec, work.path(codec, date, number)))
    return item


def _asset(work: Work, codec: str, path: Path) -> pystac.Asset:
    stored = CODECS[codec].dtype
    facts: dict[str, Any] = {
        "data_type": stored,
        "nodata": 0 if stored == "uint16" else "nan",
        "proj:code": CRS,
        "proj:shape": [work.scale.pixels] * 2,
        "proj:transform": list(work.transform)[:6],
    }
    if stored == "uint16":
        facts |= {"raster:scale": 0.0001, "raster:offset": -0.1}
    return pystac.Asset(str(path), media_type=pystac.MediaType.COG, extra_fields=facts)
