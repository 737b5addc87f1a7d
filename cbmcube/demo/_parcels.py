"""The parcels as farmers declare them, with the faults that real declarations have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon

from cbmcube.demo._blocks import Land
from cbmcube.demo._crops import CROPS, KINDS, USES
from cbmcube.demo._sizes import Recipe

PARCELS_CRS = "EPSG:3035"
"""CRS of the parcels' file: the European equal-area grid, never that of a satellite tile."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What is really there, and what was declared of it."""

    geometry: NDArray[np.object_]
    """Pieces of land in the site's plane; the first is what no other piece covers."""
    kind: NDArray[np.intp]
    """What grows there: position in `KINDS`."""
    declared: gpd.GeoDataFrame
    """The parcels as they are written: ``field_id``, ``crop_code``, ``crop``, geometry."""
    piece: NDArray[np.intp]
    """For each declared parcel, the piece of land it means."""
    faults: dict[str, list[str]]
    """Parcels with each fault: ``multipart``, ``sliver``, ``hole``, ``overlap``, ``invalid``,
    ``no_crop`` and ``misdeclared``."""


def declare(land: Land, recipe: Recipe, centre: tuple[float, float], crs: str) -> Ground:
    """Choose what grows where and write down what is declared."""
    rng = np.random.default_rng([recipe.seed, 21])
    fields, others = land.geometry[land.use == "field"], land.geometry[land.use != "field"]
    inside = _inside(fields, recipe, centre)
    fields = np.concatenate([fields[inside], fields[~inside]])
    edit = _Edit(list(fields), int(inside.sum()), rng)
    edit.merge_pairs()
    edit.cut_slivers()
    edit.punch_holes()
    pieces, is_declared = edit.finished()
    kind = np.concatenate(
        [
            [USES["verge"]],
            _crops(is_declared, rng),
            [USES[use] for use in land.use[land.use != "field"]],
        ]
    ).astype(np.intp)
    geometry = np.concatenate([[Polygon()], pieces, others])
    piece = np.flatnonzero(is_declared) + 1
    names = [f"F{number:04d}" for number in range(1, piece.size + 1)]
    faults = {fault: sorted(names[i] for i in where) for fault, where in edit.faults()}
    shapes, crop = _misdraw(_on_paper(geometry[piece], crs), kind[piece], names, faults, rng)
    frame = gpd.GeoDataFrame({"field_id": names, **crop}, geometry=shapes, crs=PARCELS_CRS)
    return Ground(geometry, kind, frame, piece, faults)


def _on_paper(shapes: NDArray[np.object_], crs: str) -> NDArray[np.object_]:
    """Return shapes in the CRS of the file, to the centimetre."""
    to_paper = Transformer.from_crs(crs, PARCELS_CRS, always_xy=True)

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(np.stack(to_paper.transform(*points.T), axis=1), 2)

    return np.asarray(shapely.transform(shapes, move))


def _inside(
    fields: NDArray[np.object_], recipe: Recipe, centre: tuple[float, float]
) -> NDArray[np.bool_]:
    reach = np.array([recipe.width, recipe.height]) / 2
    return np.asarray(shapely.within(fields, shapely.box(*(centre - reach), *(centre + reach))))


class _Edit:
    """Changes fields one fault at a time, each field at most once."""

    def __init__(self, shapes: list[Polygon], count: int, rng: np.random.Generator) -> None:
        self.shapes: list[Any] = list(shapes)
        self.count = count
        self.extra: list[Polygon] = []
        self.touched: dict[str, list[int]] = {"multipart": [], "hole": []}
        self.left = list(rng.permutation(count))
        self.rng = rng

    def _some(self, share: float) -> list[int]:
        number = max(2, round(share * self.count))
        taken, self.left = self.left[:number], self.left[number:]
        return [int(index) for index in taken]

    def merge_pairs(self) -> None:
        """Join fields that a road or another field separates."""
        for index in self._some(0.02):
            shape = self.shapes[index]
            distance = shapely.distance(shape, np.array(self.shapes[: self.count], dtype=object))
            fitting = [i for i in self.left if 6.0 < distance[i] < 300.0]
            other = min(fitting, key=lambda i: shapely.area(self.shapes[i]))
            self.left.remove(other)
            self.shapes[index] = MultiPolygon([shape, self.shapes[other]])
            self.shapes[other] = None
            self.touched["multipart"].append(index)

    def cut_slivers(self) -> None:
        """Part strips of a few metres, such as flower strips, from large fields."""
        large = sorted(self.left, key=lambda i: -shapely.area(self.shapes[i]))
        for index in large[: max(2, round(0.025 * self.count))]:
            self.left.remove(index)
            shape = self.shapes[index]
            width = self.rng.uniform(3.0, 5.0)
            shift = width * _short_direction(shape)
            moved = translate(shape, *shift)
            strip = max(_polygons(shape.difference(moved)), key=lambda part: part.area)
            rest = max(_polygons(shape.difference(strip)), key=lambda part: part.area)
            self.shapes[index] = rest
            self.extra.append(strip)

    def punch_holes(self) -> None:
        """Leave out a pond or a group of trees."""
        for index in self._some(0.03):
            shape = self.shapes[index]
            radius = shapely.maximum_inscribed_circle(shape, tolerance=1.0)
            centre = shapely.get_coordinates(radius)[0]
            size = shapely.length(radius)
            hole = shapely.Point(centre).buffer(size * self.rng.uniform(0.25, 0.45), quad_segs=4)
            self.shapes[index] = shape.difference(hole)
            self.touched["hole"].append(index)

    def finished(self) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
        """Return all fields, the declared ones first, and whether each is declared."""
        shapes = [*self.shapes[: self.count], *self.extra, *self.shapes[self.count :]]
        declared = np.arange(len(shapes)) < self.count + len(self.extra)
        keep = np.array([shape is not None for shape in shapes])
        return _tidy(np.array(shapes, dtype=object)[keep]), declared[keep]

    def faults(self) -> Iterator[tuple[str, list[int]]]:
        """Yield each fault with the positions among the declared parcels."""
        kept = [i for i in range(self.count) if self.shapes[i] is not None]
        position = {index: rank for rank, index in enumerate(kept)}
        for fault, where in self.touched.items():
            yield fault, [position[index] for index in where]
        yield "sliver", list(range(len(kept), len(kept) + len(self.extra)))


def _tidy(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Take off tips so thin that rounding to centimetres would make them cross themselves."""
    inner = shapely.buffer(shapes, -0.25, join_style="mitre")
    tidy = shapely.simplify(shapely.buffer(inner, 0.25, join_style="mitre"), 0.05)
    for index in np.flatnonzero(
        shapely.get_num_geometries(tidy) > shapely.get_num_geometries(shapes)
    ):
        tidy[index] = max(_polygons(tidy[index]), key=lambda part: part.area)
    return np.asarray(tidy)


def _short_direction(shape: Polygon) -> NDArray[np.float64]:
    """Return the unit vector across the long side of a shape."""
    box = shapely.get_coordinates(shapely.oriented_envelope(shape))
    sides = np.diff(box[:3], axis=0)
    short = sides[int(np.argmin(np.hypot(*sides.T)))]
    return np.asarray(short / np.hypot(*short))


def _polygons(shape: shapely.Geometry) -> list[Polygon]:
    return [part for part in shapely.get_parts(shape) if isinstance(part, Polygon)]


def _crops(is_declared: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.intp]:
    """Give every crop its share of the declared parcels, and at least two of them."""
    share = np.array([crop.share for crop in CROPS])
    count = int(is_declared.sum())
    quota = np.maximum(2, np.floor(share / share.sum() * count)).astype(int)
    dealt = np.repeat(np.arange(len(CROPS)), quota)[:count]
    dealt = np.concatenate([dealt, rng.choice(len(CROPS), count - dealt.size, p=share)])
    kind = rng.choice(len(CROPS), is_declared.size, p=share)
    kind[is_declared] = rng.permutation(dealt)
    return np.asarray(kind)


def _misdraw(
    shapes: NDArray[np.object_],
    kind: NDArray[np.intp],
    names: list[str],
    faults: dict[str, list[str]],
    rng: np.random.Generator,
) -> tuple[NDArray[np.object_], dict[str, object]]:
    """Draw some parcels over their neighbours, some wrongly, and declare some wrongly."""
    shapes, said = shapes.copy(), kind.copy()
    spoilt = {name for where in faults.values() for name in where}
    free = rng.permutation([i for i, name in enumerate(names) if name not in spoilt])
    number = max(2, round(0.03 * len(names)))
    overlap, free = free[:number], free[number:]
    number = max(2, round(0.01 * len(names)))
    invalid, free = free[:number], free[number:]
    absent, free = free[: 1 + (len(names) > 200)], free[1 + (len(names) > 200) :]
    wrong = free[:number]
    shapes[overlap] = shapely.buffer(shapes[overlap], 9.0, join_style="mitre")
    for rank, index in enumerate(invalid):
        shapes[index] = (_bow_tie, _self_touching)[rank % 2](shapes[index])
    said[wrong] = (said[wrong] + rng.integers(2, len(CROPS) - 1, wrong.size)) % len(CROPS)
    marked = {"overlap": overlap, "invalid": invalid, "no_crop": absent, "misdeclared": wrong}
    faults.update({fault: sorted(names[i] for i in where) for fault, where in marked.items()})
    codes = np.array([KINDS[k].code for k in said], dtype="int64")
    labels = pd.Series([KINDS[k].name for k in said], dtype=object)
    codes[absent] = 0
    labels.iloc[absent] = None
    return shapes, {"crop_code": codes, "crop": labels}


def _bow_tie(shape: Polygon) -> Polygon:
    """Exchange two corners, so that the outline crosses itself."""
    ring = np.array(shape.exterior.coords)[:-1]
    crossed = (_exchanged(ring, corner) for corner in range(len(ring) - 1))
    return next(candidate for candidate in crossed if not candidate.is_valid)


def _exchanged(ring: NDArray[np.float64], corner: int) -> Polygon:
    ring = ring.copy()
    ring[[corner, corner + 1]] = ring[[corner + 1, corner]]
    return Polygon(ring)


def _self_touching(shape: Polygon) -> Polygon:
    """Lead the outline through one corner twice, around a piece left out."""
    ring = np.array(shape.exterior.coords)[:-1]
    middle = np.array(shape.representative_point().coords[0])
    corner, following = ring[0], ring[1]
    inner = [corner + 0.3 * (middle - corner), corner + 0.3 * (middle - 0.5 * (corner + following))]
    return Polygon([corner, *inner, corner, *ring[1:]])
