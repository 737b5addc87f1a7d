"""Ask a store how far its season is."""

from __future__ import annotations

import os

from cbmcube.observations.season._begin import open_plan
from cbmcube.observations.season._report import SeasonStatus, season_status
from cbmcube.observations.store import Store


def status(store: str | os.PathLike[str] | Store) -> SeasonStatus:
    """Return how far the latest plan of a store is done.

    Parameters
    ----------
    store
        Folder or ``s3://bucket/prefix``.

    Returns
    -------
    SeasonStatus
        Units done, left and failed, records, the latest snapshot.

    Raises
    ------
    StoreNotFoundError
        If there is no store.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.observations.season import plan, status
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(5)
    >>> items = cbm.open_catalog(country.catalogue)
    >>> season = plan(items, cbm.CARD_BS, parcels, store=getfixture("tmp_path") / "bs")
    >>> status(season.store).done
    0
    """
    return season_status(open_plan(store))
