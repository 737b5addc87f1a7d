"""What each column of the observation table means, in words."""

from __future__ import annotations

import re

import pyarrow as pa

from cbmcube._states import FULLY_OBSERVED

_MEANINGS = {
    "parcel": "id of the parcel, as its owner gave it",
    "time": "start of the acquisition, UTC; of pairs of images the later one",
    "acquisition": "id of the acquisition: satellite, time, relative orbit",
    "platform": "satellite",
    "relative_orbit": "relative orbit",
    "orbit_state": "ascending or descending",
    "reference_time": "start of the earlier image of the pair, UTC",
    "band": "band",
    "state": "OK; PARTIAL: less than "
    f"{FULLY_OBSERVED:.0%} of the parcel had source data; MASKED: seen, no valid pixel; "
    "NO_DATA: not seen; READ_FAILED: a pixel could not be read",
    "count": "sum of the weights of the valid pixels",
    "n_valid": "pixels with a valid value",
    "n_total": "pixels that the pixel rule selects",
    "observed": "share of the parcel with source data before masking",
    "mean": "weighted mean",
    "std": "weighted population standard deviation",
    "min": "smallest value",
    "max": "largest value",
    "median": "weighted median",
    "items": "ids of the source items, separated by spaces",
}


def meaning(name: str) -> str:
    """Return what a column holds.

    Examples
    --------
    >>> meaning("p25"), meaning("SCL_4")
    ('weighted percentile 25', 'share of class 4 of SCL in the parcel')
    """
    if name in _MEANINGS:
        return _MEANINGS[name]
    percentile = re.fullmatch(r"p(\d+(?:\.\d+)?)", name)
    if percentile:
        return f"weighted percentile {percentile[1]}"
    band, _, code = name.rpartition("_")
    return f"share of class {code} of {band} in the parcel" if band else name


def described_columns(schema: pa.Schema) -> list[dict[str, str]]:
    """Return the columns as the STAC table extension lists them."""
    return [
        {"name": field.name, "type": str(field.type), "description": meaning(field.name)}
        for field in schema
    ]
