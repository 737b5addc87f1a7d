"""Pairs that are kept as they are: a seeded draw, and the ends of the differences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLUMNS = ("step", "parcel", "step_a", "step_b", "a", "b")
"""Columns of kept pairs: number of the pass and of the parcel, acquisitions of both sources that
gave the values, and the values; all float64, which holds these numbers exactly."""

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_Flags = NDArray[np.bool_]


def drawn(passes: _Ints, parcels: _Ints, *, of: int, share: float, seed: int) -> _Flags:
    """Draw (pass, parcel) with a probability; each by itself, so that blocks do not matter.

    Parameters
    ----------
    passes, parcels
        Their numbers.
    of
        Number of all parcels.
    share
        Probability to be drawn.
    seed
        Other draws for other seeds.
    """
    if share >= 1:
        return np.ones((len(passes), len(parcels)), dtype=bool)
    key = passes.astype("uint64")[:, None] * np.uint64(of) + parcels.astype("uint64")[None, :]
    return np.asarray(
        _mixed(key + _mixed(np.array([seed % 2**63], dtype="uint64"))) < np.uint64(share * 2**64)
    )


def _mixed(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread keys over all 64 bits (SplitMix64 of Steele, Lea and Flood, OOPSLA 2014)."""
    key = key + np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(key ^ (key >> np.uint64(31)))


def ends(d: _Floats, count: int) -> _Ints:
    """Return the places of the lowest and of the highest values in flat order, NaN left out.

    Of equal values, the first ones, at both ends: so the ends of blocks hold those of the whole.
    """
    flat = d.ravel()
    places = np.flatnonzero(np.isfinite(flat))
    values = flat[places]
    return places[np.union1d(_lowest(values, count), _lowest(-values, count))]


def _lowest(values: _Floats, count: int) -> _Ints:
    if len(values) <= count:
        return np.arange(len(values))
    limit = np.partition(values, count - 1)[count - 1]
    below = np.flatnonzero(values < limit)
    equal = np.flatnonzero(values == limit)[: count - len(below)]
    return np.concatenate([below, equal])


def cut_ends(rows: _Floats, count: int) -> _Floats:
    """Return the rows of `COLUMNS` with the lowest and highest differences, by pass and parcel."""
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    return rows[ends(rows[:, 5] - rows[:, 4], count)]
