"""Invented seasons: when satellites pass, how green and how fresh fields are, what is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

CROPS = ("winter wheat", "grassland", "maize", "sugar beet")
"""Crops of the parcels, in turns."""

PLANTED = {
    "winter wheat": ("harvest", (150.0,)),
    "grassland": ("mowing", (85.0, 130.0, 178.0)),
    "maize": ("sowing", (60.0,)),
    "sugar beet": ("sowing", (45.0,)),
}
"""What happens on the field of each crop, and on which days of the season."""


@dataclass(frozen=True, slots=True)
class Track:
    """One relative orbit and the days on which it is flown."""

    orbit: int
    state: str
    first_day: float
    step: float
    platforms: tuple[str, ...]


OPTICAL = (
    Track(22, "descending", 0.424, 5, ("sentinel-2a", "sentinel-2b")),
    Track(65, "descending", 3.431, 5, ("sentinel-2b", "sentinel-2a")),
)
RADAR = (
    Track(15, "ascending", 1.719, 6, ("sentinel-1a", "sentinel-1b")),
    Track(139, "descending", 4.226, 6, ("sentinel-1b", "sentinel-1a")),
)


@dataclass(frozen=True, slots=True)
class Season:
    """Where and when numbers are wanted, and how green and how fresh the field is there."""

    day: Array  # (time, 1) days since the start
    orbit: NDArray[np.int64]  # (time, 1)
    green: Array  # (time, parcel) 0 = bare, 1 = full canopy
    disturbed: Array  # (time, parcel) 1 right after a harvest or cut, fading
    rng: np.random.Generator


def flown(
    tracks: Iterable[Track], start: str, days: int
) -> Iterator[tuple[pd.Timestamp, Track, str]]:
    """Return when satellites pass, on which track, and which one it is."""
    begin = pd.Timestamp(start)
    for track in tracks:
        first = begin + pd.Timedelta(days=track.first_day)
        for number in range(days):
            when = first + number * pd.Timedelta(days=track.step)
            if when >= begin + pd.Timedelta(days=days):
                break
            yield when, track, track.platforms[number % 2]


def happenings(crop: str, late: float) -> Iterator[tuple[str, float]]:
    """Return what happens on a field, and on which days of the season."""
    event, days = PLANTED[crop]
    return ((event, day + late) for day in days)


def invent_season(
    coords: Mapping[str, tuple[str, NDArray]],  # type: ignore[type-arg]
    start: np.datetime64,
    parcels: int,
    rng: np.random.Generator,
) -> Season:
    day = ((coords["time"][1] - start) / np.timedelta64(1, "D"))[:, None]
    shift = lateness(parcels, rng)[None, :]
    kinds = np.arange(parcels) % len(CROPS)
    curves = [_cereal, _meadow, _maize, _beet]
    pairs = [curve(day - _baseline(coords) - shift) for curve in curves]
    green = np.choose(kinds[None, :], [green for green, _ in pairs])
    disturbed = np.choose(kinds[None, :], [fresh for _, fresh in pairs])
    return Season(day, coords["relative_orbit"][1][:, None], green, disturbed, rng)


def lateness(parcels: int, rng: np.random.Generator) -> Array:
    """Return by how many days each field is late: no two are sown on one day."""
    return rng.normal(0, 4, parcels)


def _baseline(coords: Mapping[str, tuple[str, NDArray]]) -> Array | float:  # type: ignore[type-arg]
    """Return the days between both images: coherence is as of the earlier one, before a cut low."""
    if "reference_time" not in coords:
        return 0.0
    days = (coords["time"][1] - coords["reference_time"][1]) / np.timedelta64(1, "D")
    return np.asarray(days)[:, None]


def _rise(day: Array, middle: float, width: float) -> Array:
    return 1 / (1 + np.exp(-(day - middle) / width))


def _fresh(day: Array, *events: float, fade: float) -> Array:
    after = [np.where(day >= event, np.exp(-(day - event) / fade), 0.0) for event in events]
    fresh: Array = np.max(after, axis=0)
    return fresh


def _days(crop: str) -> tuple[float, ...]:
    return PLANTED[crop][1]


def _cereal(day: Array) -> tuple[Array, Array]:
    canopy = _rise(day, 20, 9) - _rise(day, 118, 8)
    [harvest] = _days("winter wheat")
    return np.where(day < harvest, canopy, 0.05), _fresh(day, harvest, fade=30)


def _meadow(day: Array) -> tuple[Array, Array]:
    cuts = _days("grassland")
    return _rise(day, 15, 10) * (1 - 0.6 * _fresh(day, *cuts, fade=14)), _fresh(day, *cuts, fade=7)


def _maize(day: Array) -> tuple[Array, Array]:
    canopy = _rise(day, 108, 7) - 0.5 * _rise(day, 195, 10)
    return canopy, _fresh(day, *_days("maize"), fade=25)


def _beet(day: Array) -> tuple[Array, Array]:
    return _rise(day, 90, 8), _fresh(day, *_days("sugar beet"), fade=20)


def _ndvi(season: Season, _: str) -> tuple[Array, Array]:
    mean = 0.16 + 0.7 * season.green + season.rng.normal(0, 0.012, season.green.shape)
    return mean, 0.02 + 0.09 * season.green * (1 - season.green) + 0.012 * season.green


def _reflectance(season: Season, band: str) -> tuple[Array, Array]:
    if band == "NDVI":
        return _ndvi(season, band)
    bare, full = {"B04": (0.15, 0.03), "B08": (0.21, 0.42)}[band]
    mean = bare + (full - bare) * season.green
    return mean * season.rng.normal(1, 0.02, mean.shape), 0.08 * mean


def _backscatter(season: Season, band: str) -> tuple[Array, Array]:
    bare, change = {"VV": (-9.5, -3.0), "VH": (-17.5, 1.5)}[band]
    incidence = np.where(season.orbit == RADAR[0].orbit, 0.0, 1.2)
    rain = season.rng.normal(0, 0.5, (season.green.shape[0], 1))
    speckle = season.rng.normal(0, 0.2, season.green.shape)
    mean = 10 ** ((bare + change * season.green + incidence + rain + speckle) / 10)
    return mean, 0.3 * mean


def _coherence(season: Season, band: str) -> tuple[Array, Array]:
    floor, span = {"VV": (0.24, 0.42), "VH": (0.22, 0.3)}[band]
    still = np.clip(0.35 * (1 - season.green) + 0.75 * season.disturbed, 0, 1)
    mean = floor + span * still + season.rng.normal(0, 0.02, still.shape)
    return np.clip(mean, 0.05, 0.95), np.full_like(still, 0.06)


VALUES: dict[str, Callable[[Season, str], tuple[Array, Array]]] = {
    "CARD-2A": _reflectance,
    "CARD-BS": _backscatter,
    "CARD-COH6": _coherence,
}
