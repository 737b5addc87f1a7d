"""Open the observations of a store."""

from __future__ import annotations

import os

from cbmcube.observations.reading._observations import Observations
from cbmcube.observations.reading._source import Source
from cbmcube.observations.store import Store, open_store


def open_observations(
    store: str | os.PathLike[str] | Store,
    *,
    snapshot: int | None = None,
    endpoint: str | None = None,
    region: str | None = None,
) -> Observations:
    """Open what a season has published, lazily: no result is read yet.

    What is opened is one snapshot. Runs, compaction and later snapshots change nothing of it.

    Parameters
    ----------
    store
        A folder or ``s3://bucket/prefix``, or what `create_store` returned.
    snapshot
        Number of a snapshot; the latest by default.
    endpoint, region
        Of an object store, as for `create_store`.

    Returns
    -------
    Observations
        Tables, vector cubes, a dataset, a DuckDB relation of it.

    Raises
    ------
    StoreNotFoundError
        If there is no store, or nothing is published in it.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.observations.reading import open_observations
    >>> from cbmcube.testing import observation_store
    >>> observations = open_observations(observation_store(getfixture("tmp_path") / "season"))
    >>> len(observations)
    >>> observations.table(parcels="P1", period="2024-03", bands="NDVI", columns=["time", "mean"])
    """
    home = (
        store if isinstance(store, Store) else open_store(store, endpoint=endpoint, region=region)
    )
    return Observations(Source(home.snapshot(snapshot)))
