"""From the weights of classes to heterogeneity: plain arrays, whatever they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.foi._rule import REASONS, FoiRule

_ROUNDING = 1e-6
"""Shares closer than this are equal: those of a vector cube are stored in single precision."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Diversity:
    """How the classes of a parcel share it; NaN where it has none."""

    share: _Floats
    """Share of each class, the last axis."""
    dominant: _Floats
    """Position of the class with the largest share; of equals, the first."""
    dominant_share: _Floats
    """The largest share."""
    shannon: _Floats
    """Shannon's index over its largest value for as many classes, 0 to 1."""
    simpson: _Floats
    """Probability that two pixels, drawn with replacement, are of different classes."""


def diversity(weights: NDArray[Any]) -> Diversity:
    """Describe how classes, the last axis, share each parcel; without class, all is NaN."""
    if not weights.shape[-1]:
        weights = np.zeros((*weights.shape[:-1], 1))
    total = weights.sum(axis=-1, dtype=np.float64)
    share = weights / np.where(total > 0, total, np.nan)[..., None]
    known = total > 0
    # A class that is absent adds nothing: the limit of s ln s.
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    many = np.log(max(share.shape[-1], 2))
    return Diversity(
        share=share,
        dominant=np.where(known, weights.argmax(axis=-1), np.nan),
        dominant_share=share.max(axis=-1),
        shannon=np.abs((share * logs).sum(axis=-1)) / many,
        simpson=1.0 - (share**2).sum(axis=-1),
    )


def is_heterogeneous(share: _Floats, rule: FoiRule) -> NDArray[np.bool_]:
    """Tell whether the share of any class, the last axis, lies between the rule's."""
    between = (share >= rule.low_share - _ROUNDING) & (share <= rule.high_share + _ROUNDING)
    return np.asarray((between & (share > 0)).any(axis=-1))


def judge(
    n_total: NDArray[Any], n_observed: NDArray[Any], n_valid: NDArray[Any], rule: FoiRule
) -> NDArray[np.int8]:
    """Say why shares cannot be judged: a position in `REASONS`, -1 where they can.

    Numbers of pixels of each parcel: all of them, those with data, those of a class.
    """
    reason = np.full(np.broadcast_shapes(n_total.shape, n_valid.shape), -1, np.int8)
    least = np.where(n_total > 0, rule.min_observed, 0.0) * n_total
    for name, wrong in (
        # The reason that is looked for first comes last, so that it stands.
        ("TOO_FEW_PIXELS", (n_valid <= 0) | (n_valid < rule.min_px - _ROUNDING * n_total)),
        ("PARTLY_SEEN", n_observed < least - _ROUNDING * n_total),
        ("TOO_SMALL", n_total < rule.min_px),
        ("NO_INPUT", (n_observed <= 0) & (n_total > 0)),
    ):
        reason[wrong] = REASONS.index(name)
    return reason
