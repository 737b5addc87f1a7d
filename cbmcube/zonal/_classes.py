"""The weight of each class in the pixels of parcels, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube._compiled import compiled
from cbmcube.zonal._kernels import Pixels


@compiled
def class_weights(
    raster: NDArray[Any],
    pixels: Pixels,
    position: NDArray[np.int64],
    classes: int,
) -> NDArray[np.float64]:
    """Return the weight of each class (parcel, class); ``position`` maps code to class.

    Codes that map to -1 belong to no class and count nowhere.
    """
    run_start, run_cell, run_length, edge_start, edge_cell, edge_weight = pixels
    parcels = run_start.size - 1
    out = np.zeros((parcels, classes))
    for i in range(parcels):
        for r in range(run_start[i], run_start[i + 1]):
            first = run_cell[r]
            for cell in range(first, first + run_length[r]):
                k = position[raster[cell]]
                if k >= 0:
                    out[i, k] += 1.0
        for e in range(edge_start[i], edge_start[i + 1]):
            k = position[raster[edge_cell[e]]]
            if k >= 0:
                out[i, k] += edge_weight[e]
    return out


@compiled
def class_weights_flat(
    codes: NDArray[Any],
    start: NDArray[np.int64],
    weights: NDArray[np.float32],
    position: NDArray[np.int64],
    classes: int,
) -> NDArray[np.float64]:
    """Do what `class_weights` does for pixels that are already gathered, in the same order."""
    parcels = start.size - 1
    out = np.zeros((parcels, classes))
    for i in range(parcels):
        for j in range(start[i], start[i + 1]):
            k = position[codes[j]]
            if k >= 0:
                out[i, k] += weights[j]
    return out
