"""Gaps: when nothing could be seen of a parcel, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.series._cube import orbit_table, select_bands, valid_share
from cbmcube.series._window import Moment, moment, time_window, up_to

KINDS = ("LEADING", "INNER", "TRAILING", "WHOLE")
"""Where a gap lies: before the first valid observation, between two, after the last, all over."""
CAUSES = ("MASKED", "READ_FAILED", "MISSING", "NO_ACQUISITION")
"""Why: seen and not valid, not readable, without item, not acquired; of equals, the first."""

_BLOCK = 4_000_000  # observations at work at once, some 30 bytes each
_DAY = np.timedelta64(1, "D")

_Flags = NDArray[np.bool_]
_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


def gaps(
    stats: xr.Dataset,
    band: str | None = None,
    *,
    min_gap: float = 20.0,
    min_share: float = 0.0,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    missing: Iterable[Moment] = (),
) -> pd.DataFrame:
    """List the times in which a parcel had no valid observation, with what stood in the way.

    Parameters
    ----------
    stats
        A vector cube; a lazy one is computed once.
    band
        Band whose validity counts; the first by default.
    min_gap
        Days; longer times without valid observation are gaps. The JRC's default is 20.
    min_share
        Observations with a smaller share of valid pixels do not count, nor does one without any.
    window
        First and last moment to look at (UTC); by default from the first to the last acquisition.
    as_of
        Look with the knowledge of this moment: later acquisitions are left out, and the window
        ends there.
    missing
        Times of passes that are known and have no item, such as those that `report` lists.

    Returns
    -------
    pandas.DataFrame
        One row for each gap, by parcel and time: ``parcel``, ``kind`` (see :data:`KINDS`),
        ``begin`` and ``end`` (UTC), ``days``; strictly inside it ``n_expected`` chances to see
        the parcel, of which ``n_masked`` were masked, ``n_failed`` not readable and
        ``n_missing`` without item; ``cause``, the commonest of these (see :data:`CAUSES`);
        ``rel_gap``, its length over the parcel's usual time between chances.

    Raises
    ------
    UnknownBandError
        If the cube lacks the band.
    OptionError
        If the window is empty.

    See Also
    --------
    gap_summary : One row for each parcel.

    Notes
    -----
    A chance is an acquisition with source data over the parcel, masked or not, or one that could
    not be read. Both ends of the window count, other than in the JRC's scripts, which list inner
    gaps alone and nothing for a parcel that was never seen.

    Examples
    --------
    >>> from cbmcube.series import gaps
    >>> from cbmcube.testing import vector_cube
    >>> found = gaps(vector_cube(days=120), "NDVI", min_gap=7)
    >>> found[["parcel", "kind", "cause"]].iloc[0].to_list()
    ['P2', 'INNER', 'MASKED']
    """
    looks = _Looks.of(stats, band, min_share, window, as_of, missing)
    found = [_list_gaps(looks.some(block), min_gap) for block in looks.blocks()]
    table = pd.concat(found, ignore_index=True)
    table.insert(0, "parcel", stats.indexes["parcel"].to_numpy()[table.pop("number")])
    for name, known in (("kind", KINDS), ("cause", CAUSES)):
        table[name] = pd.Categorical.from_codes(table[name].to_numpy(), pd.Index(known))
    for name in ("begin", "end"):
        table[name] = looks.moments[table[name].to_numpy()]
    return table


def gap_summary(
    stats: xr.Dataset,
    band: str | None = None,
    *,
    min_gap: float = 20.0,
    min_share: float = 0.0,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    missing: Iterable[Moment] = (),
) -> pd.DataFrame:
    """Say for each parcel how well it could be seen.

    Parameters
    ----------
    stats, band, min_gap, min_share, window, as_of, missing
        As for `gaps`.

    Returns
    -------
    pandas.DataFrame
        Indexed by parcel: ``n_gaps``; ``max_gap_days``, the longest time without valid
        observation, gap or not; ``gap_share``, the days in gaps over those of the window;
        ``expected_obs``, chances to see it; ``valid_obs``; ``revisit_days``, the median time
        between neighbouring chances, of radar between those of one orbit (NaN below two).

    Examples
    --------
    >>> from cbmcube.series import gap_summary
    >>> from cbmcube.testing import vector_cube
    >>> gap_summary(vector_cube(days=120), "NDVI").loc["P0", "revisit_days"].item()
    5.0
    """
    looks = _Looks.of(stats, band, min_share, window, as_of, missing)
    found = [_summarise(looks.some(block), min_gap) for block in looks.blocks()]
    table = pd.concat(found, ignore_index=True)
    return table.set_index(stats.indexes["parcel"])


@dataclass(frozen=True, slots=True)
class _Looks:
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
    ) -> _Looks:
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

    def some(self, block: slice) -> _Block:
        """Return the looks at some parcels."""
        flags = (self.valid[:, block], self.failed[:, block], self.masked[:, block])
        return _Block(self, block.start, *flags)


def _series(stats: xr.Dataset) -> _Ints:
    orbits = orbit_table(stats)
    if not len(orbits.columns):
        return np.zeros(len(orbits), np.int64)
    return np.asarray(orbits.groupby(list(orbits.columns), dropna=False).ngroup(), np.int64)


@dataclass(frozen=True, slots=True)
class _Block:
    """The looks at some parcels, and the times between valid ones."""

    looks: _Looks
    first: int
    """Number of the first parcel."""
    valid: _Flags
    failed: _Flags
    masked: _Flags

    def intervals(self) -> _Intervals:
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
        return _Intervals(parcel, before, end, days[before + 1], days[end + 1], kind)


@dataclass(frozen=True, slots=True)
class _Intervals:
    """Times between neighbouring valid observations, or ends of the window, by parcel."""

    parcel: _Ints
    before: _Ints
    """Step of the observation before, -1 for the begin of the window."""
    after: _Ints
    """Step of the observation after, the number of steps for the end of the window."""
    begin: _Floats
    end: _Floats
    kind: _Ints

    @property
    def length(self) -> _Floats:
        """Days."""
        return self.end - self.begin

    def where(self, keep: _Flags) -> _Intervals:
        """Return some of them."""
        return _Intervals(*(getattr(self, name)[keep] for name in self.__slots__))


def _list_gaps(block: _Block, min_gap: float) -> pd.DataFrame:
    spans = block.intervals()
    found = spans.where(spans.length > min_gap)
    masked, failed = (_inside(flags, found) for flags in (block.masked, block.failed))
    edges = (np.searchsorted(block.looks.missing, found.begin, side="right"),
             np.searchsorted(block.looks.missing, found.end, side="left"))  # fmt: skip
    absent = np.maximum(edges[1] - edges[0], 0)
    counts = np.stack([masked, failed, absent])
    cause = np.where(counts.any(axis=0), counts.argmax(axis=0), CAUSES.index("NO_ACQUISITION"))
    return pd.DataFrame(
        {
            "number": found.parcel + block.first,
            "kind": found.kind,
            "begin": found.before + 1,
            "end": found.after + 1,
            "days": found.length,
            "n_expected": counts.sum(axis=0),
            "n_masked": masked,
            "n_failed": failed,
            "n_missing": absent,
            "cause": cause,
            "rel_gap": found.length / _revisit(block)[found.parcel],
        }
    )


def _inside(flags: _Flags, spans: _Intervals) -> _Ints:
    """Count flags strictly between the observations before and after."""
    counted = np.zeros((len(flags) + 1, flags.shape[1]), np.int64)
    np.cumsum(flags, axis=0, out=counted[1:])
    return counted[spans.after, spans.parcel] - counted[spans.before + 1, spans.parcel]


def _summarise(block: _Block, min_gap: float) -> pd.DataFrame:
    spans, parcels = block.intervals(), block.valid.shape[1]
    lost = np.where(spans.length > min_gap, spans.length, 0.0)
    longest = np.zeros(parcels)
    np.maximum.at(longest, spans.parcel, spans.length)
    chances = block.valid | block.masked | block.failed
    share: Any = np.bincount(spans.parcel, weights=lost, minlength=parcels)
    with np.errstate(invalid="ignore"):  # a window of no length has no share
        share = share / block.looks.days[-1]
    return pd.DataFrame(
        {
            "n_gaps": np.bincount(spans.parcel[lost > 0], minlength=parcels),
            "max_gap_days": longest,
            "gap_share": share,
            "expected_obs": chances.sum(axis=0) + block.looks.missing.size,
            "valid_obs": block.valid.sum(axis=0),
            "revisit_days": _revisit(block),
        }
    )


def _revisit(block: _Block) -> _Floats:
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
        spacing[steps] = np.where(np.isfinite(apart), apart, np.nan)
    known = np.isfinite(spacing).any(axis=0)
    median = np.full(len(known), np.nan)
    if known.any():
        median[known] = np.nanmedian(spacing[:, known], axis=0)
    return median
