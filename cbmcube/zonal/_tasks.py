"""What workers run: reduce one block, finish straddling parcels, assemble some dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.zonal._index import BlockIndex, StraddlingPixels
from cbmcube.zonal._node import ClassBand
from cbmcube.zonal._numbers import GatheredPixels, Recipe, Reduced, reduce_gathered, reduce_inner


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
        inner.append(reduce_inner(index.inner, planes, recipe))
        values.append({name: plane[index.straddling.cell] for name, plane in planes.items()})
    return BlockResult(tuple(inner), tuple(values))


@dataclass(frozen=True, slots=True)
class StraddlingPlan:
    """How the shipped pixels of a grid's straddling parcels come together, on every date."""

    pixels: GatheredPixels
    """The parcels and their pixels, in the order of the kernels."""
    order: NDArray[np.int64]
    """Where each of these pixels stands in the pieces of all blocks, one after the other."""


def plan_straddling(pieces: Sequence[StraddlingPixels]) -> StraddlingPlan | None:
    """Bring the pixels that several blocks hold into the order of the kernels."""
    if not any(piece.parcel.size for piece in pieces):
        return None
    numbers = np.concatenate([piece.parcel for piece in pieces])
    parcel, first = np.unique(numbers, return_index=True)
    owner = np.concatenate([piece.parcel[piece.owner] for piece in pieces])
    weight = np.concatenate([piece.weight for piece in pieces])
    place = np.concatenate([piece.order for piece in pieces])
    order = _by_owner(np.searchsorted(parcel, owner), weight != 1.0, place)
    pixels = GatheredPixels(
        parcel=parcel,
        total=np.concatenate([piece.total for piece in pieces])[first],
        n_total=np.concatenate([piece.n_total for piece in pieces])[first],
        start=np.searchsorted(owner[order], np.append(parcel, parcel[-1] + 1)),
        weights=weight[order],
    )
    return StraddlingPlan(pixels, order)


def _by_owner(
    owner: NDArray[np.int64], edge: NDArray[np.bool_], place: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Sort by parcel, whole pixels before edges, and place; no two pixels are alike."""
    room = int(place.max(initial=0)) + 1
    if (int(owner.max(initial=0)) + 1) * 2 * room < 1 << 63:  # one number sorts much faster
        return np.asarray(np.argsort((owner * 2 + edge) * room + place))
    return np.asarray(np.lexsort((place, edge, owner)))


def finish_straddling(
    plan: StraddlingPlan, values: Sequence[dict[str, NDArray[Any]]], recipe: Recipe
) -> Reduced:
    """Finish parcels whose pixels lie in several blocks, from what the blocks shipped."""
    gathered = {
        name: np.concatenate([value[name] for value in values])[plan.order] for name in values[0]
    }
    return reduce_gathered(plan.pixels, gathered, recipe)


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
    failures: bool
    """Whether pixels that could not be read are counted."""

    @property
    def counts(self) -> tuple[str, ...]:
        """Names of the numbers of pixels (band, time, parcel)."""
        return ("n_valid", "n_failed") if self.failures else ("n_valid",)


def assemble(
    layout: Layout,
    dates: Sequence[Sequence[Sequence[Any]]],
    plans: Sequence[StraddlingPlan | None],
    recipes: Sequence[Recipe],
) -> dict[str, NDArray[Any]]:
    """Put the numbers of some dates in their places.

    Parameters
    ----------
    layout
        Shape of the result.
    dates
        For each date the blocks that see it, all of a grid or none: number of the grid,
        result, and position of the date in the block.
    plans
        How the straddling parcels of each grid are finished.
    recipes
        The recipe of each grid, the finest first.
    """
    out = _blank(layout, len(dates))
    for date, blocks in enumerate(dates):
        here = {
            name: values[:, date] if name in layout.counts else values[date]
            for name, values in out.items()
        }
        for grid, recipe in enumerate(recipes):
            mine = [block for block in blocks if block[0] == grid]
            parts = [result.inner[inside] for _, result, inside in mine]
            plan = plans[grid]
            if mine and plan is not None:
                shipped = [result.values[inside] for _, result, inside in mine]
                parts.append(finish_straddling(plan, shipped, recipe))
            for part in parts:
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
    for name in layout.counts:
        out[name] = np.zeros((len(layout.bands), dates, layout.parcels), "int32")
    return out


def _place(here: dict[str, NDArray[Any]], part: Reduced, layout: Layout) -> None:
    for name, table in part.statistics.items():
        here[name][part.parcel] = table
        for counted in layout.counts:
            here[counted][layout.bands.index(name), part.parcel] = getattr(part, counted)[name]
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
