"""The CARD products of the Copernicus area monitoring system, as data."""

from __future__ import annotations

from cbmcube.products._model import Band, MaskRule, Product, Profile

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


def _reflectance(name: str, long_name: str) -> Band:
    return Band(
        name=name,
        kind="reflectance",
        long_name=f"surface reflectance, {long_name}",
        units="1",
        dtype="uint16",
        nodata=0,
        scale=1e-4,
    )


def _backscatter(polarisation: str) -> Band:
    return Band(
        name=polarisation,
        kind="backscatter",
        long_name=f"gamma0 backscatter, {polarisation}, linear power",
        units="1",
        dtype="float32",
        nodata=float("nan"),
    )


def _coherence(polarisation: str) -> Band:
    return Band(
        name=polarisation,
        kind="coherence",
        long_name=f"interferometric coherence, {polarisation}",
        units="1",
        dtype="float32",
        nodata=float("nan"),
    )


_OPTICAL = (
    _reflectance("B02", "blue"),
    _reflectance("B03", "green"),
    _reflectance("B04", "red"),
    _reflectance("B05", "red edge 1"),
    _reflectance("B06", "red edge 2"),
    _reflectance("B07", "red edge 3"),
    _reflectance("B08", "near infrared"),
    _reflectance("B8A", "narrow near infrared"),
    _reflectance("B11", "short-wave infrared 1"),
    _reflectance("B12", "short-wave infrared 2"),
)

_SCL = Band(
    name="SCL",
    kind="classes",
    long_name="scene classification",
    units="1",
    dtype="uint8",
    nodata=0,
    classes=SCL_CLASSES,
)

CARD_2A = Product(
    name="CARD-2A",
    title="Sentinel-2 Level-2A surface reflectance",
    bands=(*_OPTICAL, _SCL),
    profiles=(
        Profile(
            name="card",
            collections=("CARD-2A",),
            assets={band.name: band.name for band in (*_OPTICAL, _SCL)},
        ),
    ),
    repeat_days=10,
    mask_rule=MaskRule(
        band="SCL",
        masked=frozenset({0, 1, 3, 8, 9, 10, 11}),
        source="Level-2A screening: no data, defective, shadow, cloud, cirrus, snow",
    ),
)

CARD_BS = Product(
    name="CARD-BS",
    title="Sentinel-1 gamma0 backscatter, terrain corrected",
    bands=(_backscatter("VV"), _backscatter("VH")),
    profiles=(Profile(name="card", collections=("CARD-BS",), assets={"VV": "VV", "VH": "VH"}),),
    repeat_days=12,
)

CARD_COH6 = Product(
    name="CARD-COH6",
    title="Sentinel-1 coherence of 6-day pairs",
    bands=(_coherence("VV"), _coherence("VH")),
    profiles=(Profile(name="card", collections=("CARD-COH6",), assets={"VV": "VV", "VH": "VH"}),),
    repeat_days=12,
)
