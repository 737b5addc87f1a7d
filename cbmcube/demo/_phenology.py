"""What grows on each piece of land on each day, and the farmer's work that changes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbmcube.demo._crops import KINDS, Crop

DAYS = 366
"""Days of the year of the season, 2024."""
NEVER = 999.0
"""A day of year that is not reached."""
EVENT_KINDS = ("ploughing", "sowing", "mowing", "harvest")
"""Names of events, by their code in `Season.events`."""

Daily = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Season:
    """The state of every piece of land on every day of the year, each (piece, day), 0 to 1."""

    green: Daily
    """Share of the ground under green leaves."""
    ripe: Daily
    """Share of the canopy that is yellow and dry."""
    flower: Daily
    """Share of the canopy in flower."""
    residue: Daily
    """Share of the open ground under straw or cut grass."""
    tilth: Daily
    """Freshness of the last ploughing or sowing."""
    kind: NDArray[np.intp]
    """Position in `KINDS` of each piece."""
    events: NDArray[np.int32]
    """Rows of piece, code in `EVENT_KINDS` and day of year, in this order."""


def grow(kind: NDArray[np.intp], seed: int) -> Season:
    """Simulate the year of every piece of land.

    Parameters
    ----------
    kind
        Position in `KINDS` of each piece.
    seed
        Seed of the farmers' decisions.
    """
    rng = np.random.default_rng([seed, 31])
    shape = (kind.size, DAYS)
    green, ripe, flower, residue, tilth = (np.zeros(shape, "float32") for _ in range(5))
    events: list[NDArray[np.int32]] = []
    for position, crop in enumerate(KINDS):
        rows = np.flatnonzero(kind == position)
        if rows.size == 0:
            continue
        part = _HABITS[crop.habit](crop, rows.size, rng)
        for target, values in zip((green, ripe, flower, residue, tilth), part.states, strict=True):
            target[rows] = values
        events += [_rows(rows, EVENT_KINDS.index(name), day) for name, day in part.events]
    found = np.concatenate(events)
    order = np.lexsort((found[:, 1], found[:, 2], found[:, 0]))
    return Season(green, ripe, flower, residue, tilth, kind, found[order])


@dataclass(frozen=True, slots=True)
class _Part:
    states: tuple[NDArray[np.floating], ...]
    events: list[tuple[str, NDArray[np.float64]]]


def _rows(rows: NDArray[np.intp], code: int, day: NDArray[np.float64]) -> NDArray[np.int32]:
    happens = (day >= 1) & (day <= DAYS)
    return np.stack([rows[happens], np.full(happens.sum(), code), day[happens]], axis=1).astype(
        "int32"
    )


_DAY = np.arange(1, DAYS + 1, dtype="float64")


def _since(day: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the days since an event, (piece, day); negative before it."""
    return _DAY - day[:, None]


def _rise(day: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(-_since(day) / spread, -60, 60))))


def _fresh(*days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how fresh the latest work on the soil is, fading over two weeks."""
    ages = [np.where(_since(day) >= 0, np.exp(-_since(day) / 14.0), 0.0) for day in days]
    return np.maximum.reduce(ages)


def _around(day: float, spread: float, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    if day > DAYS:
        return np.full(count, NEVER)
    return np.asarray(np.round(day + spread * np.clip(rng.standard_normal(count), -2, 2)))


def _winter(crop: Crop, count: int, rng: np.random.Generator) -> _Part:
    start = crop.start_cover * rng.uniform(0.6, 1.4, count)[:, None]
    growth = _rise(_around(crop.rise, 5, count, rng), crop.rise_spread)
    harvest = _around(crop.harvest, 5, count, rng)
    plough = harvest + np.round(rng.uniform(8, 34, count))
    # Some fields are sown again in the same autumn; the others wait for spring.
    sow = np.where(rng.random(count) < 0.6, plough + np.round(rng.uniform(12, 40, count)), NEVER)
    green = start + (crop.full_cover - start) * growth
    volunteers = 0.04 + 0.22 * _rise(harvest + 24, 6.0)
    green = np.where(_since(harvest) >= 0, volunteers, green)
    green = np.where(_since(plough) >= 0, 0.02 + 0.5 * _rise(sow + 26, 7.0), green)
    standing = _since(harvest) < 0
    ripe = _rise(_around(crop.ripe, 4, count, rng), 5.0) * standing
    blooming = np.exp(-0.5 * (_since(_around(crop.flower, 3, count, rng)) / 8.5) ** 2)
    residue = (_since(harvest) >= 0) & (_since(plough) < 0)
    states = (green, ripe, 0.75 * blooming * standing, residue * 0.9, _fresh(plough, sow))
    return _Part(states, [("harvest", harvest), ("ploughing", plough), ("sowing", sow)])


def _spring(crop: Crop, count: int, rng: np.random.Generator) -> _Part:
    before = crop.start_cover * rng.uniform(0.3, 2.2, count)[:, None]
    plough = _around(crop.plough, 6, count, rng)
    sow = np.maximum(plough + 4, _around(crop.sow, 5, count, rng))
    harvest = _around(crop.harvest, 7, count, rng)
    again = harvest + np.round(rng.uniform(5, 25, count))
    green = np.where(_since(plough) >= 0, 0.02, before)
    growth = _rise(sow + crop.rise + rng.normal(0, 3, count), crop.rise_spread)
    green = green + (_since(sow) >= 0) * crop.full_cover * growth
    green = np.where(_since(harvest) >= 0, 0.05, green)
    green = np.where(_since(again) >= 0, 0.02, green)
    standing = _since(harvest) < 0
    ripe = _rise(_around(crop.ripe, 4, count, rng), 6.0) * standing
    residue = np.where(_since(plough) < 0, 0.5, 0.0)
    residue = residue + 0.8 * ((_since(harvest) >= 0) & (_since(again) < 0))
    states = (green, ripe, np.zeros_like(green), residue, _fresh(plough, sow, again))
    events = [("ploughing", plough), ("sowing", sow), ("harvest", harvest), ("ploughing", again)]
    return _Part(states, events)


def _grass(crop: Crop, count: int, rng: np.random.Generator) -> _Part:
    """Grow grass by a daily logistic step that each cut sets back."""
    number = crop.cuts - (rng.random(count) < 0.4) + (rng.random(count) < 0.2)
    number = np.clip(number, 2, 4)
    first = _around(crop.rise, crop.rise_spread, count, rng) + 8.0 * (4 - number) - 8.0
    gaps = np.round(rng.uniform(38, 52, (count, 3)))
    cuts = np.cumsum(np.concatenate([first[:, None], gaps], axis=1), axis=1)
    cuts = np.where(np.arange(4) < number[:, None], cuts, NEVER)
    cuts = np.where(cuts <= 292, cuts, NEVER)
    stand = _stand(cuts, rng.uniform(0.9, 1.1, count))
    green = crop.full_cover * (0.12 + 0.88 * (1.0 - np.exp(-3.2 * stand)) / (1.0 - np.exp(-3.2)))
    last = np.max([np.where(_since(c) >= 0, np.exp(-_since(c) / 9.0), 0.0) for c in cuts.T], axis=0)
    zeros = np.zeros_like(green)
    return _Part(
        (green, zeros, zeros, 0.25 + 0.6 * last, zeros), [("mowing", cut) for cut in cuts.T]
    )


def _stand(cuts: NDArray[np.float64], vigour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the height of grass, 0 to 1, (piece, day)."""
    height = np.empty((cuts.shape[0], DAYS))
    now = np.full(cuts.shape[0], 0.30)
    for index, day in enumerate(_DAY):
        # Growth follows warmth: from March on, strongest in May, slow from October.
        warmth = np.clip(np.sin(np.pi * (day - 45) / 275.0), 0.0, None) ** 0.7
        now = now + 0.125 * warmth * vigour * now * (1.0 - now)
        now = np.where((cuts == day).any(axis=1), 0.06, now)
        height[:, index] = now
    return height


def _fallow(crop: Crop, count: int, rng: np.random.Generator) -> _Part:
    start = crop.start_cover * rng.uniform(0.7, 1.4, count)[:, None]
    growth = _rise(_around(crop.rise, 8, count, rng), crop.rise_spread)
    plough = np.where(rng.random(count) < 0.6, _around(crop.plough, 9, count, rng), NEVER)
    green = start + (crop.full_cover - start) * growth
    green = np.where(_since(plough) >= 0, 0.03, green)
    ripe = 0.45 * _rise(_around(crop.ripe, 8, count, rng), 14.0) * (_since(plough) < 0)
    residue = 0.5 * (_since(plough) < 0)
    states = (green, ripe, np.zeros_like(green), residue, _fresh(plough))
    return _Part(states, [("ploughing", plough)])


def _other(crop: Crop, count: int, rng: np.random.Generator) -> _Part:
    growth = _rise(_around(crop.rise, 3, count, rng), crop.rise_spread)
    green = crop.start_cover + (crop.full_cover - crop.start_cover) * growth
    ripe = 0.6 * _rise(_around(crop.ripe, 3, count, rng), 9.0)
    zeros = np.zeros_like(green)
    return _Part((green, ripe, zeros, zeros + 0.4, zeros), [])


_HABITS = {
    "winter": _winter,
    "spring": _spring,
    "grass": _grass,
    "fallow": _fallow,
    "other": _other,
}
