"""What workers run: reduce one block, finish straddling parcels, assemble one date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.zonal._index import BlockIndex, InnerPixels, StraddlingPixels
from cbmcube.zonal._kernels import (
    class_weights,
    class_weights_flat,
    expand,
    summarise,
    summarise_flat,
)
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
    observed: NDArray[np.float64]
    """Share of each parcel with source data."""
    shares: dict[str, NDArray[np.float32]]
    """For each class band, (parcel, class)."""


@dataclass(frozen=True, slots=True)
class BlockResult:
    """What one block yields, date by date."""

    inner: tuple[Reduced, ...]
    """Finished parcels, for each date of the block."""
    values: tuple[dict[str, NDArray[Any]], ...]
    """Pixels of straddling parcels, for each date and raster."""


def reduce_block(
    index: BlockIndex,
    bands: Sequence[NDArray[Any]],
    classes: Sequence[NDArray[Any]],
    observed: NDArray[Any] | None,
    recipe: Recipe,
) -> BlockResult:
    """Reduce the rasters (time, y, x) of one block, all bands in one pass of the index."""
    rasters = dict(zip(recipe.bands, bands, strict=True))
    rasters |= {band.name: raster for band, raster in zip(recipe.classes, classes, strict=True)}
    if observed is not None:
        rasters["observed"] = observed
    inner, values = [], []
    for date in range(next(iter(rasters.values())).shape[0]):
        planes = {name: raster[date].reshape(-1) for name, raster in rasters.items()}
        inner.append(_reduce_inner(index.inner, planes, recipe))
        values.append({name: plane[index.straddling.cell] for name, plane in planes.items()})
    return BlockResult(tuple(inner), tuple(values))


_SEEN = np.array([-1, 0])  # code 0 (not seen) belongs to no class, code 1 (seen) to the first


def _reduce_inner(pixels: InnerPixels, planes: dict[str, NDArray[Any]], recipe: Recipe) -> Reduced:
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
    seen = _counted(tables, planes)
    if seen is None:
        seen = class_weights(_seen(planes, recipe), pixels.layout, _SEEN, 1)[:, 0]
    return _reduced(pixels, tables, shares, seen, recipe)


def _reduce_flat(pixels: _Gathered, values: dict[str, NDArray[Any]], recipe: Recipe) -> Reduced:
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
    seen = _counted(tables, values)
    if seen is None:
        seen = class_weights_flat(_seen(values, recipe), start, weights, _SEEN, 1)[:, 0]
    return _reduced(pixels, tables, shares, seen, recipe)


def _counted(
    tables: dict[str, tuple[NDArray[np.float64], NDArray[np.int32]]],
    planes: dict[str, NDArray[Any]],
) -> NDArray[np.float64] | None:
    """Return the weight with data where the statistics hold it already: in a sole band's count."""
    if "observed" in planes or len(tables) != 1:
        return None
    ((table, _),) = tables.values()
    return table[:, 0]


def _with_reducers(
    table: tuple[NDArray[np.float64], NDArray[np.int32]],
    values: NDArray[Any],
    nodata: float,
    start: NDArray[np.int64],
    weights: NDArray[np.float32],
    recipe: Recipe,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Add a column for each of the user's functions: parcel by parcel, slower, as exact."""
    known, n_valid = table
    own = np.full((start.size - 1, len(recipe.plan.reducers)), np.nan)
    present = _present(values, nodata)
    for parcel in np.flatnonzero(n_valid):
        mine = slice(start[parcel], start[parcel + 1])
        kept = present[mine]
        some, shares = values[mine][kept].astype(float), weights[mine][kept].astype(float)
        for column, reducer in enumerate(recipe.plan.reducers):
            own[parcel, column] = reducer(some, shares)
    return np.concatenate([known, own], axis=1), n_valid


def _reduced(
    pixels: InnerPixels | _Gathered,
    tables: dict[str, tuple[NDArray[np.float64], NDArray[np.int32]]],
    shares: dict[str, NDArray[np.float64]],
    seen: NDArray[np.float64],
    recipe: Recipe,
) -> Reduced:
    columns = list(recipe.plan.columns)
    total = np.where(pixels.total > 0, pixels.total, np.nan)
    return Reduced(
        parcel=pixels.parcel,
        statistics={
            name: table[:, columns].astype("float32") for name, (table, _) in tables.items()
        },
        n_valid={name: valid for name, (_, valid) in tables.items()},
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


@dataclass(frozen=True, slots=True)
class _Gathered:
    """Pixels of straddling parcels from all blocks, in the order of the kernels."""

    parcel: NDArray[np.int64]
    total: NDArray[np.float64]
    n_total: NDArray[np.int32]
    start: NDArray[np.int64]
    weights: NDArray[np.float32]


def finish_straddling(
    pieces: Sequence[StraddlingPixels], values: Sequence[dict[str, NDArray[Any]]], recipe: Recipe
) -> Reduced | None:
    """Finish parcels whose pixels lie in several blocks, in raster order, by the same path."""
    if not sum(piece.parcel.size for piece in pieces):
        return None
    parcel, first = np.unique(np.concatenate([piece.parcel for piece in pieces]), return_index=True)
    owner = np.concatenate([piece.owner for piece in pieces])
    weight = np.concatenate([piece.weight for piece in pieces])
    place = np.concatenate([piece.order for piece in pieces])
    order = np.lexsort((place, weight != 1.0, owner))
    pixels = _Gathered(
        parcel=parcel,
        total=np.concatenate([piece.total for piece in pieces])[first],
        n_total=np.concatenate([piece.n_total for piece in pieces])[first],
        start=np.searchsorted(owner[order], [*parcel, parcel[-1] + 1]),
        weights=weight[order],
    )
    gathered = {name: np.concatenate([value[name] for value in values]) for name in values[0]}
    return _reduce_flat(pixels, {name: part[order] for name, part in gathered.items()}, recipe)


@dataclass(frozen=True, slots=True)
class Layout:
    """Shape of the result: what a date is assembled into."""

    parcels: int
    """Number of parcels."""
    statistics: tuple[str, ...]
    """Names of the statistics, in order."""
    bands: tuple[str, ...]
    """Bands of all grids, in order."""
    classes: tuple[ClassBand, ...]
    """Class bands of all grids, in order."""
    codes: tuple[int, ...]
    """Codes along the class axis."""


def assemble(
    layout: Layout, dates: Sequence[Sequence[Sequence[Any]]], recipes: Sequence[Recipe]
) -> dict[str, NDArray[Any]]:
    """Put the numbers of some dates in their places.

    Parameters
    ----------
    layout
        Shape of the result.
    dates
        For each date the blocks that see it: number of the grid, result, straddling pixels
        and position of the date in the block.
    recipes
        The recipe of each grid, the finest first.
    """
    out = _blank(layout, len(dates))
    for date, blocks in enumerate(dates):
        here = {
            name: values[:, date] if name == "n_valid" else values[date]
            for name, values in out.items()
        }
        for grid, recipe in enumerate(recipes):
            mine = [block for block in blocks if block[0] == grid]
            finished = finish_straddling(
                [piece for _, _, piece, _ in mine],
                [result.values[inside] for _, result, _, inside in mine],
                recipe,
            )
            parts = [result.inner[inside] for _, result, _, inside in mine]
            for part in parts if finished is None else [*parts, finished]:
                _place(here, part, layout)
    return out


def _blank(layout: Layout, dates: int) -> dict[str, NDArray[Any]]:
    out: dict[str, NDArray[Any]] = {}
    for name in layout.bands:
        shape = (dates, layout.parcels, len(layout.statistics))
        out[name] = np.full(shape, np.nan, "float32")
        if "count" in layout.statistics:
            out[name][..., layout.statistics.index("count")] = 0
    for band in layout.classes:
        shape = (dates, layout.parcels, len(layout.codes))
        out[f"{band.name}_fraction"] = np.zeros(shape, "float32")
    out["observed"] = np.zeros((dates, layout.parcels), "float32")
    out["n_valid"] = np.zeros((len(layout.bands), dates, layout.parcels), "int32")
    return out


def _place(here: dict[str, NDArray[Any]], part: Reduced, layout: Layout) -> None:
    for name, table in part.statistics.items():
        here[name][part.parcel] = table
        here["n_valid"][layout.bands.index(name), part.parcel] = part.n_valid[name]
    for band in layout.classes:
        if band.name in part.shares:
            columns = [layout.codes.index(code) for code in band.codes]
            here[f"{band.name}_fraction"][part.parcel[:, None], columns] = part.shares[band.name]
    # Several grids may see a parcel; the finest comes first and its word stands.
    unseen = here["observed"][part.parcel] == 0
    here["observed"][part.parcel[unseen]] = part.observed[unseen]


def count_pixels(layout: Layout, parts: Sequence[Sequence[Any]]) -> NDArray[np.int32]:
    """Return the number of pixels of each parcel (band, parcel) under the pixel rule.

    `parts` holds, for each block of each grid, its bands and its index.
    """
    out = np.zeros((len(layout.bands), layout.parcels), "int32")
    for bands, index in parts:
        for pixels in (index.inner, index.straddling):
            for name in bands:
                out[layout.bands.index(name), pixels.parcel] = pixels.n_total
    return out
