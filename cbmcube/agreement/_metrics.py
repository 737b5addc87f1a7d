"""How far two sets of paired numbers agree, with intervals from resampled dates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

LIMIT = 1.96
"""Standard deviations from the bias to each limit (Bland and Altman, Lancet 327, 1986)."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Agreement of n pairs; NaN where n is too small or a source is constant."""

    bias: float
    mae: float
    rmse: float
    ubrmse: float
    r: float
    slope: float
    intercept: float
    orthogonal_slope: float
    proportional_slope: float
    lower: float
    upper: float


def metrics(a: _Floats, b: _Floats) -> Metrics:
    """Compare paired values without NaN; fewer than three pairs give NaN throughout.

    The orthogonal slope is that of total least squares, where both sources have error:
    ``(s_bb - s_aa + sqrt((s_bb - s_aa)^2 + 4 s_ab^2)) / (2 s_ab)``.
    """
    if len(a) < 3:
        return Metrics(*[float("nan")] * 11)
    d = b - a
    bias, spread = float(d.mean()), float(d.std(ddof=1))
    rmse = float(np.sqrt(np.mean(d**2)))
    slope, intercept = _line(a, b)
    return Metrics(
        bias=bias,
        mae=float(np.abs(d).mean()),
        rmse=rmse,
        # The same as sqrt(rmse^2 - bias^2), without its loss of digits.
        ubrmse=float(d.std()),
        r=_correlation(a, b),
        slope=slope,
        intercept=intercept,
        orthogonal_slope=_orthogonal(a, b),
        proportional_slope=_line((a + b) / 2, d)[0],
        lower=bias - LIMIT * spread,
        upper=bias + LIMIT * spread,
    )


def _constant(values: _Floats) -> bool:
    return bool(np.ptp(values) == 0)


def _correlation(a: _Floats, b: _Floats) -> float:
    return float("nan") if _constant(a) or _constant(b) else float(np.corrcoef(a, b)[0, 1])


def _line(x: _Floats, y: _Floats) -> tuple[float, float]:
    """Fit y on x by least squares."""
    if _constant(x):
        return float("nan"), float("nan")
    centred = x - x.mean()
    slope = float(np.sum(centred * (y - y.mean())) / np.sum(centred**2))
    return slope, float(y.mean() - slope * x.mean())


def _orthogonal(a: _Floats, b: _Floats) -> float:
    if _constant(a):
        return float("nan")
    (s_aa, s_ab), (_, s_bb) = np.cov(a, b)
    if s_ab == 0:
        return 0.0 if s_aa > s_bb else float("nan")
    return float((s_bb - s_aa + np.hypot(s_bb - s_aa, 2 * s_ab)) / (2 * s_ab))


def intervals(
    d: _Floats, date: NDArray[np.int64], *, draws: int, seed: int, level: float
) -> dict[str, tuple[float, float]]:
    """Return percentile intervals of bias, rmse and both limits from resampled dates.

    Pairs of one date share their errors (one atmosphere, one orbit), so whole dates are
    drawn with replacement, not pairs.

    Parameters
    ----------
    d
        Differences, without NaN.
    date
        Number of the date of each difference, from 0.

    Returns
    -------
    dict
        Names to (low, high); NaN for fewer than two dates or three pairs.
    """
    names = ("bias", "rmse", "lower", "upper")
    dates = len(np.unique(date))
    if dates < 2 or len(d) < 3:
        return dict.fromkeys(names, (float("nan"), float("nan")))
    shift = d.mean()  # sums of squares lose no digits around the middle
    sums = _sums_by_date(d - shift, np.unique(date, return_inverse=True)[1], dates)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(dates, np.full(dates, 1 / dates), size=draws) @ sums
    n, total, squares = drawn.T
    usable = n > 1
    n, total, squares = n[usable], total[usable], squares[usable]
    variance = np.maximum(squares - total**2 / n, 0)
    bias, spread = total / n + shift, np.sqrt(variance / (n - 1))
    values = {
        "bias": bias,
        "rmse": np.sqrt(variance / n + bias**2),
        "lower": bias - LIMIT * spread,
        "upper": bias + LIMIT * spread,
    }
    ends = ((1 - level) / 2, (1 + level) / 2)
    return {name: _ends(value, ends) for name, value in values.items()}


def _ends(values: _Floats, shares: tuple[float, float]) -> tuple[float, float]:
    low, high = np.quantile(values, shares)
    return float(low), float(high)


def _sums_by_date(d: _Floats, date: NDArray[np.int64], dates: int) -> _Floats:
    columns = (np.ones_like(d), d, d**2)
    return np.stack([np.bincount(date, weights=c, minlength=dates) for c in columns], axis=1)
