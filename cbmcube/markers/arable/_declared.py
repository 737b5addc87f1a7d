"""What the markers of harvest and catch crops look at, and the declared dates that bind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube.exceptions import OptionError
from cbmcube.markers.detecting import Look, View
from cbmcube.series import Moment, moment

STATES = ("TRUE", "FALSE", "NA", "NR")
"""What is said of a condition: it held, did not, could not be seen, or does not matter."""


def season_views(
    ndvi: xr.Dataset,
    backscatter: xr.Dataset,
    coherence: xr.Dataset,
    declared: pd.DataFrame | Mapping[str, Moment],
    names: tuple[str, ...],
    *,
    min_share: float,
) -> dict[str, View]:
    """Return NDVI with the declared dates beside it, VV and VH, and coherence, of any orbit."""
    vv, vh = (Look(name, min_share=min_share, mixed_orbits=True) for name in ("VV", "VH"))
    green = Look("NDVI", min_share=min_share, coords=names)
    return {
        "ndvi": View(with_declared(ndvi, declared, names), green),
        "vv": View(backscatter, vv),
        "vh": View(backscatter, vh),
        "coherence": View(coherence, vv),
    }


def with_declared(
    stats: xr.Dataset,
    declared: pd.DataFrame | Mapping[str, Moment],
    names: Sequence[str],
) -> xr.Dataset:
    """Add declared dates as coordinates of `parcel`, NaT where nothing is declared.

    Parameters
    ----------
    stats
        A vector cube.
    declared
        A table with the index `parcel` and a column for each name, or one date for all parcels
        under each name.
    names
        Names of the dates.

    Raises
    ------
    OptionError
        If a name is missing, or the table has a parcel twice.
    """
    missing = [name for name in names if name not in declared]
    if missing:
        raise OptionError(
            "declared dates are missing",
            given=", ".join(map(str, declared)),
            allowed=", ".join(names),
            hint="pass a table with these columns and the parcels as its index, or a dict of dates",
        )
    parcels = stats.indexes["parcel"]
    if not isinstance(declared, pd.DataFrame):
        dates: dict[str, Any] = {n: np.full(len(parcels), moment(declared[n])) for n in names}
    else:
        if not declared.index.is_unique:
            raise OptionError(
                "a parcel is declared more than once",
                given=", ".join(map(str, declared.index[declared.index.duplicated()][:5])),
                hint="call the marker once for each declaration",
            )
        table = declared.reindex(parcels)
        dates = {name: _utc(table[name]) for name in names}
    return stats.assign_coords({name: ("parcel", values) for name, values in dates.items()})


def _utc(column: pd.Series[Any]) -> Any:
    return pd.to_datetime(column, utc=True).dt.tz_localize(None).to_numpy("datetime64[ns]")
