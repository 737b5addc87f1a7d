"""The numbers of a distribution: values of many parcels or pixels, read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from dask.base import compute

from cbmcube.exceptions import OptionError
from cbmcube.plotting._peers import ENOUGH
from cbmcube.series import valid_share

Dates = str | np.datetime64 | pd.Timestamp | Sequence[Any] | None


def pick_days(cube: xr.Dataset, dates: Dates) -> dict[str, np.ndarray]:
    """Return for each asked day the positions of its acquisitions (UTC), in the asked order.

    ``None`` stands for all acquisitions together, under an empty name.

    Raises
    ------
    OptionError
        If there is no acquisition on a day; the nearest is named.
    """
    days = pd.DatetimeIndex(cube["time"].to_numpy()).floor("D")
    if dates is None:
        return {"": np.arange(len(days))}
    asked = [dates] if isinstance(dates, str | np.datetime64 | pd.Timestamp) else [*dates]
    picked = {}
    for date in asked:
        try:
            day = pd.Timestamp(date).floor("D")
        except (TypeError, ValueError) as error:
            raise OptionError(
                "a date cannot be read", given=repr(date), hint='for example "2024-05-25"'
            ) from error
        found = np.flatnonzero(days == day)
        if not len(found):
            raise OptionError(
                "there is no acquisition on this day",
                given=f"{day:%Y-%m-%d}",
                allowed=", ".join(_nearest(days, day)),
                hint="the nearest ones are named above",
            )
        picked[f"{day:%Y-%m-%d}"] = found
    return picked


def _nearest(days: pd.DatetimeIndex, day: pd.Timestamp) -> list[str]:
    apart = np.abs((days.unique() - day).days.to_numpy())
    return [f"{near:%Y-%m-%d}" for near in sorted(days.unique()[np.argsort(apart)[:3]])]


def read_values(
    stats: xr.Dataset, bands: Sequence[str], statistic: str, days: dict[str, np.ndarray]
) -> dict[str, xr.DataArray]:
    """Compute one statistic of bands on some acquisitions, (time, parcel), all at once.

    Values of parcels with less than half of their pixels valid are NaN.
    """
    wanted = np.unique(np.concatenate([*days.values()]))
    part = stats.isel(time=wanted)
    lazy = {
        name: part[name]
        .sel(statistic=statistic)
        .where(valid_share(part, name) >= ENOUGH)
        .drop_vars([c for c in part.coords if c != "time"], errors="ignore")
        for name in bands
    }
    (ready,) = compute(lazy)
    return {name: values.assign_coords(position=("time", wanted)) for name, values in ready.items()}


def finite(values: Any) -> np.ndarray:
    """Return all finite values, flat."""
    array = np.asarray(values)
    return array[np.isfinite(array)]
