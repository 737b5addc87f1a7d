"""The comparison of two vector cubes of the same parcels, and its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.agreement._match import Pairs, describe, match
from cbmcube.agreement._metrics import intervals, metrics
from cbmcube.exceptions import NoOverlapError, OptionError
from cbmcube.series import select_bands, select_statistics

_SPREADS = ("count", "std")  # not on the scale of the values: no dB of them
_Floats = NDArray[np.float64]
_Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """How far two vector cubes agree; differences are second minus first."""

    variable: str
    """The band or index that was compared."""
    statistic: str
    """The statistic of it."""
    units: str
    """Units of all differences; ``"dB"`` for backscatter."""
    n: int
    """Pairs: one parcel on one matched acquisition, with a value in both sources."""
    parcels: int
    """Parcels that both sources hold."""
    dates: int
    """Matched acquisitions with at least one pair."""
    availability: float
    """Matched acquisitions over all distinct ones, 0 to 1."""
    bias: float
    """Mean difference."""
    mae: float
    """Mean absolute difference."""
    rmse: float
    """Root of the mean squared difference."""
    ubrmse: float
    """The same after the bias is taken off: sqrt(rmse^2 - bias^2)."""
    r: float
    """Pearson correlation."""
    slope: float
    """Least squares slope of the second on the first."""
    intercept: float
    """Intercept of that line."""
    orthogonal_slope: float
    """Slope of total least squares, which allows for error in both."""
    proportional_slope: float
    """Slope of the difference on the average of both: not 0 if the error grows with the value."""
    limits: _Interval
    """Bland-Altman limits of agreement: bias ± 1.96 sample standard deviations."""
    level: float
    """Coverage of the intervals, 0 to 1."""
    intervals: dict[str, _Interval]
    """Intervals of `bias`, `rmse` and both limits (`lower`, `upper`), from resampled dates."""
    matched: pd.DataFrame
    """A row for each matched acquisition: `time_a`, `time_b`, `n`, `bias`, `rmse`, and `only_a`
    and `only_b`, the parcels with a value in one source alone."""
    only_a: pd.DataFrame
    """Acquisitions of the first source without a partner in the second."""
    only_b: pd.DataFrame
    """Acquisitions of the second source without a partner in the first."""
    parcels_only_a: tuple[object, ...]
    """Parcels that only the first source holds."""
    parcels_only_b: tuple[object, ...]
    """Parcels that only the second source holds."""

    def __repr__(self) -> str:
        share = f"{100 * self.level:.0f} %"
        unmatched = f"{len(self.only_a)} in the first alone, {len(self.only_b)} in the second alone"
        left_out = len(self.parcels_only_a) + len(self.parcels_only_b)
        others = f" ({left_out} more in one source alone)" if left_out else ""
        lines = [
            f"<Agreement of {self.variable} {self.statistic}: {self.n} pairs",
            f"  parcels       {self.parcels}{others}",
            f"  acquisitions  {len(self.matched)} matched, {unmatched}",
            f"  availability  {self.availability:.3f}",
            f"  bias          {self._number(self.bias)}   {share} {self._range('bias')}",
            f"  rmse          {self._number(self.rmse)}   {share} {self._range('rmse')}",
            f"  ubrmse        {self._number(self.ubrmse)}",
            f"  limits        {self._number(self.limits[0])}   {share} {self._range('lower')}",
            f"                {self._number(self.limits[1])}   {share} {self._range('upper')}",
            f"  r {self.r:.4f}, orthogonal slope {self.orthogonal_slope:.4f}>",
        ]
        return "\n".join(lines)

    def _number(self, value: float) -> str:
        return f"{value:+.5f} {self.units}".removesuffix(" 1")

    def _range(self, name: str) -> str:
        low, high = self.intervals[name]
        return f"[{low:+.5f}, {high:+.5f}]"


def compare(
    a: xr.Dataset,
    b: xr.Dataset,
    *,
    variable: str,
    statistic: str = "mean",
    tolerance: str | pd.Timedelta = "12h",
    same: Sequence[str] = ("platform", "relative_orbit"),
    seed: int = 0,
) -> Agreement:
    """Compare two sources of the same acquisitions, parcel by parcel.

    Parameters
    ----------
    a, b
        Vector cubes of the same parcels, such as one product of two providers, or of two
        pixel rules. They are matched by parcel id; their order may differ. Lazy cubes are
        computed once each.
    variable
        Band or index that both hold.
    statistic
        Statistic to compare. Values of backscatter (CARD-BS) are compared in dB, 10 log10
        of the linear number; `std` and `count` as they are.
    tolerance
        Longest time between two acquisitions that count as the same one.
    same
        Coordinates of `time` that must be equal as well where both cubes have them; ``()``
        to match by time alone, as between two satellites.
    seed
        Seed of the 1000 draws of dates behind the 95 % intervals.

    Returns
    -------
    Agreement
        Differences `b` - `a` in numbers, with matched and unmatched acquisitions as tables.
        With fewer than three pairs, numbers are NaN; a constant source has no slope and no r.

    Raises
    ------
    NoOverlapError
        If the cubes have no parcel in common.
    UnknownBandError, UnknownStatisticError
        If a cube lacks the band or the statistic.
    OptionError
        If the tolerance is no length of time.

    Examples
    --------
    >>> from cbmcube.agreement import compare
    >>> from cbmcube.testing import vector_cube
    >>> ours = vector_cube("CARD-2A")
    >>> theirs = ours.isel(time=slice(2, None)).assign(B08=ours["B08"] + 0.1)
    >>> result = compare(ours, theirs, variable="B08")
    >>> round(result.bias, 4), len(result.only_a)
    (0.1, 2)
    """
    for cube in (a, b):
        select_bands(cube, variable)
        select_statistics(cube, statistic)
    a, b, alone = _common_parcels(a, b)
    pairs = match(a, b, _tolerance(tolerance), same)
    in_db = "CARD-BS" in {a.attrs.get("product"), b.attrs.get("product")}
    in_db = in_db and statistic not in _SPREADS
    first = _values(a, variable, statistic, in_db=in_db)[pairs.a]
    second = _values(b, variable, statistic, in_db=in_db)[pairs.b]
    both = np.isfinite(first) & np.isfinite(second)
    numbers = metrics(first[both], second[both])
    level = 0.95
    total = a.sizes["time"] + b.sizes["time"] - len(pairs.a)
    return Agreement(
        variable=variable,
        statistic=statistic,
        units="dB" if in_db else _units(a, variable, statistic),
        n=int(both.sum()),
        parcels=a.sizes["parcel"],
        dates=int(both.any(axis=1).sum()),
        availability=len(pairs.a) / total if total else float("nan"),
        **{name: getattr(numbers, name) for name in _SHARED},
        limits=(numbers.lower, numbers.upper),
        level=level,
        intervals=intervals(
            (second - first)[both], np.nonzero(both)[0], draws=1000, seed=seed, level=level
        ),
        matched=_matched(a, b, pairs, first, second),
        only_a=describe(a, pairs.alone(a.sizes["time"], "a")),
        only_b=describe(b, pairs.alone(b.sizes["time"], "b")),
        parcels_only_a=alone[0],
        parcels_only_b=alone[1],
    )


_SHARED = (
    "bias",
    "mae",
    "rmse",
    "ubrmse",
    "r",
    "slope",
    "intercept",
    "orthogonal_slope",
    "proportional_slope",
)


def _tolerance(tolerance: str | pd.Timedelta) -> pd.Timedelta:
    try:
        length = pd.Timedelta(tolerance)
    except ValueError:
        length = None
    if not isinstance(length, pd.Timedelta) or length < pd.Timedelta(0):
        raise OptionError(
            "the tolerance must be a length of time",
            given=repr(tolerance),
            allowed="'10min', '12h', '1D' or a pandas.Timedelta",
            hint="12h tells acquisitions of one day and orbit apart from those of the next",
        )
    return length


def _common_parcels(
    a: xr.Dataset, b: xr.Dataset
) -> tuple[xr.Dataset, xr.Dataset, tuple[tuple[object, ...], tuple[object, ...]]]:
    index_a, index_b = a.indexes["parcel"], b.indexes["parcel"]
    in_b = index_a.isin(index_b)
    common = index_a[in_b]
    if common.empty:
        raise NoOverlapError(
            "the two vector cubes have no parcel in common",
            given=f"{index_a[:3].tolist()} … and {index_b[:3].tolist()} …",
            hint="reduce both sources over the same parcels; check that ids have one type",
        )
    alone = (tuple(index_a[~in_b]), tuple(index_b[~index_b.isin(index_a)]))
    return a.isel(parcel=np.nonzero(in_b)[0]), b.isel(parcel=index_b.get_indexer(common)), alone


def _units(stats: xr.Dataset, variable: str, statistic: str) -> str:
    return "pixels" if statistic == "count" else str(stats[variable].attrs.get("units", "1"))


def _values(stats: xr.Dataset, variable: str, statistic: str, *, in_db: bool) -> _Floats:
    """Return (time, parcel) in float64."""
    one = stats[variable].sel(statistic=statistic).transpose("time", "parcel")
    values = one.to_numpy().astype("float64")
    if in_db:
        values = 10 * np.log10(np.where(values > 0, values, np.nan))
    return values


def _matched(
    a: xr.Dataset, b: xr.Dataset, pairs: Pairs, first: _Floats, second: _Floats
) -> pd.DataFrame:
    table = describe(a, pairs.a).rename(columns={"time": "time_a"})
    table.insert(1, "time_b", b["time"].to_numpy()[pairs.b])
    d = second - first
    both = np.isfinite(d)
    number = both.sum(axis=1)
    filled = np.where(both, d, 0.0)
    some = np.where(number > 0, number, np.nan)
    return table.assign(
        n=number,
        bias=filled.sum(axis=1) / some,
        rmse=np.sqrt((filled**2).sum(axis=1) / some),
        only_a=(np.isfinite(first) & ~np.isfinite(second)).sum(axis=1),
        only_b=(~np.isfinite(first) & np.isfinite(second)).sum(axis=1),
    )
