"""Smooth random fields that are functions of the place on the ground alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Waves:
    """A sum of plane waves with random directions and phases: mean 0, variance 1.

    The same place has the same value on every grid, so that tiles of one zone agree
    exactly and zones agree up to the position of their pixels.

    Parameters
    ----------
    rng
        Source of directions and phases.
    shortest, longest
        Range of the wavelengths, metres.
    """

    __slots__ = ("amplitude", "phase", "waves")

    def __init__(
        self, rng: np.random.Generator, *, shortest: float, longest: float, count: int = 48
    ) -> None:
        length = np.exp(rng.uniform(np.log(shortest), np.log(longest), count))
        direction = rng.uniform(0.0, 2 * np.pi, count)
        # Long waves carry more of the variance, as in clouds and soils.
        amplitude = length**0.7
        self.amplitude = amplitude * np.sqrt(2.0 / np.sum(amplitude**2))
        self.waves = 2 * np.pi / length * np.stack([np.cos(direction), np.sin(direction)])
        self.phase = rng.uniform(0.0, 2 * np.pi, count)

    def at_points(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the value at each of some points, metres in the site's plane."""
        angle = np.multiply.outer(x, self.waves[0]) + np.multiply.outer(y, self.waves[1])
        return np.asarray(np.cos(angle + self.phase) @ self.amplitude)

    def on_plane(
        self,
        x: tuple[float, float, float],
        y: tuple[float, float, float],
        shape: tuple[int, int],
    ) -> NDArray[np.float32]:
        """Return the values on a grid.

        Parameters
        ----------
        x, y
            Site coordinate of the first pixel's centre, its step per row and its step
            per column.
        shape
            Rows and columns.
        """
        start = self.waves[0] * x[0] + self.waves[1] * y[0] + self.phase
        down = self.waves[0] * x[1] + self.waves[1] * y[1]
        right = self.waves[0] * x[2] + self.waves[1] * y[2]
        rows = np.multiply.outer(np.arange(shape[0]), down) + start
        columns = np.multiply.outer(np.arange(shape[1]), right)
        # cos(a + b) splits into two products, so that a wave costs a row and a column.
        real = (np.cos(rows) * self.amplitude) @ np.cos(columns).T
        imaginary = (np.sin(rows) * self.amplitude) @ np.sin(columns).T
        # Rounding hides the order in which a parallel product adds.
        return np.round(real - imaginary, 6).astype("float32")
