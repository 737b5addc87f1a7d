"""Which entries of a vector cube are copies of one acquisition, and which copy is the best."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.series._cube import orbit_table

_SENTINEL = re.compile(r"(?:sentinel|s)0?([1-6])[a-d]?")
_LANDSAT = re.compile(r"(?:landsat|l[cetmo]*)0?[1-9]")
_BASELINE = re.compile(r"_N(\d{4})_")

_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Copies:
    """The entries of each acquisition, in order of time, and of its copies the best first."""

    entries: _Ints
    """Positions on `time`."""
    first: _Ints
    """Where each acquisition starts in `entries`; one more than there are acquisitions."""
    rank: _Ints
    """Of each position, how good it is as a whole; equal where nothing tells entries apart."""

    @classmethod
    def of(cls, stats: xr.Dataset) -> Copies:
        """Group the entries of a cube by constellation, day, relative orbit and pair of images."""
        group, rank = _codes(_keys(stats)), _codes(_facts(stats))
        earliest = pd.Series(stats["time"].to_numpy()).groupby(group).transform("min").to_numpy()
        entries = np.lexsort((rank, group, earliest))
        as_before = np.diff(group[entries], prepend=-1) == 0
        first = np.append(np.flatnonzero(~as_before), len(entries))
        return cls(entries, first, rank)

    @property
    def number(self) -> _Ints:
        """Copies of each acquisition."""
        return np.diff(self.first)

    @property
    def best(self) -> _Ints:
        """Position of the entry of each acquisition that is the best as a whole."""
        return self.entries[self.first[:-1]]

    def sum(self, values: _Ints) -> _Ints:
        """Add up (time, parcel) over the copies of each acquisition."""
        return self._reduce(np.add, values)

    def earliest(self, times: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Return the first time of each acquisition."""
        return self._reduce(np.minimum, times)

    def latest(self, times: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Return the last time of each acquisition, of those that are known."""
        return self._reduce(np.fmax, times)

    def _reduce(self, ufunc: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
        if not len(values):
            return values
        return np.asarray(ufunc.reduceat(values[self.entries], self.first[:-1], axis=0))

    def choose(
        self,
        n_valid: NDArray[np.generic],
        observed: NDArray[np.generic],
        *values: NDArray[np.generic],
    ) -> NDArray[np.int32]:
        """Return the position on `time` of the copy to keep, (acquisition, parcel).

        Parameters
        ----------
        n_valid, observed
            Valid pixels and share with source data, (time, parcel).
        values
            Statistics (time, parcel, statistic), which tell copies apart that nothing else does.
        """
        parcels = n_valid.shape[1]
        kept = np.repeat(self.best.astype("int32")[:, None], parcels, axis=1)
        column = np.arange(parcels)
        for k in range(1, int(self.number.max(initial=1))):
            group = np.flatnonzero(self.number > k)
            place = self.first[group] + k
            other, one = self.entries[place][:, None], kept[group]
            better, same = np.zeros(one.shape, bool), np.ones(one.shape, bool)
            for array in (n_valid, observed):
                new, old = _comparable(array[other[:, 0]]), _comparable(array[one, column])
                better |= same & (new > old)
                same &= new == old
            same &= self.rank[other] == self.rank[one]
            if same.any():
                better |= same & _larger(values, one, other, column)
            kept[group] = np.where(better, other, one)
        return kept


def _comparable(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype("float64"), nan=-np.inf)


def _larger(
    values: tuple[NDArray[np.generic], ...], one: _Ints, other: _Ints, column: _Ints
) -> NDArray[np.bool_]:
    """Compare statistic after statistic until one differs."""
    better, same = np.zeros(one.shape, bool), np.ones(one.shape, bool)
    for array in values:
        for k in range(array.shape[2]):
            layer = array[..., k]
            new, old = _comparable(layer[other[:, 0]]), _comparable(layer[one, column])
            better |= same & (new > old)
            same &= new == old
    return better


def item_ids(stats: xr.Dataset) -> NDArray[np.str_]:
    """Return the item ids of each entry as one text; where the cube has none, what it has."""
    for name in ("items", "acquisition"):
        if name in stats.coords and stats[name].dims == ("time",):
            return np.asarray(stats[name].to_numpy().astype(str))
    return np.datetime_as_string(stats["time"].to_numpy())


def _keys(stats: xr.Dataset) -> pd.DataFrame:
    table = orbit_table(stats)
    table.insert(0, "day", stats["time"].to_numpy().astype("datetime64[D]").astype("int64"))
    name = "constellation" if "constellation" in stats.coords else "platform"
    if name in stats.coords and stats[name].dims == ("time",):
        table["constellation"] = [constellation(str(one)) for one in stats[name].to_numpy()]
    # What stands beside the relative orbit follows from it, and archives spell it differently.
    spare = {"orbit_state"} & {*table} if "relative_orbit" in table else set()
    return table.drop(columns=[*spare])


def _facts(stats: xr.Dataset) -> pd.DataFrame:
    """Return what tells entries apart as a whole; of equals, smaller is better."""
    ids = item_ids(stats)
    columns: dict[str, object] = {"baseline": -_baselines(stats, ids)}
    if "created" in stats.coords and stats["created"].dims == ("time",):
        created = stats["created"].to_numpy().astype("datetime64[ns]")
        columns["created"] = np.where(np.isnat(created), 2**62, -created.astype("int64"))
    columns["ids"] = ids
    for name in ("acquisition", "platform", "time"):
        if name in stats.coords:
            columns[name] = stats[name].to_numpy()
    return pd.DataFrame(columns)


def _baselines(stats: xr.Dataset, ids: NDArray[np.str_]) -> _Ints:
    """Return processing baselines as whole numbers, 510 for 05.10, -1 where nothing says it."""
    if "processing_baseline" in stats.coords:
        return np.array([_baseline(str(one)) for one in stats["processing_baseline"].to_numpy()])
    found = [[int(number) for number in _BASELINE.findall(one)] for one in ids]
    return np.array([max(numbers, default=-1) for numbers in found], dtype="int64")


def _baseline(text: str) -> int:
    digits = text.strip().upper().removeprefix("N")
    if re.fullmatch(r"\d+\.\d+", digits):
        return round(100 * float(digits))
    return int(digits) if digits.isdigit() else -1


def _codes(table: pd.DataFrame) -> _Ints:
    """Return the rank of each row; equal rows have one."""
    return np.asarray(table.groupby([*table.columns], dropna=False).ngroup(), np.int64)


def constellation(platform: str) -> str:
    """Return the name of the satellites that take turns, however a platform is spelled.

    Examples
    --------
    >>> constellation("SENTINEL-2A"), constellation("S2B"), constellation("landsat-9")
    ('sentinel2', 'sentinel2', 'landsat')
    """
    text = re.sub(r"[^a-z0-9]", "", platform.lower())
    if found := _SENTINEL.fullmatch(text):
        return f"sentinel{found[1]}"
    return "landsat" if _LANDSAT.fullmatch(text) else text
