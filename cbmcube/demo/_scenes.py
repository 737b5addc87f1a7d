"""The acquisitions of a season, each a job that writes files and returns items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pystac
from numpy.typing import NDArray

from cbmcube.demo import _optical, _radar
from cbmcube.demo._fields import Waves
from cbmcube.demo._passes import Pass, missing_pass, optical_passes, radar_tracks
from cbmcube.demo._sizes import Recipe
from cbmcube.demo._stac import (
    OFFSET_BASELINE,
    PLAIN_BASELINE,
    backscatter_item,
    coherence_item,
    optical_item,
)
from cbmcube.demo._studio import Layers, Studio, frame, scene
from cbmcube.demo._weather import Sky, cloud_shares
from cbmcube.demo._write import keep_bits
from cbmcube.demo._zones import Tile, Zone, border_point

Job = Callable[[], list[pystac.Item]]


def jobs(studio: Studio) -> list[tuple[str, Job]]:
    """Return a job for each acquisition, with a label, in no need of order."""
    found = [*_optical_jobs(studio)]
    missing = missing_pass(studio.recipe)
    for number, track in enumerate(radar_tracks(studio.recipe)):
        for index, at in enumerate(track):
            if at == missing:
                continue
            seed = (studio.recipe.seed, 71 + number, index)
            found.append((f"CARD-BS {at.time:%Y-%m-%d}", partial(_backscatter, studio, at, seed)))
            if index and track[index - 1] != missing:
                pair = partial(
                    _coherence, studio, track[index - 1], at, (seed[0], seed[1] + 10, index)
                )
                found.append((f"CARD-COH6 {at.time:%Y-%m-%d}", pair))
    return found


@dataclass(frozen=True, slots=True)
class Special:
    """Positions of the optical dates on which something happens."""

    twin: int
    """The date of which one tile was processed again."""
    swath: int
    """The date on which the edge of the swath crosses the site."""


def special_dates(recipe: Recipe) -> Special:
    """Choose the dates: both before the processing baseline changes."""
    passes = optical_passes(recipe)
    change = sum(at.time.date() < recipe.baseline_change for at in passes)
    return Special(twin=change // 2, swath=change - 2)


def _optical_jobs(studio: Studio) -> Iterator[tuple[str, Job]]:
    passes = optical_passes(studio.recipe)
    special = special_dates(studio.recipe)
    # Snow lies on the first date.
    clear = (0, special.twin, special.swath)
    shares = cloud_shares(studio.recipe, len(passes), clear=clear)
    for index, at in enumerate(passes):
        sky = Sky(studio.recipe, index, float(shares[index]))
        snow = None
        if index == 0:
            rng = np.random.default_rng([studio.recipe.seed, 44])
            snow = Waves(rng, shortest=400.0, longest=0.7 * studio.recipe.width)
        look = _optical.Look(
            day=at.seen,
            sky=sky,
            noise=(studio.recipe.seed, 70, index),
            swath=swath_edge(studio.recipe) if index == special.swath else None,
            snow=snow,
        )
        yield f"CARD-2A {at.time:%Y-%m-%d}", partial(_optical_date, studio, at, look, index)


def swath_edge(recipe: Recipe) -> _optical.Swath:
    """Return the edge of a swath that leaves the south-west of the site unseen."""
    x, y = border_point()
    tilt = np.deg2rad(12.0)
    point = (x - 0.36 * recipe.width, y - 0.3 * recipe.height)
    return _optical.Swath(point, (float(np.cos(tilt)), float(np.sin(tilt))))


def _optical_date(studio: Studio, at: Pass, look: _optical.Look, index: int) -> list[pystac.Item]:
    changed = at.time.date() >= studio.recipe.baseline_change
    twin = index == special_dates(studio.recipe).twin
    items = []
    for zone in studio.zones:
        layers = _optical.render(studio.optical, zone, look)
        for tile in zone.tiles:
            baselines = [OFFSET_BASELINE if changed else PLAIN_BASELINE]
            # The zone with one tile holds the twin: no plane may mix two offsets.
            if twin and len(zone.tiles) == 1:
                baselines.append(OFFSET_BASELINE)
            items += [
                _optical_tile(studio, at, zone, tile, layers, look.swath, baseline, late=late > 0)
                for late, baseline in enumerate(baselines)
            ]
    return items


def _optical_tile(
    studio: Studio,
    at: Pass,
    zone: Zone,
    tile: Tile,
    layers: Layers,
    swath: _optical.Swath | None,
    baseline: str,
    *,
    late: bool,
) -> pystac.Item:
    parts = {
        band: tile.window.cut(values, _optical.BANDS.get(band, 20))
        for band, values in layers.items()
    }
    item = optical_item(
        scene(zone, tile.window, parts, swath),
        at,
        tile=tile.name,
        baseline=baseline,
        cloud_cover=_cloud_cover(parts["SCL"]),
        late=late,
    )
    studio.store(item, zone, tile.window, _encoded(parts, baseline))
    return item


def _cloud_cover(classes: NDArray[np.uint8]) -> float:
    """Return the share of clouds among what was seen, per cent."""
    seen = classes[classes > 0]
    return round(100.0 * float(np.isin(seen, (8, 9, 10)).mean()), 2) if seen.size else 0.0


def _encoded(parts: Layers, baseline: str) -> Layers:
    """Add the offset of newer baselines to every number but "no data" and classes."""
    if baseline == PLAIN_BASELINE:
        return parts
    return {
        band: values if band == "SCL" else np.where(values > 0, values + np.uint16(1000), values)
        for band, values in parts.items()
    }


def _backscatter(studio: Studio, at: Pass, seed: tuple[int, ...]) -> list[pystac.Item]:
    items = []
    for zone in studio.zones:
        window = frame(zone, seed, step=1)
        layers = _radar.backscatter(studio.radar, zone, at, seed)
        parts = {band: keep_bits(window.cut(values, 10), 10) for band, values in layers.items()}
        item = backscatter_item(scene(zone, window, parts), at)
        studio.store(item, zone, window, parts)
        items.append(item)
    return items


def _coherence(
    studio: Studio, first: Pass, second: Pass, seed: tuple[int, ...]
) -> list[pystac.Item]:
    items = []
    for zone in studio.zones:
        window = frame(zone, seed, step=2)
        layers = _radar.coherence(studio.radar, zone, first, second, seed)
        # Steps of 1/512 are far below the spread of the estimate and compress well.
        parts: dict[str, NDArray[Any]] = {
            band: np.rint(window.cut(values, 20) * 512).astype("float32") / np.float32(512)
            for band, values in layers.items()
        }
        item = coherence_item(scene(zone, window, parts), first, second)
        studio.store(item, zone, window, parts)
        items.append(item)
    return items
