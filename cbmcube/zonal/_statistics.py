"""Names of statistics, and what a kernel must compute for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbmcube.exceptions import UnknownStatisticError

Reducer = Callable[[NDArray[np.float64], NDArray[np.float64]], float]
"""A user's own statistic of the valid values and their weights, both of length 1 or more."""

Statistic = str | Reducer

MOMENTS = ("count", "mean", "std", "min", "max")
"""Statistics that need no sorting, in the order in which the kernel writes them."""

DEFAULT_STATISTICS = ("count", "mean", "std", "min", "max", "p25", "p50", "p75")
"""What the published parcel archives hold for each parcel, image and band."""


@dataclass(frozen=True, slots=True)
class StatisticsPlan:
    """The columns that are computed, and which of them answer the request."""

    names: tuple[str, ...]
    """Names as asked for, in the user's order."""
    quantiles: tuple[float, ...]
    """Distinct quantiles to compute, 0 to 1, ascending."""
    reducers: tuple[Reducer, ...]
    """The user's own functions."""
    columns: tuple[int, ...]
    """For each name, its column: moments come first, then quantiles, then reducers."""


def plan_statistics(statistics: Iterable[Statistic] | Statistic) -> StatisticsPlan:
    """Check the names of statistics and plan their computation.

    A function among them is the user's own; its ``__name__`` is the statistic's.

    Raises
    ------
    UnknownStatisticError
        If a name is unknown, a name repeats, or there is none.
    """
    alone = isinstance(statistics, str) or callable(statistics)
    given = (statistics,) if alone else tuple(statistics)  # type: ignore[arg-type]
    names = tuple(map(_name, given))
    if not names or len(set(names)) < len(names):
        raise UnknownStatisticError(
            "statistics must be named, each once",
            given=", ".join(names) or "none",
            hint="name at least one statistic and no statistic twice",
        )
    reducers = {name: own for name, own in zip(names, given, strict=True) if callable(own)}
    built_in = [name for name in names if name not in reducers]
    ranks = {name: _quantile(name) for name in built_in if name not in MOMENTS}
    quantiles = tuple(sorted(set(ranks.values())))
    column = {name: number for number, name in enumerate(MOMENTS)}
    column |= {name: len(MOMENTS) + quantiles.index(rank) for name, rank in ranks.items()}
    first = len(MOMENTS) + len(quantiles)
    column |= {name: first + number for number, name in enumerate(reducers)}
    return StatisticsPlan(
        names, quantiles, tuple(reducers.values()), tuple(column[name] for name in names)
    )


def _name(statistic: object) -> str:
    if isinstance(statistic, str):
        return statistic
    name = getattr(statistic, "__name__", "")
    if not callable(statistic) or not name.isidentifier():
        raise UnknownStatisticError(
            "a statistic is a name, or a function that has one",
            given=repr(statistic),
            allowed=", ".join((*MOMENTS, "median", "p0 … p100", "a named function")),
            hint="write your own with def name(values, weights): ...",
        )
    return str(name)


def _quantile(name: str) -> float:
    if name == "median":
        return 0.5
    match = re.fullmatch(r"p(\d{1,3}(?:\.\d+)?)", name)
    if match is None or float(match[1]) > 100:
        raise UnknownStatisticError(
            f"there is no statistic {name!r}",
            given=repr(name),
            allowed=", ".join((*MOMENTS, "median", "p0 … p100 (percentiles, such as p25 or p2.5)")),
            hint="choose statistics from this list, or pass a function of your own",
        )
    return float(match[1]) / 100
