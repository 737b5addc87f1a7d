"""Observations that cannot be of the field: out of range, or a dip or spike of one date."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.series._blocks import by_parcel
from cbmcube.series._cube import refuse_mixed_orbits, select_bands, select_statistics
from cbmcube.series._params import hash_of
from cbmcube.series._window import Moment, up_to

_DAY = np.timedelta64(1, "D")

_Floats = NDArray[np.float64]


class Outlier(IntFlag):
    """What is said of an observation; several can be true.

    Examples
    --------
    >>> from cbmcube.series import Outlier
    >>> Outlier.DIP in Outlier(Outlier.DIP | Outlier.PROVISIONAL)
    True
    """

    RANGE = 1
    """Below or above what a field can have."""
    DIP = 2
    """Lower than both neighbours, and back at once: an undetected cloud or shadow."""
    SPIKE = 4
    """Higher than both neighbours, and back at once."""
    PROVISIONAL = 8
    """The first or last of its series, which dips and spikes cannot be told for yet."""
    COLOUR = 16
    """Of a colour that samples call cloudy, hazy or shady; see `colour_class`."""


@dataclass(frozen=True, slots=True)
class OutlierRule:
    """What counts as an outlier; the defaults are for NDVI and other numbers from 0 to 1.

    Examples
    --------
    >>> from cbmcube.series import OutlierRule
    >>> OutlierRule(low=0.1).dip
    0.15
    """

    low: float = -np.inf
    """Smallest number that a field can have. Sen4CAP takes 0.1 for the NDVI of grassland."""
    high: float = np.inf
    """Largest number: for instance 0.25 for B02, and 10**-0.3 (-3 dB) for VV."""
    dip: float = 0.15
    """How far a dip lies below the line between its neighbours, at least."""
    spike: float = 0.20
    """How far a spike lies above it, at least."""
    back: float = 0.8
    """Share of the way to the line that the next observation is back, at least; of a spike, also
    that the one before was lower."""
    rebound: float = 0.05
    """Rise after a dip each day, at least: a mown meadow recovers more slowly."""
    neighbour_days: float = 15.0
    """Neighbours further away tell nothing."""
    spike_days: float = 10.0
    """Days within which the next observation is back after a spike."""

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise OptionError("the range of values is empty", given=f"{self.low} to {self.high}")
        if min(self.dip, self.spike, self.neighbour_days, self.spike_days) <= 0:
            raise OptionError("dip, spike and days of a rule are positive", given=self)

    @property
    def params_id(self) -> str:
        """A hash of all fields: equal rules have equal ids, on every machine."""
        return hash_of(self)


def outliers(
    stats: xr.Dataset,
    band: str | None = None,
    rule: OutlierRule | None = None,
    *,
    colours: xr.DataArray | None = None,
    as_of: Moment | None = None,
) -> xr.DataArray:
    """Flag observations that cannot be of the field; nothing is deleted.

    All observations are judged against the series as it came, in one pass, so that the order of
    judging is of no matter.

    Parameters
    ----------
    stats
        A vector cube; of radar products, with a single relative orbit. Lazy in, lazy out.
    band
        Band or index whose mean is judged; the first by default.
    rule
        What counts; `OutlierRule` with its defaults otherwise.
    colours
        What `dropped_colours` says of the same cube: the colour of these is no field's.
    as_of
        Judge with the knowledge of this moment: later acquisitions are left out.

    Returns
    -------
    xarray.DataArray
        ``uint8`` (time, parcel), bits of `Outlier`; 0 where nothing is said, also where there is
        no observation. ``stats.where(outliers(stats, "NDVI") & ~Outlier.PROVISIONAL == 0)`` keeps
        the others.

    Raises
    ------
    UnknownBandError, UnknownStatisticError
        If the cube lacks the band, or the mean.
    OptionError
        If orbits of a radar product are mixed.

    Examples
    --------
    >>> from cbmcube.series import Outlier, outliers
    >>> from cbmcube.testing import vector_cube
    >>> flags = outliers(vector_cube(days=90), "NDVI")
    >>> int((flags & Outlier.PROVISIONAL > 0).sum("time")[0])
    2
    """
    name = select_bands(stats, band)[0]
    select_statistics(stats, "mean")
    refuse_mixed_orbits(stats)
    rule = rule or OutlierRule()
    known = up_to(stats, as_of)
    series = known[name].sel(statistic="mean", drop=True)
    moments = known["time"].to_numpy().astype("datetime64[ns]")
    result = by_parcel(series, lambda values: _flags(values, moments, rule), "uint8")
    if colours is not None:
        here = up_to(colours.to_dataset(name="colours"), as_of)["colours"]
        seen = here.transpose("time", "parcel") & series.notnull()
        result = result | (seen * np.uint8(Outlier.COLOUR)).astype("uint8")
    result.attrs = {"long_name": f"outliers of {name}", "flags": str(dict(Outlier.__members__))}
    result.attrs["params_id"] = rule.params_id
    return result.rename("outlier")


def _flags(
    values: _Floats, moments: NDArray[np.datetime64], rule: OutlierRule
) -> NDArray[np.uint8]:
    """Return the flags of (time, parcel), whatever the order of time."""
    order = np.argsort(moments, kind="stable")
    back = np.argsort(order, kind="stable")
    ordered, moment = values[order], moments[order]
    steps = np.arange(len(moment))[:, None]
    seen = np.isfinite(ordered)
    before = np.full(values.shape, -1)
    after = np.full(values.shape, len(moment))
    np.maximum.accumulate(np.where(seen, steps, -1)[:-1], axis=0, out=before[1:])
    np.minimum.accumulate(np.where(seen, steps, len(moment))[:0:-1], axis=0, out=after[-2::-1])
    inner = seen & (before >= 0) & (after < len(moment))
    left, right = np.where(inner, before, 0), np.where(inner, after, 0)
    # Days between are the same at any time of the year, to the last bit.
    since = (moment[:, None] - moment[left]) / _DAY
    until = (moment[right] - moment[:, None]) / _DAY
    low, high = (np.take_along_axis(ordered, side, axis=0) for side in (left, right))
    near = inner & (since <= rule.neighbour_days) & (until <= rule.neighbour_days)
    with np.errstate(invalid="ignore", divide="ignore"):  # two looks at one moment; no look
        line = low + (high - low) * since / (since + until)
        depth, rise = line - ordered, high - ordered
        dip = near & (depth >= rule.dip) & (rise >= rule.back * depth)
        dip &= rise / until >= rule.rebound
        spike = near & (-depth >= rule.spike) & (-rise >= rule.back * -depth)
        spike &= until <= rule.spike_days
        # Else the last look before a cut, far above the line to the first one after it, is a spike.
        spike &= ordered - low >= rule.back * -depth
    found = np.zeros(values.shape, np.uint8)
    found |= np.uint8(Outlier.RANGE) * (seen & ((ordered < rule.low) | (ordered > rule.high)))
    found |= np.uint8(Outlier.DIP) * dip
    found |= np.uint8(Outlier.SPIKE) * spike
    found |= np.uint8(Outlier.PROVISIONAL) * (seen & ~inner)
    return np.asarray(found[back])
