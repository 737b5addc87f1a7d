"""Vector cubes with planted series, for the tests of every marker."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr


@pytest.fixture
def planted():
    """Make vector cubes of one band from planted means; see `_planted`."""
    return _planted


def _planted(
    values, days, *, band="NDVI", product="CARD-2A", start="2024-01-01", orbit=None, pairs=None
):
    """Make a vector cube with `values` (time, parcel) as means, NaN where nothing is valid.

    `days` are real days after `start`; with `pairs` each acquisition is the later image of a pair
    that many days apart, as in coherence.
    """
    data = np.asarray(values, dtype="float32")
    data = data[:, None] if data.ndim == 1 else data
    times = np.datetime64(start, "ns") + np.round(np.asarray(days, dtype=float) * 86_400e6).astype(
        "timedelta64[us]"
    )
    count = np.where(np.isfinite(data), 40.0, 0.0).astype("float32")
    coords = {
        "time": times.astype("datetime64[ns]"),
        "parcel": [f"P{k}" for k in range(data.shape[1])],
        "statistic": ["count", "mean"],
        "band": [band],
    }
    if orbit is not None:
        coords["relative_orbit"] = ("time", np.full(len(times), orbit))
    if pairs is not None:
        coords["reference_time"] = ("time", coords["time"] - np.timedelta64(pairs, "D"))
    return xr.Dataset(
        {
            band: (("time", "parcel", "statistic"), np.stack([count, data], axis=-1)),
            "observed": (("time", "parcel"), np.ones(data.shape, "float32")),
            "n_valid": (("band", "time", "parcel"), count[None].astype("int32")),
            "n_total": (("band", "parcel"), np.full((1, data.shape[1]), 40, "int32")),
        },
        coords=coords,
        attrs={"product": product},
    )
