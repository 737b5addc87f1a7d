"""CARD-2A, surface reflectance of Sentinel-2, as data."""

from __future__ import annotations

from cbmcube.products._band import Band, MaskRule
from cbmcube.products._model import Product
from cbmcube.products._profile import Profile

SCL_CLASSES = {
    0: "no data",
    1: "saturated or defective",
    2: "topographic shadow",
    3: "cloud shadow",
    4: "vegetation",
    5: "not vegetated",
    6: "water",
    7: "unclassified",
    8: "cloud, medium probability",
    9: "cloud, high probability",
    10: "thin cirrus",
    11: "snow or ice",
}
"""Classes of the Sentinel-2 scene classification (Level-2A product definition)."""


def _reflectance(name: str, long_name: str, resolution: int) -> Band:
    return Band(
        name=name,
        kind="reflectance",
        long_name=f"surface reflectance, {long_name}",
        units="1",
        dtype="uint16",
        nodata=0,
        scale=1e-4,
        resolution=resolution,
    )


_BANDS = (
    _reflectance("B02", "blue", 10),
    _reflectance("B03", "green", 10),
    _reflectance("B04", "red", 10),
    _reflectance("B05", "red edge 1", 20),
    _reflectance("B06", "red edge 2", 20),
    _reflectance("B07", "red edge 3", 20),
    _reflectance("B08", "near infrared", 10),
    _reflectance("B8A", "narrow near infrared", 20),
    _reflectance("B11", "short-wave infrared 1", 20),
    _reflectance("B12", "short-wave infrared 2", 20),
    Band(
        name="SCL",
        kind="classes",
        long_name="scene classification",
        units="1",
        dtype="uint8",
        nodata=0,
        classes=SCL_CLASSES,
        resolution=20,
    ),
)

_OWN = {band.name: band.name for band in _BANDS}
"""The names of Level-2A itself."""

_COMMON = {
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge1",
    "B06": "rededge2",
    "B07": "rededge3",
    "B08": "nir",
    "B8A": "nir08",
    "B11": "swir16",
    "B12": "swir22",
    "SCL": "scl",
}
"""Common names, under which two providers keep each band at its finest resolution.

Their ``red-jp2`` or ``red_20m`` are other files: only a profile of one's own reaches them.
"""

_SIZED = {band.name: f"{band.name}_{band.resolution}m" for band in _BANDS}
"""Names with the pixel size: each band at its finest resolution."""

CARD_2A = Product(
    name="CARD-2A",
    title="Sentinel-2 Level-2A surface reflectance",
    bands=_BANDS,
    profiles=(
        Profile(name="card", collections=("CARD-2A",), assets=_OWN),
        Profile(name="eodc", collections=("SENTINEL2_L2A",), assets=_COMMON),
        Profile(
            name="earth-search",
            collections=("sentinel-2-l2a", "sentinel-2-c1-l2a"),
            assets=_COMMON,
        ),
        Profile(name="earth-search-v0", collections=("sentinel-s2-l2a-cogs",), assets=_OWN),
        Profile(name="planetary-computer", collections=("sentinel-2-l2a",), assets=_OWN),
        Profile(name="cdse", collections=("sentinel-2-l2a",), assets=_SIZED),
        Profile(
            name="sen2like",
            collections=("sentinel2-landsat8-l2f",),
            # Without scene classification, and shared with Landsat, hence the constellation.
            assets={band: key for band, key in _OWN.items() if band != "SCL"},
            properties={"constellation": "sentinel-2"},
            keys_suffice=False,
            processed_further=True,
            reconstructed=True,
        ),
    ),
    repeat_days=10,
    mask_rule=MaskRule(
        band="SCL",
        masked=frozenset({0, 1, 3, 8, 9, 10, 11}),
        source="Level-2A screening: no data, defective, shadow, cloud, cirrus, snow",
    ),
)
