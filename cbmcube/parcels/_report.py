"""What was read, repaired and noticed when parcels were read and prepared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from cbmcube._html import html_table
from cbmcube.exceptions import ParcelsError

ATTRIBUTE = "cbmcube:parcels"
"""Where a GeoDataFrame of parcels keeps the facts of how it was made."""

OVERLAP_SHARE = 0.1
"""Parcels that share more of their area with others are reported; the limit of Sen4CAP."""

SHOWN = 5
"""Parcels of each list that the text form shows."""


@dataclass(frozen=True, slots=True, repr=False)
class ParcelsReport:
    """What was read, repaired and noticed in a set of parcels."""

    parcels: int
    """Rows of the table now."""
    read: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the reading, as plain JSON; empty if `read_parcels` did not read them."""
    prepared: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the preparation, as plain JSON; empty if they were not prepared."""
    problems: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """The ids of the parcels with each problem, among the rows of the table now."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each parcel and problem: columns ``parcel`` and ``problem``."""
        rows = [(one, problem) for problem, ids in self.problems.items() for one in ids]
        return pd.DataFrame(rows, columns=["parcel", "problem"])

    def _rows(self) -> list[tuple[str, str]]:
        rows = [(key.replace("_", " "), _text(value)) for key, value in self.read.items()]
        # What was noticed then is listed below as it is now.
        rows += [
            (key.replace("_", " "), _text(value))
            for key, value in self.prepared.items()
            if key != "noticed"
        ]
        if not self.prepared:
            rows.append(("prepared", "no: call prepare_parcels"))
        rows += [
            (problem.replace("_", " "), f"{len(ids):,}: {_some(ids)}")
            for problem, ids in self.problems.items()
        ]
        return [(label, text) for label, text in rows if text]

    def __repr__(self) -> str:
        rows = self._rows()
        width = max(len(label) for label, _ in rows) + 2
        lines = [f"  {label:<{width}}{text}" for label, text in rows]
        return "\n".join([f"<ParcelsReport: {self.parcels:,} parcels>", *lines])

    def _repr_html_(self) -> str:
        return html_table(f"{self.parcels:,} parcels", self._rows())


def parcels_report(parcels: gpd.GeoDataFrame) -> ParcelsReport:
    """Tell what was read, repaired and noticed in a set of parcels.

    Nothing is left out by `read_parcels` or `prepare_parcels`; what deserves a look is listed.

    Parameters
    ----------
    parcels
        What `read_parcels` or `prepare_parcels` returned, or a selection of its rows. The facts
        are kept in ``parcels.attrs`` as plain JSON and survive a GeoParquet file.

    Returns
    -------
    ParcelsReport
        Prints as text and in notebooks. ``problems`` and ``to_frame()`` list the ids of
        repaired, changed, empty and duplicate parcels, of those that share more than a tenth of
        their area with others, that the buffer empties, and that hold no whole pixel.

    Raises
    ------
    ParcelsError
        `parcels` is not a GeoDataFrame.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import box
    >>> from cbmcube.parcels import parcels_report, prepare_parcels
    >>> field = box(500_000, 5_500_000, 500_100, 5_500_100)
    >>> fields = gpd.GeoDataFrame(geometry=[field, field], index=["a", "b"], crs="EPSG:32632")
    >>> parcels_report(prepare_parcels(fields)).problems["duplicate"]
    ('b',)
    """
    if not isinstance(parcels, gpd.GeoDataFrame):
        raise ParcelsError("the parcels are not a GeoDataFrame", given=type(parcels).__name__)
    facts = parcels.attrs.get(ATTRIBUTE)
    facts = facts if isinstance(facts, Mapping) else {}
    read, prepared = (facts.get(key) for key in ("read", "prepared"))
    return ParcelsReport(
        parcels=len(parcels),
        read=read if isinstance(read, Mapping) else {},
        prepared=prepared if isinstance(prepared, Mapping) else {},
        problems=find_problems(parcels),
    )


def remember(parcels: gpd.GeoDataFrame, what: str, facts: Mapping[str, Any]) -> gpd.GeoDataFrame:
    """Return `parcels` with facts in its attributes; what was given is not changed."""
    noted = parcels.copy(deep=False)
    noted.attrs = {**parcels.attrs, ATTRIBUTE: {**_earlier(parcels), what: dict(facts)}}
    return noted


def find_problems(parcels: gpd.GeoDataFrame) -> dict[str, tuple[Any, ...]]:
    """Return the ids of parcels with each problem that the columns of `prepare_parcels` show."""
    tests: dict[str, Any] = {}
    if "geom_status" in parcels:
        for status in ("REPAIRED", "REPAIRED_CHANGED", "EMPTY"):
            tests[status.lower()] = parcels["geom_status"] == status
    if "duplicate_of" in parcels:
        tests["duplicate"] = parcels["duplicate_of"].notna()
    if "overlap_frac" in parcels:
        tests["overlapping"] = parcels["overlap_frac"] > OVERLAP_SHARE
    if "buffer_status" in parcels:
        tests["emptied_by_buffer"] = parcels["buffer_status"] == "EMPTIED"
    for name in parcels:
        if str(name).startswith("n_full_"):
            spacing = str(name).removeprefix("n_full_")
            tests[f"no_whole_pixel_of_{spacing}_m"] = parcels[name] == 0
    found = {name: parcels.index[np.asarray(test, bool)] for name, test in tests.items()}
    return {name: tuple(ids.tolist()) for name, ids in found.items() if len(ids)}


def _earlier(parcels: gpd.GeoDataFrame) -> dict[str, Any]:
    earlier = parcels.attrs.get(ATTRIBUTE)
    return dict(earlier) if isinstance(earlier, Mapping) else {}


def _some(ids: tuple[Any, ...]) -> str:
    shown = ", ".join(str(one) for one in ids[:SHOWN])
    more = len(ids) - SHOWN
    return f"{shown}, and {more:,} more" if more > 0 else shown


def _text(value: Any) -> str:
    """Return a fact as words; nothing for what did not happen."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items() if one)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if value else ""
    return "" if value is None else str(value)
