"""The land: blocks between roads, cut into fields of irregular shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Polygon
from shapely.ops import split

from cbmcube.demo._fields import Waves
from cbmcube.demo._sizes import Recipe

BLOCK = (640.0, 430.0)
"""Usual distance between roads, west to east and south to north, metres."""
ROAD = 4.0
"""Half the width of a road with its verges, metres."""
MARGIN = 420.0
"""Distance by which the land reaches beyond what is declared, metres."""


@dataclass(frozen=True, slots=True)
class Land:
    """Pieces of land of one use each, in metres of the site's plane."""

    geometry: NDArray[np.object_]
    """Polygons that do not overlap."""
    use: NDArray[np.str_]
    """``field``, ``forest``, ``village`` or ``water``."""


def make_land(recipe: Recipe, centre: tuple[float, float]) -> Land:
    """Lay out roads, villages, forests and fields around `centre`."""
    rng = np.random.default_rng([recipe.seed, 11])
    blocks = _blocks(recipe, centre, rng)
    uses = _uses(blocks, recipe, centre, rng)
    pieces: list[Polygon] = []
    piece_uses: list[str] = []
    for block, use in zip(blocks, uses, strict=True):
        parts = _cut(block, recipe.field_area, rng) if use == "field" else [block]
        pieces += parts
        piece_uses += [use] * len(parts)
    pond = len(pieces) // 2
    piece_uses[pond] = "water"
    geometry = _bend(np.array(pieces, dtype=object), rng)
    margin = rng.choice([0.0, 0.8, 1.5], size=len(pieces), p=[0.3, 0.4, 0.3])
    return Land(shapely.buffer(geometry, -margin, join_style="mitre"), np.array(piece_uses))


def _blocks(recipe: Recipe, centre: tuple[float, float], rng: np.random.Generator) -> list[Polygon]:
    """Return the blocks of a street grid whose crossings were moved at random."""
    extent = (recipe.width + 2 * MARGIN, recipe.height + 2 * MARGIN)
    columns, rows = (max(3, round(e / b)) for e, b in zip(extent, BLOCK, strict=True))
    x = np.linspace(-extent[0] / 2, extent[0] / 2, columns + 1) + centre[0]
    y = np.linspace(-extent[1] / 2, extent[1] / 2, rows + 1) + centre[1]
    corners = np.stack(np.meshgrid(x, y), axis=-1)
    corners += rng.uniform(-0.16, 0.16, corners.shape) * np.array(BLOCK)
    return [
        Polygon(
            [corners[r, c], corners[r, c + 1], corners[r + 1, c + 1], corners[r + 1, c]]
        ).buffer(-ROAD, join_style="mitre")
        for r in range(rows)
        for c in range(columns)
    ]


def _uses(
    blocks: list[Polygon], recipe: Recipe, centre: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.str_]:
    """Give an eighth of the blocks to forests and villages, inside the site and around it."""
    middle = shapely.get_coordinates(shapely.centroid(np.array(blocks, dtype=object)))
    reach = np.array([recipe.width, recipe.height]) / 2
    inside = (np.abs(middle - centre) <= reach).all(axis=1)
    uses = np.full(len(blocks), "field", dtype="U8")
    for part in (np.flatnonzero(inside), np.flatnonzero(~inside)):
        built = rng.permutation(part)[: max(1, round(part.size / 8))]
        uses[built] = np.where(np.arange(built.size) % 2 == 0, "forest", "village")
    return uses


def _cut(block: Polygon, typical: float, rng: np.random.Generator) -> list[Polygon]:
    """Cut a block across its longer side until each part has the area it drew.

    Areas drawn are lognormal: field sizes of European regions are.
    """
    scale = typical * rng.lognormal(0.0, 0.35)
    waiting, done = [block], []
    while waiting:
        piece = waiting.pop()
        target = 1e4 * float(np.clip(scale * rng.lognormal(0.0, 0.7), 0.12, 11.0))
        parts = [] if piece.area < 1.5 * target else _halves(piece, rng)
        if len(parts) == 2 and min(part.area for part in parts) > 900.0:
            waiting += parts
        else:
            done.append(piece)
    return done


def _halves(piece: Polygon, rng: np.random.Generator) -> list[Polygon]:
    box = shapely.get_coordinates(shapely.oriented_envelope(piece))
    sides = np.diff(box[:3], axis=0)
    long = int(np.argmax(np.hypot(*sides.T)))
    along, across = sides[long], sides[1 - long]
    origin = box[0] if long == 0 else box[1]
    if long == 1:
        across = -across
    at, tilt = rng.uniform(0.3, 0.7), rng.normal(0.0, 0.05)
    start = origin + along * (at - tilt) - 0.2 * across
    stop = origin + along * (at + tilt) + 1.2 * across
    parts = split(piece, LineString([start, stop])).geoms
    return [part for part in parts if isinstance(part, Polygon)]


def _bend(polygons: NDArray[np.object_], rng: np.random.Generator) -> NDArray[np.object_]:
    """Move all corners by one smooth field, so that neighbours stay neighbours."""
    move_x = Waves(rng, shortest=220.0, longest=900.0)
    move_y = Waves(rng, shortest=220.0, longest=900.0)

    def bend(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = points.T
        shift = np.stack([move_x.at_points(x, y), move_y.at_points(x, y)], axis=1)
        return np.asarray(np.round(points + 7.0 * shift, 3))

    return np.asarray(shapely.transform(shapely.segmentize(polygons, 35.0), bend))
