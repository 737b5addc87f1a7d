"""Run a marker over whole vector cubes: some parcels at a time, each with exactly one outcome."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.markers._rules import Rule
from cbmcube.markers.detecting._outcome import Found
from cbmcube.markers.detecting._rows import to_rows
from cbmcube.markers.detecting._signal import Look, Signal, View
from cbmcube.markers.events import EVENT_COLUMNS, make_events
from cbmcube.series import Moment, moment, time_window, up_to
from cbmcube.warnings import NoSuchCropWarning

SETTLE_DAYS = 30.0
"""Events that are younger than this are provisional. A starting value, not validated in the field:
filtered series near their end still change when the next observations come in."""

_TASK = 1_000_000  # observations at work at once, of which detectors make some 200 bytes each

Signals = Mapping[str, Signal]


@dataclass(frozen=True, slots=True)
class Marker:
    """What is looked for, and how."""

    name: str
    version: str
    """Changes when equal rules on equal data may give other events than before."""
    rule: Rule


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
    table = to_rows(found, relevant, begin)
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
    known = stats["crop"].to_numpy()
    relevant = np.isin(known, np.array([*crops]))
    if known.size and not relevant.any():
        others = ", ".join(map(str, pd.unique(known)[:8]))
        warnings.warn(
            f"no parcel has one of the crops {', '.join(map(str, crops))}: there are {others}",
            NoSuchCropWarning,
            stacklevel=4,
        )
    return relevant


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
