"""Where each time step of a cube comes from: items, satellite, orbit, radiometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from cbmcube.catalog import Acquisition
from cbmcube.cube.radiometry._radiometry import Radiometry

Decisions = Mapping[str, Mapping[str, Radiometry]]
"""Radiometry by item id and band."""


def time_coords(acquisitions: Sequence[Acquisition], decisions: Decisions) -> dict[str, Any]:
    """Return the coordinates along ``time`` that say where each plane comes from.

    Parameters
    ----------
    acquisitions
        One for each plane, sorted by time.
    decisions
        What was decided for the items on the grid; other items of an acquisition have
        no part in its plane.
    """
    here = [sorted(item.id for item in a.items if item.id in decisions) for a in acquisitions]
    coords: dict[str, Any] = {
        "time": np.array([_utc(a.time) for a in acquisitions], dtype="datetime64[ns]"),
        "acquisition": ("time", [a.id for a in acquisitions]),
        "platform": ("time", [a.platform or "" for a in acquisitions]),
        "relative_orbit": (
            "time",
            [-1 if a.relative_orbit is None else a.relative_orbit for a in acquisitions],
        ),
        "orbit_state": ("time", [a.orbit_state or "" for a in acquisitions]),
        "items": ("time", [" ".join(ids) for ids in here]),
        "radiometry": ("time", [describe({i: decisions[i] for i in ids}) for ids in here]),
    }
    if any(a.reference_time is not None for a in acquisitions):
        references = [_utc(a.reference_time) for a in acquisitions]
        coords["reference_time"] = ("time", np.array(references, dtype="datetime64[ns]"))
    return coords


def describe(plane: Decisions) -> str:
    """Describe the radiometry of a plane: once for all bands and items that share it.

    Bands and items are named where they differ.
    """
    by_band: dict[str, dict[str, list[str]]] = {}
    for name, bands in plane.items():
        for band, decision in bands.items():
            by_band.setdefault(band, {}).setdefault(str(decision), []).append(name)
    texts = {band: _one_or_all(found) for band, found in by_band.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{band}: {text}" for band, text in texts.items())


def _one_or_all(found: Mapping[str, Sequence[str]]) -> str:
    if len(found) == 1:
        return next(iter(found))
    return " and ".join(f"{text} in {', '.join(names)}" for text, names in found.items())


def _utc(moment: datetime | None) -> np.datetime64:
    """Return a datetime as a naive UTC stamp, NaT for none."""
    if moment is None:
        return np.datetime64("NaT")
    return np.datetime64(moment.replace(tzinfo=None), "ns")
