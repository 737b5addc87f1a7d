"""Statistics of several acquisitions pooled into those of their pixels together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POOLED = ("count", "mean", "std", "min", "max")
"""Statistics that can be pooled exactly; percentiles cannot."""

_Block = NDArray[np.float32]
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Groups:
    """Which acquisitions go together."""

    code: NDArray[np.int64]
    """Number of the group of each acquisition, from 0."""
    size: int
    """Number of groups; some may have no acquisition."""

    def reduce(self, ufunc: np.ufunc, values: _Floats, empty: float) -> _Floats:
        """Reduce axis 0 group by group; a group without acquisition gets `empty`."""
        order = np.argsort(self.code, kind="stable")
        filled, first = np.unique(self.code[order], return_index=True)
        result = np.full((self.size, *values.shape[1:]), empty)
        if len(filled):
            result[filled] = ufunc.reduceat(values[order], first, axis=0)
        return result

    def sum(self, values: _Floats) -> _Floats:
        """Sum axis 0 group by group."""
        return self.reduce(np.add, values, 0.0)

    def acquisitions(self) -> NDArray[np.int64]:
        """Return the number of acquisitions of each group."""
        return np.bincount(self.code, minlength=self.size)


def pool(
    block: _Block, groups: Groups, statistics: tuple[str, ...], *, by_count: bool
) -> NDArray[np.float32]:
    """Pool one block of a band over its acquisitions.

    Parameters
    ----------
    block
        Statistics (time, parcel, statistic); an acquisition without a valid pixel has a
        mean of NaN, and may have any count.
    statistics
        Labels of the last axis, out of :data:`POOLED`; `mean` is one of them, and `count`
        too where it is the weight.
    by_count
        Whether acquisitions weigh by their count, or all the same.

    Returns
    -------
    numpy.ndarray
        float32 (group, parcel, statistic). The variance is the mean over pixels of the
        squared distance from the pooled mean, which splits into the variance inside each
        acquisition and the squared distance of its mean.
    """
    layer = {name: block[..., k].astype("float64") for k, name in enumerate(statistics)}
    count = layer.get("count", np.ones(block.shape[:2]))
    seen = np.isfinite(layer["mean"]) & (count > 0)
    weight = np.where(seen, count if by_count else 1.0, 0.0)
    total = groups.sum(weight)
    mean = _mean(np.where(seen, layer["mean"], np.nan), weight, groups, total)
    pooled = {"count": groups.sum(np.where(seen, count, 0.0)), "mean": mean}
    if "std" in layer:
        inside = np.where(seen, layer["std"], 0.0) ** 2
        between = np.where(seen, layer["mean"] - mean[groups.code], 0.0) ** 2
        pooled["std"] = np.sqrt(_ratio(groups.sum(weight * (inside + between)), total))
    for name, ufunc, empty in (("min", np.fmin, np.inf), ("max", np.fmax, -np.inf)):
        if name in layer:
            extreme = groups.reduce(ufunc, np.where(seen, layer[name], empty), empty)
            pooled[name] = np.where(np.isfinite(extreme), extreme, np.nan)
    return np.stack([pooled[name] for name in statistics], axis=-1).astype("float32")


def count_seen(block: _Block, groups: Groups, statistics: tuple[str, ...]) -> NDArray[np.uint16]:
    """Count the acquisitions of each group and parcel that have a valid pixel."""
    seen = np.isfinite(block[..., statistics.index("mean")])
    if "count" in statistics:
        seen &= block[..., statistics.index("count")] > 0
    return groups.sum(seen.astype("float64")).astype("uint16")


def sum_up(block: NDArray[np.generic], groups: Groups) -> _Floats:
    """Sum a (time, parcel, …) block group by group, NaN as zero, in float64."""
    return groups.sum(np.nan_to_num(np.asarray(block).astype("float64"), nan=0.0))


def _mean(values: _Floats, weight: _Floats, groups: Groups, total: _Floats) -> _Floats:
    # Measured from the lowest value, equal values give a mean and a deviation without rounding.
    low = groups.reduce(np.fmin, values, np.nan)
    above = np.nan_to_num(values - low[groups.code], nan=0.0)
    return np.asarray(low + _ratio(groups.sum(weight * above), total))


def _ratio(part: _Floats, whole: _Floats) -> _Floats:
    empty: _Floats = np.full(part.shape, np.nan)
    return np.divide(part, whole, out=empty, where=whole > 0)
