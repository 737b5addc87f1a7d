"""GFM, flood extent of the Global Flood Monitoring service, as data."""

from __future__ import annotations

from cbmcube.products._band import Band
from cbmcube.products._model import Product
from cbmcube.products._profile import Profile

GFM = Product(
    name="GFM",
    title="flood extent of the Global Flood Monitoring service",
    bands=(
        Band(
            name="FLOOD",
            kind="classes",
            long_name="observed flood extent, ensemble of three algorithms",
            units="1",
            dtype="uint8",
            nodata=255,
            classes={0: "no flood", 1: "flood"},
            resolution=20,
        ),
    ),
    profiles=(
        Profile(
            name="eodc",
            collections=("GFM",),
            assets={"FLOOD": "ensemble_flood_extent"},
            reconstructed=True,
        ),
    ),
    repeat_days=12,
)
