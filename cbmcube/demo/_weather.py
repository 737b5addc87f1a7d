"""The weather: rain through the season, clouds and their shadows on each date."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbmcube.demo._fields import Waves
from cbmcube.demo._phenology import DAYS
from cbmcube.demo._sizes import Recipe
from cbmcube.demo._zones import Plane, site_centre


def soil_moisture(seed: int) -> NDArray[np.float64]:
    """Return the wetness of the upper soil on each day of the year, 0 to 1."""
    rng = np.random.default_rng([seed, 41])
    rain = np.where(rng.random(DAYS) < 0.28, rng.gamma(1.2, 0.25, DAYS), 0.0)
    wet = np.empty(DAYS)
    now = 0.5
    for day, amount in enumerate(rain):
        now = min(1.0, 0.87 * now + amount)
        wet[day] = now
    return wet


def cloud_shares(recipe: Recipe, count: int, *, clear: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the share of the land under cloud on each date.

    At least one date has none and one has nothing else. The dates `clear` get the
    smallest shares above none, because something on them must be seen.
    """
    rng = np.random.default_rng([recipe.seed, 42])
    level = np.clip(((np.arange(count) + 0.5) / count - 0.27) / 0.61, 0.0, 1.0) ** 1.4
    some = int(np.searchsorted(level, 0.0, side="right"))
    chosen = np.arange(some, some + len(clear))
    rest = np.setdiff1d(np.arange(count), chosen)
    shares = np.empty(count)
    shares[list(clear)] = level[chosen]
    shares[np.setdiff1d(np.arange(count), clear)] = level[rng.permutation(rest)]
    return shares


@dataclass(frozen=True, slots=True)
class Cover:
    """What stands between the satellite and the land, per pixel, 0 to 1."""

    cloud: NDArray[np.float32]
    """Opacity of clouds."""
    shadow: NDArray[np.float32]
    """Depth of cloud shadows."""
    cirrus: NDArray[np.float32]
    """Opacity of thin high clouds."""


class Sky:
    """The clouds of one date, as functions of the place on the ground."""

    __slots__ = ("_cloud", "_limit", "_shift", "_thin", "_thin_limit", "share")

    def __init__(self, recipe: Recipe, index: int, share: float) -> None:
        rng = np.random.default_rng([recipe.seed, 43, index])
        reach = 0.5 * recipe.width
        self.share = share
        self._cloud = Waves(rng, shortest=130.0, longest=max(1500.0, reach), count=96)
        self._thin = Waves(rng, shortest=1500.0, longest=2.5 * recipe.width)
        self._limit = _limit(self._cloud, share, recipe)
        self._thin_limit = 0.9 if rng.random() < 0.3 else 9.0
        # The sun stands in the south-east at 10:10 UTC, so shadows fall to the north-west.
        height = rng.uniform(0.08, 0.2) * recipe.width
        self._shift = (-0.45 * height, 0.9 * height)

    def cover(self, plane: Plane) -> Cover:
        """Return clouds, shadows and cirrus on a lattice."""
        cloud = self._opacity(plane)
        (x, y), (dx, dy) = (plane.x, plane.y), self._shift
        sun_side = Plane((x[0] - dx, *x[1:]), (y[0] - dy, *y[1:]), plane.shape)
        shadow = self._opacity(sun_side) * (1.0 - cloud)
        thin = self._thin.on_plane(plane.x, plane.y, plane.shape)
        cirrus = np.clip((thin - self._thin_limit) / 1.2, 0.0, 1.0) * (1.0 - cloud)
        return Cover(cloud, shadow, cirrus)

    def _opacity(self, plane: Plane) -> NDArray[np.float32]:
        field = self._cloud.on_plane(plane.x, plane.y, plane.shape)
        return np.clip((field - np.float32(self._limit)) / np.float32(0.4), 0.0, 1.0)


def _limit(field: Waves, share: float, recipe: Recipe) -> float:
    """Return the level of `field` that is exceeded on `share` of the land."""
    if share <= 0.0:
        return 99.0
    if share >= 1.0:
        return -99.0
    x, y = site_centre(recipe)
    across, along = np.meshgrid(
        x + np.linspace(-0.5, 0.5, 80) * recipe.width,
        y + np.linspace(-0.5, 0.5, 80) * recipe.height,
    )
    return float(np.quantile(field.at_points(across.ravel(), along.ravel()), 1.0 - share))
