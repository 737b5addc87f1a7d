"""What similar parcels tell of a parcel's coherence: its noise, and what is usual on a date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.markers.coherence._fit import judge_pairs
from cbmcube.markers.coherence._rule import CoherenceRule
from cbmcube.markers.detecting import Look, Signals, View, each_block
from cbmcube.series import Moment

# Names of coordinates that carry numbers of each parcel to the detector.
PIXELS = "coherence_pixels"
NOISE = "coherence_noise"
PEERS = "coherence_peers"

_LOWEST, _HIGHEST = 1e-5, 10.0  # noise of coherence, or of its atanh
_BINS = 1400  # of the logarithm: each one per cent wide
_TASK = 1_000_000  # values at work at once when peers are compared
_NORMAL = 0.6744897501960817  # median of the absolute value of a standard normal variable

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """The season that is looked at, and what was known of it."""

    begin: np.datetime64
    end: np.datetime64
    as_of: Moment | None


@dataclass(frozen=True, slots=True)
class Groups:
    """Parcels in groups of similar ones."""

    code: _Ints
    """(parcel): number of the group, -1 where it has too few parcels."""
    crop: NDArray[Any]
    """(group)."""
    size: _Ints
    """(group): class of size; number k begins at ratio**k pixels."""

    @classmethod
    def of(cls, stats: xr.Dataset, rule: CoherenceRule, *, sizes: bool) -> Groups:
        """Group parcels by crop where the cube has it, and by size if asked."""
        number = stats.sizes["parcel"]
        crop = stats["crop"].to_numpy() if "crop" in stats.coords else np.full(number, "")
        kinds, kind = np.unique(crop.astype(str), return_inverse=True)
        size = np.zeros(number, np.int64)
        if sizes and PIXELS in stats.coords:
            pixels = np.maximum(stats[PIXELS].to_numpy(), 1)
            # The logarithm of 1.5**3 may fall short of 3 by rounding.
            size = np.floor(np.log(pixels) / np.log(rule.size_ratio) + 1e-9).astype(np.int64)
        pairs, code, count = np.unique(
            np.stack([kind, size]), axis=1, return_inverse=True, return_counts=True
        )
        enough = count >= rule.min_peers
        place = np.where(enough, np.cumsum(enough) - 1, -1)
        return cls(place[code.ravel()], kinds[pairs[0, enough]], pairs[1, enough])

    def __len__(self) -> int:
        """Count the groups that are large enough."""
        return len(self.size)


def count_pixels(stats: xr.Dataset, variable: str) -> xr.Dataset:
    """Add the number of pixels of each parcel, where the cube has it."""
    if "n_total" not in stats or variable not in stats["band"].to_numpy():
        return stats
    pixels = stats["n_total"].sel(band=variable).to_numpy()
    return stats.assign_coords({PIXELS: ("parcel", pixels)})


def usual_values(view: View, groups: Groups, span: Span, *, min_peers: int) -> _Floats:
    """Compute the median of each group on each date, (time, group).

    NaN where fewer than `min_peers` of the group have a value.
    """
    part = view.part(span.as_of, span.begin, span.end)
    steps = max(1, _TASK // max(1, part.sizes["parcel"]))
    few = [part.isel(time=slice(k, k + steps)) for k in range(0, part.sizes["time"], steps)]
    work = partial(_medians, look=view.look, groups=groups, span=span, min_peers=min_peers)
    if part.chunks:
        few = [delayed(work, pure=False)(some) for some in few]
        medians = [*compute(*few)]
    else:
        medians = [work(some) for some in few]
    return np.concatenate([np.empty((0, len(groups))), *medians])


def _medians(part: xr.Dataset, look: Look, groups: Groups, span: Span, min_peers: int) -> _Floats:
    value = look.signal(part, span.begin, span.end).value
    result = np.full((len(value), len(groups)), np.nan)
    for row, values in zip(result, value, strict=True):
        known = np.isfinite(values) & (groups.code >= 0)
        code, some = groups.code[known], values[known]
        ordered = some[np.lexsort((some, code))]
        count = np.bincount(code, minlength=len(groups))
        first = np.cumsum(count) - count
        good = count >= min_peers
        low = ordered[(first + (count - 1) // 2)[good]]
        row[good] = (low + ordered[(first + count // 2)[good]]) / 2
    return result


def peers_of(signals: Signals, usual: _Floats | None) -> _Floats | None:
    """Return what is usual for the parcels of a block, (time, parcel)."""
    if usual is None:
        return None
    code = signals["signal"].coords[PEERS]
    values = np.hstack([usual, np.full((len(usual), 1), np.nan)])  # group -1 has no peers
    return values[:, code]


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of each group, and what it was taken from."""

    s0: _Floats
    """(group): NaN where too few parcels have a tested pair."""
    parcels: _Ints
    """(group): parcels with a tested pair."""
    residuals: _Ints
    """(group)."""
    wide: _Floats
    """(group): share of parcels whose own noise is more than 1.5 times that of the group."""


def group_noise(
    view: View, rule: CoherenceRule, groups: Groups, span: Span, *, usual: _Floats | None
) -> Noise:
    """Measure the noise of each group by the median size of its prediction errors.

    Errors count as they are, not as distances from their middle, because a test sees them so. The
    median is that of a histogram, whose sum does not depend on the blocks it is made of.
    """
    part = view.part(span.as_of, span.begin, span.end)
    work = partial(_errors, rule=rule, number=len(groups), usual=usual)
    counts = each_block({"signal": view.look}, {"signal": part}, work, span.begin, span.end)
    errors = sum((block[0] for block in counts), np.zeros((len(groups), _BINS), np.int64))
    own = sum((block[1] for block in counts), np.zeros((len(groups), _BINS), np.int64))
    parcels = own.sum(axis=1)
    s0 = np.where(parcels >= rule.min_peers, _median(errors) / _NORMAL, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        edge = _position(1.5 * s0)
        above = [row[int(k) + 1 :].sum() if np.isfinite(k) else np.nan
                 for row, k in zip(own, edge, strict=True)]  # fmt: skip
        wide = np.array(above, float) / parcels
    return Noise(s0, parcels, errors.sum(axis=1), wide)


def _errors(
    signals: Signals, rule: CoherenceRule, number: int, usual: _Floats | None
) -> tuple[_Ints, _Ints]:
    """Return histograms of all errors, and of the noise of each parcel by itself."""
    signal = signals["signal"]
    code = signal.coords[NOISE]
    tests = judge_pairs(signal.value, signal.day, rule, usual=peers_of(signals, usual))
    error = np.abs(tests.statistic * tests.sigma)
    known = np.isfinite(error) & (code >= 0)
    every = _histogram(np.broadcast_to(code, error.shape)[known], error[known], number)
    some = known.any(axis=0)
    own = np.nanmedian(np.where(known, error, np.nan)[:, some], axis=0) / _NORMAL
    return every, _histogram(code[some], own, number)


def _position(size: _Floats) -> _Floats:
    share = np.log(np.clip(size, _LOWEST, _HIGHEST) / _LOWEST) / np.log(_HIGHEST / _LOWEST)
    return np.asarray(share * (_BINS - 1e-6))


def _histogram(code: _Ints, size: _Floats, number: int) -> _Ints:
    place = code * _BINS + _position(size).astype(np.int64)
    return np.bincount(place, minlength=number * _BINS).reshape(number, _BINS)


def _median(counts: _Ints) -> _Floats:
    """Return the median of each row of a histogram, with a straight line inside its bin."""
    total = counts.sum(axis=1)
    upto = np.cumsum(counts, axis=1)
    half = total / 2
    place = np.minimum((upto < half[:, None]).sum(axis=1), _BINS - 1)
    rows = np.arange(len(counts))
    inside = counts[rows, place]
    before = upto[rows, place] - inside
    share = np.divide(half - before, inside, out=np.zeros(len(counts)), where=inside > 0)
    return np.asarray(_LOWEST * (_HIGHEST / _LOWEST) ** ((place + share) / _BINS))


def given_noise(s0: float | pd.Series[Any], parcels: pd.Index) -> _Floats:
    """Return the noise of each parcel as the user gave it.

    Raises
    ------
    OptionError
        If it is not positive, or not known for a parcel.
    """
    if isinstance(s0, pd.Series):
        place = s0.index.get_indexer(parcels)
        lost = parcels[place < 0]
        values = s0.to_numpy(dtype=float)[place]
    else:
        lost, values = parcels[:0], np.full(len(parcels), float(s0))
    if len(lost) or (values <= 0).any() or np.isinf(values).any():
        raise OptionError(
            "the noise of similar parcels is a positive number for each parcel",
            given=f"none for {[*lost[:3]]}" if len(lost) else repr(s0),
            allowed="a number, or a series by parcel; NaN where a parcel has no similar ones",
            hint="coherence_noise measures it",
        )
    return values


def noise_table(groups: Groups, noise: Noise, rule: CoherenceRule) -> Mapping[str, Any]:
    """Return the columns of what :func:`cbmcube.markers.coherence_noise` reports."""
    ratio = rule.size_ratio
    return {
        "crop": groups.crop,
        "pixels_from": np.ceil(ratio**groups.size - 1e-6).astype(int),
        "pixels_below": np.ceil(ratio ** (groups.size + 1) - 1e-6).astype(int),
        "n_parcels": noise.parcels,
        "n_residuals": noise.residuals,
        "s0": noise.s0,
        "wide_share": noise.wide,
    }
