"""Vector cubes from planted series, with what markers ask of a cube and no more."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEW_YEAR = np.datetime64("2024-01-01", "ns")


def moments(day: Floats) -> NDArray[np.datetime64]:
    """Return days of the year, 1 on the first of January, as dates."""
    return NEW_YEAR + np.round((day - 1) * 86_400).astype("timedelta64[s]")


def cube(
    product: str,
    bands: dict[str, Floats],
    day: Floats,
    *,
    pixels: NDArray[np.int64],
    crop: NDArray[np.str_],
    orbit: NDArray[np.int64] | None = None,
    reference: Floats | None = None,
) -> xr.Dataset:
    """Return a vector cube with (time, parcel) as means; NaN is an acquisition without pixels."""
    first = next(iter(bands.values()))
    valid = np.where(np.isfinite(first), pixels, 0).astype("int32")
    names = [*bands]
    coords = {
        "time": moments(day),
        "parcel": [f"P{number:06d}" for number in range(first.shape[1])],
        "statistic": ["count", "mean"],
        "band": names,
        "crop": ("parcel", crop),
        "area_m2": ("parcel", 100.0 * pixels),
    }
    if orbit is not None:
        coords["relative_orbit"] = ("time", orbit)
    if reference is not None:
        coords["reference_time"] = ("time", moments(reference))
    count = valid.astype("float32")
    arrays = {
        name: (("time", "parcel", "statistic"), np.stack([count, values.astype("f4")], axis=-1))
        for name, values in bands.items()
    }
    result = xr.Dataset(arrays, coords=coords, attrs={"product": product})
    return result.assign(
        observed=(("time", "parcel"), np.ones(first.shape, "float32")),
        n_valid=(("band", "time", "parcel"), np.repeat(valid[None], len(names), axis=0)),
        n_total=(("band", "parcel"), np.repeat(pixels[None].astype("int32"), len(names), axis=0)),
    )
