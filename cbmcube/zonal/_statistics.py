"""Names of statistics, and what a kernel must compute for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cbmcube.exceptions import UnknownStatisticError

MOMENTS = ("count", "mean", "std", "min", "max")
"""Statistics that need no sorting, in the order in which the kernel writes them."""

DEFAULT_STATISTICS = ("count", "mean", "std", "min", "max", "p25", "p50", "p75")
"""What the published parcel archives hold for each parcel, image and band."""


@dataclass(frozen=True, slots=True)
class StatisticsPlan:
    """The columns a kernel computes, and which of them answer the request."""

    names: tuple[str, ...]
    """Names as asked for, in the user's order."""
    quantiles: tuple[float, ...]
    """Distinct quantiles to compute, 0 to 1, ascending."""
    columns: tuple[int, ...]
    """For each name, its column in the kernel's output (moments, then quantiles)."""


def plan_statistics(statistics: Iterable[str] | str) -> StatisticsPlan:
    """Check the names of statistics and plan their computation.

    Raises
    ------
    UnknownStatisticError
        If a name is unknown, a name repeats, or there is none.
    """
    names = (statistics,) if isinstance(statistics, str) else tuple(statistics)
    if not names or len(set(names)) < len(names):
        raise UnknownStatisticError(
            "statistics must be named, each once",
            given=", ".join(names) or "none",
            hint="name at least one statistic and no statistic twice",
        )
    wanted = {name: _quantile(name) for name in names if name not in MOMENTS}
    quantiles = tuple(sorted(set(wanted.values())))
    columns = tuple(
        MOMENTS.index(name) if name in MOMENTS else len(MOMENTS) + quantiles.index(wanted[name])
        for name in names
    )
    return StatisticsPlan(names, quantiles, columns)


def _quantile(name: str) -> float:
    if name == "median":
        return 0.5
    match = re.fullmatch(r"p(\d{1,3}(?:\.\d+)?)", name)
    if match is None or float(match[1]) > 100:
        raise UnknownStatisticError(
            f"there is no statistic {name!r}",
            given=repr(name),
            allowed=", ".join((*MOMENTS, "median", "p0 … p100 (percentiles, such as p25 or p2.5)")),
            hint="choose statistics from this list",
        )
    return float(match[1]) / 100
