"""One event table of those of several orbits: one event for each that several of them saw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.markers.events import REASONS, keep_apart, make_events

_MILDEST_FIRST = (
    *("FLAT_REFERENCE", "GAP", "NO_REFERENCE", "TOO_FEW_OBS"),
    *("CLASS_POOR", "CLASS_NONE", "NOT_RELEVANT", "NO_INPUT"),
)

_DAY = pd.Timedelta(days=1)

_Ints = NDArray[np.int64]


def join_orbits(tables: Sequence[pd.DataFrame], *, min_days: float) -> pd.DataFrame:
    """Make one event table of those that one marker made of the same parcels in several orbits.

    Of events whose ends are nearer than `min_days` the one with the smallest p-value stays, that
    is ``OK`` before others, and names the orbits of all. A parcel without event is as the orbit
    says that saw it best.

    Parameters
    ----------
    tables
        Event tables of one marker and rule, all of the same parcels.
    min_days
        Days between the ends of events, at least.
    """
    rows = pd.concat(tables, ignore_index=True)
    rows["confidence_kind"] = rows["confidence_kind"].fillna("none")
    if len(tables) == 1:
        return rows
    orbit = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    names = [table["sources"].iloc[0] if len(table) else [] for table in tables]
    code = pd.factorize(rows["parcel"])[0]
    seen = rows["main_date"].notna().to_numpy()
    events, others = rows[seen], rows[~np.isin(code, code[seen])]
    best, orbits = _nearest(events, code[seen], orbit[seen], min_days)
    spared = _mildest(others, code[others.index])
    kept = pd.concat([best, spared])
    orbits = np.concatenate([orbits, np.full(len(spared), (1 << len(tables)) - 1)])
    kept["sources"] = _lists(orbits, names)
    number = code[kept.index]
    rows = rows.assign(code=code, orbit=orbit)
    once = rows[~rows.duplicated(["code", "orbit"])].groupby("code")
    kept["n_obs_window"] = once["n_obs_window"].sum().to_numpy()[number]
    kept["max_gap_days"] = once["max_gap_days"].min().to_numpy()[number]
    found = np.bincount(number[: len(best)], minlength=len(once))
    kept["n_events"] = found[number]
    return make_events({str(name): kept[name].to_numpy() for name in kept})


def _nearest(
    events: pd.DataFrame, code: _Ints, orbit: _Ints, min_days: float
) -> tuple[pd.DataFrame, _Ints]:
    """Return the events that stay, and the orbits that saw each as bits."""
    day = ((events["end_date"] - events["end_date"].min()) / _DAY).to_numpy(dtype=float)
    unsound = (events["status"] != "OK").to_numpy()
    p_value, score = events["p_value"].to_numpy(), -events["score"].to_numpy()
    order = np.lexsort((orbit, day, score, p_value, unsound))
    owner = keep_apart(code, day, order=order, min_days=min_days)
    bits = np.zeros(len(events), np.int64)
    np.bitwise_or.at(bits, owner, np.left_shift(1, orbit))
    kept = np.unique(owner)
    return events.iloc[kept].copy(), bits[kept]


def _mildest(rows: pd.DataFrame, code: _Ints) -> pd.DataFrame:
    """Return one row of each parcel: ``OK`` if any is, or that with the mildest reason."""
    place = {reason: len(_MILDEST_FIRST) for reason in REASONS}
    place |= {reason: number for number, reason in enumerate(_MILDEST_FIRST)}
    rank = rows["reason"].astype(object).map(place).fillna(-1).to_numpy()
    order = np.lexsort((rows["max_gap_days"].to_numpy(), rank, code))
    first = np.unique(code[order], return_index=True)[1]
    return rows.iloc[order[first]]


def _lists(bits: _Ints, names: Sequence[list[str]]) -> list[list[str]]:
    """Return the sources of each row, in order."""
    known = {
        int(some): sorted(
            {name for k, orbit in enumerate(names) if some >> k & 1 for name in orbit}
        )
        for some in np.unique(bits)
    }
    return [known[int(some)] for some in bits]
