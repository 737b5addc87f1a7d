"""From tested pairs of images to mowing events: one for each jump, and when it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.markers.coherence._fit import SMALLEST_SIGMA, PairTests
from cbmcube.markers.coherence._rule import CoherenceRule
from cbmcube.markers.detecting import Found, Signal, judge, reason_code
from cbmcube.markers.events import keep_apart

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Jumps:
    """Detected pairs that follow no detected pair: positions of pairs in time."""

    parcel: _Ints
    pair: _Ints
    before: _Ints
    """The valid pair before it, which mowing fell into."""

    @classmethod
    def of(cls, tests: PairTests, valid: NDArray[np.bool_]) -> Jumps:
        """Find them; of neighbouring detections the first is the jump, the others its height."""
        fresh = tests.detected & ~follows_detection(tests.detected, valid)
        parcel, pair = np.nonzero(fresh.T)
        return cls(parcel, pair, _latest(valid)[pair - 1, parcel])

    def where(self, keep: NDArray[np.bool_]) -> Jumps:
        """Return some of them."""
        return Jumps(self.parcel[keep], self.pair[keep], self.before[keep])


def follows_detection(detected: NDArray[np.bool_], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell whether the valid pair before each pair of a parcel is a detection; (time, parcel)."""
    last = _latest(valid)[:-1]
    before = np.take_along_axis(detected, np.maximum(last, 0), axis=0) & (last >= 0)
    return np.concatenate([np.zeros((min(1, len(valid)), valid.shape[1]), bool), before])


def _latest(valid: NDArray[np.bool_]) -> _Ints:
    """Return the latest valid pair up to each pair, -1 before the first."""
    return np.maximum.accumulate(np.where(valid, np.arange(len(valid))[:, None], -1), axis=0)


def found_events(
    signal: Signal, reference: _Floats, tests: PairTests, compared: _Floats, rule: CoherenceRule
) -> Found:
    """Make events of the tests of some parcels.

    Parameters
    ----------
    signal
        Coherence as it came.
    reference
        (time): day of the earlier image of each pair.
    tests
        What was found.
    compared
        (time, parcel): coherence where there was something to compare it with.
    rule
        What counts as a jump.
    """
    jumps = Jumps.of(tests, np.isfinite(compared))
    jumps = jumps.where(_best(jumps, signal, reference, tests, rule))
    columns = _columns(jumps, signal, reference, tests, rule)
    found = judge(
        signal,
        jumps.parcel,
        columns,
        min_obs=rule.n_ref_min + 1,
        max_gap_days=rule.max_gap_days,
    )
    flat = tests.sigma[jumps.pair, jumps.parcel] <= SMALLEST_SIGMA
    reason = np.where(flat, reason_code("FLAT_REFERENCE"), found.columns["reason"])
    longest = np.maximum(found.longest, _untested(signal, tests))
    return replace(
        found,
        columns={**found.columns, "reason": reason},
        reason=_reasons(found.reason, longest, tests, rule),
        longest=longest,
    )


def _ends(jumps: Jumps, signal: Signal, reference: _Floats) -> tuple[_Floats, _Floats]:
    """Return the interval of each jump: the pair before it, and any that are missing between."""
    end = np.maximum(signal.day[jumps.before], reference[jumps.pair])
    return reference[jumps.before], end


def _best(
    jumps: Jumps, signal: Signal, reference: _Floats, tests: PairTests, rule: CoherenceRule
) -> NDArray[np.bool_]:
    end = _ends(jumps, signal, reference)[1]
    at = jumps.pair, jumps.parcel
    order = np.lexsort((jumps.pair, -tests.statistic[at], tests.p_value[at]))
    owner = keep_apart(jumps.parcel, end, order=order, min_days=rule.min_distance_days)
    return owner == np.arange(len(owner))


def _columns(
    jumps: Jumps, signal: Signal, reference: _Floats, tests: PairTests, rule: CoherenceRule
) -> dict[str, Any]:
    start, end = _ends(jumps, signal, reference)
    at = jumps.pair, jumps.parcel
    score, p_value = tests.statistic[at], tests.p_value[at]
    confidence, kind = 1 - p_value, "p_value"
    if rule.method == "sen4cap":  # its p-value is none, and its score is the excess
        score = tests.statistic[at] - (tests.upper[at] - tests.predicted[at]) / tests.sigma[at]
        confidence, kind = 0.5 * (1 - np.exp(-score)), "score_exp"
        p_value = np.full(len(score), np.nan)
    return {
        "start_date": start,
        "main_date": (start + end) / 2,
        "end_date": end,
        "before_date": start,
        "value_start": signal.value[jumps.before, jumps.parcel],
        "value_main": tests.predicted[at],
        "value_end": signal.value[at],
        "magnitude": signal.value[at] - tests.predicted[at],
        "score": score,
        "p_value": p_value,
        "confidence": confidence,
        "confidence_kind": np.full(len(score), kind, dtype=object),
    }


def _untested(signal: Signal, tests: PairTests) -> _Floats:
    """Return the longest time after a parcel's first tested pair in which none was tested."""
    able = np.isfinite(tests.statistic)
    longest = np.zeros(signal.parcels)
    last = np.full(signal.parcels, np.nan)
    for day, tested in zip([*signal.day, signal.end], [*able, True], strict=True):
        longest = np.where(tested, np.fmax(longest, day - last), longest)
        last = np.where(tested, day, last)
    return longest


def _reasons(
    reason: NDArray[np.int8], longest: _Floats, tests: PairTests, rule: CoherenceRule
) -> NDArray[np.int8]:
    mild = (reason < 0) | (reason == reason_code("GAP"))
    never = ~np.isfinite(tests.statistic).any(axis=0)
    result = np.where(mild & (longest > rule.max_gap_days), reason_code("GAP"), reason)
    return np.where(mild & never, reason_code("NO_REFERENCE"), result).astype(np.int8)
