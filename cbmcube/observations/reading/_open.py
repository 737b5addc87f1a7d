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
    >>> from cbmcube.observations.season import plan
    >>> store = getfixture("tmp_path") / "season"
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(3)
    >>> catalog = cbm.open_catalog(country.catalogue)
    >>> season = plan(catalog, cbm.CARD_BS, parcels, period="2024-03-01/2024-03-08", store=store)
    >>> report = season.run(progress=False)
    >>> observations = open_observations(store)
    >>> len(observations), observations.bands
    (12, ('VV', 'VH'))
    >>> observations.table(parcels.index[0], bands="VH", columns=["band", "state"]).shape
    (2, 2)
    >>> observations.cube(period="2024-03-03").VH.dims
    ('time', 'parcel', 'statistic')
    >>> observations.missing().empty
    True
    """
    home = (
        store if isinstance(store, Store) else open_store(store, endpoint=endpoint, region=region)
    )
    return Observations(Source(home.snapshot(snapshot)))
