"""Which pixels belong to a parcel, and with what weight.

Each geometry comes in pixels of its own: x counts columns and y counts rows *upwards* from the
corner of the pixel in which the geometry's extent begins (so row ``r`` spans ``-r - 1`` to
``-r``). So weights depend on the geometry and on how the lattice lies, and not on where a grid
begins or ends; what a parcel loses at the edge of a grid is known.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray

from cbmcube.parcels import PolygonSource

PixelRule = Literal["exact", "centre", "all_touched", "inside"]
PIXEL_RULES: tuple[PixelRule, ...] = ("exact", "centre", "all_touched", "inside")

_WHOLE = 1.0 - 1e-6
"""Coverage from which a pixel counts as wholly inside; exactextract covers in float32."""

_AREA_TOLERANCE = 1e-3
"""Largest deviation of all weights of a parcel from its area, in pixels or as a share."""

_NUDGE = 1e-7
"""Pixels by which centres move right and down, to decide those that lie on an edge."""

_FILLING = threading.Lock()  # rasterio 1.4 mutes a warning meanwhile, which threads must not mix

_BATCH = 512  # parcels whose pixels are in memory in the wide form of exactextract


class PixelWeights:
    """Pixels of parcels as flat arrays, sorted by parcel, row and column.

    Attributes
    ----------
    parcel : int32
        Position of the parcel among the geometries.
    row, column : int32
        Pixel, from the first of its parcel or, after `moved`, from the first of a grid; may lie
        outside the grid.
    weight : float32
        1, or the covered share of the pixel under the rule ``exact``, in the precision in
        which exactextract finds it.
    """

    __slots__ = ("column", "parcel", "row", "weight")

    def __init__(
        self,
        parcel: NDArray[np.int32],
        row: NDArray[np.int32],
        column: NDArray[np.int32],
        weight: NDArray[np.float32],
    ) -> None:
        self.parcel = parcel
        self.row = row
        self.column = column
        self.weight = weight

    @classmethod
    def sort(
        cls,
        parcel: NDArray[np.integer[Any]],
        row: NDArray[np.integer[Any]],
        column: NDArray[np.integer[Any]],
        weight: NDArray[np.float32],
    ) -> PixelWeights:
        """Bring pixels into the order of parcel, row and column."""
        # exactextract delivers them so; to look is much faster than to sort.
        order: Any = slice(None)
        if not _ascends(parcel, row, column):
            order = np.lexsort((column, row, parcel))
        small = [axis[order].astype(np.int32) for axis in (parcel, row, column)]
        return cls(small[0], small[1], small[2], weight[order])

    def where(self, keep: NDArray[np.bool_]) -> PixelWeights:
        """Return the pixels for which `keep` is true."""
        return PixelWeights(self.parcel[keep], self.row[keep], self.column[keep], self.weight[keep])

    def moved(self, first: NDArray[np.int64]) -> PixelWeights:
        """Count pixels from where `first` (parcel, 2) says that row and column 0 lie."""
        row = (self.row + first[self.parcel, 0]).astype(np.int32)
        column = (self.column + first[self.parcel, 1]).astype(np.int32)
        return PixelWeights(self.parcel, row, column, self.weight)


def pixel_weights(geometries: NDArray[Any], rule: PixelRule) -> PixelWeights:
    """Return the pixels of each geometry under a pixel rule.

    Parameters
    ----------
    geometries
        Valid polygons in pixel coordinates (see the module); empty ones have no pixel.
    rule
        ``exact``: every pixel, weighted with the covered share of its area;
        ``centre``: pixels whose centre lies inside, where a centre on a left or upper
        edge counts as inside and on a right or lower one does not, so that parcels that
        share an edge never share a pixel; ``all_touched``: pixels the polygon touches,
        as GDAL decides it; ``inside``: pixels wholly inside.
    """
    if rule == "all_touched":
        return _touched(geometries)
    pixels = _covered(geometries)
    if rule == "inside":
        return pixels.where(_whole(pixels, geometries))
    if rule == "centre":
        return _centred(pixels, geometries)
    return pixels


def _covered(geometries: NDArray[Any]) -> PixelWeights:
    """Cover pixels exactly, through exactextract on rasters that take no memory."""
    kept = np.flatnonzero(~(shapely.is_empty(geometries) | shapely.is_missing(geometries)))
    if not kept.size:
        return _none()
    found = _cover_batches(geometries, kept)
    held = np.bincount(found.parcel, weights=found.weight, minlength=len(geometries))
    area = shapely.area(geometries)
    wrong = np.flatnonzero(np.abs(held - area) > _AREA_TOLERANCE * np.maximum(area, 1.0))
    if not wrong.size:
        return found
    # A spike of no width is valid, and exactextract 0.3 fills whole pixels along it.
    mended = geometries.copy()
    mended[wrong] = shapely.normalize(shapely.buffer(geometries[wrong], 0.0))
    again = _cover_batches(mended, wrong)
    rest = found.where(~np.isin(found.parcel, wrong))
    return PixelWeights.sort(
        *(
            np.concatenate([getattr(rest, name), getattr(again, name)])
            for name in ("parcel", "row", "column", "weight")
        )
    )


def _cover_batches(geometries: NDArray[Any], some: NDArray[np.int64]) -> PixelWeights:
    batches = np.array_split(some, -(-some.size // _BATCH))
    return _join([_cover_some(geometries, batch) for batch in batches])


def _cover_some(geometries: NDArray[Any], some: NDArray[np.int64]) -> PixelWeights:
    _, south, east, _ = shapely.total_bounds(geometries[some])
    # One pixel more, because an edge may lie on the last pixel's border.
    rows, columns = int(np.ceil(-south)) + 1, int(np.ceil(east)) + 1
    found = exact_extract(
        NumPyRasterSource(
            np.broadcast_to(np.zeros(1, np.uint8), (rows, columns)),
            xmin=0,
            ymin=-rows,
            xmax=columns,
            ymax=0,
        ),
        PolygonSource(geometries[some]),
        ["cell_id", "coverage"],
        output="pandas",
        strategy="feature-sequential",
    )
    sizes = found["cell_id"].map(len).to_numpy()
    cells = np.concatenate(found["cell_id"].to_numpy()).astype(np.int64)
    weights = np.concatenate(found["coverage"].to_numpy()).astype(np.float32)
    parcel = np.repeat(some, sizes)
    touched = weights > 0.0
    row, column = np.divmod(cells[touched], columns)
    return PixelWeights.sort(parcel[touched], row, column, weights[touched])


def _whole(pixels: PixelWeights, geometries: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which pixels lie wholly inside; in doubt about a rounding, GEOS decides."""
    whole = pixels.weight == 1.0
    doubtful = np.flatnonzero(~whole & (pixels.weight >= _WHOLE))
    left, top = pixels.column[doubtful], -pixels.row[doubtful]
    boxes = shapely.box(left, top - 1, left + 1, top)
    whole[doubtful] = shapely.covers(geometries[pixels.parcel[doubtful]], boxes)
    return np.asarray(whole)


def _centred(pixels: PixelWeights, geometries: NDArray[Any]) -> PixelWeights:
    """Keep pixels whose centre lies inside, each with weight 1."""
    inside = pixels.weight >= _WHOLE
    edge = np.flatnonzero(~inside)
    shapely.prepare(geometries)
    inside[edge] = shapely.contains_xy(
        geometries[pixels.parcel[edge]],
        pixels.column[edge] + 0.5 + _NUDGE,
        -(pixels.row[edge] + 0.5) - _NUDGE,
    )
    kept = pixels.where(inside)
    kept.weight = np.ones(kept.parcel.size, np.float32)
    return kept


def _touched(geometries: NDArray[Any]) -> PixelWeights:
    """Find touched pixels with GDAL, in a window for each polygon; once, not for each date."""
    parts = [
        _touch_one(position, geometry)
        for position, geometry in enumerate(geometries)
        if geometry is not None and not geometry.is_empty
    ]
    if not parts:
        return _none()
    parcel, row, column = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return PixelWeights.sort(parcel, row, column, np.ones(parcel.size, np.float32))


def _touch_one(
    position: int, geometry: Any
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    west, south, east, north = geometry.bounds
    # One pixel more on each side: GDAL may touch a pixel that only shares an edge.
    left, top = int(np.floor(west)) - 1, int(np.floor(-north)) - 1
    width, height = int(np.ceil(east)) + 1 - left, int(np.ceil(-south)) + 1 - top
    with _FILLING:
        window = rasterio.features.rasterize(
            [geometry],
            out_shape=(height, width),
            transform=Affine(1, 0, left, 0, -1, -top),
            all_touched=True,
            dtype="uint8",
        )
    row, column = np.nonzero(window)
    return np.full(row.size, position, np.int64), row + top, column + left


def _ascends(*keys: NDArray[np.integer[Any]]) -> bool:
    """Return whether tuples of keys ascend, the first key the most significant."""
    ascends = np.zeros(max(keys[0].size - 1, 0), dtype=bool)
    for key in reversed(keys):
        step = np.diff(key)
        ascends = (step > 0) | ((step == 0) & ascends)
    return bool(ascends.all())


def _join(parts: Sequence[PixelWeights]) -> PixelWeights:
    """Put parts one after the other whose parcels ascend."""
    return PixelWeights(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("parcel", "row", "column", "weight")
        )
    )


def _none() -> PixelWeights:
    empty = np.empty(0, np.int32)
    return PixelWeights(empty, empty, empty, np.empty(0, np.float32))
