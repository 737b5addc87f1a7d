"""Small event tables, written as lists, and strategies that invent them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st

from cbmcube.markers import check_events, make_events

ZERO = pd.Timestamp("2024-05-01")


def day(dates):
    """Return days after 1 May."""
    return (dates - ZERO) / pd.Timedelta(days=1)


def table(events, *, marker="mowing", source="S2", parcels=("P0",), rest=None, kind="none"):
    """Make a sound event table.

    Parameters
    ----------
    events
        Rows of parcel, start, end in days, and optionally a dict of other columns.
    parcels
        All parcels.
    rest
        Of parcels without event: (status, reason), by default ``OK``.
    """
    rows = []
    for parcel, start, end, *more in events:
        dates = {
            "start_date": ZERO + pd.Timedelta(days=start),
            "main_date": ZERO + pd.Timedelta(days=start if end is None else (start + end) / 2),
            "end_date": pd.NaT if end is None else ZERO + pd.Timedelta(days=end),
            "before_date": ZERO + pd.Timedelta(days=start - 1),
            "open": end is None,
            "confidence_kind": kind,
            "n_obs": 2,
            "gap_overlap_days": 0.0,
        }
        rows.append({"parcel": parcel, "status": "OK", **dates, **dict(*more)})
    number = pd.Series([row["parcel"] for row in rows], dtype=object).value_counts()
    for row in rows:
        row["n_events"] = number[row["parcel"]]
    for parcel in parcels:
        if parcel not in number:
            status, reason = (rest or {}).get(parcel, ("OK", None))
            rows.append({"parcel": parcel, "status": status, "reason": reason, "n_events": 0})
    frame = pd.DataFrame(rows, columns=None if rows else ["parcel"])
    for name in ("start_date", "main_date", "end_date", "before_date"):
        if name in frame:
            frame[name] = pd.to_datetime(frame[name])
    for name, value in (
        ("open", False),
        ("confidence_kind", "none"),
        ("n_obs", 0),
        ("reason", None),
    ):
        if name not in frame:
            frame[name] = value
        if name != "reason":
            frame[name] = frame[name].astype(object).where(frame[name].notna(), value)
    columns = {str(name): frame[name].to_numpy() for name in frame}
    size = len(frame)
    columns |= {"sources": [[source]] * size, "marker": np.full(size, marker, object)}
    columns |= {"marker_version": np.full(size, "1"), "params_id": np.full(size, f"of {marker}")}
    columns |= {"n_obs_window": np.full(size, 20), "max_gap_days": np.full(size, 10.0)}
    columns["open"] = columns["open"].astype(bool)
    columns["n_obs"] = columns["n_obs"].astype(int)
    return check_events(make_events(columns))


PARCELS = tuple(f"P{k}" for k in range(30))
SAID = (("OK", None), ("NOT_VALID", "GAP"), ("NOT_EXECUTED", "NO_INPUT"))

few = settings(max_examples=3)
"""Each example has many parcels."""


def invent(seed, **options):
    """Invent a table of 30 parcels: none to five short events each, on a grid of days."""
    rng = np.random.default_rng(seed)
    rows = []
    for parcel in PARCELS:
        starts = rng.choice(np.arange(0, 150, 3), rng.integers(0, 6), replace=False)
        for start in starts.tolist():
            confidence = float(rng.choice([0.0, 0.3, 0.6, 0.9, 0.9995]))
            rows.append(
                (parcel, start, start + int(rng.integers(1, 21)), {"confidence": confidence})
            )
    rest = {parcel: SAID[rng.integers(3)] for parcel in PARCELS}
    return table(rows, parcels=PARCELS, rest=rest, **options)


def tables(**options):
    """Invent tables."""
    return st.integers(0, 10**6).map(lambda seed: invent(seed, **options))
