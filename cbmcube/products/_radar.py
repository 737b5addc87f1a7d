"""CARD-BS and CARD-COH6, backscatter and coherence of Sentinel-1, as data."""

from __future__ import annotations

from cbmcube.products._band import Band
from cbmcube.products._model import Product
from cbmcube.products._profile import Profile, Stored


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
        resolution=20,
    )


def _spelling(
    name: str, collection: str, keys: tuple[str, str], stored: Stored, note: str = ""
) -> Profile:
    """Return a profile of both polarisations.

    Keys such as VV are everywhere and say nothing of amplitude, power or decibels: only the
    collection tells.
    """
    assets = dict(zip(("VV", "VH"), keys, strict=True))
    return Profile(
        name=name,
        collections=(collection,),
        assets=assets,
        stored=dict.fromkeys(assets, stored),
        keys_suffice=False,
        reconstructed=bool(note),
        note=note,
    )


_POWER = Stored(form="linear")

CARD_BS = Product(
    name="CARD-BS",
    title="Sentinel-1 gamma0 backscatter, terrain corrected",
    bands=(_backscatter("VV"), _backscatter("VH")),
    profiles=(
        _spelling("card", "CARD-BS", ("VV", "VH"), _POWER),
        _spelling(
            "planetary-computer-rtc",
            "sentinel-1-rtc",
            ("vv", "vh"),
            Stored(form="linear", nodata=-32768),
        ),
        _spelling(
            "indigo", "sentinel1-rtc-aws", ("gamma0_vv", "gamma0_vh"), Stored("linear", nodata=0)
        ),
        _spelling(
            "eodc-sig0",
            "SENTINEL1_SIG0_20M",
            ("VV", "VH"),
            # The flood mapping code of TU Wien divides by the stated scale for decibels.
            Stored(form="decibel", dtype="int16", nodata=-9999, scale_divides=True),
            note="sigma0 instead of gamma0",
        ),
    ),
    repeat_days=12,
)

CARD_COH6 = Product(
    name="CARD-COH6",
    title="Sentinel-1 coherence of 6-day pairs",
    bands=(_coherence("VV"), _coherence("VH")),
    profiles=(_spelling("card", "CARD-COH6", ("VV", "VH"), _POWER),),
    repeat_days=12,
)
