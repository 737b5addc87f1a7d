"""The table that similarity returns: one row for each parcel, also for those not judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.learning._against import Other, Own
from cbmcube.learning._declared import Declared
from cbmcube.learning._similarity_rule import SimilarityRule

SIMILARITY_REASONS = ("NO_INPUT", "NO_CROP", "CLASS_POOR", "TOO_FEW_OBS", "FEW_PEERS")
"""Why similarity has no result for a parcel."""

_STATUS = ("OK", "NOT_VALID", "NOT_EXECUTED")
_ROWS = 20_000  # parcels whose peers are looked at together

_Ints = NDArray[np.int64]


def similarity_table(
    known: Declared, own: Own, other: Other, *, rule: SimilarityRule, signal: str
) -> pd.DataFrame:
    """Put the results together."""
    peers = np.where(own.periods >= 0, (own.peers >= 0).sum(axis=1), -1)
    reason = _reasons(known, own, peers, rule)
    status = np.full(reason.size, "NOT_VALID", dtype=object)
    status[reason == None] = "OK"  # noqa: E711 - element by element
    status[(reason == "NO_INPUT") | (reason == "NO_CROP")] = "NOT_EXECUTED"
    rank, ranked, percent = _ranks(own)
    size = len(known.index)
    columns = {
        "status": pd.Categorical(status, categories=[*_STATUS]),
        "reason": pd.Categorical(reason, categories=[*SIMILARITY_REASONS]),
        "crop": _labels(known, known.crop),
        "n_peers": peers.astype("int32"),
        "radius_m": own.radius.astype("float32"),
        "n_holdings": _holdings(known, own, peers).astype("int32"),
        "n_periods": own.periods.astype("int32"),
        "D": own.d.astype("float32"),
        "mean_z": own.mean.astype("float32"),
        "rank": rank.astype("int32"),
        "n_ranked": ranked.astype("int32"),
        "D_pct": percent.astype("float32"),
        "D_t": own.d_t.astype("float32"),
        "p_value": own.p_value.astype("float32"),
        "best_crop": _labels(known, other.crop),
        "D_best": other.d.astype("float32"),
        "margin": (own.d - other.d).astype("float32"),
        "gain": (own.cost - other.cost).astype("float32"),
        "n_crops": other.tried.astype("int32"),
        "signal": _constant(signal, size),
        "params_id": _constant(rule.params_id, size),
    }
    return pd.DataFrame(columns, index=known.index)


def _constant(text: str, size: int) -> pd.Categorical[Any]:
    return pd.Categorical.from_codes(np.zeros(size, np.int8), categories=pd.Index([text]))


def _reasons(known: Declared, own: Own, peers: _Ints, rule: SimilarityRule) -> NDArray[np.object_]:
    reason = known.reason.copy()
    open_ = reason == None  # noqa: E711 - element by element
    reason[open_ & np.isnan(own.d)] = "TOO_FEW_OBS"
    reason[open_ & (peers < rule.min_peers)] = "FEW_PEERS"
    reason[open_ & (known.crop < 0)] = "NO_CROP"
    return reason


def _labels(known: Declared, code: _Ints) -> pd.Categorical[Any]:
    return pd.Categorical.from_codes(code, categories=pd.Index(known.crops))


def _ranks(own: Own) -> tuple[_Ints, _Ints, NDArray[np.float64]]:
    """Return rank, parcels ranked, and the percentage of peers with a smaller D."""
    number = own.d.size
    rank, ranked = np.full(number, -1, np.int64), np.full(number, -1, np.int64)
    percent = np.full(number, np.nan)
    valid = np.flatnonzero(np.isfinite(own.d))
    for rows in np.array_split(valid, valid.size // _ROWS + 1):
        peers, mine = own.peers[rows], own.d[rows, None]
        theirs = np.where(peers >= 0, own.d[peers], np.nan)
        others = np.isfinite(theirs).sum(axis=1)
        rank[rows] = 1 + (theirs > mine).sum(axis=1)
        ranked[rows] = 1 + others
        smaller = (theirs < mine).sum(axis=1)
        percent[rows] = 100.0 * smaller / np.where(others, others, np.nan)
    return rank, ranked, percent


def _holdings(known: Declared, own: Own, peers: _Ints) -> _Ints:
    """Return how many holdings the peers belong to, -1 where that is not known."""
    result = np.full(peers.size, -1, np.int64)
    if known.holding is None:
        return result
    judged = np.flatnonzero(peers >= 0)
    for rows in np.array_split(judged, judged.size // _ROWS + 1):
        here = own.peers[rows]
        theirs = np.sort(np.where(here >= 0, known.holding[here], -1), axis=1)
        first = np.ones(theirs.shape, bool)
        first[:, 1:] = theirs[:, 1:] != theirs[:, :-1]
        result[rows] = (first & (theirs >= 0)).sum(axis=1)
    return result
