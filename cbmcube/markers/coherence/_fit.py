"""Whether a pair of images is more coherent than the pairs before it let expect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from cbmcube.markers.coherence._rule import CoherenceRule

SMALLEST_SIGMA = 1e-6
"""Noise of references that lie on a line exactly, as only invented series do."""

_FLOOR = 0.024  # variance of one pixel in Sen4CAP's S1_gmd.py
_NEARLY_ONE = 1 - 1e-6  # so that atanh stays finite

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]

_Pair = tuple[_Floats, _Floats, _Flags]  # day, value, and whether it may be a reference


@dataclass(frozen=True, slots=True)
class PairTests:
    """The test of each pair, (time, parcel); NaN where there is no pair, or too few before it."""

    predicted: _Floats
    """Coherence that the pairs before let expect."""
    upper: _Floats
    """Coherence above which the p-value is smaller than alpha."""
    sigma: _Floats
    """Noise of a single pair, on the scale of the line."""
    statistic: _Floats
    """Distance from the prediction in standard errors: Student's t for the prediction interval."""
    p_value: _Floats
    """Chance of a distance as large where nothing happens; nominal for Sen4CAP's test."""
    detected: _Flags

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> PairTests:
        """Return tests none of which was made yet."""
        a, b, c, d, e = np.full((5, *shape), np.nan)
        return cls(a, b, c, d, e, np.zeros(shape, bool))


@dataclass(frozen=True, slots=True)
class _Line:
    """A line through the references of each parcel, seen from the tested pair."""

    number: NDArray[np.int64]
    value: _Floats
    """Where it passes the time at which it is read."""
    squares: _Floats
    """Sum of squared residuals."""
    stretch: _Floats
    """Variance of the prediction error, as a multiple of that of one pair."""


class _Past:
    """The references of each parcel, oldest first; NaN while there are fewer."""

    def __init__(self, number: int, parcels: int) -> None:
        self.day = np.full((number, parcels), np.nan)
        self.value = np.full((number, parcels), np.nan)

    def add(self, day: _Floats, value: _Floats, keep: _Flags) -> None:
        """Add a reference to some parcels; their oldest one is forgotten."""
        for rows, new in ((self.day, day), (self.value, value)):
            rows[:-1] = np.where(keep, rows[1:], rows[:-1])
            rows[-1] = np.where(keep, new, rows[-1])

    def near(self, now: float, rule: CoherenceRule) -> _Flags:
        """Tell which references count at a time."""
        return now - self.day <= rule.max_span_days

    def line(self, now: float, rule: CoherenceRule, where: _Flags) -> _Line:
        """Fit by least squares for some parcels, which have enough references."""
        near = self.near(now, rule)[:, where]
        number = near.sum(axis=0)
        days = np.where(near, self.day[:, where] - now, 0.0)
        value = np.where(near, self.value[:, where], 0.0)
        middle = days.sum(axis=0) / number
        mean = value.sum(axis=0) / number
        apart = np.where(near, days - middle, 0.0)
        above = np.where(near, value - mean, 0.0)
        sxx = (apart**2).sum(axis=0)
        slope = (apart * above).sum(axis=0) / sxx
        # Sen4CAP reads the line at the last reference, not at the tested pair.
        ahead = days[-1] - middle if rule.method == "sen4cap" else -middle
        return _Line(
            number=number,
            value=mean + slope * ahead,
            squares=((above - slope * apart) ** 2).sum(axis=0),
            stretch=1 + 1 / number + ahead**2 / sxx,
        )


def judge_pairs(
    value: _Floats,
    day: _Floats,
    rule: CoherenceRule,
    *,
    s0: _Floats | None = None,
    usual: _Floats | None = None,
    pixels: _Floats | None = None,
) -> PairTests:
    """Test each pair against the line through the pairs before it that are no detections.

    Parameters
    ----------
    value
        (time, parcel): coherence, NaN where there is none.
    day
        (time): rising.
    rule
        What counts as a jump.
    s0
        (parcel): noise of similar parcels, NaN where it is not known; by default nowhere.
    usual
        (time, parcel): coherence of peers, which is taken off; NaN where there are none.
    pixels
        (parcel): number of pixels, for Sen4CAP's test.
    """
    base = np.zeros(value.shape) if usual is None else _scaled(usual, rule)
    scaled = _scaled(value, rule) - base
    parcels = value.shape[1]
    noise = _Noise(rule, np.full(parcels, np.nan) if s0 is None else s0, pixels)
    tests = PairTests.blank(value.shape)
    past = _Past(rule.n_ref, parcels)
    previous: _Pair = (np.full(parcels, np.nan), np.full(parcels, np.nan), np.zeros(parcels, bool))
    for k, now in enumerate(day):
        seen = np.isfinite(scaled[k])
        able = seen & (past.near(now, rule).sum(axis=0) >= rule.n_ref_min)
        if able.any():
            some = past.line(now, rule, able)
            for name, result in noise.judge(some, scaled[k, able], base[k, able], able).items():
                getattr(tests, name)[k, able] = result
        tests.detected[k] = _jumps(tests, k, value[k], rule)
        latest = (np.full(parcels, now), scaled[k], ~(tests.detected[k] & rule.leave_out_detected))
        if rule.leave_out_previous:  # it becomes a reference once there is a next one
            past.add(previous[0], previous[1], previous[2] & seen)
            previous = _replaced(previous, latest, seen)
        else:
            past.add(latest[0], latest[1], latest[2] & seen)
    return tests


def _replaced(old: _Pair, new: _Pair, where: _Flags) -> _Pair:
    day, value, keep = (np.where(where, b, a) for a, b in zip(old, new, strict=True))
    return day, value, keep.astype(bool)


def _jumps(tests: PairTests, k: int, value: _Floats, rule: CoherenceRule) -> _Flags:
    jump = value - tests.predicted[k]
    return (
        (tests.p_value[k] <= rule.alpha)
        & (jump >= rule.min_jump)
        & (tests.predicted[k] <= rule.max_predicted)
    )


@dataclass(frozen=True, slots=True)
class _Noise:
    """The noise that a distance from the line is measured with."""

    rule: CoherenceRule
    s0: _Floats
    pixels: _Floats | None

    def judge(
        self, line: _Line, scaled: _Floats, base: _Floats, where: _Flags
    ) -> dict[str, _Floats]:
        """Return the fields of :class:`PairTests` for one pair of some parcels."""
        if self.rule.method == "sen4cap":
            return self._sen4cap(line, scaled, where)
        s0 = self.s0[where]
        known = np.isfinite(s0)
        weight = np.where(known, self.rule.nu0, 0.0)
        freedom = line.number - 2 + weight
        squares = line.squares + weight * np.where(known, s0, 0.0) ** 2
        sigma = np.maximum(np.sqrt(squares / freedom), SMALLEST_SIGMA)
        spread = sigma * np.sqrt(line.stretch)
        statistic = (scaled - line.value) / spread
        upper = line.value + self._critical()[line.number, known.astype(int)] * spread
        return {
            "predicted": _unscaled(line.value + base, self.rule),
            "upper": _unscaled(upper + base, self.rule),
            "sigma": sigma,
            "statistic": statistic,
            "p_value": stdtr(freedom, -statistic),
        }

    def _critical(self) -> _Floats:
        """Return Student's upper quantiles, by number of references and whether noise is pooled."""
        freedom = np.maximum(np.arange(self.rule.n_ref + 1) - 2, 1)
        return stdtrit(freedom[:, None] + np.array([0.0, self.rule.nu0]), 1 - self.rule.alpha)

    def _sen4cap(self, line: _Line, scaled: _Floats, where: _Flags) -> dict[str, _Floats]:
        """Judge as Sen4CAP does: too little noise, and a normal tail instead of Student's."""
        sigma = np.maximum(np.sqrt(line.squares / line.number), SMALLEST_SIGMA)
        if self.pixels is not None:
            sigma = np.maximum(sigma, np.sqrt(_FLOOR / np.maximum(self.pixels[where], 1)))
        statistic = (scaled - line.value) / sigma
        return {
            "predicted": line.value,
            "upper": line.value - ndtri(self.rule.alpha) * sigma,
            "sigma": sigma,
            "statistic": statistic,
            "p_value": ndtr(-statistic),
        }


def _scaled(value: _Floats, rule: CoherenceRule) -> _Floats:
    return np.arctanh(np.clip(value, -_NEARLY_ONE, _NEARLY_ONE)) if rule.fisher else value


def _unscaled(value: _Floats, rule: CoherenceRule) -> _Floats:
    return np.tanh(value) if rule.fisher else value
