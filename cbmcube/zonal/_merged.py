"""Quantiles of one parcel's values as exactextract defines them, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube._compiled import compiled


@compiled
def merged_quantiles(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    quantiles: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write the quantiles as exactextract 0.3 defines them, equal values merged first.

    With distinct values in order and merged weights ``w``, value ``k`` of ``n`` (counted
    from 0) stands at ``k w[k] + (n - 1) (w[0] + ... + w[k - 1])``; between two values the
    quantile is interpolated linearly.
    """
    order = np.argsort(values, kind="mergesort")
    distinct = np.empty(values.size, np.float64)
    merged = np.empty(values.size, np.float64)
    n = 0
    for j in order:
        if n > 0 and values[j] == distinct[n - 1]:
            merged[n - 1] += weights[j]
        else:
            distinct[n], merged[n] = values[j], weights[j]
            n += 1
    places = np.empty(n, np.float64)
    done = 0.0
    for k in range(n):
        places[k] = k * merged[k] + (n - 1) * done
        done += merged[k]
    for q in range(quantiles.size):
        out[q] = _interpolate(places, distinct[:n], quantiles[q] * places[n - 1])


@compiled
def _interpolate(places: NDArray[Any], values: NDArray[Any], place: float) -> float:
    """Return the value at `place`, linear between its neighbours."""
    if places.size == 1:
        return float(values[0])
    k = min(max(int(np.searchsorted(places, place)), 1), places.size - 1)
    span = places[k] - places[k - 1]
    share = 0.0 if span == 0.0 else min(max((place - places[k - 1]) / span, 0.0), 1.0)
    return float(values[k - 1] + share * (values[k] - values[k - 1]))
