"""The sums of a comparison by band, pass and class of parcels, added up by any of their facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.agreement._blocks import Tally
from cbmcube.agreement._match import Union
from cbmcube.agreement._metrics import numbers
from cbmcube.agreement._moments import FIELDS, merge
from cbmcube.agreement._states import PARTIAL, STATES
from cbmcube.exceptions import OptionError

_OF_PASSES = ("time", "date", "month", "platform", "relative_orbit", "orbit_state")

_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Sums from which all tables are made."""

    union: Union
    """All passes."""
    classes: Sequence[str]
    """Names of the classes of parcels."""
    tallies: Mapping[str, Tally]
    """What is known of each band."""

    def numbers(self, keys: Sequence[str]) -> pd.DataFrame:
        """Return the numbers of agreement of each band and group."""
        _known(keys, (*_OF_PASSES, "parcel_class"))
        passes, kinds = len(self.union.table), len(self.classes)
        rows = self.union.table.loc[np.repeat(np.arange(passes), kinds)].reset_index(drop=True)
        # Text in its own order, the smallest parcels first.
        names = pd.Categorical([*self.classes] * passes, [*self.classes], ordered=True)
        labels, codes = _group(rows.assign(parcel_class=names), keys)
        tables = []
        for band, tally in self.tallies.items():
            moments = merge(tally.moments.reshape(-1, len(FIELDS)), codes, len(labels))
            table = pd.concat([labels, pd.DataFrame(numbers(moments))], axis=1)
            table.insert(0, "band", band)
            tables.append(table.astype({"n": "int64"}))
        table = pd.concat(tables, ignore_index=True)
        return table[table["n"] > 0].reset_index(drop=True)

    def availability(self, keys: Sequence[str]) -> pd.DataFrame:
        """Return what each source has and lacks, for each band and group."""
        _known(keys, _OF_PASSES)
        labels, codes = _group(self.union.table, keys)
        has = [np.array([len(part) > 0 for part in side], dtype=bool) for side in self._sides]
        tables = []
        for band, tally in self.tallies.items():
            table = labels.copy()
            table.insert(0, "band", band)
            table["passes"] = _sum(has[0] & has[1], codes, len(labels))
            table["passes_only_a"] = _sum(has[0] & ~has[1], codes, len(labels))
            table["passes_only_b"] = _sum(has[1] & ~has[0], codes, len(labels))
            for name, counts in seen(tally.states).items():
                table[name] = _sum(counts, codes, len(labels))
            some = table[["both", "only_a", "only_b"]].sum(axis=1)
            table["availability"] = table["both"] / some.where(some > 0)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def ledger(self) -> pd.DataFrame:
        """Return the number of observations by band, month, orbit and both states."""
        keys = ["month", "relative_orbit"]
        labels, codes = _group(self.union.table, keys)
        tables = []
        for band, tally in self.tallies.items():
            counts = np.zeros((len(labels), len(STATES), len(STATES)), dtype="int64")
            np.add.at(counts, codes, tally.states)
            group, a, b = np.nonzero(counts)
            table = labels.iloc[group].reset_index(drop=True)
            table.insert(0, "band", band)
            names = np.array(STATES)
            tables.append(table.assign(state_a=names[a], state_b=names[b], n=counts[group, a, b]))
        return pd.concat(tables, ignore_index=True)

    @property
    def _sides(self) -> tuple[tuple[_Ints, ...], tuple[_Ints, ...]]:
        return self.union.steps_a, self.union.steps_b


def seen(states: _Ints) -> dict[str, _Ints]:
    """Return the observations with a value in both sources, one or none, from (…, state, state)."""
    value = slice(PARTIAL + 1)
    in_a, in_b = states[..., value, :].sum(axis=(-2, -1)), states[..., value].sum(axis=(-2, -1))
    both = states[..., value, value].sum(axis=(-2, -1))
    whole = states.sum(axis=(-2, -1))
    return {
        "both": both,
        "only_a": in_a - both,
        "only_b": in_b - both,
        "neither": whole - in_a - in_b + both,
    }


def _known(keys: Sequence[str], allowed: Sequence[str]) -> None:
    unknown = [key for key in keys if key not in allowed]
    if unknown:
        raise OptionError(
            "the comparison cannot be grouped by this",
            given=", ".join(map(repr, unknown)),
            allowed=", ".join(allowed),
            hint="give several to cross them: by('month', 'relative_orbit')",
        )


def _group(rows: pd.DataFrame, keys: Sequence[str]) -> tuple[pd.DataFrame, _Ints]:
    """Return the distinct groups in order, and the group of each row."""
    if not keys:
        return pd.DataFrame(index=range(1)), np.zeros(len(rows), dtype="int64")
    columns = [*dict.fromkeys(keys)]
    grouped = rows.groupby(columns, sort=True, observed=True, dropna=False)
    codes = grouped.ngroup().to_numpy(dtype="int64")
    first = np.unique(codes, return_index=True)[1]
    return rows.iloc[first][columns].reset_index(drop=True), np.asarray(codes, dtype="int64")


def _sum(values: NDArray[np.bool_] | _Ints, codes: _Ints, count: int) -> _Ints:
    # Counts stay far below 2^53, up to which float64 holds whole numbers.
    return np.bincount(codes, weights=values, minlength=count).astype("int64")
