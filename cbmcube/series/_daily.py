"""Observations on a daily grid: what lies between them, and how far away they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.series._kernels import lines, neighbours
from cbmcube.series._pool import Groups, pool

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]
_Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days from the first to the last acquisition, and the day of each acquisition."""

    days: NDArray[np.datetime64]
    """00:00 UTC of each day, to the nanosecond."""
    day: NDArray[np.int64]
    """Position in `days` of each acquisition."""

    @classmethod
    def of(cls, times: NDArray[np.datetime64]) -> Calendar:
        """Take the times of at least one acquisition, in any order."""
        dates = times.astype("datetime64[D]")
        days = np.arange(dates.min(), dates.max() + 1)
        return cls(days.astype("datetime64[ns]"), (dates - days[0]).astype("int64"))

    def means(self, mean: NDArray[Any], count: NDArray[Any] | None = None) -> _Floats:
        """Return daily means, (day, parcel), of means (time, parcel).

        Most days have one acquisition, whose mean is that of the day.
        """
        counts = [] if count is None else [count]
        names = ("mean", "count")[: 1 + len(counts)]
        seen = np.isfinite(mean) if count is None else np.isfinite(mean) & (count > 0)
        result = np.full((len(self.days), mean.shape[1]), np.nan)
        several = np.bincount(self.day, minlength=len(self.days)) > 1
        alone = ~several[self.day]
        result[self.day[alone]] = np.where(seen, mean, np.nan)[alone]
        if several.any():
            number = (np.cumsum(several) - 1)[self.day[~alone]]
            layers = np.stack([mean[~alone], *(one[~alone] for one in counts)], axis=-1)
            groups = Groups(number, int(several.sum()))
            pooled = pool(layers, groups, names, by_count=bool(counts))
            result[several] = pooled[..., 0]
        return result


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
        value = np.ascontiguousarray(value)
        before, after = np.empty(value.shape, np.int32), np.empty(value.shape, np.int32)
        if value.size:
            neighbours(value, before, after)
        inside = (before >= 0) & (after < len(value)) & (after - before <= max_days)
        return cls(np.where(np.isfinite(value), value, np.nan), before, after, inside)

    @property
    def seen(self) -> _Flags:
        """Whether a day has an observation."""
        return np.isfinite(self.value)

    def linear(self) -> _Floats:
        """Return straight lines between observations, NaN outside stretches."""
        return np.asarray(lines(self.value, self.before, self.after, self.inside))

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
