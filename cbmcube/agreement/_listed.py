"""Kept pairs as tables: for figures, and the extreme differences with their items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.agreement._match import Union

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_Items = NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What the numbers in kept pairs stand for."""

    union: Union
    """All passes."""
    parcels: pd.Index
    """Ids of the common parcels."""
    classes: _Ints
    """Class of each of them."""
    names: tuple[str, ...]
    """Names of the classes."""
    items: tuple[_Items, _Items]
    """Items of each acquisition in both sources."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the differences lie, and from where on they are extreme."""

    median: float
    mad: float
    limit: float

    def far(self, d: _Floats) -> NDArray[np.bool_]:
        """Tell which differences are extreme."""
        return np.asarray(np.abs(d - self.median) > self.limit)


def spread(pairs: _Floats, *, extreme: float, tolerance: float) -> Spread:
    """Return the median and the median absolute deviation of the differences of kept pairs.

    A shift of all numbers, such as a forgotten offset, makes no difference extreme: distances
    are from the median difference, not from 0.
    """
    if len(pairs) < 3:
        return Spread(np.nan, np.nan, np.nan)
    d = pairs[:, 5] - pairs[:, 4]
    median = float(np.median(d))
    mad = float(np.median(np.abs(d - median)))
    return Spread(median, mad, extreme * mad if mad > 0 else tolerance)


def pair_rows(band: str, rows: _Floats, labels: Labels) -> pd.DataFrame:
    """Return kept pairs as a table."""
    steps, parcels = rows[:, 0].astype(int), rows[:, 1].astype(int)
    passes = labels.union.table.iloc[steps].reset_index(drop=True)
    a, b = rows[:, 4], rows[:, 5]
    return pd.DataFrame(
        {
            "band": band,
            "parcel": labels.parcels.to_numpy()[parcels],
            "parcel_class": pd.Categorical.from_codes(
                labels.classes[parcels], pd.Index(labels.names)
            ),
            "time": passes["time"],
            "platform": passes["platform"],
            "relative_orbit": passes["relative_orbit"],
            "a": a,
            "b": b,
            "d": b - a,
            "average": (a + b) / 2,
        }
    )


def extreme_rows(band: str, rows: _Floats, labels: Labels, at: Spread) -> pd.DataFrame:
    """Return the extreme ones among the ends of the differences, the most extreme first."""
    d = rows[:, 5] - rows[:, 4]
    far = rows[at.far(d)]
    table = pair_rows(band, far, labels)
    distance = np.abs(table["d"] - at.median)
    with np.errstate(divide="ignore"):
        table["mads"] = distance / np.float64(at.mad)
    for name, column, items in zip(("items_a", "items_b"), (2, 3), labels.items, strict=True):
        table[name] = items[far[:, column].astype(int)]
    order = np.lexsort((far[:, 1], far[:, 0], -distance.to_numpy()))
    return table.iloc[order].reset_index(drop=True)
