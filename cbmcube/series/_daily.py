"""Observations on a daily grid: what lies between them, and how far away they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Daily:
    """Daily observations of some parcels; arrays are (day, parcel).

    Days belong to stretches, from one observation to another with no gap that is too long between.
    """

    value: _Floats
    """Observations, NaN on days without."""
    before: _Ints
    """Day of the last observation up to each day; that of another stretch in gaps."""
    after: _Ints
    """Day of the next observation from each day on."""
    inside: _Flags
    """Whether a day belongs to a stretch."""

    @classmethod
    def of(cls, value: _Floats, max_days: float) -> Daily:
        """Take values (day, parcel); longer times between observations are gaps."""
        days, parcels = value.shape
        day = np.broadcast_to(np.arange(days)[:, None], (days, parcels))
        seen = np.isfinite(value)
        before = np.maximum.accumulate(np.where(seen, day, -1), axis=0)
        after = np.minimum.accumulate(np.where(seen, day, days)[::-1], axis=0)[::-1]
        inside = (before >= 0) & (after < days) & (after - before <= max_days)
        return cls(np.where(seen, value, np.nan), before, after, inside)

    @property
    def seen(self) -> _Flags:
        """Whether a day has an observation."""
        return np.isfinite(self.value)

    def linear(self) -> _Floats:
        """Return straight lines between observations, NaN outside stretches."""
        days = len(self.value)
        low = np.take_along_axis(self.value, np.clip(self.before, 0, days - 1), axis=0)
        high = np.take_along_axis(self.value, np.clip(self.after, 0, days - 1), axis=0)
        apart = np.maximum(self.after - self.before, 1)
        share = (np.arange(days)[:, None] - self.before) / apart
        return np.where(self.inside, low + (high - low) * share, np.nan)

    def distance(self) -> _Floats:
        """Return the days to the nearest observation, NaN outside stretches."""
        day = np.arange(len(self.value))[:, None]
        nearest = np.minimum(day - self.before, self.after - day)
        return np.where(self.inside, nearest, np.nan)

    def each_stretch(
        self, values: _Floats, work: Callable[[_Floats], _Floats], least: int
    ) -> _Floats:
        """Apply a function to stretches of at least so many days, NaN elsewhere.

        It gets (stretch, day) of all those that are equally long.
        """
        result = np.full(values.shape, np.nan)
        edge = np.diff(self.inside.T.astype(np.int8), axis=1, prepend=0, append=0)
        parcel, first = np.nonzero(edge == 1)
        length = np.nonzero(edge == -1)[1] - first
        for days in np.unique(length[length >= least]):
            some = np.flatnonzero(length == days)
            place = (first[some, None] + np.arange(days), parcel[some, None])
            result[place] = work(values[place])
        return result
