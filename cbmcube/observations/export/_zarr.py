"""Observations as a vector cube in CF-encoded Zarr."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cbmcube.observations._files import write_vector_cube
from cbmcube.observations.reading import Observations


def to_zarr(
    observations: Observations,
    path: str | os.PathLike[str],
    *,
    parcels: Any = None,
    period: Any = None,
) -> Path:
    """Write observations as a vector cube in CF-encoded Zarr, some dates at a time.

    Each chunk is read and written by one task of Dask, so memory holds as many as there are
    threads, however long the season. The store appears whole or not at all; an existing one at
    `path` is replaced.

    Parameters
    ----------
    observations
        What `open_observations` returned.
    path
        A local folder, usually ending in ``.zarr``; `open_vector_cube` opens it.
    parcels, period
        What to write, see `Observations`; all by default.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    cube = observations.cube(parcels, period)
    return write_vector_cube(cube, path)
