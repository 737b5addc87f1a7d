"""Find the crop codes of parcels, and notice codes of another country."""

from __future__ import annotations

import re
import warnings
from urllib.parse import urlsplit

import geopandas as gpd

from cbmcube.exceptions import ParcelsError
from cbmcube.warnings import CropListWarning

CROP = "crop"
"""The column in which every set of parcels has its crop codes."""

USUAL_CROPS = (CROP, "crop_code", "crop:code")
"""Columns that are taken as crop codes when none is named; the last is prescribed by fiboa."""

KEPT = "crop_in_file"
"""Where a column of the file named `CROP` goes when another one holds the codes."""

_COUNTRY, _LIST = "admin:country_code", "crop:code_list"
_LIST_COUNTRY = re.compile(r"/([a-z]{2})(?:_[a-z]+)?(?:_\d{4})?\.\w+$", re.IGNORECASE)
"""The country in the name of a published list, such as dk_2024.csv or de_nrw_2021.csv."""


def name_crop(
    table: gpd.GeoDataFrame, crop: str | None
) -> tuple[gpd.GeoDataFrame, str | None, str | None]:
    """Copy the crop codes into the column ``crop``.

    Returns
    -------
    table, source, kept
        The table; the column that the codes come from, None if there is none; and where a
        column that was named ``crop`` before went, None if there was none or it is the same.
    """
    if crop is None:
        crop = next((name for name in USUAL_CROPS if name in table), None)
    if crop is None or crop == CROP:
        if crop is not None and crop not in table:
            raise _absent(table, crop)
        return table, crop, None
    if crop not in table or crop == table.active_geometry_name:
        raise _absent(table, crop)
    kept = None
    if CROP in table and not table[CROP].equals(table[crop]):
        kept = _free(table)
        table = table.rename(columns={CROP: kept})
    return table.assign(**{CROP: table[crop]}), crop, kept


def check_code_list(table: gpd.GeoDataFrame, *, stacklevel: int) -> list[str]:
    """Warn if crop codes refer to the list of another country; return what was found."""
    if _COUNTRY not in table or _LIST not in table:
        return []
    pairs = table[[_COUNTRY, _LIST]].dropna().drop_duplicates()
    wrong = [
        f"{country}: {urlsplit(listed).path.rsplit('/', 1)[-1]}"
        for country, listed in zip(pairs[_COUNTRY], pairs[_LIST], strict=True)
        if _other_country(str(country), str(listed))
    ]
    if wrong:
        warnings.warn(
            f"the column {_LIST!r} names the crop list of another country ({', '.join(wrong)}); "
            "the codes are kept as they are, so check them before you translate them",
            CropListWarning,
            stacklevel=stacklevel,
        )
    return wrong


def _other_country(country: str, listed: str) -> bool:
    named = _LIST_COUNTRY.search(urlsplit(listed).path)
    if named is None or named[1].upper() in ("EU", country.upper()):
        return False
    # Greece and the United Kingdom have two codes in use.
    return {named[1].upper(), country.upper()} not in ({"EL", "GR"}, {"UK", "GB"})


def _absent(table: gpd.GeoDataFrame, crop: str) -> ParcelsError:
    return ParcelsError(
        f"there is no column {crop!r} to take the crop codes from",
        allowed=[name for name in table if name != table.active_geometry_name],
    )


def _free(table: gpd.GeoDataFrame) -> str:
    names = [KEPT, *(f"{KEPT}_{number}" for number in range(2, len(table.columns) + 3))]
    return next(name for name in names if name not in table)
