"""What each acquisition saw of each parcel, and the times between valid observations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cbmcube.series._cube import orbit_table, select_bands, valid_share
from cbmcube.series._window import Moment, moment, time_window, up_to

KINDS = ("LEADING", "INNER", "TRAILING", "WHOLE")
"""Where a gap lies: before the first valid observation, between two, after the last, all over."""

_BLOCK = 4_000_000  # observations at work at once, some 30 bytes each
_DAY = np.timedelta64(1, "D")

_Flags = NDArray[np.bool_]
_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Looks:
    """What each acquisition of a window saw of each parcel; flags are (time, parcel)."""

    moments: NDArray[np.datetime64]
    """The begin of the window, the acquisitions in order of time, the end of the window."""
    valid: _Flags
    failed: _Flags
    masked: _Flags
    missing: _Floats
    """Times of passes without item."""
    series: _Ints
    """Number of the orbit of each acquisition; all 0 where orbits are mixed."""

    @classmethod
    def of(
        cls,
        stats: xr.Dataset,
        band: str | None,
        min_share: float,
        window: tuple[Moment, Moment] | None,
        as_of: Moment | None,
        missing: Iterable[Moment],
    ) -> Looks:
        name = select_bands(stats, band)[0]
        begin, end = time_window(stats, window, as_of)
        chosen = up_to(stats, as_of).sortby("time")
        chosen = chosen.isel(time=(chosen["time"] >= begin) & (chosen["time"] <= end).to_numpy())
        wanted = {"n_valid", "n_total", "n_failed", "observed"} & {*chosen.data_vars}
        counted = {"n_valid", "n_total"} <= wanted and name in chosen["band"].to_numpy()
        # The statistics are the bulk of a cube, and needed where nobody counted pixels.
        chosen = chosen[[*wanted] if counted else [name, *wanted]].compute()
        share = valid_share(chosen, name).transpose("time", "parcel").to_numpy()
        valid = (share >= min_share) & (share > 0)
        failed = np.zeros(valid.shape, bool)
        if counted and "n_failed" in chosen:
            counts = chosen["n_failed"].sel(band=name).transpose("time", "parcel")
            failed = (counts.to_numpy() > 0) & ~valid
        seen = np.ones(valid.shape, bool)
        if "observed" in chosen:
            seen = chosen["observed"].transpose("time", "parcel").to_numpy() > 0
        passes = np.array([moment(one) for one in missing], "datetime64[ns]")
        apart = (np.sort(passes) - begin) / _DAY
        return cls(
            moments=np.array([begin, *chosen["time"].to_numpy(), end], "datetime64[ns]"),
            valid=valid,
            failed=failed,
            masked=seen & ~valid & ~failed,
            missing=apart[(apart > 0) & (apart < float((end - begin) / _DAY))],
            series=_series(chosen),
        )

    @property
    def days(self) -> _Floats:
        """Days after the begin of the window of it, of each acquisition, and of its end."""
        return np.asarray((self.moments - self.moments[0]) / _DAY)

    def blocks(self) -> list[slice]:
        """Return parts of the parcels that fit into memory, at least one."""
        size = max(1, _BLOCK // max(1, self.days.size))
        return [slice(k, k + size) for k in range(0, max(1, self.valid.shape[1]), size)]

    def some(self, block: slice) -> Block:
        """Return the looks at some parcels."""
        flags = (self.valid[:, block], self.failed[:, block], self.masked[:, block])
        return Block(self, block.start, *flags)


def _series(stats: xr.Dataset) -> _Ints:
    orbits = orbit_table(stats)
    if not len(orbits.columns):
        return np.zeros(len(orbits), np.int64)
    return np.asarray(orbits.groupby(list(orbits.columns), dropna=False).ngroup(), np.int64)


@dataclass(frozen=True, slots=True)
class Block:
    """The looks at some parcels, and the times between valid ones."""

    looks: Looks
    first: int
    """Number of the first parcel."""
    valid: _Flags
    failed: _Flags
    masked: _Flags

    def intervals(self) -> Intervals:
        """Return all times from the window's begin over each valid observation to its end."""
        steps, parcels = self.valid.shape
        step = np.where(self.valid, np.arange(steps)[:, None], -1)
        last = np.full((steps + 1, parcels), -1, np.int64)
        np.maximum.accumulate(step, axis=0, out=last[1:])
        ends = np.vstack([self.valid, np.ones(parcels, bool)])
        parcel, end = np.nonzero(ends.T)
        before = last[end, parcel]
        days = self.looks.days
        kind = np.where(end == steps, 2, 1)
        kind[before < 0] = np.where(end[before < 0] == steps, 3, 0)
        return Intervals(parcel, before, end, days[before + 1], days[end + 1], kind)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Times between neighbouring valid observations, or ends of the window, by parcel."""

    parcel: _Ints
    before: _Ints
    """Step of the observation before, -1 for the begin of the window."""
    after: _Ints
    """Step of the observation after, the number of steps for the end of the window."""
    begin: _Floats
    end: _Floats
    kind: _Ints
    """Position in :data:`KINDS`."""

    @property
    def length(self) -> _Floats:
        """Days."""
        return self.end - self.begin

    def where(self, keep: _Flags) -> Intervals:
        """Return some of them."""
        return Intervals(*(getattr(self, name)[keep] for name in self.__slots__))


def inside(flags: _Flags, spans: Intervals) -> _Ints:
    """Count flags strictly between the observations before and after."""
    counted = np.zeros((len(flags) + 1, flags.shape[1]), np.int64)
    np.cumsum(flags, axis=0, out=counted[1:])
    return counted[spans.after, spans.parcel] - counted[spans.before + 1, spans.parcel]


def revisit(block: Block) -> _Floats:
    """Return the median time between neighbouring chances of one orbit."""
    chances = block.valid | block.masked | block.failed
    spacing = np.full(chances.shape, np.nan)
    for number in np.unique(block.looks.series):
        steps = np.flatnonzero(block.looks.series == number)
        days = np.where(chances[steps], block.looks.days[steps + 1, None], -np.inf)
        before = np.vstack([np.full((1, days.shape[1]), -np.inf), days[:-1]])
        np.maximum.accumulate(before, axis=0, out=before)
        with np.errstate(invalid="ignore"):  # -inf - -inf, where there is no chance
            apart = days - before
        # Two looks at one moment are one chance.
        spacing[steps] = np.where(np.isfinite(apart) & (apart > 0), apart, np.nan)
    known = np.isfinite(spacing).any(axis=0)
    median = np.full(len(known), np.nan)
    if known.any():
        median[known] = np.nanmedian(spacing[:, known], axis=0)
    return median
