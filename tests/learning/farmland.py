"""Invented features of parcels whose crops are known, far from and near each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cbmcube.learning import spatial_folds

SHARES = {"grass": 0.5, "maize": 0.25, "wheat": 0.15, "beet": 0.1}


def farmland(n=400, *, noise=0.6, seed=0):
    """Return features, labels and folds; squares of 10 km hold some ten parcels each."""
    rng = np.random.default_rng(seed)
    index = pd.Index([f"p{k:04d}" for k in range(n)], name="parcel")
    crop = rng.choice(len(SHARES), size=n, p=[*SHARES.values()])
    curves = rng.normal(size=(len(SHARES), 12))
    values = curves[crop] + noise * rng.normal(size=(n, 12))
    dates = pd.date_range("2024-03-01", periods=6, freq="10D").strftime("%Y-%m-%d")
    names = [f"{band}_{date}" for band in ("NDVI", "VH_dB") for date in dates]
    features = pd.DataFrame(values.astype("float32"), index=index, columns=names)
    labels = pd.Series(np.array([*SHARES])[crop], index=index, dtype=object)
    places = pd.DataFrame(rng.uniform(0, 60_000, (n, 2)), index=index, columns=["x", "y"])
    return features, labels, spatial_folds(places, seed=seed)
