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

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.observations.reading import open_observations
    >>> from cbmcube.observations.season import plan
    >>> store = getfixture("tmp_path") / "season"
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(3)
    >>> catalog = cbm.open_catalog(country.catalogue)
    >>> season = plan(catalog, cbm.CARD_BS, parcels, period="2024-03-01/2024-03-08", store=store)
    >>> report = season.run(progress=False)
    >>> from cbmcube.observations.export import to_zarr
    >>> path = to_zarr(open_observations(store), store.parent / "season.zarr")
    >>> cbm.open_vector_cube(path).sizes["parcel"]
    3
    """
    cube = observations.cube(parcels, period)
    return write_vector_cube(cube, path)
