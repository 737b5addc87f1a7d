"""The five weekly conditions of harvest, M1 to M5, on whole arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbmcube.markers._rules import Rule, require
from cbmcube.markers.arable._weeks import following, previous, rise

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HarvestRule(Rule):
    """Limits of the harvest markers; the defaults are Sen4CAP's, but for `coherence_season_min`.

    Examples
    --------
    >>> from cbmcube.markers import HARVEST_PRESETS
    >>> HARVEST_PRESETS["sen4cap"].coherence_season_min
    0.0
    """

    vegetation: float = 0.350
    """M1: NDVI above it is vegetation. A drop ends below it."""
    low: float = 0.300
    """M2: NDVI below it is bare, so that it becomes the limit itself."""
    least: float = 0.100
    """M2: NDVI before must be above it."""
    regrowth: float = 0.300
    """M2: NDVI after may be higher than before by less than this."""
    ratio_share: float = 1 / 6
    """M3: share of the season's standard deviation by which VV - VH must rise."""
    ratio_min: float = 0.10
    """M3: dB by which it must rise at least."""
    ratio_level: float = 0.5
    """M4: standard deviations below the season's mean that VV - VH may lie."""
    coherence_jump: float = 0.15
    """M3 and M4: rise of coherence that confirms neighbouring weeks."""
    coherence_step: float = 0.05
    """M5: rise of coherence."""
    coherence_high: float = 0.75
    """M5: or coherence itself; in a season that never reaches it, its maximum less
    `coherence_step`."""
    coherence_season_min: float = 0.5
    """M5: the season's maximum below which coherence itself says nothing. Not in Sen4CAP, where a
    flat low coherence satisfies M5 every week; a starting value, not validated in the field."""
    bright_vv: float = -3.0
    """dB: dates with a brighter VV are left out of mean and deviation of the season."""
    max_gap_share: float = 0.3
    """Without a harvest, a larger share of weeks of the harvest window without radar, or no NDVI in
    it, means that one may have been missed. A starting value, not validated in the field."""
    min_share: float = 0.5
    """Observations with a smaller share of valid pixels are left out."""
    min_weeks: int = 4
    """Parcels with fewer weeks of backscatter are not judged."""

    def __post_init__(self) -> None:
        require(self.low <= self.vegetation, "bare NDVI must not be above vegetation", self.low)
        require(self.min_weeks > 3, "a rise needs three weeks before it", self.min_weeks)


@dataclass(frozen=True, slots=True)
class Weekly:
    """Weekly signals of some parcels, (week, parcel), and what was declared of them."""

    ndvi: _Floats
    ratio: _Floats
    """Mean of VV - VH in dB."""
    ratio_top: _Floats
    """Largest of it."""
    ratio_calm: _Floats
    """Mean of it without dates that are too bright."""
    coherence: _Floats
    """Largest."""
    jump: _Floats
    """Largest rise to the previous value of the orbit."""
    start: _Ints
    """(parcel): week in which vegetation starts."""
    first: _Ints
    """(parcel): first week of the harvest window."""
    last: _Ints
    """(parcel): last week of it."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds in each week, (week, parcel)."""

    vegetation: _Flags
    optical: _Flags
    ratio: _Flags
    level: _Flags
    coherence: _Flags

    def each(self) -> tuple[_Flags, ...]:
        """M1 to M5."""
        return (self.vegetation, self.optical, self.ratio, self.level, self.coherence)


def conditions(weekly: Weekly, rule: HarvestRule) -> Conditions:
    """Evaluate M1 to M5 in every week."""
    week = np.arange(len(weekly.ndvi))[:, None]
    growing = (week >= weekly.start) & (week <= weekly.last)
    green = growing & (weekly.ndvi > rule.vegetation)
    vegetation = np.maximum.accumulate(green, axis=0) & growing
    optical = _optical(weekly, rule, growing, vegetation)
    mean, deviation = _season(weekly.ratio_calm)
    limit = np.maximum(np.nan_to_num(deviation) * rule.ratio_share, rule.ratio_min)
    risen = rise(weekly.ratio) > limit
    jump = weekly.jump > rule.coherence_jump
    ratio = risen | (jump & _beside(risen))
    level = weekly.ratio_top > mean - rule.ratio_level * np.nan_to_num(deviation)
    level |= jump & vegetation & optical & ratio
    return Conditions(vegetation, optical, ratio, level, _coherent(weekly, rule))


def _optical(weekly: Weekly, rule: HarvestRule, growing: _Flags, vegetation: _Flags) -> _Flags:
    """M2: NDVI has come down, or is coming down, to what is left after a harvest."""
    week = np.arange(len(weekly.ndvi))[:, None]
    before = previous(weekly.ndvi)
    after = following(weekly.ndvi)
    drop = vegetation & (weekly.ndvi < before) & (weekly.ndvi < rule.vegetation)
    limit = _limit(weekly.ndvi, drop, growing, rule)
    before = np.where(np.isfinite(before), before, after)  # the first week is its own
    highest = np.fmax.reduce(np.where(growing, weekly.ndvi, np.nan), axis=0, initial=-np.inf)
    margin = np.maximum(np.round((highest - limit) / 4, 3), 0.0)
    margin = np.where((vegetation & np.isfinite(weekly.ndvi)).sum(axis=0) > 1, margin, 0.0)
    low = limit + margin
    falling = (after < low) & (before > limit) & (before > after) & (week >= weekly.first)
    begin = np.where(falling.any(axis=0), falling.argmax(axis=0), weekly.first)
    near = (after < low) | (before < low)
    plausible = (before > rule.least) & (before + rule.regrowth > after)
    return np.asarray(drop.any(axis=0) & near & plausible & (week >= begin))


def _limit(ndvi: _Floats, drop: _Flags, growing: _Flags, rule: HarvestRule) -> _Floats:
    """Return the NDVI that a harvested field has, for each parcel."""
    lowest = np.fmin.reduce(np.where(drop, ndvi, np.nan), axis=0, initial=np.inf)
    some = growing & np.isfinite(ndvi)
    bare = some.any(axis=0) & ~(some & (ndvi >= rule.low)).any(axis=0)
    # Of a number that is a multiple of 0.005 but for its last bits, the multiple.
    rounded = np.ceil(np.round(lowest / 0.005, 6)) * 0.005
    found = np.where(np.isfinite(lowest), rounded, rule.vegetation)
    return np.where(bare | (lowest < rule.low), rule.low, found)


def _season(weekly: _Floats) -> tuple[_Floats, _Floats]:
    """Return mean and sample standard deviation over weeks, NaN where there are too few."""
    number = np.isfinite(weekly).sum(axis=0)
    total = np.nansum(weekly, axis=0)
    mean = np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)
    squares = np.nansum((weekly - mean) ** 2, axis=0)
    variance = np.divide(squares, number - 1, out=np.full(len(total), np.nan), where=number > 1)
    return mean, np.sqrt(variance)


def _beside(flags: _Flags) -> _Flags:
    """Tell whether the week, the one before, or the one after has the flag."""
    near = flags.copy()
    near[1:] |= flags[:-1]
    near[:-1] |= flags[1:]
    return near


def _coherent(weekly: Weekly, rule: HarvestRule) -> _Flags:
    """M5: coherence has risen, or is as high as it becomes."""
    top = np.fmax.reduce(weekly.coherence, axis=0, initial=-np.inf)
    high = np.where(top >= rule.coherence_high, rule.coherence_high, top - rule.coherence_step)
    high = np.where(top >= rule.coherence_season_min, high, np.inf)
    return np.asarray((weekly.jump >= rule.coherence_step) | (weekly.coherence >= high))
