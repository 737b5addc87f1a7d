"""Signals by weeks from Monday: what the markers of harvest and catch crops look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.markers.detecting import DAY, Signal

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]
_Ints = NDArray[np.int64]

_MONDAY = np.datetime64("1970-01-05", "D")
_PREVIOUS = 3  # weeks whose mean a rise of the ratio is measured from
_PREVIOUS_DAYS = 35  # within which they must lie


@dataclass(frozen=True, slots=True)
class Weeks:
    """Weeks from Monday that follow each other without a hole."""

    monday: NDArray[np.datetime64]
    """First day of each week."""
    begin: np.datetime64
    """Day 0 of the signals."""

    @classmethod
    def of(cls, begin: np.datetime64, days: float) -> Weeks:
        """Return the weeks of a window."""
        first = begin.astype("datetime64[D]")
        last = (begin + np.timedelta64(int(days * 86400), "s")).astype("datetime64[D]")
        low, high = ((one - _MONDAY).astype(int) // 7 for one in (first, last))
        return cls(_MONDAY + 7 * np.arange(low, high + 1).astype("timedelta64[D]"), begin)

    def number(self, day: _Floats) -> _Ints:
        """Return the week that each day after the begin lies in."""
        edges = self.start()
        return np.asarray(np.searchsorted(edges, day, side="right") - 1)

    def start(self) -> _Floats:
        """Return the Monday of each week in days after the begin."""
        return np.asarray((self.monday - self.begin) / DAY)

    def from_dates(self, dates: NDArray[np.datetime64]) -> _Ints:
        """Return the week of each date; before the first is -1 or less, NaT is beyond the last."""
        known = ~np.isnat(dates)
        days = np.where(known, dates, self.monday[0]).astype("datetime64[D]") - self.monday[0]
        return np.where(known, days.astype(int) // 7, len(self.monday) + 1)

    def mean(self, signal: Signal) -> _Floats:
        """Return (week, parcel): the mean of each week, NaN without observation."""
        total, seen = np.zeros(self._shape(signal)), np.zeros(self._shape(signal))
        np.add.at(total, self.number(signal.day), np.nan_to_num(signal.value))
        np.add.at(seen, self.number(signal.day), signal.valid)
        return np.divide(total, seen, out=np.full(total.shape, np.nan), where=seen > 0)

    def max(self, signal: Signal) -> _Floats:
        """Return (week, parcel): the largest value of each week, NaN without observation."""
        largest = np.full(self._shape(signal), np.nan)
        np.fmax.at(largest, self.number(signal.day), signal.value)
        return largest

    def _shape(self, signal: Signal) -> tuple[int, int]:
        return len(self.monday), signal.parcels


def previous(values: _Floats) -> _Floats:
    """Return the last available value before each week, NaN where there is none."""
    step = np.where(np.isfinite(values), np.arange(len(values))[:, None], -1)
    last = np.full(values.shape, -1)
    np.maximum.accumulate(step[:-1], axis=0, out=last[1:])
    found = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last >= 0, found, np.nan)


def following(values: _Floats) -> _Floats:
    """Return the value of each week, or the next available one."""
    step = np.where(np.isfinite(values), np.arange(len(values))[:, None], len(values))
    after = np.minimum.accumulate(step[::-1], axis=0)[::-1]
    found = np.take_along_axis(values, np.minimum(after, len(values) - 1), axis=0)
    return np.where(after < len(values), found, np.nan)


def rise(weekly: _Floats) -> _Floats:
    """Return how far each week lies above the mean of the three available weeks before, in dB.

    0 where it lies below, NaN where it is not known: without value, or with fewer than three
    within 35 days. Rounded to 0.01.
    """
    result = np.full(weekly.shape, np.nan)
    recent = np.full((_PREVIOUS, weekly.shape[1]), np.nan)
    week = np.full((_PREVIOUS, weekly.shape[1]), -np.inf)
    for k, values in enumerate(weekly):
        known = np.isfinite(values)
        near = 7 * (k - week[0]) <= _PREVIOUS_DAYS
        above = np.round(np.maximum(values - recent.mean(axis=0), 0.0), 2)
        result[k] = np.where(known & near, above, np.nan)
        recent[:, known] = np.vstack([recent[1:, known], values[None, known]])
        week[:, known] = np.vstack([week[1:, known], np.full((1, known.sum()), float(k))])
    return result


def ratio(vv: Signal, vh: Signal) -> Signal:
    """Return VV - VH in dB of parcel means in linear power, orbits brought to one level.

    The difference depends less on the viewing direction than each of its parts; what is left is
    taken off by the difference of the orbits' medians, parcel by parcel.
    """
    positive = (vv.value > 0) & (vh.value > 0)
    ones = np.ones(vv.value.shape)
    quotient = np.divide(vv.value, vh.value, out=ones, where=positive)
    decibel = np.where(positive, 10 * np.log10(quotient), np.nan)
    return replace(vv, value=_level(decibel, vv.orbit))


def _level(values: _Floats, orbit: _Ints | None) -> _Floats:
    if orbit is None:
        return values
    numbers = np.unique(orbit)
    if len(numbers) < 2:
        return values
    middle = np.stack([_median(values[orbit == number]) for number in numbers])
    # A parcel that no pass of an orbit saw needs no shift of it.
    shift = np.where(np.isfinite(middle), middle - _median(middle), 0.0)
    return values - shift[np.searchsorted(numbers, orbit)]


def _median(values: _Floats) -> _Floats:
    known = np.isfinite(values).any(axis=0)
    result = np.full(values.shape[1], np.nan)
    if known.any():
        result[known] = np.nanmedian(values[:, known], axis=0)
    return result


def change(coherence: Signal) -> Signal:
    """Return by how much coherence rose since the previous value of its orbit, 0 where it fell.

    NaN where that is longer ago than one and a half temporal baselines of the pair, or is none.
    """
    orbit = np.zeros(len(coherence.day), np.int64) if coherence.orbit is None else coherence.orbit
    reference = coherence.reference
    spacing = coherence.day - reference if reference is not None else np.full(len(orbit), 6.0)
    result = np.full(coherence.value.shape, np.nan)
    for number in np.unique(orbit):
        steps = np.flatnonzero(orbit == number)
        values, day = coherence.value[steps], coherence.day[steps]
        when = np.where(np.isfinite(values), day[:, None], np.nan)
        near = day[:, None] - previous(when) <= 1.5 * spacing[steps, None] + 1e-3
        result[steps] = np.where(near, np.maximum(values - previous(values), 0.0), np.nan)
    return replace(coherence, value=result)


def weekly_signals(signals: Mapping[str, Signal], weeks: Weeks, bright_vv: float) -> dict[str, Any]:
    """Return the weekly signals that harvest and catch crops have in common."""
    decibel = ratio(signals["vv"], signals["vh"])
    calm = np.where(signals["vv"].value > 10 ** (bright_vv / 10), np.nan, decibel.value)
    return {
        "ndvi": weeks.mean(signals["ndvi"]),
        "ratio": weeks.mean(decibel),
        "ratio_top": weeks.max(decibel),
        "ratio_calm": weeks.mean(replace(decibel, value=calm)),
        "coherence": weeks.max(signals["coherence"]),
        "jump": weeks.max(change(signals["coherence"])),
    }
