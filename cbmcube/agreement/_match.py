"""Acquisitions of two vector cubes paired by time, orbit and platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

_DESCRIPTION = ("acquisition", "platform", "relative_orbit", "orbit_state")


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which acquisition of one cube is which of the other: positions on both time axes."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]

    def alone(self, size: int, side: str) -> NDArray[np.int64]:
        """Return the positions of side ``"a"`` or ``"b"`` that have no partner."""
        taken = self.a if side == "a" else self.b
        return np.setdiff1d(np.arange(size), taken)


def match(a: xr.Dataset, b: xr.Dataset, tolerance: pd.Timedelta, same: Sequence[str]) -> Pairs:
    """Pair acquisitions one to one, the nearest in time first.

    Parameters
    ----------
    a, b
        Vector cubes.
    tolerance
        Longest time between the two acquisitions of a pair.
    same
        Coordinates of `time` that must be equal where both cubes have them.

    Returns
    -------
    Pairs
        In order of the time in `a`. Ties go to the earlier acquisition of `a`, then of `b`.
    """
    keys = [name for name in same if name in a.coords and name in b.coords]
    times_a, times_b = a["time"].to_numpy(), b["time"].to_numpy()
    apart = np.abs(times_a[:, None] - times_b[None, :])
    possible = apart <= tolerance.to_timedelta64()
    for name in keys:
        possible &= a[name].to_numpy()[:, None] == b[name].to_numpy()[None, :]
    rows, columns = np.nonzero(possible)
    order = np.lexsort((times_b[columns], times_a[rows], apart[rows, columns]))
    chosen = _greedy(rows[order], columns[order])
    chosen = chosen[np.argsort(times_a[chosen[:, 0]], kind="stable")]
    return Pairs(chosen[:, 0], chosen[:, 1])


def _greedy(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    # A loop over acquisitions, of which a season has hundreds at most.
    used_a: set[int] = set()
    used_b: set[int] = set()
    chosen = []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if row not in used_a and column not in used_b:
            used_a.add(row)
            used_b.add(column)
            chosen.append((row, column))
    return np.array(chosen, dtype="int64").reshape(-1, 2)


def describe(stats: xr.Dataset, positions: NDArray[np.int64]) -> pd.DataFrame:
    """Return one row for each acquisition: its time, name, platform and orbit if known."""
    columns = ["time", *(name for name in _DESCRIPTION if name in stats.coords)]
    return pd.DataFrame({name: stats[name].to_numpy()[positions] for name in columns})
