"""What a marker found in some parcels, and why others cannot be judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.markers.detecting._coverage import Coverage
from cbmcube.markers.detecting._signal import Signal
from cbmcube.markers.events import REASONS

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


def reason_code(name: str) -> int:
    """Return the position of a reason in :data:`REASONS`."""
    return REASONS.index(name)


@dataclass(frozen=True, slots=True)
class Found:
    """What a marker found in some parcels."""

    parcel: _Ints
    """(event): number of the parcel, from 0 in these parcels."""
    columns: Mapping[str, Any]
    """(event): columns of the event table. Dates are days after the begin of the window, and NaN
    where there is none; ``reason`` is a code, -1 for events that are ``OK``. Others are added
    behind the table; those of which the name ends in ``_date`` are dates as well."""
    reason: NDArray[np.int8]
    """(parcel): code of why a parcel cannot be judged, -1 where it can."""
    n_obs: _Ints
    """(parcel): valid observations in the window."""
    longest: _Floats
    """(parcel): longest time without one, in days."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """(parcel): columns of the event table that rows without event have, too."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """(parcel): columns that are added behind those of the event table."""

    def because(self, parcels: NDArray[np.bool_], reason: str) -> Found:
        """Say of some parcels, as far as nothing graver is said, why they cannot be judged."""
        mild = np.isin(self.reason, [-1, reason_code("GAP")])
        code = np.where(parcels & mild, np.int8(reason_code(reason)), self.reason)
        return replace(self, reason=code)


def usual_reasons(
    signal: Signal, *, min_obs: int, longest: _Floats, max_gap_days: float
) -> NDArray[np.int8]:
    """Say which parcels cannot be judged, and why: the gravest reason of each.

    A parcel with a ``GAP`` may still show an event; without one it may have been missed.
    """
    reason = np.full(signal.parcels, -1, np.int8)
    reason[longest > max_gap_days] = reason_code("GAP")
    reason[signal.number() < min_obs] = reason_code("TOO_FEW_OBS")
    reason[signal.grade == "POOR"] = reason_code("CLASS_POOR")
    reason[signal.grade == "NONE"] = reason_code("CLASS_NONE")
    reason[~signal.seen] = reason_code("NO_INPUT")
    return reason


def judge(
    signal: Signal, parcel: _Ints, columns: Mapping[str, Any], *, min_obs: int, max_gap_days: float
) -> Found:
    """Add to the events of one signal what every marker says of them: observations and gaps.

    `columns` has at least ``start_date`` and ``end_date``, in days; an event whose end is NaN is
    open. An event that lies wholly inside one gap is not valid, because nobody looked.
    """
    coverage = Coverage.of(signal, max_gap_days)
    start = np.asarray(columns["start_date"], float)
    end = np.where(np.isnan(columns["end_date"]), signal.end, columns["end_date"])
    overlap = coverage.overlap(parcel, start, end)
    n_obs = coverage.count(parcel, start, end)
    reason = np.full(len(parcel), -1, np.int8)
    reason[(n_obs == 0) & (overlap > 0) & (overlap >= end - start)] = reason_code("GAP")
    added = {"gap_overlap_days": overlap, "n_obs": n_obs, "open": np.isnan(columns["end_date"])}
    longest = coverage.longest()
    return Found(
        parcel=parcel,
        columns={"reason": reason, **added, **columns},
        reason=usual_reasons(signal, min_obs=min_obs, longest=longest, max_gap_days=max_gap_days),
        n_obs=signal.number(),
        longest=longest,
    )
