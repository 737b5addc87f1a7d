"""Planted seasons of arable land: harvest, ploughing and catch crops, seen by both Sentinels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from benchmarks.markers import sky
from benchmarks.markers.cubes import cube, moments
from benchmarks.markers.meadows import pairs_of, weather
from benchmarks.markers.rates import Field, Pairs, Range, Sky

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BEGIN, END = 61.0, 345.0  # days of the year: 1 March to 10 December 2024
_MORNING = 0.44
_COVER_DAYS = 35.0  # from sowing until a catch crop must stand; its eight weeks begin then
_FOREVER = 1e6


@dataclass(frozen=True, slots=True)
class Fields:
    """A season of arable land, and the truth of it."""

    optical: xr.Dataset
    """CARD-2A with NDVI, the share of `bare` pixels, and the shares of classes that a mask has."""
    backscatter: xr.Dataset
    """CARD-BS with VV and VH, linear power."""
    coherence: xr.Dataset
    """CARD-COH6 with VV."""
    work: pd.DataFrame
    """By `parcel`: dates of `harvest`, `ploughing`, `sowing` and `loss` of the catch crop, `period`
    (the begin of its eight weeks) and the declared dates of harvest; NaT where there is none."""


@dataclass(frozen=True, slots=True)
class Work:
    """Days of what was done, by parcel; very late where it was not."""

    maize: Flags
    harvest: Floats
    ploughing: Floats
    sowing: Floats
    loss: Floats


def plant_fields(
    parcels: int, *, sky_rates: Sky, field: Field | None = None, seed: int = 0
) -> Fields:
    """Draw a season; fields and radar stay the same if only the sky changes."""
    rates = field or Field()
    farm, clouds, radar = (np.random.default_rng([seed, 10 + k]) for k in range(3))
    pixels = np.exp(farm.uniform(np.log(16), np.log(400), parcels)).astype(np.int64)
    work = _work(rates, parcels, farm)
    view = sky.look(sky_rates, begin=BEGIN + _MORNING, end=END, parcels=parcels, rng=clouds)
    truth = _ndvi(rates, work, view.day, farm)
    crop = np.where(work.maize, "maize", "cereals")
    seen = sky.ndvi(truth, view, sky_rates, clouds)
    bare = _bare(rates, work, view, seen, farm)
    optical = cube("CARD-2A", {"NDVI": seen, "bare": bare}, view.day, pixels=pixels, crop=crop)
    radar_parts = _radar(rates, work, pixels, crop, radar)
    return Fields(
        _with_classes(optical, seen), *radar_parts, _table(work, optical["parcel"].to_numpy())
    )


def _work(rates: Field, parcels: int, rng: np.random.Generator) -> Work:
    def drawn(span: Range) -> Floats:
        return rng.uniform(*span, parcels)

    def happens(share: float) -> Flags:
        return rng.uniform(size=parcels) < share

    maize = happens(rates.maize)
    harvest = np.where(maize, drawn(rates.maize_day), drawn(rates.cereal_day))
    harvest = np.where(happens(rates.standing), _FOREVER, harvest)
    sown = happens(rates.sown) & ~maize & (harvest < END)
    sowing = np.where(sown, harvest + drawn(rates.sowing_days), _FOREVER)
    lost = sown & happens(rates.catch_lost)
    loss = np.where(lost, sowing + _COVER_DAYS + drawn(rates.lost_days), _FOREVER)
    ploughing = np.where(sown, _FOREVER, harvest + drawn(rates.ploughing_days))
    return Work(maize, harvest, ploughing, sowing, loss)


def _ndvi(rates: Field, work: Work, day: Floats, rng: np.random.Generator) -> Floats:
    """Return (time, parcel): growth, ripening, harvest, then soil or a catch crop."""
    parcels = len(work.harvest)
    t = day[:, None]
    top, straw, soil, catch = (
        rng.uniform(*span, parcels)
        for span in (rates.crop_ndvi, rates.straw_ndvi, rates.soil_ndvi, rates.catch_ndvi)
    )
    ripe = np.minimum(work.harvest, 230.0) - rng.uniform(*rates.ripe_days, parcels)
    grown = np.where(work.maize, rng.uniform(160, 175, parcels), rng.uniform(75, 95, parcels))
    value = soil + (top - soil) * _step(t, grown, 9.0)
    ripens = ~work.maize & (work.harvest < END)
    value = np.where(ripens, value - (value - straw) * _step(t, ripe, 4.0), value)
    value = np.where(work.maize, value - 0.1 * np.clip((t - 225) / 40, 0, 1), value)
    emptied = np.where(t >= work.harvest, soil, value)
    cover = soil + (catch - soil) * _step(t, work.sowing + 22.0, 4.0)
    after = np.where((t >= work.sowing) & (t < work.loss), cover, soil)
    return np.where(t >= work.sowing, after, emptied)


def _step(t: Floats, middle: Floats, width: float) -> Floats:
    return 1 / (1 + np.exp(-np.clip((t - middle) / width, -50, 50)))


def _bare(
    rates: Field, work: Work, view: sky.View, seen: Floats, rng: np.random.Generator
) -> Floats:
    """Return the share of bare pixels: stubble looks partly bare, a cloud and plants do not."""
    t = view.day[:, None]
    stubble = rng.uniform(*rates.stubble_bare, seen.shape[1])
    tilled = rng.uniform(*rates.tilled_bare, seen.shape[1])
    worked = (t >= work.ploughing) | (t >= work.sowing)
    share = np.where(worked, tilled, stubble)
    share = np.where((work.maize & (t < 150)) | (t >= work.loss), tilled, share)
    share = np.where(_covered(work, t) & (~work.maize | (t >= 150)), 0.0, share)
    share = np.where(view.missed, 0.0, share + rates.bare_noise * rng.normal(size=share.shape))
    return np.where(np.isfinite(seen), np.clip(share, 0, 1), np.nan)


def _with_classes(optical: xr.Dataset, seen: Floats) -> xr.Dataset:
    """Add the shares of vegetation (4), bare soil (5) and cloud (9), of mixed pixels by NDVI."""
    clear = np.isfinite(seen)
    green = np.clip((np.nan_to_num(seen) - 0.1) / 0.5, 0, 1)
    shares = np.stack([clear * green, clear * (1 - green), ~clear], axis=-1).astype("f4")
    return optical.assign_coords({"class": [4, 5, 9]}).assign(
        SCL_fraction=(("time", "parcel", "class"), shares)
    )


def _radar(
    rates: Field,
    work: Work,
    pixels: NDArray[np.int64],
    crop: NDArray[np.str_],
    rng: np.random.Generator,
) -> tuple[xr.Dataset, xr.Dataset]:
    pairs = Pairs()
    day, reference, orbit = pairs_of(pairs, BEGIN, END, rng)
    bands = _backscatter(rates, work, day, pixels, rng)
    backscatter = cube("CARD-BS", bands, day, pixels=pixels, crop=crop, orbit=orbit)
    loss, common = weather(pairs, len(day), rng)
    small = np.log(400 / pixels) / np.log(400 / 16)
    sigma = pairs.noise[0] + small * (pairs.noise[1] - pairs.noise[0])
    mean = _coherence(rates, work, day, reference, rng) * (1 - loss[:, None]) + common[:, None]
    values = np.clip(mean + sigma * rng.normal(size=mean.shape), 0.02, 0.98)
    coherence = cube(
        "CARD-COH6", {"VV": values}, day, pixels=pixels, crop=crop, orbit=orbit, reference=reference
    )
    return backscatter, coherence


def _covered(work: Work, t: Floats) -> Flags:
    """Return (time, parcel): whether plants stand; a catch crop counts from three weeks on."""
    catch = (t >= work.sowing + 22.0) & (t < work.loss)
    return (t < work.harvest) | catch


def _backscatter(
    rates: Field, work: Work, day: Floats, pixels: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, Floats]:
    parcels, t = len(pixels), day[:, None]
    ratio = rng.uniform(*rates.ratio, parcels)
    rise = rng.uniform(*rates.ratio_rise, parcels)
    ratio = np.where(_covered(work, t), ratio, ratio + rise)
    ratio = ratio + rates.drift_db * rng.normal(size=ratio.shape)
    wet = rng.uniform(size=len(day)) < rates.rain
    rain = np.where(wet, rng.uniform(*rates.rain_db, len(day)), 0.0)[:, None]
    vv = rng.normal(-11.0, 1.0, parcels) + rain
    shape = rates.looks * np.maximum(rates.own * pixels, 1)

    def speckled(decibel: Floats) -> Floats:
        return 10 ** (decibel / 10) * rng.gamma(shape, 1 / shape, decibel.shape)

    return {"VV": speckled(np.broadcast_to(vv, ratio.shape)), "VH": speckled(vv - ratio)}


def _coherence(
    rates: Field, work: Work, day: Floats, reference: Floats, rng: np.random.Generator
) -> Floats:
    """Return (pair, parcel): low over plants, and in each pair that somebody's work fell into."""
    parcels = len(work.harvest)
    low, high = (rng.uniform(*span, parcels) for span in (rates.canopy, rates.bare))
    now, before = day[:, None], reference[:, None]
    rest = ~_covered(work, before) & ~_covered(work, now)
    value = np.where(rest, high, low)
    for tillage in (work.ploughing, work.sowing, work.loss):
        since = before - tillage
        unrest = np.clip(1 - since / rates.settles_days, 0, 1) * (since >= 0)
        value = value - (value - low) * 0.5 * unrest
        value = np.where((before < tillage) & (now >= tillage), low, value)
    return np.where((before < work.harvest) & (now >= work.harvest), low, value)


def _table(work: Work, parcels: NDArray[np.str_]) -> pd.DataFrame:
    def dated(day: Floats) -> NDArray[np.datetime64]:
        known = day < END
        return np.where(known, moments(np.where(known, day, 1.0)), np.datetime64("NaT", "ns"))

    begin = np.where(work.maize, 240.0, 182.0)  # 27 August, 30 June
    length = np.where(work.maize, 50.0, 62.0)
    return pd.DataFrame(
        {
            "harvest": dated(work.harvest),
            "ploughing": dated(work.ploughing),
            "sowing": dated(work.sowing),
            "loss": dated(work.loss),
            "period": dated(work.sowing + _COVER_DAYS),
            "vegetation_start": moments(np.full(len(parcels), BEGIN)),
            "harvest_begin": moments(begin),
            "harvest_end": moments(begin + length),
        },
        index=pd.Index(parcels, name="parcel"),
    )
