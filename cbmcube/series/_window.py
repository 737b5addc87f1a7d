"""The part of a season that is looked at, and what was known of it on a day."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube.exceptions import OptionError

Moment = str | datetime | np.datetime64 | pd.Timestamp
"""A moment, in UTC if it does not say otherwise; a day is its beginning."""


def moment(when: Moment) -> np.datetime64:
    """Return a moment in UTC.

    Examples
    --------
    >>> moment("2024-05-01T02:00+02:00")
    np.datetime64('2024-05-01T00:00:00.000000000')
    """
    stamp = pd.Timestamp(when)
    if pd.isna(stamp):
        raise OptionError(
            "this is no moment", given=repr(when), allowed="'2024-05-01' and the like"
        )
    plain = stamp if stamp.tz is None else stamp.tz_convert("UTC").tz_localize(None)
    return plain.to_datetime64().astype("datetime64[ns]")


def up_to(stats: xr.Dataset, as_of: Moment | None) -> xr.Dataset:
    """Return what was known at a moment: nothing acquired, or available, later.

    Parameters
    ----------
    stats
        A vector cube. Where it has a coordinate ``created`` on `time`, that is when an
        acquisition became available.
    as_of
        The moment; ``None`` for everything.

    Examples
    --------
    >>> from cbmcube.series import up_to
    >>> from cbmcube.testing import vector_cube
    >>> up_to(vector_cube(days=60), "2024-03-11").sizes["time"]
    4
    """
    if as_of is None:
        return stats
    known = stats["time"].to_numpy() <= moment(as_of)
    if "created" in stats.coords and stats["created"].dims == ("time",):
        known &= ~(stats["created"].to_numpy() > moment(as_of))
    return stats.isel(time=np.flatnonzero(known))


def time_window(
    stats: xr.Dataset,
    window: tuple[Moment, Moment] | None,
    as_of: Moment | None = None,
) -> tuple[np.datetime64, np.datetime64]:
    """Return the first and last moment to look at.

    Parameters
    ----------
    stats
        A vector cube.
    window
        As the user gave it; by default from the first to the last acquisition that is known.
    as_of
        The window ends here at the latest; later acquisitions are not known.

    Raises
    ------
    OptionError
        If it is empty.

    Examples
    --------
    >>> from cbmcube.series import time_window
    >>> from cbmcube.testing import vector_cube
    >>> begin, end = time_window(vector_cube(), ("2024-05-01", "2024-06-30"), as_of="2024-06-10")
    >>> print(begin.astype("M8[D]"), end.astype("M8[D]"))
    2024-05-01 2024-06-10
    """
    times = up_to(stats, as_of)["time"].to_numpy()
    given = (times.min(), times.max()) if window is None and len(times) else window
    begin, end = (np.datetime64("NaT", "ns"),) * 2 if given is None else map(moment, given)
    if as_of is not None:
        end = min(end, moment(as_of))
    if not begin <= end:  # also when there is no time at all
        raise OptionError(
            "the window to look at is empty",
            given=f"{begin} to {end}",
            hint="give its first and last moment, in this order, inside the season",
        )
    return begin, end
