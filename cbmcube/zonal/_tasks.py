"""What workers run: reduce one block, finish straddling parcels, assemble one date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.zonal._index import BlockIndex, ParcelPixels
from cbmcube.zonal._kernels import class_weights, flagged_weight, summarise
from cbmcube.zonal._node import ClassBand
from cbmcube.zonal._statistics import StatisticsPlan


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to compute from every block of one grid."""

    plan: StatisticsPlan
    """Statistics of the bands."""
    bands: tuple[str, ...]
    """Bands that reduce to statistics."""
    classes: tuple[ClassBand, ...]
    """Bands that reduce to class shares."""


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
        inner.append(_reduce_pixels(index.inner, planes, recipe))
        values.append({name: plane[index.straddling.cells] for name, plane in planes.items()})
    return BlockResult(tuple(inner), tuple(values))


def _reduce_pixels(
    pixels: ParcelPixels, planes: dict[str, NDArray[Any]], recipe: Recipe
) -> Reduced:
    """Run the kernels over flat rasters; the one path to every number."""
    quantiles = np.array(recipe.plan.quantiles, dtype=np.float64)
    columns = list(recipe.plan.columns)
    statistics, n_valid = {}, {}
    for name in recipe.bands:
        table, valid = summarise(
            planes[name], pixels.cells, pixels.weights, pixels.start, quantiles
        )
        statistics[name] = table[:, columns].astype("float32")
        n_valid[name] = valid
    total = np.where(pixels.total > 0, pixels.total, np.nan)
    shares = {}
    for band in recipe.classes:
        position = _class_positions(band, planes[band.name].dtype)
        found = class_weights(
            planes[band.name], pixels.cells, pixels.weights, pixels.start, position, len(band.codes)
        )
        shares[band.name] = np.nan_to_num(found / total[:, None]).astype("float32")
    flags = _seen(planes, recipe)
    seen = flagged_weight(flags, pixels.cells, pixels.weights, pixels.start)
    return Reduced(pixels.parcel, statistics, n_valid, np.nan_to_num(seen / total), shares)


def _class_positions(band: ClassBand, dtype: np.dtype[Any]) -> NDArray[np.int64]:
    """Return a table from code to position on the class axis, -1 for unlisted codes."""
    table = np.full(int(np.iinfo(dtype).max) + 1, -1, dtype=np.int64)
    table[list(band.codes)] = np.arange(len(band.codes))
    return table


def _seen(planes: dict[str, NDArray[Any]], recipe: Recipe) -> NDArray[np.bool_]:
    """Return where source data were present: as the cube says, else where a band has any."""
    if "observed" in planes:
        flags = planes["observed"]
        return flags if flags.dtype == bool else np.nan_to_num(flags) > 0
    found = [np.isfinite(planes[name]) for name in recipe.bands] or [
        planes[band.name] != band.nodata for band in recipe.classes
    ]
    seen = found[0]
    for flags in found[1:]:
        seen |= flags
    return np.asarray(seen)


def finish_straddling(
    pieces: Sequence[ParcelPixels], values: Sequence[dict[str, NDArray[Any]]], recipe: Recipe
) -> Reduced | None:
    """Finish parcels whose pixels lie in several blocks, in raster order, by the same path."""
    if not sum(piece.parcel.size for piece in pieces):
        return None
    parcel = np.unique(np.concatenate([piece.parcel for piece in pieces]))
    owner = np.concatenate([np.repeat(p.parcel, np.diff(p.start)) for p in pieces])
    order = np.lexsort((np.concatenate([piece.order for piece in pieces]), owner))
    sizes = np.bincount(np.searchsorted(parcel, owner), minlength=parcel.size)
    total, n_total = np.zeros(parcel.size), np.zeros(parcel.size, np.int64)
    for piece in pieces:
        at = np.searchsorted(parcel, piece.parcel)
        total[at], n_total[at] = piece.total, piece.n_total
    pixels = ParcelPixels(
        parcel=parcel,
        start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        cells=order,
        order=order,
        weights=np.concatenate([piece.weights for piece in pieces])[order],
        total=total,
        n_total=n_total,
    )
    planes = {name: np.concatenate([value[name] for value in values]) for name in values[0]}
    return _reduce_pixels(pixels, planes, recipe)


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
    layout: Layout, blocks: Sequence[Sequence[Any]], grids: Sequence[Sequence[Any]]
) -> dict[str, NDArray[Any]]:
    """Put the numbers of one date in their places.

    Parameters
    ----------
    layout
        Shape of the result.
    blocks
        For each block of each grid: number of the grid, result, straddling pixels,
        and position of the date in the block.
    grids
        For each grid, the finest first: its recipe.
    """
    out = _blank(layout)
    for grid, (recipe,) in enumerate(grids):
        mine = [block for block in blocks if block[0] == grid]
        parts = [result.inner[date] for _, result, _, date in mine]
        finished = finish_straddling(
            [piece for _, _, piece, _ in mine],
            [result.values[date] for _, result, _, date in mine],
            recipe,
        )
        for part in parts if finished is None else [*parts, finished]:
            _place(out, part, layout)
    return out


def _blank(layout: Layout) -> dict[str, NDArray[Any]]:
    out: dict[str, NDArray[Any]] = {}
    for name in layout.bands:
        out[name] = np.full((1, layout.parcels, len(layout.statistics)), np.nan, "float32")
        if "count" in layout.statistics:
            out[name][..., layout.statistics.index("count")] = 0
    for band in layout.classes:
        out[f"{band.name}_fraction"] = np.zeros((1, layout.parcels, len(layout.codes)), "float32")
    out["observed"] = np.zeros((1, layout.parcels), "float32")
    out["n_valid"] = np.zeros((len(layout.bands), 1, layout.parcels), "int32")
    return out


def _place(out: dict[str, NDArray[Any]], part: Reduced, layout: Layout) -> None:
    for name, table in part.statistics.items():
        out[name][0, part.parcel] = table
        out["n_valid"][layout.bands.index(name), 0, part.parcel] = part.n_valid[name]
    for band in layout.classes:
        if band.name in part.shares:
            columns = [layout.codes.index(code) for code in band.codes]
            out[f"{band.name}_fraction"][0, part.parcel[:, None], columns] = part.shares[band.name]
    # Several grids may see a parcel; the finest comes first and its word stands.
    unseen = out["observed"][0, part.parcel] == 0
    out["observed"][0, part.parcel[unseen]] = part.observed[unseen]


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
