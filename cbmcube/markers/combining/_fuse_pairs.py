"""Pairs of events of two markers, and the one event that each of them is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.markers.combining._fuse_rule import FuseRule
from cbmcube.markers.combining._sides import Side, intervals_of, moments, nanoseconds, with_lists
from cbmcube.markers.events import OPEN, REASONS, match_once, overlaps

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]
_Ints = NDArray[np.int64]


def fused_confidence(first: _Floats, second: _Floats) -> _Floats:
    """Return the confidence of pairs: doubts d = 1 - c become d1 d2 / (d1 + d2)."""
    d, e = 1.0 - np.asarray(first, float), 1.0 - np.asarray(second, float)
    return np.asarray(1.0 - np.divide(d * e, d + e, out=np.zeros_like(d + e), where=d + e > 0))


def weights(events: pd.DataFrame, rule: FuseRule) -> _Floats:
    """Return what confidences count, 0 where there is none."""
    share = np.where(events["confidence_kind"] == "p_value", rule.p_value_share, 1.0)
    return np.nan_to_num(events["confidence"].to_numpy(dtype=float)) * share


def is_radar(events: pd.DataFrame) -> _Flags:
    return np.array([bool(s) and all(name.startswith("S1") for name in s)
                     for s in events["sources"]], dtype=bool)  # fmt: skip


def pair_events(one: Side, two: Side, rule: FuseRule) -> tuple[_Ints, _Ints]:
    """Return the rows of events that are paired; which table is first is of no matter."""
    left, right = one.intervals, two.intervals
    a, b, length = overlaps(left, right)
    weight = weights(one.events, rule)[a] + weights(two.events, rule)[b]
    starts, ends = left.start[a] + right.start[b], np.minimum(left.end[a], right.end[b])
    keep = match_once(a, b, worst=[-length, -weight, starts, ends])
    return a[keep], b[keep]


def fused_events(one: Side, two: Side, a: _Ints, b: _Ints, rule: FuseRule) -> pd.DataFrame:
    """Return one row for each pair, on the base of the more confident one."""
    left, right = one.events.iloc[a], two.events.iloc[b]
    strength = [weights(events, rule) for events in (left, right)]
    swap = _ranks_lower(left, right, *strength)
    both = pd.concat([left, right], ignore_index=True)
    place, pairs = np.arange(len(a)), len(a)
    better = np.where(swap, place + pairs, place)
    worse = np.where(swap, place, place + pairs)
    rows, other = (both.iloc[k].reset_index(drop=True) for k in (better, worse))
    confidence = fused_confidence(*strength)
    radar = is_radar(rows) & is_radar(other)
    confidence[radar] = np.minimum(confidence[radar], rule.radar_most)
    outcome = _outcome(rows, other)
    rows = with_lists(rows, other, place, place)
    return _interval(with_reach(rows, other), other, rule).assign(
        sources=rows["sources"].map(sorted),
        parts=rows["parts"].map(sorted),
        confidence=confidence,
        confidence_kind=pd.Series("fused", rows.index, rows["confidence_kind"].dtype),
        p_value=np.fmin(rows["p_value"], other["p_value"]),
        n_obs=(rows["n_obs"].astype(int) + other["n_obs"]).clip(upper=65_535),
        gap_overlap_days=np.fmin(rows["gap_overlap_days"], other["gap_overlap_days"]),
        provisional=rows["provisional"] | other["provisional"],
        **outcome,
    )


def _ranks_lower(left: pd.DataFrame, right: pd.DataFrame, mine: _Floats, theirs: _Floats) -> _Flags:
    """Say where the right one is better: surer, shorter, earlier, or by its id."""
    spans = [intervals_of(events) for events in (left, right)]
    length = spans[0].end - spans[0].start, spans[1].end - spans[1].start
    swap = right["event_id"].to_numpy() < left["event_id"].to_numpy()
    for one, two in ((spans[0].start, spans[1].start), length, (-mine, -theirs)):
        swap = np.where(two != one, two < one, swap)
    return np.asarray(swap, dtype=bool)


def with_reach(events: pd.DataFrame, *others: pd.DataFrame) -> pd.DataFrame:
    """Add from where to where events reach, together with their partners, in nanoseconds.

    The shorter the intervals, the nearer events seem: distances count between the whole reaches.
    """
    some = [events, *others]
    start = [nanoseconds(part["start_date"].fillna(part["main_date"])) for part in some]
    end = [nanoseconds(part["end_date"].fillna(part["main_date"])) for part in some]
    return events.assign(reach_start=np.min(start, axis=0), reach_end=np.max(end, axis=0))


def _outcome(rows: pd.DataFrame, other: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """Say whether pairs are ``OK``: if one is, or if both lack nothing but a partner.

    Where both are of one source the partner is none: it sees the same cloud.
    """
    fine = [part["status"] == "OK" for part in (rows, other)]
    lonely = [part["reason"] == "UNCONFIRMED" for part in (rows, other)]
    listed = zip(rows["sources"], other["sources"], strict=True)
    shared = np.array([not set(a).isdisjoint(b) for a, b in listed], dtype=bool)
    sound = fine[0] | fine[1] | (lonely[0] & lonely[1])
    sound &= ~(shared & (lonely[0] | lonely[1]))
    codes = np.stack([part["reason"].cat.codes.to_numpy() for part in (rows, other)])
    gravest = np.where(codes < 0, len(REASONS), codes).min(axis=0)
    reason = np.array([*REASONS, None], dtype=object)[np.where(sound, len(REASONS), gravest)]
    status = np.where(sound, "OK", "NOT_VALID")
    return {
        "status": pd.Series(status, rows.index, rows["status"].dtype),
        "reason": pd.Series(reason, rows.index, rows["reason"].dtype),
    }


def _interval(rows: pd.DataFrame, other: pd.DataFrame, rule: FuseRule) -> pd.DataFrame:
    """Give the pairs their dates."""
    if rule.interval == "confident":
        return rows
    spans = intervals_of(rows), intervals_of(other)
    start = np.maximum(*(span.start for span in spans))
    end = np.minimum(*(span.end for span in spans))
    before = pd.concat([rows["before_date"], other["before_date"]], axis=1).max(axis=1)
    middle = np.where(end < OPEN, start + (end - start) // 2, start)
    return rows.assign(
        start_date=moments(start),
        main_date=moments(middle),
        end_date=moments(end),
        before_date=before,
        open=end >= OPEN,
    )
