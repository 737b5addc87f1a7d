"""Clouds over planted parcels: correlated in time and space, masked or missed."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from benchmarks.markers.rates import Sky

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_KILOMETRES = 300.0  # side of the square that parcels lie in
_WAVES = 60


@dataclass(frozen=True, slots=True)
class View:
    """What passes saw; arrays are (time, parcel)."""

    day: Floats
    """(time): days of the passes."""
    masked: Flags
    missed: Flags


def look(rates: Sky, *, begin: float, end: float, parcels: int, rng: np.random.Generator) -> View:
    """Draw the passes of a season and their clouds.

    A cloud is where a normal field is low enough. Those that are missed are the edges of clouds:
    they come in the same days and places as the others.
    """
    day = np.arange(begin + rng.uniform(0, rates.revisit_days), end, rates.revisit_days)
    level = _cloudiness(rates, day, parcels, rng)
    thick = _quantile(rates.lost)
    thin = _quantile(rates.lost + rates.missed * (1 - rates.lost))
    return View(day, level <= thick, (level > thick) & (level <= thin))


def ndvi(truth: Floats, view: View, rates: Sky, rng: np.random.Generator) -> Floats:
    """Return what is measured of NDVI, NaN under a mask."""
    noise = rng.uniform(*rates.noise, truth.shape[1]) * rng.normal(size=truth.shape)
    dip = np.where(view.missed, rng.uniform(*rates.dip, truth.shape), 0.0)
    seen = np.clip(truth + noise - dip, -0.1, 0.98)
    return np.where(view.masked, np.nan, seen)


def _quantile(share: float) -> float:
    return NormalDist().inv_cdf(share) if share > 0 else -np.inf


def _cloudiness(rates: Sky, day: Floats, parcels: int, rng: np.random.Generator) -> Floats:
    """Return a normal field (time, parcel) of variance 1, low where it is cloudy."""
    region = np.arange(parcels) % rates.regions
    where = rng.uniform(0, _KILOMETRES, (parcels, 2))
    waves = rng.normal(0, 1 / rates.reach_km, (2, _WAVES))
    phase = where @ waves
    around = np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / np.sqrt(_WAVES)
    parts = (
        _remembered(rates, day, rates.regions, rng)[:, region],
        _remembered(rates, day, 2 * _WAVES, rng) @ around.T,
        _remembered(rates, day, parcels, rng),
    )
    return sum(np.sqrt(share) * part for share, part in zip(rates.shares, parts, strict=True))


def _remembered(rates: Sky, day: Floats, number: int, rng: np.random.Generator) -> Floats:
    """Return normal series (time, number) of variance 1 whose memory fades."""
    series = rng.normal(size=(len(day), number))
    kept = np.exp(-np.diff(day) / rates.memory_days)
    for k, share in enumerate(kept, start=1):
        series[k] = share * series[k - 1] + np.sqrt(1 - share**2) * series[k]
    return series
