"""What a snapshot holds and what it lacks: counts, lists, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from cbmcube._html import html_table
from cbmcube._text import byte_size
from cbmcube.observations.reading._facts import utc
from cbmcube.observations.reading._selection import Selection, in_period, named
from cbmcube.observations.reading._source import Source
from cbmcube.observations.reading._units import FAILURES

_TIME = pa.timestamp("us", tz="UTC")
_ACQUISITION = {
    "acquisition": pa.string(),
    "time": _TIME,
    "platform": pa.string(),
    "relative_orbit": pa.int32(),
    "orbit_state": pa.string(),
}
_PROGRESS = dict.fromkeys(("units", "done", "failed", "rows"), pa.int64()) | {"items": pa.string()}


def touched(source: Source, selection: Selection, period: Any, acquisitions: Any) -> int:
    """Return how many units would belong to a selection and are not committed yet."""
    pending = source.pending
    if pending.empty:
        return 0
    chosen = np.isin(pending["group"].to_numpy(), list(selection.members))
    passes = source.plan.acquisitions
    which = pending["acquisition"].to_numpy()
    if period is not None:
        chosen &= in_period(plan_times(source), period)[which]
    if acquisitions is not None:
        wanted = set(named(acquisitions))
        chosen &= np.array([one["acquisition"] in wanted for one in passes], dtype=bool)[which]
    return int(chosen.sum())


def plan_times(source: Source) -> NDArray[np.datetime64]:
    """Return the time of each acquisition of the plan, UTC, microseconds."""
    times = [utc(one["time"]).replace(tzinfo=None) for one in source.plan.acquisitions]
    return np.array(times, dtype="datetime64[us]")


def acquisitions_table(source: Source) -> gpd.GeoDataFrame:
    """List the acquisitions of the plan by time, with their units and the ground they reach."""
    plan, units = source.plan, source.units
    done: dict[str, list[int]] = {}
    for unit, name in enumerate(units.acquisition):
        done.setdefault(str(name), []).append(unit)
    pending: dict[int, list[int]] = {}
    for number, group in source.pending.itertuples(index=False):
        pending.setdefault(int(number), []).append(int(group))
    rows, boxes = [], []
    for number, one in enumerate(plan.acquisitions):
        mine, left = done.get(one["acquisition"], []), pending.get(number, [])
        rows.append(
            {
                **{name: one.get(name) for name in _ACQUISITION},
                "time": utc(one["time"]),
                "units": len(mine) + len(left),
                "done": len(mine),
                "failed": int(np.isin(units.status[mine].astype(str), FAILURES).sum()),
                "rows": int(units.rows[mine].sum()),
                "items": one.get("listed"),
            }
        )
        boxes.append(_around(plan.groups, [*units.group[mine].tolist(), *left]))
    frame = _frame(rows, _ACQUISITION | _PROGRESS)
    found = gpd.GeoDataFrame(frame, geometry=np.array(boxes, dtype=object), crs=4326)
    return found.sort_values(["time", "acquisition"], ignore_index=True)


def _around(groups: Sequence[Mapping[str, Any]], numbers: Sequence[int]) -> Any:
    if not numbers:
        return None
    bounds = np.array([groups[number]["bounds"] for number in numbers], dtype=float)
    return shapely.box(*bounds[:, :2].min(axis=0), *bounds[:, 2:].max(axis=0))


def missing_units(source: Source) -> pd.DataFrame:
    """List units that could not be read, wholly or in part, or are not committed."""
    plan, units = source.plan, source.units
    rows = []
    for unit in np.flatnonzero(np.isin(units.status.astype(str), FAILURES)):
        reason = units.index["reason"][int(unit)].as_py()
        time = pd.Timestamp(units.time[unit], tz="UTC").to_pydatetime()
        where = (time, str(units.acquisition[unit]), int(units.group[unit]))
        rows.append((*where, str(units.status[unit]), reason))
    for acquisition, group in source.pending.itertuples(index=False):
        facts = plan.acquisitions[acquisition]
        rows.append((utc(facts["time"]), facts["acquisition"], int(group), "pending", None))
    counts = [int(group["count"]) for group in plan.groups]
    types = {
        "time": _TIME,
        "acquisition": pa.string(),
        "group": pa.int32(),
        "parcels": pa.int64(),
        "records": pa.int64(),
        "status": pa.string(),
        "reason": pa.string(),
    }
    bands = len(source.bands) if rows else 0
    told = [
        dict(zip(types, (*row[:3], counts[row[2]], counts[row[2]] * bands, *row[3:]), strict=True))
        for row in sorted(rows, key=lambda row: row[:3])
    ]
    return _frame(told, types)


def _frame(rows: list[dict[str, Any]], types: dict[str, pa.DataType]) -> pd.DataFrame:
    table = pa.Table.from_pylist(rows, schema=pa.schema(list(types.items())))
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def facts(source: Source) -> dict[str, str]:
    """Return what the repr says, without opening a part."""
    snapshot, plan, units = source.snapshot, source.plan, source.units
    counts = np.array([int(group["count"]) for group in plan.groups], dtype=np.int64)
    files = {name for name in units.file if name is not None}
    statuses = pd.Series(units.status.astype(str)).value_counts()
    told = [f"{count:,} {name}" for name, count in statuses.items()]
    pending = len(source.pending)
    told += [f"{pending:,} pending"] if pending else []
    recipe = source.store.recipe
    period = "none"
    if len(units):
        first, last = (str(moment.astype("datetime64[D]")) for moment in units.time[[0, -1]])
        period = first if first == last else f"{first} to {last}"
    return {
        "product": f"{recipe.get('product', '?')}: {', '.join(recipe.get('bands', ()))}",
        "records": f"{_records(source, counts):,}",
        "parcels": f"{int(counts.sum()):,}",
        "acquisitions": f"{len(np.unique(units.step)):,} of {len(plan.acquisitions):,}",
        "period": period,
        "units": ", ".join(told) or "none",
        "files": f"{len(files):,}, {_bytes(file_bytes(source))}",
        "snapshot": f"{snapshot.number}, {snapshot.created}, root {snapshot.root[:12]}",
    }


def _records(source: Source, counts: NDArray[np.int64]) -> int:
    """Return the number of rows, without opening a part to learn the number of bands."""
    units = source.units
    size = counts[units.group]
    full = units.rows[units.rows > 0] // np.maximum(size[units.rows > 0], 1)
    bands = int(full[0]) if len(full) else len(source.store.recipe.get("bands", ()))
    return int(size.sum()) * bands


def file_bytes(source: Source) -> int | None:
    """Return the size of all files, ``None`` where it would take long to ask."""
    files = sorted({name for name in source.units.file if name is not None})
    if source.store.url.startswith("s3:") and len(files) > 1000:
        return None
    infos = source.store.filesystem.get_file_info(files)
    return sum(int(info.size or 0) for info in infos)


def describe(source: Source) -> str:
    """Return the repr."""
    lines = [f"<Observations of {source.store.url}>"]
    lines += [f"  {name:13}{text}" for name, text in facts(source).items()]
    return "\n".join(lines)


def describe_html(source: Source) -> str:
    """Return the repr for notebooks."""
    return html_table(f"Observations of {source.store.url}", facts(source))


def _bytes(count: int | None) -> str:
    return "size not asked for" if count is None else byte_size(count)
