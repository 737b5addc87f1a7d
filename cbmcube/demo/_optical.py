"""What Sentinel-2 sees: reflectance from land and sky, and the scene classification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbmcube.demo._crops import USES
from cbmcube.demo._fields import Waves
from cbmcube.demo._phenology import Season
from cbmcube.demo._weather import Cover, Sky
from cbmcube.demo._zones import Plane, Zone

BANDS = {"B02": 10, "B03": 10, "B04": 10, "B08": 10, "B11": 20}
"""Pixel size of each reflectance band, metres."""

# Reflectances of pure surfaces in the order of BANDS, rounded from common spectral libraries.
_SOIL = np.array([0.090, 0.120, 0.155, 0.235, 0.300])
_STRAW = np.array([0.080, 0.115, 0.155, 0.260, 0.330])
_LEAF = np.array([0.024, 0.058, 0.030, 0.460, 0.180])
_RIPE = np.array([0.060, 0.105, 0.150, 0.300, 0.310])
_FLOWER = np.array([0.040, 0.150, 0.125, 0.460, 0.200])
_ROOF = np.array([0.110, 0.125, 0.140, 0.200, 0.220])
_WATER = np.array([0.045, 0.050, 0.035, 0.018, 0.008])
_CLOUD = np.array([0.62, 0.61, 0.61, 0.64, 0.45])
_SNOW = np.array([0.70, 0.70, 0.69, 0.62, 0.09])
_HAZE = np.array([0.10, 0.09, 0.08, 0.09, 0.03])
_TEXTURE = np.array([-0.05, -0.03, -0.08, 0.06, -0.04])
"""Relative change of each band where the stand is denser by one standard deviation."""


@dataclass(frozen=True, slots=True)
class Land:
    """What stays the same on all dates."""

    season: Season
    """The state of every piece of land."""
    moisture: NDArray[np.float64]
    """Wetness of the soil on each day."""
    brightness: NDArray[np.float64]
    """Factor of each piece's soil and stand."""
    texture: Waves
    """Density of the stand inside a field."""


def make_land(season: Season, moisture: NDArray[np.float64], seed: int) -> Land:
    """Draw what distinguishes fields of one crop."""
    rng = np.random.default_rng([seed, 51])
    brightness = 1.0 + 0.05 * np.clip(rng.standard_normal(season.kind.size), -2.5, 2.5)
    return Land(season, moisture, brightness, Waves(rng, shortest=45.0, longest=350.0))


def reflectance(land: Land, at: int) -> NDArray[np.float32]:
    """Return the reflectance of every piece of land under a clear sky, (piece, band).

    `at` is the position of the day in the year, from 0.
    """
    season = land.season
    states = (season.green, season.ripe, season.flower, season.residue, season.tilth)
    green, ripe, flower, residue, tilth = (s[:, at, None].astype("float64") for s in states)
    wet = land.moisture[at] * 0.28 + 0.22 * tilth
    ground = residue * _STRAW + (1.0 - residue) * _SOIL * (1.0 - np.clip(wet, 0.0, 0.5))
    canopy = (1.0 - ripe) * ((1.0 - flower) * _LEAF + flower * _FLOWER) + ripe * _RIPE
    values = (green * canopy + (1.0 - green) * ground) * land.brightness[:, None]
    kind = season.kind
    values[kind == USES["village"]] = 0.7 * _ROOF + 0.3 * values[kind == USES["village"]]
    values[kind == USES["forest"]] *= (0.8, 0.75, 0.8, 0.78, 0.7)
    values[kind == USES["water"]] = _WATER
    return values.astype("float32")


@dataclass(frozen=True, slots=True)
class Swath:
    """The edge of what the sensor saw: a line in the site's plane."""

    point: tuple[float, float]
    """A point of the edge."""
    inward: tuple[float, float]
    """Unit vector towards what was seen."""

    def seen(self, plane: Plane) -> NDArray[np.bool_]:
        """Return which pixels were seen."""
        x, y = plane.grid()
        ahead = (x - self.point[0]) * self.inward[0] + (y - self.point[1]) * self.inward[1]
        return np.asarray(ahead >= 0)


@dataclass(frozen=True, slots=True)
class Look:
    """What one date adds to the land."""

    day: int
    """Position of the day in the year, from 0."""
    sky: Sky
    """Clouds of the date."""
    noise: tuple[int, ...]
    """Seed of the sensor's noise."""
    swath: Swath | None = None
    """Edge of the swath, where it crosses the site."""
    snow: Waves | None = None
    """Where snow lies, if any does."""


def render(land: Land, zone: Zone, look: Look) -> dict[str, NDArray[np.uint16] | NDArray[np.uint8]]:
    """Return the numbers of every band and of ``SCL`` on a zone's lattices.

    Reflectance is stored as ``round(reflectance * 10000)`` without an offset; 0 means
    no data.
    """
    surface = reflectance(land, look.day)
    rng = np.random.default_rng([*look.noise, zone.epsg])
    covers = {pixel: look.sky.cover(zone.planes[pixel]) for pixel in (10, 20)}
    texture = {p: land.texture.on_plane(q.x, q.y, q.shape) for p, q in zone.planes.items()}
    snow = {pixel: _snow(look, zone.planes[pixel]) for pixel in (10, 20)}
    seen = np.ones(zone.planes[20].shape, bool)
    if look.swath is not None:
        seen = look.swath.seen(zone.planes[20])
    masks = {20: seen, 10: seen.repeat(2, axis=0).repeat(2, axis=1)}
    layers: dict[str, NDArray[np.uint16] | NDArray[np.uint8]] = {}
    for index, (band, pixel) in enumerate(BANDS.items()):
        values = surface[:, index][zone.labels[pixel]]
        values *= 1.0 + np.float32(_TEXTURE[index]) * texture[pixel]
        values += snow[pixel] * (np.float32(_SNOW[index]) - values)
        values = _through(values, covers[pixel], index)
        noise = rng.standard_normal(values.shape, dtype="float32")
        values += noise * (np.float32(0.0025) + np.float32(0.025) * values)
        numbers = np.clip(np.rint(values * 10000), 1, 16000).astype("uint16")
        layers[band] = np.where(masks[pixel], numbers, np.uint16(0))
    classes = _classes(land, zone, look, surface, covers[20], snow[20], rng)
    layers["SCL"] = np.where(seen, classes, np.uint8(0))
    return layers


def _snow(look: Look, plane: Plane) -> NDArray[np.float32]:
    if look.snow is None:
        return np.zeros(plane.shape, "float32")
    field = look.snow.on_plane(plane.x, plane.y, plane.shape)
    return np.clip((field - np.float32(1.1)) / np.float32(0.3), 0.0, 1.0)


def _through(values: NDArray[np.float32], cover: Cover, band: int) -> NDArray[np.float32]:
    """Look at the land through shadow, cirrus and cloud."""
    values = values * (1.0 - np.float32(0.55) * cover.shadow)
    values = values + cover.cirrus * np.float32(_HAZE[band])
    return values + cover.cloud * (np.float32(_CLOUD[band]) - values)


def _classes(
    land: Land,
    zone: Zone,
    look: Look,
    surface: NDArray[np.float32],
    cover: Cover,
    snow: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Classify as a screening would: clouds first, thin borders missed."""
    labels = zone.labels[20]
    red, infrared = surface[:, 2], surface[:, 3]
    ndvi = ((infrared - red) / (infrared + red))[labels]
    ndvi += 0.03 * rng.standard_normal(ndvi.shape, dtype="float32")
    classes = np.where(ndvi > 0.36, 4, 5).astype("uint8")
    # Wet soil just ploughed is dark enough to pass for a shadowed slope.
    dark = (land.season.tilth[:, look.day] > 0.8) & (land.moisture[look.day] > 0.7)
    classes[dark[labels] & (rng.random(ndvi.shape, dtype="float32") < 0.25)] = 2
    classes[(land.season.kind == USES["water"])[labels]] = 6
    classes[snow > 0.4] = 11
    classes[cover.shadow > 0.25] = 3
    classes[cover.cirrus > 0.15] = 10
    classes[cover.cloud > 0.08] = 7
    classes[cover.cloud > 0.2] = 8
    classes[cover.cloud > 0.6] = 9
    return classes
