"""The result of an assessment: what blocks found, put together, one row for each parcel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, starmap
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cbmcube.foi._blocks import BlockFacts, join_clusters
from cbmcube.foi._clusters import Clusters, Runs, find_clusters
from cbmcube.foi._raster import Legend
from cbmcube.foi._rule import REASONS, STATUS, FoiRule
from cbmcube.foi._shares import diversity, is_heterogeneous, judge


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found of all parcels."""

    classes: NDArray[np.int64]
    """Codes of the classes."""
    n_total: NDArray[np.int64]
    """Pixels of each parcel."""
    counts: NDArray[np.int32]
    """Those without data, of no class, and of each class (parcel, 2 + class)."""
    n_inside: NDArray[np.int64]
    """Pixels with data under the buffer for clusters."""
    met: NDArray[np.bool_]
    """Parcels that a block of the raster holds."""
    clusters: Clusters
    """Large clusters, by parcel, the largest first and of equals in the order of classes."""


def gather(found: Sequence[BlockFacts], parcels: int, legend: Legend, rule: FoiRule) -> Facts:
    """Put together what blocks found, and finish the parcels that several of them hold."""
    classes = legend.find(
        np.concatenate([facts.classes for facts in found]) if found else np.empty(0, dtype=np.int64)
    )
    place = {int(code): number for number, code in enumerate(classes)}
    n_total, n_inside = np.zeros((2, parcels), np.int64)
    met = np.zeros(parcels, dtype=bool)
    counts = np.zeros((parcels, 2 + classes.size), np.int32)
    clusters, runs = [], []
    for facts in found:
        order = np.array([place[int(code)] for code in facts.classes], dtype=np.int16)
        columns = np.concatenate([[0, 1], order.astype(np.int64) + 2])
        # A block knows each parcel once, so that no sum is lost.
        counts[facts.parcel[:, None], columns] += facts.counts
        n_inside[facts.parcel] += facts.n_inside
        n_total[facts.parcel] = facts.n_total
        met[facts.parcel] = True
        clusters.append(replace(facts.clusters, kind=order[facts.clusters.kind]))
        runs.append(replace(facts.runs, kind=order[facts.runs.kind]))
    if runs:
        clusters.append(
            find_clusters(Runs.join(runs), neighbours=rule.neighbours, larger_than=rule.cluster_px)
        )
    return Facts(classes, n_total, counts, n_inside, met, _in_order(join_clusters(clusters)))


def _in_order(clusters: Clusters) -> Clusters:
    order = np.lexsort((clusters.kind, -clusters.px, clusters.parcel))
    return Clusters(clusters.parcel[order], clusters.kind[order], clusters.px[order])


def make_table(facts: Facts, parcels: gpd.GeoDataFrame, rule: FoiRule) -> gpd.GeoDataFrame:
    """Return the table of an assessment."""
    counts = facts.counts[:, 2:]
    found = diversity(counts)
    n_observed = facts.counts[:, 1:].sum(axis=1)
    reason = judge(facts.n_total, n_observed, counts.sum(axis=1), rule)
    geometries = parcels.geometry.to_numpy()
    reason[~facts.met] = REASONS.index("OUTSIDE")
    reason[shapely.is_missing(geometries) | shapely.is_empty(geometries)] = REASONS.index(
        "NO_GEOMETRY"
    )
    shares_known = reason < 0
    reason = _judge_clusters(reason, facts.n_inside, rule)
    per_parcel, classes = _count_clusters(facts)
    columns = {
        "status": _words(_status(reason), STATUS),
        "reason": _words(reason, REASONS),
        "foi_h": _flag(is_heterogeneous(found.share, rule), shares_known),
        "foi_c": _flag(classes >= 2, reason < 0),
        "n_total": facts.n_total.astype(np.uint32),
        "n_observed": n_observed.astype(np.uint32),
        "n_valid": counts.sum(axis=1).astype(np.uint32),
        "n_inside": facts.n_inside.astype(np.uint32),
        "dominant_class": _code(found.dominant, facts.classes),
        "dominant_share": found.dominant_share.astype(np.float32),
        "shannon": found.shannon.astype(np.float32),
        "simpson": found.simpson.astype(np.float32),
        "n_clusters_large": per_parcel.astype(np.uint32),
        "n_classes_large": classes.astype(np.uint16),
        "clusters": _lists(facts, per_parcel),
        **{
            f"share_{code}": found.share[:, number].astype(np.float32)
            for number, code in enumerate(facts.classes)
        },
        "params_id": rule.params_id,
    }
    table = pd.DataFrame(columns, index=parcels.index)
    return gpd.GeoDataFrame(table, geometry=parcels.geometry.array, crs=parcels.crs)


def _judge_clusters(
    reason: NDArray[np.int8], n_inside: NDArray[np.int64], rule: FoiRule
) -> NDArray[np.int8]:
    """Add why clusters cannot be judged, where shares can."""
    # With less room the answer would be no, whatever lies there.
    room = 2 * (rule.cluster_px + 1)
    narrow = np.where(n_inside > 0, REASONS.index("TOO_NARROW"), REASONS.index("EMPTIED"))
    return np.where((reason < 0) & (n_inside < room), narrow, reason).astype(np.int8)


def _count_clusters(facts: Facts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the large clusters of each parcel, and the classes that have one."""
    parcels, kinds = facts.n_total.size, max(facts.classes.size, 1)
    parcel = facts.clusters.parcel.astype(np.int64)
    pairs = np.unique(parcel * kinds + facts.clusters.kind)
    return (
        np.bincount(parcel, minlength=parcels),
        np.bincount(pairs // kinds, minlength=parcels),
    )


def _lists(facts: Facts, per_parcel: NDArray[np.int64]) -> Any:
    """Return the clusters of each parcel as a list of pairs, class and pixels."""
    codes = facts.classes[facts.clusters.kind]
    pairs = list(zip(codes.tolist(), facts.clusters.px.tolist(), strict=True))
    ends = np.append(0, np.cumsum(per_parcel)).tolist()
    lists = np.empty(per_parcel.size, dtype=object)
    # pandas cannot read back its own Arrow lists from Parquet, so these are plain ones.
    lists[:] = list(map(pairs.__getitem__, starmap(slice, pairwise(ends))))
    return lists


def _status(reason: NDArray[np.int8]) -> NDArray[np.int8]:
    executed = np.where(reason < REASONS.index("TOO_SMALL"), 2, 1)
    return np.where(reason < 0, 0, executed).astype(np.int8)


def _words(codes: NDArray[np.int8], words: tuple[str, ...]) -> Any:
    return pd.Categorical.from_codes(codes, categories=pd.Index(words))


def _flag(values: NDArray[np.bool_], known: NDArray[np.bool_]) -> Any:
    return pd.arrays.BooleanArray(values, ~known)


def _code(position: NDArray[np.float64], classes: NDArray[np.int64]) -> Any:
    missing = np.isnan(position)
    codes = np.append(classes, 0)[np.where(missing, classes.size, position).astype(np.int64)]
    return pd.arrays.IntegerArray(codes, missing)
