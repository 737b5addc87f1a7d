"""What Sentinel-1 sees: gamma0 with speckle, and coherence between two passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbmcube.demo._crops import KINDS, USES
from cbmcube.demo._fields import Waves
from cbmcube.demo._passes import Pass
from cbmcube.demo._phenology import Season
from cbmcube.demo._zones import Zone

POLARISATIONS = ("VV", "VH")
LOOKS = 4.4
"""Equivalent number of looks of the backscatter: that of Sentinel-1 IW ground range products."""
COHERENCE_LOOKS = 20.0
"""Looks of the coherence estimate."""

_SOIL = {"VV": -11.8, "VH": -19.6}
"""Gamma0 of dry, smooth soil, dB."""
_ORBIT = {"ascending": 0.0, "descending": -0.7}
"""Difference between the orbits, whose angles of incidence differ by some degrees, dB."""


@dataclass(frozen=True, slots=True)
class Land:
    """What stays the same on all dates."""

    season: Season
    """The state of every piece of land."""
    moisture: NDArray[np.float64]
    """Wetness of the soil on each day."""
    offset: NDArray[np.float64]
    """Level of each piece's backscatter against others of its kind, dB."""
    firmness: NDArray[np.float64]
    """Level of each piece's coherence against others of its kind."""
    texture: Waves
    """Structure inside a field."""
    events: NDArray[np.int32]
    """Times each piece was worked on until the end of each day, (piece, day)."""


def make_land(season: Season, moisture: NDArray[np.float64], seed: int) -> Land:
    """Draw what distinguishes fields of one crop."""
    rng = np.random.default_rng([seed, 61])
    count = season.kind.size
    worked = np.zeros(season.green.shape, "int32")
    np.add.at(worked, (season.events[:, 0], season.events[:, 2] - 1), 1)
    return Land(
        season=season,
        moisture=moisture,
        offset=0.5 * np.clip(rng.standard_normal(count), -2.5, 2.5),
        firmness=0.03 * np.clip(rng.standard_normal(count), -2.5, 2.5),
        texture=Waves(rng, shortest=60.0, longest=500.0),
        events=np.cumsum(worked, axis=1, dtype="int32"),
    )


def gamma0(land: Land, at: Pass, polarisation: str) -> NDArray[np.float32]:
    """Return the mean backscatter of every piece of land, linear power."""
    season, day = land.season, at.seen
    green, ripe = season.green[:, day].astype("float64"), season.ripe[:, day]
    name = polarisation.lower()
    fresh, dry = np.array([getattr(kind, name) for kind in KINDS])[season.kind].T
    canopy = (1.0 - ripe) * _linear(fresh) + ripe * _linear(dry)
    rough = (2.6 if polarisation == "VV" else 1.9) * season.tilth[:, day]
    soil = _linear(_SOIL[polarisation] + rough + 3.0 * (land.moisture[day] - 0.5))
    mixed = green * canopy + (1.0 - green) * soil
    lasting = season.kind >= USES["forest"]
    mixed[lasting] = canopy[lasting]
    return np.asarray(mixed * _linear(land.offset + _ORBIT[at.state]), dtype="float32")


def backscatter(
    land: Land, zone: Zone, at: Pass, seed: tuple[int, ...]
) -> dict[str, NDArray[np.float32]]:
    """Return gamma0 with speckle on the zone's 10 m lattice, by polarisation."""
    plane = zone.planes[10]
    rng = np.random.default_rng([*seed, zone.epsg])
    structure = np.float32(0.10) * land.texture.on_plane(plane.x, plane.y, plane.shape)
    layers = {}
    for polarisation in POLARISATIONS:
        values = gamma0(land, at, polarisation)[zone.labels[10]]
        speckle = rng.standard_gamma(LOOKS, plane.shape, dtype="float32")
        layers[polarisation] = values * (1.0 + structure) * (speckle / np.float32(LOOKS))
    return layers


def true_coherence(land: Land, first: Pass, second: Pass, weather: float) -> NDArray[np.float64]:
    """Return the coherence of every piece of land between two passes, VV.

    Leaves that move lose it, work on the field destroys it, bare soil keeps it.
    """
    season, start, stop = land.season, first.seen, second.seen
    green = np.maximum(season.green[:, start], season.green[:, stop]).astype("float64")
    ripe = season.ripe[:, stop]
    level = 0.80 - 0.60 * green * (1.0 - 0.3 * ripe) + land.firmness
    worked = land.events[:, stop] > land.events[:, start]
    level = np.where(worked, 0.45 * level, level)
    for use, value in (("forest", 0.16), ("village", 0.82), ("water", 0.05)):
        level[season.kind == USES[use]] = value
    return np.clip(level * weather, 0.02, 0.95)


def coherence(
    land: Land, zone: Zone, first: Pass, second: Pass, seed: tuple[int, ...]
) -> dict[str, NDArray[np.float32]]:
    """Return estimated coherence on the zone's 20 m lattice, by polarisation.

    The estimate is the length of the true value plus two normal errors of standard
    deviation ``(1 - g**2) / sqrt(2 L)``, which gives the bias ``sqrt(pi / (4 L))`` at 0.
    """
    plane = zone.planes[20]
    weather = np.random.default_rng(list(seed)).uniform(0.86, 1.0)
    rng = np.random.default_rng([*seed, zone.epsg])
    level = true_coherence(land, first, second, weather)
    structure = np.float32(0.02) * land.texture.on_plane(plane.x, plane.y, plane.shape)
    layers = {}
    for polarisation, factor in zip(POLARISATIONS, (1.0, 0.86), strict=True):
        true = np.clip((factor * level).astype("float32")[zone.labels[20]] + structure, 0.0, 0.97)
        spread = (1.0 - true**2) / np.float32(np.sqrt(2.0 * COHERENCE_LOOKS))
        along, across = rng.standard_normal((2, *plane.shape), dtype="float32") * spread
        layers[polarisation] = np.minimum(np.hypot(true + along, across), np.float32(1.0))
    return layers


def _linear(decibel: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.power(10.0, np.asarray(decibel) / 10.0)
