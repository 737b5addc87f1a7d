"""Whole series of some parcels at a time, so that memory does not grow with the parcels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

_TASK = 2_000_000  # values at work at once, of which functions make up to some 150 bytes each


def by_parcel(
    series: xr.DataArray, work: Callable[[NDArray[np.float64]], NDArray[Any]], dtype: str
) -> xr.DataArray:
    """Apply a function of (time, parcel) that treats parcels apart; lazily where they are lazy.

    Parameters
    ----------
    series
        Dims `time` and `parcel`.
    work
        Gets float64 with whole series, and returns as many values.
    dtype
        Type of the result.
    """

    def block(values: NDArray[Any]) -> NDArray[Any]:
        return work(values.astype("float64")).astype(dtype)

    ordered = series.transpose("time", "parcel")
    parcels = max(1, _TASK // max(1, ordered.sizes["time"]))
    if ordered.chunks is None:
        values = ordered.to_numpy()
        cuts = range(parcels, ordered.sizes["parcel"], parcels)
        done = [block(some) for some in np.split(values, cuts, axis=1)]
        return ordered.copy(data=np.concatenate(done, axis=1))
    whole = ordered.chunk(time=-1)
    if max(whole.data.chunks[1], default=0) > parcels:
        whole = whole.chunk(parcel=parcels)
    return whole.copy(data=whole.data.map_blocks(block, dtype=dtype))
