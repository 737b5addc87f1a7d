"""Which stored number means "no data": as the assets declare it, else as the product does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pystac

from cbmcube.cube._sources import Source
from cbmcube.exceptions import BadItemError
from cbmcube.products import Band


def nodata_number(band: Band, sources: Sequence[Source]) -> float:
    """Return the one number that means "no data" in a band.

    Parameters
    ----------
    band
        A band of the product; its own number stands for assets that declare none.
    sources
        The assets of a grid, of any band.

    Raises
    ------
    BadItemError
        If the assets differ, for then a number would be data in one item and none in
        another.
    """
    found: dict[str, tuple[float, str]] = {}
    for source in sources:
        if source.band.name == band.name:
            number = _declared(source.item.assets[source.key])
            number = float(band.nodata) if number is None else number
            found.setdefault(str(number), (number, source.item.id))
    if len(found) > 1:
        raise BadItemError(
            f"items do not agree which number of band {band.name} means no data",
            given="; ".join(f"{name}: {number:g}" for number, name in found.values()),
            allowed="one number for all items of a call",
            hint="load the items that differ in a call of their own",
        )
    return next(iter(found.values()))[0]


def _declared(asset: pystac.Asset) -> float | None:
    """Return ``nodata`` of an asset in the spellings of STAC 1.0 and 1.1."""
    fields = asset.extra_fields
    entries: list[dict[str, Any]] = [fields]
    entries += [(fields.get(name) or [{}])[0] for name in ("bands", "raster:bands")]
    stated = next((entry["nodata"] for entry in entries if entry.get("nodata") is not None), None)
    # "nan", "inf" and "-inf" travel as text, because JSON has no such numbers.
    return None if stated is None else float(stated)
