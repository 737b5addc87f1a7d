"""Run a marker over whole vector cubes: some parcels at a time, each with exactly one outcome."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.markers._coverage import Coverage
from cbmcube.markers._events import EVENT_COLUMNS, NOT_EXECUTED, REASONS, make_events
from cbmcube.markers._rules import Rule
from cbmcube.markers._signal import Look, Signal, View
from cbmcube.series import Moment, moment, time_window, up_to

SETTLE_DAYS = 30.0
"""Events that are younger than this are provisional. A starting value, not validated in the field:
filtered series near their end still change when the next observations come in."""

_TASK = 1_000_000  # observations at work at once, of which detectors make some 200 bytes each
_DAY_MICROSECONDS = 86_400e6

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

Signals = Mapping[str, Signal]


def reason_code(name: str) -> int:
    """Return the position of a reason in :data:`REASONS`."""
    return REASONS.index(name)


@dataclass(frozen=True, slots=True)
class Marker:
    """What is looked for, and how."""

    name: str
    version: str
    """Changes when equal rules on equal data may give other events than before."""
    rule: Rule


@dataclass(frozen=True, slots=True)
class Found:
    """What a marker found in some parcels."""

    parcel: _Ints
    """(event): number of the parcel, from 0 in these parcels."""
    columns: Mapping[str, Any]
    """(event): columns of the event table. Dates are days after the begin of the window, and NaN
    where there is none; ``reason`` is a code, -1 for events that are ``OK``. Others are added
    behind the table; those of which the name ends in ``_date`` are dates as well."""
    reason: NDArray[np.int8]
    """(parcel): code of why a parcel cannot be judged, -1 where it can."""
    n_obs: _Ints
    """(parcel): valid observations in the window."""
    longest: _Floats
    """(parcel): longest time without one, in days."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """(parcel): columns of the event table that rows without event have, too."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """(parcel): columns that are added behind those of the event table."""

    def because(self, parcels: NDArray[np.bool_], reason: str) -> Found:
        """Say of some parcels, as far as nothing graver is said, why they cannot be judged."""
        mild = np.isin(self.reason, [-1, reason_code("GAP")])
        code = np.where(parcels & mild, np.int8(reason_code(reason)), self.reason)
        return replace(self, reason=code)


def usual_reasons(
    signal: Signal, *, min_obs: int, longest: _Floats, max_gap_days: float
) -> NDArray[np.int8]:
    """Say which parcels cannot be judged, and why: the gravest reason of each.

    A parcel with a ``GAP`` may still show an event; without one it may have been missed.
    """
    reason = np.full(signal.parcels, -1, np.int8)
    reason[longest > max_gap_days] = reason_code("GAP")
    reason[signal.number() < min_obs] = reason_code("TOO_FEW_OBS")
    reason[signal.grade == "POOR"] = reason_code("CLASS_POOR")
    reason[signal.grade == "NONE"] = reason_code("CLASS_NONE")
    reason[~signal.seen] = reason_code("NO_INPUT")
    return reason


def judge(
    signal: Signal, parcel: _Ints, columns: Mapping[str, Any], *, min_obs: int, max_gap_days: float
) -> Found:
    """Add to the events of one signal what every marker says of them: observations and gaps.

    `columns` has at least ``start_date`` and ``end_date``, in days; an event whose end is NaN is
    open. An event that lies wholly inside one gap is not valid, because nobody looked.
    """
    coverage = Coverage.of(signal, max_gap_days)
    start = np.asarray(columns["start_date"], float)
    end = np.where(np.isnan(columns["end_date"]), signal.end, columns["end_date"])
    overlap = coverage.overlap(parcel, start, end)
    n_obs = coverage.count(parcel, start, end)
    reason = np.full(len(parcel), -1, np.int8)
    reason[(n_obs == 0) & (overlap > 0) & (overlap >= end - start)] = reason_code("GAP")
    added = {"gap_overlap_days": overlap, "n_obs": n_obs, "open": np.isnan(columns["end_date"])}
    longest = coverage.longest()
    return Found(
        parcel=parcel,
        columns={"reason": reason, **added, **columns},
        reason=usual_reasons(signal, min_obs=min_obs, longest=longest, max_gap_days=max_gap_days),
        n_obs=signal.number(),
        longest=longest,
    )


def find_events(
    views: Mapping[str, View],
    detect: Callable[[Signals], Found],
    *,
    marker: Marker,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    settle_days: float = SETTLE_DAYS,
    crops: Collection[object] | None = None,
) -> pd.DataFrame:
    """Apply a detector to every parcel and return the event table.

    Lazy cubes are computed once, blocks of parcels side by side, with the scheduler or client in
    force; the detector must be a function that can be pickled, and must treat parcels apart.

    Parameters
    ----------
    views
        What the detector looks at, by the names that it expects. All have the same parcels, in any
        order; the first one's order counts.
    detect
        From the signals of some parcels to what was found in them.
    marker
        What the result says of its origin.
    window
        First and last moment to look at; by default from the first to the last acquisition.
    as_of
        Look with the knowledge of this moment: later acquisitions are left out, and events whose
        main date is less than `settle_days` before it are provisional.
    crops
        Values of the coordinate `crop`; other parcels are ``NOT_RELEVANT``. All by default.
    """
    for view in views.values():
        view.check()
    first = next(iter(views.values())).stats
    begin, end = _window(views, window, as_of)
    parts = {name: view.part(as_of, begin, end) for name, view in views.items()}
    parts = _aligned(parts, first.indexes["parcel"])
    relevant = _relevant(first, crops)
    found = each_block({name: view.look for name, view in views.items()}, parts, detect, begin, end)
    table = _table(found, relevant, begin)
    if as_of is not None:
        settled = moment(as_of) - np.timedelta64(round(settle_days * 86400), "s")
        table["provisional"] |= table["main_date"].to_numpy() > settled
    number = table.pop("number").to_numpy()
    sources = [*dict.fromkeys(view.source for view in views.values())]
    constant = {
        "marker": marker.name,
        "marker_version": marker.version,
        "params_id": marker.rule.params_id,
    }
    own = {str(name): column.to_numpy() for name, column in table.items()}
    place = {"parcel": first.indexes["parcel"].to_numpy()[number]}
    more = {name: own.pop(name) for name in [*own] if name not in EVENT_COLUMNS}
    events = make_events(
        own
        | {name: np.full(len(table), value) for name, value in constant.items()}
        | {"sources": [sources] * len(table)}
        | place
    )
    if more:  # no two events of a parcel begin at one moment
        key = place | {"start_date": own["start_date"]}
        events = events.merge(pd.DataFrame(key | more), on=[*key], how="left", validate="1:1")
    notes = pd.concat([pd.DataFrame(dict(one.notes)) for one in found], ignore_index=True)
    if notes.empty:
        return events
    return events.join(notes.set_index(first.indexes["parcel"]), on="parcel")


def _window(
    views: Mapping[str, View], window: tuple[Moment, Moment] | None, as_of: Moment | None
) -> tuple[np.datetime64, np.datetime64]:
    """Return the window as given, or the one from the first acquisition of any view to the last."""
    known = [up_to(view.stats, as_of) for view in views.values()]
    filled = [stats for stats in known if stats.sizes["time"]] or known[:1]
    ends = [time_window(stats, window, as_of) for stats in filled]
    return min(begin for begin, _ in ends), max(end for _, end in ends)


def _aligned(parts: Mapping[str, xr.Dataset], parcels: pd.Index) -> dict[str, xr.Dataset]:
    """Bring all parts to the same order of the same parcels."""
    aligned = {}
    for name, part in parts.items():
        place = part.indexes["parcel"].get_indexer(parcels)
        if (place < 0).any() or part.sizes["parcel"] != len(parcels):
            raise OptionError(
                "the vector cubes of a marker must hold the same parcels",
                given=f"{name}: {part.sizes['parcel']} parcels, the first cube {len(parcels)}",
                hint="select them first: stats.sel(parcel=other.parcel)",
            )
        same = np.array_equal(place, np.arange(len(parcels)))
        aligned[name] = part if same else part.isel(parcel=place)
    return aligned


def _relevant(stats: xr.Dataset, crops: Collection[object] | None) -> NDArray[np.bool_]:
    if crops is None:
        return np.ones(stats.sizes["parcel"], bool)
    if isinstance(crops, str) or "crop" not in stats.coords:
        raise OptionError(
            "crops are chosen by the values of the coordinate 'crop' of parcels",
            given=repr(crops),
            allowed="a list of codes, and a cube with this coordinate",
            hint='stats.assign_coords(crop=("parcel", codes))',
        )
    return np.isin(stats["crop"].to_numpy(), np.array([*crops]))


def each_block(
    looks: Mapping[str, Look],
    parts: Mapping[str, xr.Dataset],
    work: Callable[[Signals], Any],
    begin: np.datetime64,
    end: np.datetime64,
) -> list[Any]:
    """Apply a function to the signals of some parcels at a time; the answers, in order."""
    parcels = next(iter(parts.values())).sizes["parcel"]
    size = max(1, _TASK // max(1, sum(part.sizes["time"] for part in parts.values())))
    blocks = [slice(k, k + size) for k in range(0, max(1, parcels), size)]
    few = [{name: part.isel(parcel=block) for name, part in parts.items()} for block in blocks]
    if not any(part.chunks for part in parts.values()):
        return [_one(some, looks, work, begin, end) for some in few]
    later = delayed(_one, pure=False)
    return [*compute(*(later(some, looks, work, begin, end) for some in few))]


def _one(
    parts: Mapping[str, xr.Dataset],
    looks: Mapping[str, Look],
    work: Callable[[Signals], Any],
    begin: np.datetime64,
    end: np.datetime64,
) -> Any:
    return work({name: looks[name].signal(part, begin, end) for name, part in parts.items()})


def _table(found: list[Found], relevant: NDArray[np.bool_], begin: np.datetime64) -> pd.DataFrame:
    """Return a row for each event, and one for each parcel without."""
    first = np.cumsum([0, *(len(one.reason) for one in found)])
    tables = [
        _rows(one, relevant[low : low + len(one.reason)], low)
        for one, low in zip(found, first, strict=False)
    ]
    table = pd.concat(tables, ignore_index=True)
    for name in table:
        if str(name).endswith("_date"):
            table[name] = dates(table[name].to_numpy(), begin)
    code = table["reason"].to_numpy()
    table["reason"] = np.array([None, *REASONS], dtype=object)[code + 1]
    executed = np.isin(code, [reason_code(name) for name in NOT_EXECUTED])
    table["status"] = np.where(code < 0, "OK", np.where(executed, "NOT_EXECUTED", "NOT_VALID"))
    return table


_STILL_LISTED = ("GAP", "CLASS_POOR")  # reasons that do not hide the events of a parcel


def _rows(found: Found, relevant: NDArray[np.bool_], first: int) -> pd.DataFrame:
    reason = np.where(relevant, found.reason, reason_code("NOT_RELEVANT"))
    events = _events(found, reason)
    number = np.setdiff1d(np.arange(len(reason)), events["number"])
    others = pd.DataFrame({"number": number, "reason": reason[number]})
    for rows in (events, others):
        for name, values in found.extra.items():
            rows[name] = np.asarray(values)[rows["number"]]
    table = pd.concat([events, others], ignore_index=True)
    number = table["number"].to_numpy()
    sizes = np.bincount(events["number"], minlength=len(reason))
    for column in table:
        if EVENT_COLUMNS.get(str(column)) in ("flag", "count"):
            table[column] = table[column].fillna(0).astype("int64")
    return table.assign(
        number=number + first,
        open=table["open"].astype(bool),
        provisional=(table["provisional"] | table["open"]).astype(bool),
        n_events=sizes[number],
        n_obs_window=found.n_obs[number],
        max_gap_days=found.longest[number],
    )


def _events(found: Found, reason: NDArray[np.int8]) -> pd.DataFrame:
    """Return the events of parcels that can be judged, or that are too small to be sure."""
    listed = np.isin(reason, [-1, *map(reason_code, _STILL_LISTED)])
    unsaid = {"reason": -1, "open": 0, "provisional": 0, "main_date": np.nan}
    columns: dict[str, Any] = {n: np.full(len(found.parcel), value) for n, value in unsaid.items()}
    columns |= {name: np.asarray(values) for name, values in found.columns.items()}
    columns |= {name: columns[name].astype("int64") for name in ("open", "provisional")}
    events = pd.DataFrame({"number": found.parcel, **columns})[listed[found.parcel]]
    poor = reason[events["number"]] == reason_code("CLASS_POOR")
    return events.assign(reason=np.where(poor, reason_code("CLASS_POOR"), events["reason"]))


def dates(days: _Floats, begin: np.datetime64) -> NDArray[np.datetime64]:
    """Return days after `begin` as dates to the microsecond, NaN as NaT.

    Observations come back as they are: days keep microseconds over centuries, nanoseconds not.
    """
    days = np.asarray(days, dtype="float64")
    known = np.isfinite(days)
    after = np.round(np.where(known, days, 0.0) * _DAY_MICROSECONDS).astype("int64")
    moments = begin + after.astype("timedelta64[us]").astype("timedelta64[ns]")
    return np.asarray(np.where(known, moments, np.datetime64("NaT", "ns")))
