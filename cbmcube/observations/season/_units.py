"""Units of work: one acquisition, one group of parcels; named by what they are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pystac
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import shape

from cbmcube.catalog import Acquisition, fingerprint
from cbmcube.cube import CubeGrid, overlap, source_extent
from cbmcube.observations.season._groups import Group
from cbmcube.observations.season._recipe import Recipe, digest

COLUMNS = ("key", "origin", "acquisition", "group", "records", "pixels", "items")
"""Columns of the table of units. ``items`` are the positions of those that meet the group;
``origin`` is the key of the first attempt.
"""

FOOTPRINT_MARGIN = 0.1
"""Degrees by which footprints are widened: they are simplified, and drawn before a terrain
correction moves pixels; 0.1 degrees are at least 5 km as far north as 60 degrees."""


def make_units(
    acquisitions: Sequence[Acquisition],
    grids: Sequence[CubeGrid],
    groups: Sequence[Group],
    recipe: Recipe,
    attempts: Mapping[str, int],
) -> pd.DataFrame:
    """Return one row for each acquisition and group that share ground.

    Parameters
    ----------
    acquisitions
        Time steps of the season.
    grids
        Native grids with the sources of all items.
    groups
        Parcels that lie together.
    recipe
        How they become numbers.
    attempts
        How often units of these origins were asked for anew.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`, by acquisition and group. ``pixels`` counts those to be decoded, all
        bands together.
    """
    recipe_hash = digest(recipe.to_json())
    places = _places(grids)
    windows = _window_boxes(groups)
    counts = np.array([group.members.size for group in groups]) * recipe.rows_per_parcel
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    ground = _degrees(groups)
    for number, acquisition in enumerate(acquisitions):
        met, pixels = _meeting(acquisition, places, windows, ground)
        prints = [fingerprint(item) for item in acquisition.items]
        for group in map(int, np.flatnonzero(met.any(axis=0))):
            here = np.flatnonzero(met[:, group])
            own = [(acquisition.items[i].id, prints[i]) for i in here]
            origin = _key(acquisition, own, groups[group].digest, recipe_hash)
            key = digest([origin, attempts[origin]]) if origin in attempts else origin
            size = (int(counts[group]), int(pixels[group]))
            row = (key, origin, number, group, *size, here.tolist())
            for name, value in zip(COLUMNS, row, strict=True):
                columns[name].append(value)
    types = {"acquisition": "int32", "group": "int32", "records": "int64", "pixels": "int64"}
    return pd.DataFrame(columns).astype(types)


def _key(
    acquisition: Acquisition,
    items: Sequence[tuple[str, str]],
    group: str,
    recipe: str,
) -> str:
    """Name a unit by its contents: items as they describe themselves, parcels, recipe.

    Neither addresses nor times of running are in it, nor where the grid of the season ends.
    """
    return digest(
        {
            "acquisition": acquisition.id,
            "time": acquisition.time.isoformat(),
            "listed": sorted(item.id for item in acquisition.items),
            "items": sorted(items),
            "parcels": group,
            "recipe": recipe,
        }
    )


Places = dict[str, dict[str, list[tuple[float, float, float, float]]]]
"""By item id and name of a grid: the boxes of its sources, one for each band."""


def _places(grids: Sequence[CubeGrid]) -> Places:
    places: Places = defaultdict(lambda: defaultdict(list))
    known: dict[int, tuple[float, float, float, float]] = {}
    for grid in grids:
        for source in grid.sources:
            box = known.get(id(source.geobox))
            if box is None:
                box = known[id(source.geobox)] = source_extent(source)
            places[source.item.id][grid.name].append(box)
    return places


def _window_boxes(
    groups: Sequence[Group],
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64], float]]:
    """Return for each grid the groups that are read on it, their windows, and a pixel's area."""
    found: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for group in groups:
        for name, window in group.windows.items():
            found[name].append((group.number, window))
    return {
        name: (
            np.array([number for number, _ in here]),
            np.array([window.boundingbox.bbox for _, window in here], dtype=float),
            abs(here[0][1].affine.a * here[0][1].affine.e),
        )
        for name, here in found.items()
    }


def _meeting(
    acquisition: Acquisition,
    places: Places,
    windows: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64], float]],
    ground: NDArray[Any],
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which items meet which groups (item, group), and the pixels of each group.

    Both the file and the footprint of an item have to: a slanted swath fills half of its file.
    """
    met = np.zeros((len(acquisition.items), len(ground)), dtype=bool)
    pixels = np.zeros(len(ground))
    for position, item in enumerate(acquisition.items):
        near = _near(item, ground)
        for name, boxes in places[item.id].items():
            if name not in windows:
                continue
            numbers, extents, area = windows[name]
            for box in boxes:
                shared = overlap(extents, box) * near[numbers]
                met[position, numbers] |= shared > 0
                pixels[numbers] += shared / area
    return met, pixels


def _degrees(groups: Sequence[Group]) -> NDArray[Any]:
    """Return the ground of each group, in degrees."""
    boxes = []
    for group in groups:
        to_degrees = Transformer.from_crs(group.crs.proj, "EPSG:4326", always_xy=True)
        extent = next(iter(group.windows.values())).boundingbox.bbox
        boxes.append(shapely.box(*to_degrees.transform_bounds(*extent)))
    return np.array(boxes, dtype=object)


def _near(item: pystac.Item, ground: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which groups lie within `FOOTPRINT_MARGIN` of an item's footprint."""
    outline = None if item.geometry is None else shape(item.geometry)
    if outline is None or not outline.is_valid:  # it says nothing that can be used
        return np.ones(len(ground), dtype=bool)
    shapely.prepare(outline)
    return np.asarray(shapely.dwithin(outline, ground, FOOTPRINT_MARGIN))
