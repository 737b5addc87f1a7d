"""What was left out: of a search, of parcels, and of a vector cube."""

from __future__ import annotations

from typing import overload

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import xarray as xr

from cbmcube import catalog
from cbmcube.catalog import SearchReport
from cbmcube.parcels import ParcelsReport, parcels_report


@overload
def report(found: pystac.ItemCollection) -> SearchReport: ...
@overload
def report(found: xr.Dataset) -> pd.DataFrame: ...
@overload
def report(found: gpd.GeoDataFrame) -> ParcelsReport: ...  # without types, so it comes last
def report(
    found: pystac.ItemCollection | gpd.GeoDataFrame | xr.Dataset,
) -> SearchReport | ParcelsReport | pd.DataFrame:
    """Say what was left out: of a search, of a set of parcels, or of a vector cube.

    Parameters
    ----------
    found
        What `search`, `read_parcels`, `prepare_parcels` or `reduce_parcels` returned.

    Returns
    -------
    SearchReport, ParcelsReport or pandas.DataFrame
        Of items: what was found, dropped and why. Of parcels: what was repaired and what is
        doubtful. Of a vector cube: the acquisitions of which pixels could not be read, as
        `cbmcube.observations.read_failures` lists them.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_2A)
    >>> len(cbm.report(items).dropped)
    1
    """
    if isinstance(found, xr.Dataset):
        return read_failures(found)
    if isinstance(found, gpd.GeoDataFrame):
        return parcels_report(found)
    return catalog.report(found)


def read_failures(stats: xr.Dataset) -> pd.DataFrame:
    """List the acquisitions of which some pixels could not be read.

    Parameters
    ----------
    stats
        A vector cube of `reduce_parcels`; it is computed unless it is in memory. Failures are
        in it only if the cube was opened with ``on_error="record"``; otherwise the first
        failure is an error and there is nothing to list.

    Returns
    -------
    pandas.DataFrame
        One row for each acquisition and band with a failure: ``time``, ``acquisition``,
        ``items`` (ids, space-separated), ``band``, ``parcels`` (how many lack pixels) and
        ``pixels`` (how many, a pixel counted for each parcel it belongs to). Empty if all
        was read.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.observations import read_failures
    >>> from cbmcube.testing import vector_cube
    >>> len(read_failures(vector_cube()))
    0
    """
    columns = ["time", "acquisition", "items", "band", "parcels", "pixels"]
    if "n_failed" not in stats:
        return pd.DataFrame(columns=columns)
    failed = stats["n_failed"].transpose("time", "band", "parcel").compute()
    times, bands = np.nonzero(failed.any("parcel").values)
    found = failed.values[times, bands]
    known = {
        name: stats[name].values[times] if name in stats.coords else ""
        for name in ("time", "acquisition", "items")
    }
    return pd.DataFrame(
        {
            **known,
            "band": failed["band"].values[bands],
            "parcels": (found > 0).sum(axis=1),
            "pixels": found.sum(axis=1),
        },
        columns=columns,
    )
