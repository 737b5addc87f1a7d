"""The five weekly conditions of catch crops, M6 to M10, on whole arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from cbmcube.markers._rules import Rule, require
from cbmcube.markers.arable._weeks import Weeks, previous
from cbmcube.markers.detecting import Signal

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CatchCropRule(Rule):
    """Limits of the catch crop markers; the defaults are Sen4CAP's.

    Examples
    --------
    >>> from cbmcube.markers import CatchCropRule
    >>> CatchCropRule().days
    56
    """

    days: int = 56
    """How long a catch crop must stay."""
    settle_days: int = 21
    """Days after the start from which growth is asked for."""
    main_crop: float = 0.350
    """NDVI above it before the period shows that there was a main crop."""
    presence: float = 0.325
    """M6: NDVI of at least that."""
    drop: float = 0.400
    """M7, M8: NDVI that is lower than before is a drop below it."""
    low: float = 0.300
    """M8: NDVI below it is bare, so that it becomes the limit itself."""
    slope: float = 0.01
    """M9: dB a day by which VV - VH rises when a cover is lost."""
    slope_p: float = 0.05
    """M9: two-sided level of significance of the slope."""
    coherence_jump: float = 0.2
    """M10: rise of coherence when a cover is lost."""
    coherence_high: float = 0.7
    """M10: or coherence itself."""
    min_share: float = 0.5
    """Observations with a smaller share of valid pixels are left out."""

    def __post_init__(self) -> None:
        require(self.days > self.settle_days, "the period is too short to grow", self.days)


@dataclass(frozen=True, slots=True)
class Cover:
    """What holds in each week, (week, parcel)."""

    presence: _Flags
    growth: _Flags
    optical: _Flags
    """M8: no loss in NDVI."""
    ratio: _Flags
    """M9: no loss in backscatter, also where three weeks are not there to tell."""
    coherence: _Flags
    """M10: no loss in coherence."""


def cover(
    ndvi: _Floats, coherence: _Floats, jump: _Floats, slope_lost: _Flags, rule: CatchCropRule
) -> Cover:
    """Evaluate M6 to M10 in every week; what was not observed is no loss."""
    before = previous(ndvi)
    drop = (ndvi < before) & (ndvi < rule.drop)
    presence = ndvi >= rule.presence
    growth = presence | (np.isfinite(before) & np.isfinite(ndvi) & ~drop)
    lost = (jump >= rule.coherence_jump) | (coherence >= rule.coherence_high)
    optical = ~(drop & (ndvi <= _limit_so_far(ndvi, drop, rule)))
    return Cover(presence, growth, optical, ~slope_lost, ~lost)


def _limit_so_far(ndvi: _Floats, drop: _Flags, rule: CatchCropRule) -> _Floats:
    """Return the NDVI of a lost cover, with the knowledge of the weeks up to each."""
    lowest = np.fmin.accumulate(np.where(drop, ndvi, np.inf), axis=0)
    highest = np.fmax.accumulate(np.where(np.isfinite(ndvi), ndvi, -np.inf), axis=0)
    bare = np.isfinite(highest) & (highest < rule.low)
    # Of a number that is a multiple of 0.005 but for its last bits, the multiple.
    rounded = np.ceil(np.round(lowest / 0.005, 6)) * 0.005
    found = np.where(np.isfinite(lowest), rounded, rule.drop)
    return np.where(bare | (lowest < rule.low), rule.low, found)


def slope_lost(decibel: Signal, weeks: Weeks, rule: CatchCropRule) -> _Flags:
    """Tell in which weeks VV - VH rises over the two weeks before and after.

    A straight line through all observations of the five weeks, of which three must have one; the
    slope is tested against zero with Student's t.
    """
    week = weeks.number(decibel.day)
    result = np.zeros((len(weeks.monday), decibel.parcels), bool)
    for number in range(len(weeks.monday)):
        near = np.flatnonzero(np.abs(week - number) <= 2)
        if not near.size:
            continue
        values, valid = decibel.value[near], decibel.valid[near]
        distinct = sum(
            valid[week[near] == k].any(axis=0).astype(int) for k in np.unique(week[near])
        )
        slope, p_value = _line(decibel.day[near], values, valid)
        result[number] = (slope >= rule.slope) & (p_value < rule.slope_p) & (distinct >= 3)
    return result


def _line(day: _Floats, values: _Floats, valid: _Flags) -> tuple[_Floats, _Floats]:
    """Return slope and two-sided p-value of a line through each column, NaN below three values."""
    number = valid.sum(axis=0)
    enough = np.where(number > 2, number, np.nan)
    x = np.where(valid, day[:, None], 0.0)
    y = np.where(valid, values, 0.0)
    dx = np.where(valid, x - x.sum(axis=0) / enough, 0.0)
    dy = np.where(valid, y - y.sum(axis=0) / enough, 0.0)
    sxx = np.nansum(dx**2, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.nansum(dx * dy, axis=0) / np.where(np.isfinite(enough), sxx, np.nan)
        left = np.nansum((dy - slope * dx) ** 2, axis=0)
        # A line without noise has no deviation but that of its last bits.
        left = np.where(left <= 1e-18 * np.nansum(dy**2, axis=0), 0.0, left)
        t = np.where(slope == 0, 0.0, slope / np.sqrt(left / (enough - 2) / sxx))
    return slope, 2 * stdtr(enough - 2, -np.abs(t))
