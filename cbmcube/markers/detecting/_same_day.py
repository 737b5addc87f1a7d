"""Observations of one day as one, and the calendar of a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cbmcube.markers.detecting._signal import Signal

_DAY = 86_400e6  # microseconds

_Dates = NDArray[np.datetime64]


def dates_of(signal: Signal) -> _Dates:
    """Return the UTC day of each time, as ``datetime64[D]``."""
    after = np.round(signal.day * _DAY).astype("timedelta64[us]")
    return np.asarray((signal.begin.astype("datetime64[us]") + after).astype("datetime64[D]"))


def one_a_day(signal: Signal) -> Signal:
    """Average the valid observations of each UTC day, parcel by parcel.

    The mean stands at the last valid observation of the day, from when on it is known; the
    others of that day become NaN.
    """
    dates = dates_of(signal)
    value = signal.value.copy()
    starts = np.flatnonzero(np.diff(dates, prepend=dates[:1] - 1).astype(int))
    for rows in np.split(np.arange(len(dates)), starts[1:]):
        if len(rows) > 1:
            value[rows] = _merged(value[rows])
    return replace(signal, value=value)


def _merged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the mean of each column of (look, parcel) at its last finite row."""
    seen = np.isfinite(values)
    number = seen.sum(axis=0)
    mean = np.where(seen, values, 0.0).sum(axis=0) / np.maximum(number, 1)
    last = len(values) - 1 - np.argmax(seen[::-1], axis=0)
    here = (np.arange(len(values))[:, None] == last) & (number > 0)
    return np.where(here, mean, np.nan)
