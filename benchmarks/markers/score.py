"""Found events against planted ones: how many, how late, and how much confidence is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta

Floats = NDArray[np.float64]

TOLERANCE_DAYS = 12.0
"""A found event may be dated so far off; the scale of the delays of 6 to 11 days that published
comparisons report (MODCiX)."""
LONGEST_DAYS = 30.0
"""Longer intervals contain nearly everything: they count by their main date alone."""

_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Score:
    """What a marker found of what was planted."""

    parcels: int
    planted: int
    found: int
    """Events with the status ``OK``."""
    matched: int
    median_error: float
    """Median size of the date error in days."""
    error_90: float
    """Size in days that nine tenths of date errors do not exceed."""
    bias: float
    """Median date error in days; positive is late."""
    contained: float
    """Share of matched events whose interval contains the true date."""
    blind: int
    """Parcels without event of which the marker says that it could not look."""
    missed_blind: int
    """Planted events in these parcels; they count as missed."""
    quiet: int
    """Parcels in which nothing was planted."""
    alarmed: int
    """Of these, those with an event."""

    @property
    def precision(self) -> float:
        """Share of found events that were planted."""
        return self.matched / self.found if self.found else np.nan

    @property
    def recall(self) -> float:
        """Share of planted events that were found."""
        return self.matched / self.planted if self.planted else np.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.found + self.planted
        return 2 * self.matched / both if both else np.nan

    @property
    def false_alarms(self) -> tuple[float, float, float]:
        """Share of quiet parcels with an event, with its 95 % limits (Clopper and Pearson)."""
        low, high = binomial_limits(self.alarmed, self.quiet)
        return (self.alarmed / self.quiet if self.quiet else np.nan), low, high


def score(
    events: pd.DataFrame,
    truth: pd.DataFrame,
    *,
    tolerance_days: float = TOLERANCE_DAYS,
) -> Score:
    """Compare an event table with planted dates (`parcel`, `date`); all parcels are in `events`."""
    found = found_events(events)
    pairs = match(found, truth, tolerance_days=tolerance_days)
    error = np.abs(pairs["error"].to_numpy())
    state = events.groupby("parcel", observed=True).agg(
        valid=("status", lambda one: (one == "OK").any())
    )
    parcels = state.index
    eventful = parcels.isin(found["parcel"])
    blind = parcels[~state["valid"].to_numpy(bool) & ~eventful]
    quiet = parcels[~parcels.isin(truth["parcel"])]
    return Score(
        parcels=len(parcels),
        planted=len(truth),
        found=len(found),
        matched=len(pairs),
        median_error=_quantile(error, 0.5),
        error_90=_quantile(error, 0.9),
        bias=_quantile(pairs["error"].to_numpy(), 0.5),
        contained=float(pairs["contained"].mean()) if len(pairs) else np.nan,
        blind=len(blind),
        missed_blind=int(truth["parcel"].isin(blind).sum()),
        quiet=len(quiet),
        alarmed=int(quiet.isin(found["parcel"]).sum()),
    )


def found_events(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events that a marker stands for, with an end if they are open."""
    some = events[(events["status"] == "OK") & events["start_date"].notna()].reset_index(drop=True)
    return some.assign(end_date=some["end_date"].fillna(some["main_date"]))


def match(
    found: pd.DataFrame, truth: pd.DataFrame, *, tolerance_days: float = TOLERANCE_DAYS
) -> pd.DataFrame:
    """Pair found and planted events of a parcel one to one, the nearest in time first.

    A pair is possible if the interval contains the true date, or the main date is near enough. Of
    equally near ones the earlier planted event is first, then the earlier found one.

    Returns
    -------
    pandas.DataFrame
        By pair the row numbers `found` and `planted`, the `error` in days (late is positive), and
        whether the true date was `contained`.
    """
    left = found.reset_index(drop=True).rename_axis("found").reset_index()
    right = truth.reset_index(drop=True).rename_axis("planted").reset_index()
    columns = ["found", "parcel", "start_date", "main_date", "end_date"]
    both = left[columns].merge(right[["planted", "parcel", "date"]], on="parcel")
    error = ((both["main_date"] - both["date"]) / _DAY).to_numpy()
    contained = (
        (both["start_date"] <= both["date"]) & (both["date"] <= both["end_date"])
    ).to_numpy()
    short = ((both["end_date"] - both["start_date"]) / _DAY <= LONGEST_DAYS).to_numpy()
    possible = (np.abs(error) <= tolerance_days) | (contained & short)
    both = both.assign(error=error, contained=contained, size=np.abs(error))[possible]
    both = both.sort_values(["size", "date", "start_date", "found"], kind="stable")
    kept = _one_to_one(both["found"].to_numpy(), both["planted"].to_numpy())
    return both.loc[kept, ["found", "planted", "error", "contained"]].reset_index(drop=True)


def _one_to_one(found: NDArray[np.int64], planted: NDArray[np.int64]) -> NDArray[np.bool_]:
    taken: tuple[set[int], set[int]] = (set(), set())
    kept = np.zeros(len(found), bool)
    for number, (one, other) in enumerate(zip(found.tolist(), planted.tolist(), strict=True)):
        if one not in taken[0] and other not in taken[1]:
            kept[number] = True
            taken[0].add(one)
            taken[1].add(other)
    return kept


def reliability(
    events: pd.DataFrame, truth: pd.DataFrame, *, edges: Sequence[float], column: str = "confidence"
) -> pd.DataFrame:
    """Return by class of `column` how many events there are and which share was planted.

    Classes contain their left edge, the last one both.
    """
    found = found_events(events)
    pairs = match(found, truth)
    planted = np.zeros(len(found), bool)
    planted[pairs["found"].to_numpy()] = True
    value = found[column].to_numpy(float)
    place = np.searchsorted(edges, value, side="right") - 1
    place = np.where(value == edges[-1], len(edges) - 2, place)
    rows = []
    for number, (low, high) in enumerate(pairwise(edges)):
        inside = place == number
        right = int(planted[inside].sum())
        limits = binomial_limits(right, int(inside.sum()))
        mean = float(value[inside].mean()) if inside.any() else np.nan
        share = right / inside.sum() if inside.any() else np.nan
        rows.append((low, high, int(inside.sum()), mean, share, *limits))
    return pd.DataFrame(rows, columns=["from", "to", "events", "mean", "planted", "low", "high"])


def binomial_limits(hits: int, number: int, level: float = 0.95) -> tuple[float, float]:
    """Return the limits of Clopper and Pearson for a share."""
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, number - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, number - hits)) if hits < number else 1.0
    return low, high


def merge_weeks(events: pd.DataFrame, days: float = 8.0) -> pd.DataFrame:
    """Return events in which those that begin within `days` of the one before are one.

    The weekly marker of catch crops reports each week of a loss; the first one dates it.
    """
    events = events.sort_values(["parcel", "start_date"], na_position="last", ignore_index=True)
    same = events["parcel"] == events["parcel"].shift()
    near = events["start_date"] - events["start_date"].shift() <= days * _DAY
    return events[~(same & near)].reset_index(drop=True)


def _quantile(values: Floats, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else np.nan
