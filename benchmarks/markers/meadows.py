"""Planted seasons of grassland: NDVI, coherence of radar, and when each parcel was mown."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from benchmarks.markers import sky
from benchmarks.markers.cubes import cube, moments
from benchmarks.markers.rates import Meadow, Pairs, Sky

Floats = NDArray[np.float64]

BEGIN, END = 61.0, 305.0  # days of the year: 1 March to 31 October 2024
_MORNING = 0.44  # of a day, in which Sentinel-2 passes


@dataclass(frozen=True, slots=True)
class Meadows:
    """A season of grassland, and the truth of it."""

    optical: xr.Dataset
    """CARD-2A with NDVI."""
    coherence: xr.Dataset
    """CARD-COH6 with VV and VH."""
    truth: pd.DataFrame
    """A row for each cut: `parcel` and `date`."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """What was done, (parcel, cut), NaN where there is none."""

    day: Floats
    deficit: Floats = field(repr=False)
    """NDVI below that of grass left alone, right after the cut."""
    recovery: Floats = field(repr=False)


def plant_meadows(
    parcels: int,
    *,
    sky_rates: Sky,
    meadow: Meadow | None = None,
    pairs: Pairs | None = None,
    seed: int = 0,
) -> Meadows:
    """Draw a season; grass and radar stay the same if only the sky changes."""
    meadow, pairs = meadow or Meadow(), pairs or Pairs()
    grass, clouds, radar = (np.random.default_rng([seed, k]) for k in range(3))
    pixels = _sizes(parcels, grass)
    tall = _Tall.draw(meadow, parcels, grass)
    cuts = _cut(meadow, tall, parcels, grass)
    view = sky.look(sky_rates, begin=BEGIN + _MORNING, end=END, parcels=parcels, rng=clouds)
    seen = sky.ndvi(_ndvi(tall, cuts, view.day), view, sky_rates, clouds)
    crop = np.full(parcels, "grassland")
    parcel, number = np.nonzero(np.isfinite(cuts.day))
    optical = cube("CARD-2A", {"NDVI": seen}, view.day, pixels=pixels, crop=crop)
    return Meadows(
        optical,
        _coherence(pairs, cuts.day, pixels, crop, radar),
        pd.DataFrame(
            {
                "parcel": optical["parcel"].to_numpy()[parcel],
                "date": moments(cuts.day[parcel, number]),
            }
        ),
    )


def _sizes(parcels: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return pixels of 10 m: most parcels are small (log-uniform from 16 to 400)."""
    return np.exp(rng.uniform(np.log(16), np.log(400), parcels)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Tall:
    """NDVI of grass that nobody mows: a curve for each parcel."""

    level: Floats
    winter: Floats
    green_up: Floats
    drought: Floats
    autumn: Floats
    wave: Floats

    @classmethod
    def draw(cls, rates: Meadow, parcels: int, rng: np.random.Generator) -> _Tall:
        names = ("level", "winter", "green_up", "drought", "autumn")
        drawn = {name: rng.uniform(*getattr(rates, name), parcels) for name in names}
        return cls(**drawn, wave=rng.uniform(0, 2 * np.pi, parcels))

    def at(self, day: Floats) -> Floats:
        """Return NDVI at days of any shape that ends in (…, parcel)."""
        risen = 1 / (1 + np.exp(-(day - self.green_up) / 8))
        value = self.winter + (self.level - self.winter) * risen
        value = value - self.drought * np.exp(-(((day - 215) / 25) ** 2) / 2)
        value = value - self.autumn * np.clip((day - 245) / 60, 0, 1)
        return value + 0.02 * np.sin(2 * np.pi * day / 60 + self.wave)


def _cut(rates: Meadow, tall: _Tall, parcels: int, rng: np.random.Generator) -> Cuts:
    most = len(rates.cuts) - 1
    number = rng.choice(most + 1, parcels, p=rates.cuts)
    between = rng.uniform(*rates.between_days, (parcels, most))
    between[:, 0] = rng.uniform(*rates.first_day, parcels)
    day = np.cumsum(between, axis=1)
    day[(np.arange(most) >= number[:, None]) | (day > rates.last_day)] = np.nan
    drop = rng.uniform(*rates.drop, (parcels, most))
    recovery = rng.uniform(*rates.recovery, (parcels, most))
    deficit = np.zeros((parcels, most))
    for k in range(most):
        before = np.zeros(parcels)
        if k:
            since = day[:, k] - day[:, k - 1]
            before = np.maximum(deficit[:, k - 1] - recovery[:, k - 1] * since, 0)
        room = np.maximum(tall.at(day[:, k]) - before - rates.floor, 0)
        deficit[:, k] = before + np.minimum(drop[:, k], room)
    return Cuts(day, deficit, recovery)


def _ndvi(tall: _Tall, cuts: Cuts, day: Floats) -> Floats:
    lost = np.zeros((len(day), len(cuts.day)))
    for k in range(cuts.day.shape[1]):
        since = day[:, None] - cuts.day[:, k]
        left = np.maximum(cuts.deficit[:, k] - cuts.recovery[:, k] * since, 0)
        lost = np.where(since >= 0, left, lost)
    return np.asarray(tall.at(day[:, None]) - lost)


def _coherence(
    rates: Pairs,
    cut: Floats,
    pixels: NDArray[np.int64],
    crop: NDArray[np.str_],
    rng: np.random.Generator,
) -> xr.Dataset:
    day, reference, orbit = pairs_of(rates, BEGIN, END, rng)
    base = rng.uniform(*rates.base, len(pixels))
    short = rng.uniform(*rates.short_spring, len(pixels)) * np.clip((152 - day[:, None]) / 91, 0, 1)
    rise = _rise(rates, cut, day, reference, rng)
    wet = weather(rates, len(day), rng)
    small = np.log(400 / pixels) / np.log(400 / 16)
    sigma = rates.noise[0] + small * (rates.noise[1] - rates.noise[0])
    bands = {}
    for name, higher in (("VV", 0.05), ("VH", 0.0)):  # VV is a little more coherent over grass
        mean = (base + short + higher + rise) * (1 - wet[0][:, None]) + wet[1][:, None]
        bands[name] = np.clip(mean + sigma * rng.normal(size=mean.shape), 0.02, 0.98)
    return cube("CARD-COH6", bands, day, pixels=pixels, crop=crop, orbit=orbit, reference=reference)


def _rise(
    rates: Pairs, cut: Floats, day: Floats, reference: Floats, rng: np.random.Generator
) -> Floats:
    """Return (pair, parcel): what cuts add to coherence, and take from the pair they fall into."""
    jump, wears_off, dip = (
        rng.uniform(*rates_of, cut.shape)
        for rates_of in (rates.jump, rates.wears_off_days, rates.cut_dip)
    )
    rise = np.zeros((len(day), len(cut)))
    for k in range(cut.shape[1]):
        since = reference[:, None] - cut[:, k]
        left = jump[:, k] * np.maximum(1 - since / wears_off[:, k], 0)
        rise = np.where(since >= 0, left, rise)
        within = (since < 0) & (day[:, None] >= cut[:, k])
        rise = np.where(within, -dip[:, k], rise)
    return rise


def pairs_of(
    rates: Pairs, begin: float, end: float, rng: np.random.Generator
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return the later and the earlier image of all pairs, and their orbit, in order of time."""
    parts = []
    for number in range(rates.orbits):
        first = begin + rates.pair_days * number / rates.orbits + 0.25 + 0.5 * (number % 2)
        image = np.arange(first, end, rates.pair_days)
        there = rng.uniform(size=len(image)) >= rates.missing
        both = there[1:] & there[:-1]
        parts.append((image[1:][both], image[:-1][both], np.full(both.sum(), 15 + 73 * number)))
    day, reference, orbit = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(day, kind="stable")
    return day[order], reference[order], orbit[order]


def weather(rates: Pairs, number: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return for each pair the share of coherence that rain takes, and what else is common."""
    wet = rng.uniform(size=number) < rates.rain
    loss = np.where(wet, rng.uniform(*rates.rain_loss, number), 0.0)
    return loss, rng.normal(0, rates.weather, number)
