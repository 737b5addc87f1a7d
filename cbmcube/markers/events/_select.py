"""Choose among candidates, the best first: far apart from each other, or each once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cbmcube._compiled import compiled

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_Flags = NDArray[np.bool_]


def select_apart(
    parcel: _Ints,
    start: _Floats,
    end: _Floats,
    *,
    worst: Sequence[NDArray[np.generic]],
    apart: float,
    most: int,
) -> _Flags:
    """Say which intervals stay when better ones keep others away.

    Parameters
    ----------
    parcel, start, end
        (candidate): number of the parcel, and interval in days.
    worst
        Columns to rank by, small ones first, the first column counts most. Equal ones are ranked by
        end and start.
    apart
        A candidate goes if ``max(end - other start, other end - start)`` is smaller than this for
        any better one of its parcel that stays.
    most
        Candidates that stay for each parcel.
    """
    order = np.lexsort((start, end, *reversed([*worst]), parcel))
    keep = np.zeros(len(parcel), bool)
    chosen = _apart(parcel[order], start[order], end[order], float(apart), int(most))
    keep[order[chosen]] = True
    return keep


@compiled
def _apart(parcel: _Ints, start: _Floats, end: _Floats, apart: float, most: int) -> _Flags:
    keep = np.zeros(len(parcel), np.bool_)
    kept = np.empty(most, np.int64)
    number = 0
    for i in range(len(parcel)):
        if i > 0 and parcel[i] != parcel[i - 1]:
            number = 0
        free = number < most
        for k in range(number):
            j = kept[k]
            if max(end[i] - start[j], end[j] - start[i]) < apart:
                free = False
        if free:
            kept[number] = i
            number += 1
            keep[i] = True
    return keep


def match_once(left: _Ints, right: _Ints, *, worst: Sequence[NDArray[np.generic]]) -> _Flags:
    """Say which pairs stay when each member is used once and better pairs come first.

    Parameters
    ----------
    left, right
        (pair): numbers of its members, from 0.
    worst
        Columns to rank by, small ones first, the first column counts most.
    """
    keep = np.zeros(len(left), bool)
    if len(left):
        order = np.lexsort([*reversed([*worst])])
        chosen = _once(left[order], right[order], int(left.max()) + 1, int(right.max()) + 1)
        keep[order[chosen]] = True
    return keep


@compiled
def _once(left: _Ints, right: _Ints, lefts: int, rights: int) -> _Flags:
    keep = np.zeros(len(left), np.bool_)
    used_left, used_right = np.zeros(lefts, np.bool_), np.zeros(rights, np.bool_)
    for k in range(len(left)):
        if not used_left[left[k]] and not used_right[right[k]]:
            keep[k] = used_left[left[k]] = used_right[right[k]] = True
    return keep


@compiled
def earlier_by(parcel: _Ints, day: _Floats, least: float) -> _Ints:
    """Return the last observation at least so many days before each, -1 where there is none.

    Observations are ordered by parcel and day. With 0 days it is the previous one.
    """
    found = np.full(len(day), -1, np.int64)
    at = 0
    for k in range(len(day)):
        if k == 0 or parcel[k] != parcel[k - 1]:
            at = k
            continue
        while at + 1 < k and day[k] - day[at + 1] >= least:
            at += 1
        if day[k] - day[at] >= least:
            found[k] = at
    return found
