"""The tables of a season's page: what stands in which column."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from cbmcube._states import STATES
from cbmcube.observations.reading import Coverage
from cbmcube.reporting._html import Column, counted, table
from cbmcube.reporting._scenes import Scenes
from cbmcube.reporting._work import Work

MOST = 1_000
"""Rows of the tables that list what lacks."""

_NUMBER: Final = "number"
_TIME: Final = "time"


def parcel_table(coverage: Coverage, places: pd.DataFrame, *, worst: int) -> str:
    """List the parcels that were seen least, the fewest usable acquisitions first."""
    usable = coverage.usable
    order = np.argsort(usable, kind="stable")[:worst]
    columns, values = _parcel_columns(coverage, places, order)
    return table(
        "parcels-table",
        _parcel_caption(len(usable), order, usable),
        columns,
        zip(*values, strict=True),
        empty="The season has no parcels.",
        page=20,
    )


def _parcel_columns(
    coverage: Coverage, places: pd.DataFrame, order: np.ndarray
) -> tuple[list[Column], list[list[object]]]:
    usable, planned = coverage.usable, coverage.planned
    here: Any = places.iloc[order]
    share = np.divide(100 * usable, planned, out=np.full(len(usable), np.nan), where=planned > 0)
    found: list[tuple[Column, Any]] = [(Column("parcel"), coverage.ids.take(order).to_pylist())]
    if (here["crop"].notna()).any():
        found.append((Column("crop"), here["crop"].astype(object).tolist()))
    if here["area_m2"].notna().any():
        found.append((Column("area (ha)", _NUMBER, 2), (here["area_m2"] / 10_000).tolist()))
    found += [
        (Column("planned", _NUMBER), planned[order]),
        (Column("usable", _NUMBER), usable[order]),
        (Column("usable (%)", _NUMBER, 1), share[order]),
        (Column("longest gap (d)", _NUMBER, 1), coverage.longest[order]),
    ]
    names = ("OK", "partial", "masked", "no data", "read failed")
    found += [
        (Column(name, _NUMBER), coverage.states[order, code]) for code, name in enumerate(names)
    ]
    found += [
        (Column("pending", _NUMBER), coverage.pending[order]),
        (Column("longitude", _NUMBER, 4), here["longitude"].tolist()),
        (Column("latitude", _NUMBER, 4), here["latitude"].tolist()),
    ]
    return [column for column, _ in found], [list(values) for _, values in found]


def _parcel_caption(total: int, order: np.ndarray, usable: np.ndarray) -> str:
    if len(order) == total:
        return f"All {total:,} parcels, the fewest usable acquisitions first."
    most = int(usable[order[-1]])
    return (
        f"The {len(order):,} parcels with the fewest usable acquisitions. {total - len(order):,} "
        f"more are left out; each has {most:,} or more."
    )


def acquisition_table(scenes: Scenes, coverage: Coverage) -> str:
    """List the acquisitions by time, with their units and the parcels that each shows."""
    counts = coverage.passes
    states = counts[list(STATES)].to_numpy()
    usable = dict(
        zip(
            zip(counts["time"], counts["acquisition"], strict=True),
            zip(states[:, :2].sum(axis=1).tolist(), states.sum(axis=1).tolist(), strict=True),
            strict=True,
        )
    )
    rows = []
    passes: Any = scenes.acquisitions.itertuples()
    for one in passes:
        seen, of = usable.get((one.time, one.acquisition), (0, 0))
        units = (one.scenes, one.units, one.failed, one.units - one.done)
        share = 100 * seen / of if of else None
        rows.append((one.time, one.acquisition, one.status, *units, of, seen, share))
    columns = [
        *(Column("time (UTC)", _TIME), Column("acquisition"), Column("status")),
        *(Column(name, _NUMBER) for name in ("scenes", "units", "failed", "pending")),
        *(Column("parcels", _NUMBER), Column("usable", _NUMBER), Column("usable (%)", _NUMBER, 1)),
    ]
    caption = f"{counted(len(rows), 'acquisition')} of the plan, by time."
    empty = "The plan has no acquisition."
    return table("acquisitions-table", caption, columns, rows, empty=empty)


def gap_table(scenes: Scenes) -> str:
    """List acquisitions that were expected and not found."""
    columns = [
        Column("expected (UTC)", _TIME),
        Column("track"),
        Column("repeat cycle (d)", _NUMBER),
    ]
    return _some(
        "gaps-table",
        scenes.gaps,
        "Acquisitions that the repeat cycle lets expect and that were not found",
        columns,
        "No acquisition is lacking from the repeat cycles of the tracks.",
    )


def left_out_table(scenes: Scenes) -> str:
    """List items that a search left out."""
    columns = [Column("item"), Column("reason"), Column("kept in its place"), Column("acquisition")]
    empty = "No item was left out: no twin was found, and none was refused."
    if not scenes.searched:
        empty = (
            "The store remembers no search: its items were handed to the plan as a list, or it was "
            "planned by an earlier version. Items that were left out are not known."
        )
    what = "Items that were found and left out"
    return _some("left-out-table", scenes.left_out, what, columns, empty)


def failed_table(work: Work) -> str:
    """List units that lack numbers, with the reason."""
    columns = [
        *(Column("time (UTC)", _TIME), Column("acquisition"), Column("group", _NUMBER)),
        *(Column("parcels", _NUMBER), Column("records", _NUMBER)),
        *(Column("status"), Column("reason")),
    ]
    names = ["time", "acquisition", "group", "parcels", "records", "status", "reason"]
    return _some(
        "failed-table",
        work.failed[names],
        "Units that could not be read, wholly or in part, or are not computed yet",
        columns,
        "Every unit of the plan was read.",
    )


def slow_table(work: Work) -> str:
    """List the slowest units."""
    columns = [
        *(Column("time (UTC)", _TIME), Column("acquisition"), Column("group", _NUMBER)),
        *(Column("seconds", _NUMBER, 2), Column("rows", _NUMBER), Column("tries", _NUMBER)),
        Column("status"),
    ]
    rows = work.slowest.itertuples(index=False)
    caption = f"The slowest {len(work.slowest):,} of {work.units:,} units, from the logs of runs."
    return table("slow-table", caption, columns, rows, empty="The store has no log of a run.")


def _some(name: str, rows: pd.DataFrame, what: str, columns: list[Column], empty: str) -> str:
    shown = rows.head(MOST)
    caption = f"{what}: {len(rows):,}."
    if len(shown) < len(rows):
        caption = f"{what}: the first {len(shown):,} of {len(rows):,}."
    return table(name, caption, columns, shown.itertuples(index=False), empty=empty)
