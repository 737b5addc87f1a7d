"""The state marker: when one class had the largest share of a parcel."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube.exceptions import OptionError
from cbmcube.markers._rules import Rule, require
from cbmcube.markers.detecting import Look, Marker, View, find_events
from cbmcube.markers.generic._threshold import ThresholdRule, detect_runs
from cbmcube.series import Moment

_VERSION = "1"


@dataclass(frozen=True, slots=True)
class ClassRunRule(Rule):
    """Which class is looked for, and how long it must last.

    Examples
    --------
    >>> from cbmcube.markers import ClassRunRule
    >>> ClassRunRule("SCL", code=5).min_days
    10.0
    """

    band: str
    """Class band, of which the cube has the shares ``<band>_fraction``."""
    code: int
    """Code of the class."""
    masked: tuple[int, ...] = (0, 1, 3, 8, 9, 10, 11)
    """Codes that say nothing of the ground, as in the default mask of CARD-2A; others compete."""
    min_share: float = 0.5
    """Observations on which the other codes have a smaller share of the parcel are left out."""
    min_days: float = 10.0
    """Shorter runs are no event; the JRC's default."""
    min_obs: int = 3
    """Parcels with fewer valid observations are not judged."""
    max_gap_days: float = 30.0
    """Without an event, a longer time unobserved means that one may have been missed."""
    marker: str = "state"
    """Name that the event table gives the marker."""

    def __post_init__(self) -> None:
        require(self.code not in self.masked, "a masked class cannot be looked for", self.code)


def class_runs(
    stats: xr.Dataset,
    rule: ClassRunRule,
    *,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    crops: Collection[object] | None = None,
) -> pd.DataFrame:
    """Find when one class had the largest share of a parcel.

    An event is a run of neighbouring observations on which the class is the commonest one. Its
    edges lie half way between observations. Computes a lazy cube once.

    Parameters
    ----------
    stats
        A vector cube with ``<band>_fraction`` (time, parcel, class).
    rule
        What to look for.
    window, as_of, crops
        As for :func:`cbmcube.markers.threshold_runs`.

    Returns
    -------
    pandas.DataFrame
        An event table. ``value_main`` is 1, since the signal is whether the class leads. Of equal
        shares the smallest code leads.

    Raises
    ------
    OptionError
        If the cube has no shares of the band, or not of the class, or the window is empty.

    Notes
    -----
    After the state markers of the JRC's CbM notebooks, with open runs reported.

    Examples
    --------
    >>> from cbmcube.markers import ClassRunRule, class_runs
    >>> from cbmcube.testing import vector_cube
    >>> bare = class_runs(vector_cube(), ClassRunRule("SCL", code=5))
    >>> bare.groupby("parcel")["n_events"].first().to_list()
    [2, 1, 1, 1]
    """
    leads = _leads(stats, rule)
    as_runs = ThresholdRule(
        rule.band,
        0.5,
        side="above",
        min_days=rule.min_days,
        min_obs=rule.min_obs,
        max_gap_days=rule.max_gap_days,
    )
    return find_events(
        {"signal": View(leads, Look(rule.band))},
        partial(detect_runs, rule=as_runs),
        marker=Marker(rule.marker, _VERSION, rule),
        window=window,
        as_of=as_of,
        crops=crops,
    )


def _leads(stats: xr.Dataset, rule: ClassRunRule) -> xr.Dataset:
    """Return a vector cube that says with 1 and 0 whether the class has the largest share."""
    name = f"{rule.band}_fraction"
    if name not in stats or rule.code not in stats["class"].to_numpy():
        known = stats["class"].to_numpy().tolist() if name in stats else "no such band"
        raise OptionError(
            "the vector cube has no shares of this class",
            given=f"class {rule.code} of {rule.band}",
            allowed=known,
            hint="reduce the class band too: load it, and keep it among the bands",
        )
    codes = np.sort(stats["class"].to_numpy())
    shares = stats[name].sel({"class": [c for c in codes if c not in rule.masked]})
    largest = shares.fillna(0).argmax("class")
    leading = xr.DataArray(largest.variable == shares.indexes["class"].get_loc(rule.code))
    valid = (shares.sum("class") >= rule.min_share).variable & (shares.sum("class") > 0).variable
    band = leading.astype("float64").where(xr.DataArray(valid))
    kept = [n for n in stats.data_vars if n == "observed"]
    cube = stats[kept].drop_dims("statistic", errors="ignore")
    return cube.assign({rule.band: band.expand_dims(statistic=["mean"], axis=-1)})
