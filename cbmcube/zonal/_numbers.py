"""From the pixels of parcels to their numbers: the one path, wherever the pixels are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.zonal._classes import class_weights, class_weights_flat
from cbmcube.zonal._index import InnerPixels
from cbmcube.zonal._kernels import Table, expand, summarise, summarise_flat
from cbmcube.zonal._node import ClassBand
from cbmcube.zonal._statistics import StatisticsPlan


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to compute from every block of one grid."""

    plan: StatisticsPlan
    """Statistics of the bands."""
    bands: dict[str, float]
    """Bands that reduce to statistics, each with its number for "no data" (NaN for none)."""
    classes: tuple[ClassBand, ...]
    """Bands that reduce to class shares."""
    merge_ties: bool
    """Whether percentiles follow exactextract."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """Numbers of some parcels on one date."""

    parcel: NDArray[np.int64]
    """Number of each parcel in the result."""
    statistics: dict[str, NDArray[np.float32]]
    """For each band, (parcel, statistic)."""
    n_valid: dict[str, NDArray[np.int32]]
    """For each band, finite pixels (parcel)."""
    n_failed: dict[str, NDArray[np.int32]]
    """For each band, pixels that are minus infinity, which marks a failed read (parcel)."""
    observed: NDArray[np.float64]
    """Share of each parcel with source data."""
    shares: dict[str, NDArray[np.float32]]
    """For each class band, (parcel, class)."""


@dataclass(frozen=True, slots=True)
class GatheredPixels:
    """Pixels of straddling parcels from all blocks, in the order of the kernels."""

    parcel: NDArray[np.int64]
    total: NDArray[np.float64]
    n_total: NDArray[np.int32]
    start: NDArray[np.int64]
    weights: NDArray[np.float32]


_SEEN = np.array([-1, 0])  # code 0 (not seen) belongs to no class, code 1 (seen) to the first


def reduce_inner(pixels: InnerPixels, planes: dict[str, NDArray[Any]], recipe: Recipe) -> Reduced:
    """Reduce parcels that lie in the block, straight from its rasters."""
    quantiles = np.array(recipe.plan.quantiles, dtype=np.float64)
    tables = {
        name: summarise(planes[name], nodata, pixels.layout, quantiles, recipe.merge_ties)
        for name, nodata in recipe.bands.items()
    }
    if recipe.plan.reducers:
        start, cells, weights = expand(pixels.layout)
        tables = {
            name: _with_reducers(table, planes[name][cells], nodata, start, weights, recipe)
            for (name, table), nodata in zip(tables.items(), recipe.bands.values(), strict=True)
        }
    shares = {
        band.name: class_weights(
            planes[band.name],
            pixels.layout,
            _class_positions(band, planes[band.name].dtype),
            len(band.codes),
        )
        for band in recipe.classes
    }
    seen = _counted(tables, planes, pixels.size)
    if np.isnan(seen).any():
        found = class_weights(_seen(planes, recipe), pixels.layout, _SEEN, 1)[:, 0]
        seen = np.where(np.isnan(seen), found, seen)
    return _reduced(pixels, tables, shares, seen, recipe)


def reduce_gathered(
    pixels: GatheredPixels, values: dict[str, NDArray[Any]], recipe: Recipe
) -> Reduced:
    """Reduce parcels whose pixels were shipped, by the same arithmetic."""
    quantiles = np.array(recipe.plan.quantiles, dtype=np.float64)
    start, weights = pixels.start, pixels.weights
    tables = {
        name: summarise_flat(values[name], nodata, start, weights, quantiles, recipe.merge_ties)
        for name, nodata in recipe.bands.items()
    }
    if recipe.plan.reducers:
        tables = {
            name: _with_reducers(table, values[name], nodata, start, weights, recipe)
            for (name, table), nodata in zip(tables.items(), recipe.bands.values(), strict=True)
        }
    shares = {
        band.name: class_weights_flat(
            values[band.name],
            start,
            weights,
            _class_positions(band, values[band.name].dtype),
            len(band.codes),
        )
        for band in recipe.classes
    }
    seen = _counted(tables, values, np.diff(start))
    if np.isnan(seen).any():
        found = class_weights_flat(_seen(values, recipe), start, weights, _SEEN, 1)[:, 0]
        seen = np.where(np.isnan(seen), found, seen)
    return _reduced(pixels, tables, shares, seen, recipe)


def _counted(
    tables: dict[str, Table],
    planes: dict[str, NDArray[Any]],
    size: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the weight with data where the statistics hold it already, NaN elsewhere.

    It is the count of a sole band, or of one that is valid in all of a parcel's `size` pixels.
    """
    known = np.full(size.size, np.nan)
    if "observed" not in planes:
        for table, n_valid, _ in tables.values():
            enough = (n_valid == size) | (len(tables) == 1)
            known = np.where(enough, table[:, 0], known)
    return known


def _with_reducers(
    table: Table,
    values: NDArray[Any],
    nodata: float,
    start: NDArray[np.int64],
    weights: NDArray[np.float32],
    recipe: Recipe,
) -> Table:
    """Add a column for each of the user's functions: parcel by parcel, slower, as exact."""
    known, n_valid, n_failed = table
    own = np.full((start.size - 1, len(recipe.plan.reducers)), np.nan)
    present = _present(values, nodata)
    for parcel in np.flatnonzero(n_valid):
        mine = slice(start[parcel], start[parcel + 1])
        kept = present[mine]
        some, shares = values[mine][kept].astype(float), weights[mine][kept].astype(float)
        for column, reducer in enumerate(recipe.plan.reducers):
            own[parcel, column] = reducer(some, shares)
    return np.concatenate([known, own], axis=1), n_valid, n_failed


def _reduced(
    pixels: InnerPixels | GatheredPixels,
    tables: dict[str, Table],
    shares: dict[str, NDArray[np.float64]],
    seen: NDArray[np.float64],
    recipe: Recipe,
) -> Reduced:
    columns = list(recipe.plan.columns)
    total = np.where(pixels.total > 0, pixels.total, np.nan)
    return Reduced(
        parcel=pixels.parcel,
        statistics={
            name: table[:, columns].astype("float32") for name, (table, _, _) in tables.items()
        },
        n_valid={name: valid for name, (_, valid, _) in tables.items()},
        n_failed={name: failed for name, (_, _, failed) in tables.items()},
        observed=np.nan_to_num(seen / total),
        shares={
            name: np.nan_to_num(found / total[:, None]).astype("float32")
            for name, found in shares.items()
        },
    )


def _class_positions(band: ClassBand, dtype: np.dtype[Any]) -> NDArray[np.int64]:
    """Return a table from code to position on the class axis, -1 for unlisted codes."""
    table = np.full(int(np.iinfo(dtype).max) + 1, -1, dtype=np.int64)
    table[list(band.codes)] = np.arange(len(band.codes))
    return table


def _seen(planes: dict[str, NDArray[Any]], recipe: Recipe) -> NDArray[np.uint8]:
    """Return 1 where source data were present: as the cube says, else where a band has any."""
    if "observed" in planes:
        flags = planes["observed"]
        return (flags if flags.dtype == bool else np.nan_to_num(flags) > 0).view(np.uint8)
    found = [_present(planes[name], nodata) for name, nodata in recipe.bands.items()] or [
        planes[band.name] != band.nodata for band in recipe.classes
    ]
    seen = found[0]
    for flags in found[1:]:
        seen |= flags
    return np.asarray(seen).view(np.uint8)


def _present(plane: NDArray[Any], nodata: float) -> NDArray[np.bool_]:
    present = np.isfinite(plane)
    return present if np.isnan(nodata) else present & (plane != nodata)
