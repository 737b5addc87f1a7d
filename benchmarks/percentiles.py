"""Measure two definitions of a weighted percentile on parcels shifted by parts of a pixel.

Both sort the pixels, give each its share of the total weight W, and average the values
over a window one pixel wide; they differ in how many pixels the parcel counts for:

- ``kish``: W² / Σw², Kish's effective size (Akinshin 2023, "Weighted quantile estimators");
- ``frequency``: max(W, 1), weights as numbers of pixels. One pixel at least, because a
  window wider than the parcel would reach beyond its values.

Truth is known in two ways: the area distribution of the pixels inside the parcel, which
exact coverage gives without sampling, and what does not depend on the grid at all (the
ground, seen through a pixel at every metre; the distribution that noise was drawn from).

Run ``python benchmarks/percentiles.py``; it takes about a minute and prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio.features
import shapely
from affine import Affine
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray

Floats = NDArray[np.float64]

QUANTILES = np.array([0.10, 0.25, 0.50, 0.75, 0.90])
DEFINITIONS = ("kish", "frequency")
HECTARES = (0.006, 0.05, 0.2, 1.0, 5.0)
SLIVER = 0.006
"""Size whose weights sum to less than one pixel; reported apart from the others."""
ASPECTS = (1.0, 3.0, 8.0)
PIXEL = 10
"""Pixel size in metres; the ground is known at 1 m."""
GROUND = 1000
"""Side of the ground in metres."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one parcel gives on one field: results for each shift of the pixel grid."""

    case: str
    hectares: float
    truth: Floats
    """(shift, quantile)."""
    found: dict[str, Floats]
    """For each definition, (shift, quantile)."""


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description="Compare definitions of a weighted percentile.")
    parser.add_argument("--parcels", type=int, default=30, help="parcels of each size and shape")
    parser.add_argument("--shifts", type=int, default=16, help="shifts of each parcel")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    samples = list(measure(rng, parcels=options.parcels, shifts=options.shifts))
    print_quantiles([sample for sample in samples if sample.hectares != SLIVER])
    print_sizes(samples)


def measure(rng: np.random.Generator, *, parcels: int, shifts: int) -> Iterator[Sample]:
    """Yield every parcel on every field; fields have a standard deviation of one."""
    ground = texture(rng)
    for hectares in HECTARES:
        for aspect in ASPECTS:
            for _ in range(parcels):
                shape = parcel(rng, hectares, aspect)
                offsets = rng.integers(0, PIXEL, (shifts, 2))
                covers = covers_of(shape, offsets)
                # The ground is periodic: every parcel and its neighbours lie somewhere else.
                inside, outside = (
                    np.roll(ground, rng.integers(0, GROUND, 2), (0, 1)) for _ in "io"
                )
                yield from on_texture(shape, hectares, covers, inside, outside)
                yield from on_pixels(rng, shape, hectares, covers)


# Definitions ------------------------------------------------------------------------------


def window_quantiles(values: Floats, weights: Floats, size: float) -> Floats:
    """Return `QUANTILES` by a window of width ``1 / size`` in cumulated weight."""
    order = np.argsort(values, kind="stable")
    edges = np.concatenate([[0.0], np.cumsum(weights[order])])
    left = QUANTILES[:, None] * (size - 1.0) / size
    inside = np.clip((edges / edges[-1] - left) * size, 0.0, 1.0)
    return np.diff(inside, axis=1) @ values[order]


def estimates(values: Floats, weights: Floats) -> dict[str, Floats]:
    """Return `QUANTILES` under each definition."""
    total = float(weights.sum())
    sizes = {"kish": total**2 / float((weights**2).sum()), "frequency": max(total, 1.0)}
    return {name: window_quantiles(values, weights, sizes[name]) for name in DEFINITIONS}


def area_quantiles(values: Floats, weights: Floats) -> Floats:
    """Return the least value that holds a share q of the area below or at it."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    # Half a millionth of the area, so that rounding does not step over a boundary.
    return values[order][np.searchsorted(below, (QUANTILES - 5e-7) * below[-1])]


# Parcels and fields -----------------------------------------------------------------------


def parcel(rng: np.random.Generator, hectares: float, aspect: float) -> shapely.Polygon:
    """Make a convex field of any rotation in the middle of the ground, y downwards.

    Slivers are strips one metre wide, whatever the aspect.
    """
    area = hectares * 10_000.0
    if hectares == SLIVER:
        shape = shapely.box(0.0, 0.0, area, 1.0)
    else:
        # A rectangle whose corners are cut unevenly.
        x, y = rng.uniform(0.0, 0.35, (2, 4))
        corners = [(x[0], 0), (1 - x[1], 0), (1, y[0]), (1, 1 - y[1])]
        corners += [(1 - x[2], 1), (x[3], 1), (0, 1 - y[2]), (0, y[3])]
        shape = shapely.Polygon(np.array(corners) * [aspect, 1.0])
        shape = shapely.transform(shape, lambda xy: xy * np.sqrt(area / shape.area))
    angle = rng.uniform(0.0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array(shape.centroid.coords[0])
    return shapely.transform(shape, lambda xy: (xy - middle) @ turn + GROUND / 2)


def texture(rng: np.random.Generator, length: float = 25.0) -> Floats:
    """Return a smooth random ground at 1 m, correlated over about `length` metres."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(GROUND), np.fft.rfftfreq(GROUND)))
    spectrum = np.fft.rfft2(rng.normal(size=(GROUND, GROUND)))
    smooth = np.fft.irfft2(spectrum * np.exp(-2.0 * (length * frequency.T) ** 2))
    return np.asarray((smooth - smooth.mean()) / smooth.std())


def blurred(ground: Floats) -> Floats:
    """Return the mean of the pixel whose upper left corner lies on each metre."""
    sums = np.pad(ground, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    totals = sums[PIXEL:, PIXEL:] - sums[:-PIXEL, PIXEL:] - sums[PIXEL:, :-PIXEL]
    return np.asarray((totals + sums[:-PIXEL, :-PIXEL]) / PIXEL**2)


@dataclass(frozen=True, slots=True)
class Cover:
    """Pixels of a parcel on a grid that starts `x` and `y` metres into the ground."""

    x: int
    y: int
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    weight: Floats


def covers_of(shape: shapely.Polygon, offsets: NDArray[np.int64]) -> list[Cover]:
    """Cover a parcel exactly on the grid of each offset (x, y)."""
    # All grids in one call: moving the parcel the other way is the same.
    moved = [shapely.transform(shape, lambda xy, o=o: (xy - o) / PIXEL) for o in offsets]
    side = GROUND // PIXEL
    upright = [shapely.transform(one, lambda xy: [0, side] + xy * [1, -1]) for one in moved]
    parcels = gpd.GeoDataFrame(geometry=upright, crs="EPSG:32632")  # any, but it asks for one
    zeros = np.zeros((side, side), np.uint8)
    lattice = NumPyRasterSource(zeros, 0, 0, side, side, srs_wkt=parcels.crs.to_wkt())
    table = exact_extract(lattice, parcels, ["cell_id", "coverage"], output="pandas")
    return [
        Cover(int(x), int(y), *np.divmod(cells[shares > 0.0], side), shares[shares > 0.0])
        for (x, y), cells, shares in zip(offsets, table["cell_id"], table["coverage"], strict=True)
    ]


def on_texture(
    shape: shapely.Polygon, hectares: float, covers: list[Cover], inside: Floats, outside: Floats
) -> Iterator[Sample]:
    """Yield results on mixed pixels; neighbours alike, or two deviations brighter."""
    within = rasterio.features.geometry_mask(
        [shape], inside.shape, Affine.identity(), invert=True, all_touched=hectares == SLIVER
    )
    for name, contrast in (("alike", 0.0), ("bright", 2.0)):
        seen = blurred(np.where(within, inside, outside + contrast))
        fields = [seen[p.row * PIXEL + p.y, p.column * PIXEL + p.x] for p in covers]
        rows, columns = np.nonzero(within)
        everywhere = seen[rows - PIXEL // 2, columns - PIXEL // 2]
        truth = area_quantiles(everywhere, np.ones(everywhere.size))
        yield sample(f"texture, {name}: area", hectares, covers, fields)
        yield sample(f"texture, {name}: ground", hectares, covers, fields, truth)
    yield sample(
        "half steps, bright: area", hectares, covers, [np.round(2 * x) / 2 for x in fields]
    )


def on_pixels(
    rng: np.random.Generator, shape: shapely.Polygon, hectares: float, covers: list[Cover]
) -> Iterator[Sample]:
    """Yield results on pixels that are independent, and on two halves of a parcel."""
    noise = rng.normal(size=(GROUND // PIXEL, GROUND // PIXEL))
    fields = [noise[p.row, p.column] for p in covers]
    population = np.array([NormalDist().inv_cdf(q) for q in QUANTILES])
    yield sample("noise: area", hectares, covers, fields)
    yield sample("noise: drawn from", hectares, covers, fields, population)
    angle, place = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(-0.4, 0.4)
    reach = place * np.sqrt(shape.area)
    fields = [halves(p, angle, reach) for p in covers]
    yield sample("two values: area", hectares, covers, fields)


def halves(cover: Cover, angle: float, reach: float) -> Floats:
    """Return 0 or 1 for each pixel by the side of a line on which its centre lies."""
    x = cover.x + (cover.column + 0.5) * PIXEL - GROUND / 2
    y = cover.y + (cover.row + 0.5) * PIXEL - GROUND / 2
    return np.asarray(x * np.cos(angle) + y * np.sin(angle) > reach, dtype=float)


def sample(
    case: str,
    hectares: float,
    covers: list[Cover],
    fields: list[Any],
    truth: Floats | None = None,
) -> Sample:
    """Estimate on each shift; without a `truth` it is the area distribution of that shift."""
    pairs = [(values, cover.weight) for values, cover in zip(fields, covers, strict=True)]
    each = [estimates(*pair) for pair in pairs]
    found = {name: np.array([one[name] for one in each]) for name in DEFINITIONS}
    if truth is None:
        return Sample(case, hectares, np.array([area_quantiles(*pair) for pair in pairs]), found)
    return Sample(case, hectares, np.tile(truth, (len(pairs), 1)), found)


# Tables -----------------------------------------------------------------------------------


def errors(samples: list[Sample], name: str) -> Floats:
    """Return found minus truth (parcel, shift, quantile)."""
    return np.array([sample.found[name] - sample.truth for sample in samples])


def spread(samples: list[Sample], name: str) -> float:
    """Return the mean standard deviation of a parcel's result over its shifts."""
    return float(np.mean([sample.found[name].std(axis=0) for sample in samples]))


def print_quantiles(samples: list[Sample]) -> None:
    """Print bias and RMSE for each quantile, and the spread over shifts."""
    heads = " | ".join(f"p{100 * q:.0f}" for q in QUANTILES)
    print(f"| field: truth | definition | {heads} (bias / RMSE) | spread |")
    print("|---|---|" + "---|" * (QUANTILES.size + 1))
    for case in dict.fromkeys(sample.case for sample in samples):
        chosen = [sample for sample in samples if sample.case == case]
        for name in DEFINITIONS:
            error = errors(chosen, name)
            bias = error.mean(axis=(0, 1))
            rmse = np.sqrt((error**2).mean(axis=(0, 1)))
            cells = " | ".join(f"{b:+.3f} / {r:.3f}" for b, r in zip(bias, rmse, strict=True))
            print(f"| {case} | {name} | {cells} | {spread(chosen, name):.4f} |")
    print()


def advantage(samples: list[Sample]) -> float:
    """Return how many standard errors the mean squared error of ``kish`` is the smaller."""
    squares = {name: (errors(samples, name) ** 2).mean(axis=(1, 2)) for name in DEFINITIONS}
    gain = squares["frequency"] - squares["kish"]
    return float(gain.mean() / (gain.std(ddof=1) / np.sqrt(gain.size) + 1e-300))


def print_sizes(samples: list[Sample]) -> None:
    """Print RMSE and spread over all quantiles for each size, and how far the two differ."""
    names = " | ".join(f"RMSE {n} | spread {n}" for n in DEFINITIONS)
    print(f"| field: truth | ha | {names} | mean difference | kish better by (s.e.) |")
    print("|---|---|" + "---|" * (2 * len(DEFINITIONS) + 2))
    for case, hectares in dict.fromkeys((sample.case, sample.hectares) for sample in samples):
        chosen = [s for s in samples if (s.case, s.hectares) == (case, hectares)]
        each = {name: errors(chosen, name) for name in DEFINITIONS}
        cells = " | ".join(
            f"{np.sqrt((each[n] ** 2).mean()):.3f} | {spread(chosen, n):.3f}" for n in DEFINITIONS
        )
        apart = np.abs(each["kish"] - each["frequency"]).mean()
        print(f"| {case} | {hectares:g} | {cells} | {apart:.4f} | {advantage(chosen):+.1f} |")


if __name__ == "__main__":
    main()
