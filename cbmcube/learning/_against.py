"""Parcels against neighbours of their own crop and of others, some parcels at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbmcube.learning._declared import Declared
from cbmcube.learning._likeness import Likeness, compare
from cbmcube.learning._peers import Pool, Search
from cbmcube.learning._similarity_rule import SimilarityRule

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_CELLS = 500_000  # values of parcels and periods at work at once, of some 100 bytes each


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the rows that were asked for, compared with the peers of one crop."""

    place: NDArray[np.intp]
    """Positions among the rows that were asked for."""
    peers: _Ints
    """Peers (row, peer), -1 for none."""
    radius: _Floats
    """Radius they were found in, in metres."""
    likeness: Likeness
    """Each period compared."""


@dataclass(frozen=True, slots=True)
class Own:
    """Each parcel against the neighbours of its declared crop; missing where it was not."""

    peers: NDArray[np.int32]
    radius: _Floats
    periods: _Ints
    d: _Floats
    d_t: _Floats
    cost: _Floats
    mean: _Floats
    p_value: _Floats


@dataclass(frozen=True, slots=True)
class Other:
    """Each parcel against the neighbours of the other crop that fits it best."""

    crop: _Ints
    d: _Floats
    cost: _Floats
    tried: _Ints


def pool_of(known: Declared, crop: int) -> Pool:
    """Return all who may be peers for a crop."""
    return Pool(known.shapes, np.flatnonzero(known.eligible & (known.crop == crop)))


def search_of(rule: SimilarityRule) -> Search:
    """Return how peers are searched."""
    return Search(rule.peers, rule.min_peers, (*rule.radii_m,))


def comparisons(known: Declared, crop: int, rows: _Ints, rule: SimilarityRule) -> Iterator[Part]:
    """Compare rows with the parcels of a crop around them, in parts."""
    pool, search = pool_of(known, crop), search_of(rule)
    size = max(1, _CELLS // max(1, known.times.size))
    for start in range(0, rows.size, size):
        place = np.arange(start, min(start + size, rows.size))
        peers, radius = pool.nearest(rows[place], search)
        likeness = compare(
            known.values,
            rows[place],
            peers,
            fewest=rule.min_peers,
            trim=rule.trim,
            floor=known.floor,
        )
        yield Part(place, peers, radius, likeness)


def against_own(known: Declared, rule: SimilarityRule) -> Own:
    """Compare each parcel that can be judged with the neighbours of its declared crop."""
    number = len(known.index)
    d, d_t, cost, mean, p_value, radius = (np.full(number, np.nan) for _ in range(6))
    peers = np.full((number, rule.peers), -1, np.int32)
    periods = np.full(number, -1, np.int64)
    judged = (known.reason == None) & (known.crop >= 0)  # noqa: E711 - element by element
    for crop in range(len(known.crops)):
        rows = np.flatnonzero(judged & (known.crop == crop))
        for part in comparisons(known, crop, rows, rule):
            at, likeness = rows[part.place], part.likeness
            peers[at], radius[at] = part.peers, part.radius
            periods[at] = np.isfinite(likeness.z).sum(axis=1)
            d[at] = likeness.distance(likeness.z, rule.min_periods)
            d_t[at] = likeness.distance(likeness.t, rule.min_periods)
            cost[at] = likeness.cost(rule.min_periods)
            mean[at], p_value[at] = likeness.mean(), likeness.p_value(rule.p_share)
    unknown = np.isnan(d)
    mean[unknown], p_value[unknown] = np.nan, np.nan
    return Own(peers, radius, periods, d, d_t, cost, mean, p_value)


def against_others(known: Declared, rule: SimilarityRule, own: _Floats) -> Other:
    """Compare parcels with the neighbours of every other crop, of which there are enough.

    `own` is D for the declared crop; a parcel with too small a one is left out. Of crops that
    fit equally well, the first by its label is taken.
    """
    number = len(known.index)
    best, tried = np.full(number, -1, np.int64), np.full(number, -1, np.int64)
    d, cost = np.full(number, np.nan), np.full(number, np.nan)
    wanted = (known.reason == None) & ~(own < rule.others_from)  # noqa: E711 - element by element
    tried[wanted] = 0
    frequent = np.bincount(known.crop[known.eligible], minlength=len(known.crops))
    for crop in np.flatnonzero(frequent >= rule.min_peers):
        rows = np.flatnonzero(wanted & (known.crop != crop))
        for part in comparisons(known, int(crop), rows, rule):
            at, likeness = rows[part.place], part.likeness
            found = likeness.distance(likeness.z, rule.min_periods)
            charged = likeness.cost(rule.min_periods)
            new, old = (found, d[at]) if rule.best_by == "D" else (charged, cost[at])
            better = np.isfinite(found) & ~(new >= old)
            tried[at] += np.isfinite(found)
            at = at[better]
            best[at], d[at], cost[at] = crop, found[better], charged[better]
    return Other(best, d, cost, tried)
