"""How far two sets of paired numbers agree, from their moments, with intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cbmcube.agreement._moments import FIELDS, merge, weighted

LIMIT = 1.96
"""Standard deviations from the bias to each limit (Bland and Altman, Lancet 327, 1986)."""

NUMBERS = (
    "n",
    "bias",
    "mae",
    "rmse",
    "ubrmse",
    "sd",
    "lower",
    "upper",
    "margin",
    "within",
    "r",
    "slope",
    "intercept",
    "orthogonal_slope",
    "orthogonal_intercept",
    "proportional_slope",
    "proportional_intercept",
)
"""What `numbers` returns, in its order."""

RESAMPLED = (
    "bias",
    "mae",
    "rmse",
    "ubrmse",
    "lower",
    "upper",
    "within",
    "r",
    "slope",
    "orthogonal_slope",
    "proportional_slope",
)
"""Numbers with intervals from resampled days."""

# Less variance than this share of the larger source's is rounding of a constant.
_ROUNDING = 1e-13

_Floats = NDArray[np.float64]


def numbers(moments: _Floats) -> dict[str, _Floats]:
    """Return the numbers of agreement of each row of moments; NaN for fewer than three pairs.

    The orthogonal slope is that of total least squares, where both sources have error:
    ``(s_bb - s_aa + sqrt((s_bb - s_aa)^2 + 4 s_ab^2)) / (2 s_ab)``. The margin is the half width
    of the 95 % interval of each limit, ``1.96 sd sqrt(1/n + 1.96^2 / (2 (n - 1)))`` (Bland and
    Altman, Statistical Methods in Medical Research 8, 1999), which takes pairs as independent.
    """
    m = {name: moments[..., number] for number, name in enumerate(FIELDS)}
    n = np.where(m["n"] < 3, np.nan, m["n"])
    with np.errstate(divide="ignore", invalid="ignore"):
        sd = np.sqrt(m["dd"] / (n - 1))
        found = {
            "n": m["n"],
            "bias": m["d"] + 0 * n,
            "mae": m["abs"] / n,
            "rmse": np.sqrt(m["dd"] / n + m["d"] ** 2),
            # The same as sqrt(rmse^2 - bias^2), without its loss of digits.
            "ubrmse": np.sqrt(m["dd"] / n),
            "sd": sd,
            "lower": m["d"] - LIMIT * sd,
            "upper": m["d"] + LIMIT * sd,
            "margin": LIMIT * sd * np.sqrt(1 / n + LIMIT**2 / (2 * (n - 1))),
            "within": m["within"] / n,
        }
        found |= _lines(m, 0 * n)
    return {name: found[name] for name in NUMBERS}


def _lines(m: dict[str, _Floats], nothing: _Floats) -> dict[str, _Floats]:
    """Return correlation and lines; `nothing` is 0, or NaN for too few pairs."""
    aa, bb, ab = m["aa"], m["bb"], m["ab"]
    flat = m["high"] <= m["low"]
    aa = np.where(flat, np.nan, aa) + nothing
    r = np.clip(ab / np.sqrt(aa * np.where(bb <= _ROUNDING * aa, np.nan, bb)), -1, 1)
    slope = ab / aa
    across = (bb - aa + np.hypot(bb - aa, 2 * ab)) / (2 * ab)
    across = np.where(ab == 0, np.where(aa > bb, 0.0, np.nan), across) + nothing + 0 * aa
    # m = (a + b) / 2 and d = b - a: s_md = (s_bb - s_aa) / 2, s_mm = (s_aa + 2 s_ab + s_bb) / 4
    middle = (m["aa"] + 2 * ab + bb) / 4
    flat = middle <= _ROUNDING * (m["aa"] + bb)
    grows = (bb - m["aa"]) / 2 / np.where(flat, np.nan, middle) + nothing
    return {
        "r": r,
        "slope": slope,
        "intercept": m["b"] - slope * m["a"],
        "orthogonal_slope": across,
        "orthogonal_intercept": m["b"] - across * m["a"],
        "proportional_slope": grows,
        "proportional_intercept": m["d"] - grows * (m["a"] + m["b"]) / 2,
    }


def intervals(
    moments: _Floats, day: NDArray[np.int64], *, draws: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Return 95 % percentile intervals of `RESAMPLED` from resampled days.

    Pairs of one day share their errors (one atmosphere, one wet soil), so whole days are drawn
    with replacement, not pairs.

    Parameters
    ----------
    moments
        Rows of moments.
    day
        Number of the day of each row.
    draws, seed
        Number of draws, and the seed of their random numbers.

    Returns
    -------
    dict
        Names to (low, high); NaN for fewer than two days or three pairs.
    """
    some = moments[:, 0] > 0
    days, day = np.unique(day[some], return_inverse=True)
    if len(days) < 2 or moments[:, 0].sum() < 3:
        return dict.fromkeys(RESAMPLED, (float("nan"), float("nan")))
    by_day = merge(moments[some], day, len(days))
    drawn = np.random.default_rng(seed).multinomial(
        len(days), np.full(len(days), 1 / len(days)), size=draws
    )
    values = numbers(weighted(by_day, drawn.astype("float64")))
    return {name: _ends(values[name]) for name in RESAMPLED}


def _ends(values: _Floats) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, (0.025, 0.975))
    return float(low), float(high)
