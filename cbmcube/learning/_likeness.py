"""Parcels against their peers, period by period, compiled; nothing here knows xarray or maps."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from cbmcube._compiled import compiled

_Floats = NDArray[np.float64]

_IQR = 1.349  # interquartile range of a normal distribution, in standard deviations


class Likeness(NamedTuple):
    """Each of (parcel, period), NaN where the parcel or too many peers have no value."""

    z: _Floats
    """Deviation from the trimmed mean of the peers, in robust standard deviations."""
    t: _Floats
    """Deviation from their mean, in standard deviations: Student's t if all is normal."""
    expected: _Floats
    """Trimmed mean of the peers; known also where the parcel has no value."""
    spread: _Floats
    """Robust standard deviation of the peers, at least the floor."""
    peers: NDArray[np.int64]
    """Peers with a value."""

    def distance(self, values: _Floats, fewest: int) -> _Floats:
        """Return the root mean square over periods (parcel), NaN with fewer than `fewest`."""
        known = np.isfinite(values)
        number = known.sum(axis=1)
        total = np.where(known, values**2, 0.0).sum(axis=1)
        return np.sqrt(total / np.where(number >= max(fewest, 1), number, np.nan))

    def cost(self, fewest: int) -> _Floats:
        """Return the mean over periods of -log(density), up to a constant, of normal values.

        Unlike `distance`, it charges a crop for a wide spread, which fits anything.
        """
        known = np.isfinite(self.z)
        number = known.sum(axis=1)
        width = self.spread * np.sqrt(1.0 + 1.0 / np.maximum(self.peers, 1))
        total = np.where(known, self.z**2 / 2 + np.log(width), 0.0).sum(axis=1)
        return total / np.where(number >= max(fewest, 1), number, np.nan)

    def mean(self) -> _Floats:
        """Return the mean z over periods (parcel)."""
        known = np.isfinite(self.z)
        number = known.sum(axis=1)
        return np.where(known, self.z, 0.0).sum(axis=1) / np.where(number, number, np.nan)

    def p_value(self, share: float) -> _Floats:
        """Return the probability of so unusual a `share` of the periods (parcel).

        With n periods and k of them the share, rounded up, it is the k-th smallest two-sided
        p-value times n / k: an upper bound whatever the correlation between periods.
        """
        single = 2.0 * stdtr(np.maximum(self.peers - 1, 1), -np.abs(self.t))
        number = np.isfinite(single).sum(axis=1)
        k = np.ceil(share * number - 1e-9).astype(int)
        ordered = np.sort(single, axis=1)  # NaN last
        if not ordered.shape[1]:
            return np.full(len(ordered), np.nan)
        smallest = np.take_along_axis(ordered, np.maximum(k - 1, 0)[:, None], axis=1)[:, 0]
        return np.minimum(smallest * number / np.maximum(k, 1), 1.0)


def compare(
    values: NDArray[Any],
    rows: NDArray[np.int64],
    peers: NDArray[np.int64],
    *,
    fewest: int,
    trim: float,
    floor: float,
) -> Likeness:
    """Compare parcels with their peers.

    Parameters
    ----------
    values
        All series (parcel, period); NaN where there is none.
    rows
        Parcels to compare.
    peers
        Peers of each (row, peer), -1 for none. Their order is of no matter, to the last bit.
    fewest
        Fewest peers with a value in a period.
    trim
        Share that is trimmed at each end.
    floor
        Smallest spread.
    """
    shape = rows.size, values.shape[1]
    z, t, expected, spread = (np.full(shape, np.nan) for _ in range(4))
    out = Likeness(z, t, expected, spread, np.zeros(shape, np.int64))
    _compare(values, rows, peers, fewest, trim, floor, out)
    return out


@compiled
def _compare(
    values: NDArray[Any],
    rows: NDArray[np.int64],
    peers: NDArray[np.int64],
    fewest: int,
    trim: float,
    floor: float,
    out: Likeness,
) -> None:
    room = np.empty(peers.shape[1], np.float64)
    for i in range(rows.size):
        for period in range(values.shape[1]):
            n = _gather(values, peers[i], period, room)
            out.peers[i, period] = n
            if n < fewest:
                continue
            expected, spread, mean, deviation = _describe(room[:n], trim)
            spread, deviation = max(spread, floor), max(deviation, floor)
            out.expected[i, period], out.spread[i, period] = expected, spread
            # A new value differs from the mean of n by its own scatter and that of the mean.
            wider = math.sqrt(1.0 + 1.0 / n)
            value = np.float64(values[rows[i], period])
            out.z[i, period] = (value - expected) / (spread * wider)
            out.t[i, period] = (value - mean) / (deviation * wider)


@compiled
def _gather(values: NDArray[Any], peers: NDArray[np.int64], period: int, room: _Floats) -> int:
    """Copy the peers' values into `room` in ascending order; return how many there are."""
    n = 0
    for peer in peers:
        if peer < 0:
            continue
        value = np.float64(values[peer, period])
        if not math.isfinite(value):
            continue
        at = n
        while at > 0 and room[at - 1] > value:
            room[at] = room[at - 1]
            at -= 1
        room[at] = value
        n += 1
    return n


@compiled
def _describe(ordered: _Floats, trim: float) -> tuple[float, float, float, float]:
    """Return trimmed mean, robust and plain standard deviation, and mean of ascending values."""
    n = ordered.size
    cut = int(trim * n)
    inner = ordered[cut : n - cut].sum() / (n - 2 * cut)
    spread = (_quantile(ordered, 0.75) - _quantile(ordered, 0.25)) / _IQR
    mean = ordered.sum() / n
    squares = 0.0
    for value in ordered:
        squares += (value - mean) ** 2
    return inner, spread, mean, math.sqrt(squares / (n - 1))


@compiled
def _quantile(ordered: _Floats, share: float) -> float:
    """Return a quantile between neighbours, as NumPy's ``linear``."""
    place = share * (ordered.size - 1)
    low = int(place)
    high = min(low + 1, ordered.size - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
