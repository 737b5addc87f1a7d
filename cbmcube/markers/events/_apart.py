"""Events that are too near to each other: the best one stays, for all parcels at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Ints = NDArray[np.int64]


def keep_apart(
    parcel: _Ints, day: NDArray[np.float64], *, order: _Ints, min_days: float
) -> NDArray[np.int64]:
    """Accept events greedily, and say which event each one gives way to.

    Events are looked at in the given order; one whose day is less than `min_days` from that of an
    accepted event of its parcel gives way to it, or to the first accepted of several.

    Parameters
    ----------
    parcel
        Number of the parcel of each event.
    day
        When it is.
    order
        Positions of the events, the best one first.
    min_days
        Days between accepted events, at least.

    Returns
    -------
    numpy.ndarray
        Position of the event each one gives way to; accepted ones have their own.
    """
    owner = np.full(len(parcel), -1, np.int64)
    left = np.asarray(order)
    while len(left):  # as many times as a parcel has accepted events
        _, first = np.unique(parcel[left], return_index=True)
        best = left[first]
        mine = best[np.searchsorted(parcel[best], parcel[left])]
        near = (np.abs(day[left] - day[mine]) < min_days) | (left == mine)
        owner[left[near]] = mine[near]
        left = left[~near]
    return owner
