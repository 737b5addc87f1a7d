"""A small made-up country of fields for tests of similarity: a grid, crops, series."""

from __future__ import annotations

import numpy as np
import shapely
import xarray as xr
import xvec

START = np.datetime64("2024-03-01", "ns")
PERIODS = 24
CROPS = ("barley", "maize", "grass")


def curve(crop, periods=PERIODS):
    """The usual season of a crop, 0 to 1."""
    x = np.linspace(0, 1, periods)
    height = {
        "barley": np.exp(-(((x - 0.3) / 0.15) ** 2)),
        "maize": np.exp(-(((x - 0.7) / 0.15) ** 2)),
        "grass": np.full(periods, 0.75),
    }[crop]
    return 0.15 + 0.7 * height


def fields(
    *, side=12, spacing=400.0, noise=0.04, periods=PERIODS, missing=0.0, seed=3, band="NDVI"
):
    """A vector cube of periods; crops alternate on a square grid of fields of 100 m."""
    rng = np.random.default_rng(seed)
    number = side * side
    east, north = np.divmod(np.arange(number), side)
    x, y = 4_321_000.0 + spacing * east, 3_210_000.0 + spacing * north
    shapes = shapely.box(x, y, x + 100.0, y + 100.0)
    crop = np.array([CROPS[k % 3] for k in east + north], dtype=object)
    values = np.stack([curve(name, periods) for name in crop], axis=1)
    # Fields of one crop differ as a whole and from period to period.
    values += rng.normal(0, noise, number) + rng.normal(0, noise, values.shape)
    values[rng.uniform(size=values.shape) < missing] = np.nan
    cube = xr.Dataset(
        {band: (("time", "parcel", "statistic"), values[..., None].astype("float32"))},
        coords={
            "time": START + np.arange(periods) * np.timedelta64(10, "D"),
            "parcel": [f"F{k:03d}" for k in range(number)],
            "statistic": ["mean"],
            "crop": ("parcel", crop),
            "area_m2": ("parcel", np.full(number, 10_000.0)),
            "geometry": ("parcel", shapes),
        },
    )
    return cube.set_xindex("geometry", xvec.GeometryIndex, crs="EPSG:3035")


def with_crop(cube, changes):
    """The cube with other declarations for some parcels."""
    crop = cube["crop"].values.copy()
    for parcel, name in changes.items():
        crop[cube.indexes["parcel"].get_loc(parcel)] = name
    return cube.assign_coords(crop=("parcel", crop))


def with_series(cube, parcel, series, band="NDVI"):
    """The cube with another series for one parcel."""
    changed = cube.copy(deep=True)
    changed[band].loc[{"parcel": parcel, "statistic": "mean"}] = series
    return changed
