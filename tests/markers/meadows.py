"""Invented meadows with known cuts, seen by both missions, and the score of what is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

YEAR = "2024-01-01"
BEGIN, END = 75, 305  # days of the season
STEP = 5.0


@dataclass(frozen=True)
class Meadows:
    """NDVI (time, parcel), NaN where lost; and the cuts."""

    days: np.ndarray
    ndvi: np.ndarray
    cut: np.ndarray
    """(cut, parcel): day of each, NaN where there is none."""
    cloudy: np.ndarray
    """(time, parcel): clouds that were not detected."""


def make_meadows(parcels, *, lost=0.5, clouds=0.03, step=STEP, seed=0, cuts=True):
    """Invent meadows: 0 to 4 cuts that lie 50 days apart or more, each with its own regrowth."""
    rng = np.random.default_rng(seed)
    days = np.arange(BEGIN, END, step) + 0.43
    full = 0.80 + 0.04 * rng.standard_normal(parcels)
    season = 0.30 * np.exp(-((days[:, None] - 75) / 22.0)) + 0.10 * np.clip(
        (days[:, None] - 240) / 65, 0, 1
    )
    ndvi = full - season
    when = 125 + 45 * rng.uniform(size=parcels) + np.zeros((4, parcels))
    when[1:] += np.cumsum(50 + 25 * rng.uniform(size=(3, parcels)), axis=0)
    number = rng.integers(1, 5, parcels) if cuts else np.zeros(parcels, int)
    when[(np.arange(4)[:, None] >= number) | (when > END - 20)] = np.nan
    for k in range(4):
        since = days[:, None] - when[k]
        drop = rng.uniform(0.20, 0.45, parcels)
        growth = rng.uniform(0.006, 0.014, parcels)
        ndvi -= np.where(since >= 0, np.clip(drop - growth * np.maximum(since, 0), 0, None), 0.0)
    ndvi += 0.015 * rng.standard_normal(ndvi.shape)
    cloudy = rng.uniform(size=ndvi.shape) < clouds
    ndvi = np.where(cloudy, ndvi * rng.uniform(0.3, 0.85, ndvi.shape), ndvi)
    ndvi[rng.uniform(size=ndvi.shape) < lost] = np.nan
    return Meadows(days, ndvi.clip(-0.2, 0.98), when, cloudy & np.isfinite(ndvi))


def score(events, meadows, within=15.0):
    """Compare events that are ``OK`` with the cuts: precision, recall, F1, median days off.

    An event is right if its main date is at most `within` days from a cut; each cut counts once,
    with its nearest event.
    """
    found = events[(events["status"] == "OK") & events["main_date"].notna()]
    parcel = found["parcel"].str[1:].astype(int).to_numpy()
    day = ((found["main_date"] - pd.Timestamp(YEAR)) / pd.Timedelta(days=1)).to_numpy()
    off = np.abs(day - meadows.cut[:, parcel])
    off = np.where(np.isnan(off), np.inf, off)
    cut, off = off.argmin(axis=0), off.min(axis=0)
    near = pd.DataFrame({"parcel": parcel, "cut": cut, "off": off})[off <= within]
    hits = near.sort_values("off").drop_duplicates(["parcel", "cut"])
    cuts = np.isfinite(meadows.cut).sum()
    return {
        "precision": len(hits) / len(found),
        "recall": len(hits) / cuts,
        "f1": 2 * len(hits) / (len(found) + cuts),
        "days": hits["off"].median(),
    }
