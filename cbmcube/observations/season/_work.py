"""One unit of work, on a worker: read, reduce, write, commit; or say why not."""

from __future__ import annotations

import functools
import json
import time
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Literal

import geopandas as gpd
import pyarrow as pa
import pyarrow.compute as pc
from odc.geo.geobox import GeoBox

from cbmcube._text import without_secrets
from cbmcube._version import __version__
from cbmcube.catalog import Acquisition
from cbmcube.cube import OnError, Verify, failure_kind, load_window, mask
from cbmcube.exceptions import AccessError, Error, ReadError
from cbmcube.indices import add_indices
from cbmcube.observations._table import observation_table
from cbmcube.observations.season._blobs import (
    acquisition_from_json,
    get_items,
    get_parcels,
    grid_parcels,
    windows_from_json,
)
from cbmcube.observations.season._groups import block_side
from cbmcube.observations.season._recipe import Recipe
from cbmcube.observations.store import Store
from cbmcube.zonal import reduce_parcels

FIRST_WAIT = 1.0
"""Seconds before the second try; doubled before each further one."""

_RADIOMETRY = b"radiometry"

Status = Literal["ok", "empty", "nodata", "corrupt", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Unit:
    """What a worker must be told of a unit: where to look, not what is there."""

    key: str
    """Its name in the store."""
    acquisition: str
    """JSON of the acquisition, as in the plan."""
    group: str
    """JSON of the group, as in the plan."""
    items: tuple[int, ...]
    """Positions of the acquisition's items that meet the group."""
    verify: Verify = "none"
    """How closely files are looked at before their pixels are used."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a unit: all that returns to the client."""

    key: str
    status: Status
    """As committed; ``"failed"``: nothing was committed, and a later run tries again."""
    rows: int = 0
    seconds: float = 0.0
    tries: int = 1
    reason: str | None = None


def run_unit(store: Store, recipe: Recipe, unit: Unit, tries: int) -> Outcome:
    """Compute a unit and commit it.

    Whatever goes wrong with the images of a unit becomes its status; only what goes wrong
    with the store is raised.

    Parameters
    ----------
    store
        Where to.
    recipe
        How.
    unit
        What.
    tries
        How often to try what may pass.
    """
    begin = time.perf_counter()
    table, status, reason, tried = _attempt(store, recipe, unit, tries)
    if status == "failed":
        return Outcome(unit.key, status, 0, time.perf_counter() - begin, tried, reason)
    acquisition, group = _acquisition(store, unit.acquisition), _loads(unit.group)
    commit = store.commit(
        unit.key,
        table,
        status=status,
        reason=reason,
        info={
            "acquisition": acquisition.id,
            "time": acquisition.time.isoformat(),
            "platform": acquisition.platform,
            "group": group["group"],
            "bands": list(recipe.bands),
            "items": sorted(acquisition.items[i].id for i in unit.items),
            "radiometry": None if table is None else table.schema.metadata[_RADIOMETRY].decode(),
            "versions": _versions(),
        },
    )
    return Outcome(unit.key, status, commit.rows, time.perf_counter() - begin, tried, reason)


def _attempt(
    store: Store, recipe: Recipe, unit: Unit, tries: int
) -> tuple[pa.Table | None, Status, str | None, int]:
    """Return the rows of a unit, its status and reason, and how often it was tried."""
    wait = FIRST_WAIT
    for tried in range(1, tries + 1):
        try:
            table = compute_unit(store, recipe, unit)
        except (AccessError, ReadError) as error:
            reason = _reason(error)
            if isinstance(error, AccessError):
                return None, "refused", reason, tried
            kind = failure_kind(error)
            if kind == "refused":
                return None, "failed", reason, tried
            remote = "://" in reason
            if tried < tries and (kind == "busy" or remote):
                time.sleep(wait)
                wait *= 2
                continue
            if kind == "busy":
                return None, "failed", reason, tried
            # The file itself is bad: what the others show is kept, and its rows say so.
            table = compute_unit(store, recipe, unit, on_error="record")
            return table, "corrupt", reason, tried
        except Error as error:
            return None, "failed", _reason(error), tried
        else:
            return table, _status(table), None, tried
    raise AssertionError("tries is at least 1")


def compute_unit(
    store: Store, recipe: Recipe, unit: Unit, *, on_error: OnError = "raise"
) -> pa.Table:
    """Return the rows of a unit, by the same steps as a user's own script.

    Rows come in the order of the group's parcels, and of the bands. The metadata of the schema
    say how stored numbers became values.
    """
    acquisition = _acquisition(store, unit.acquisition)
    windows, parcels = _group(store, unit.group)
    cubes = load_window(
        replace(acquisition, items=tuple(acquisition.items[i] for i in unit.items)),
        recipe.product,
        windows,
        bands=recipe.read,
        block=block_side(windows, len(parcels)),
        offset=recipe.offset,
        on_error=on_error,
        verify=unit.verify,
    )
    if recipe.mask:
        cubes = mask(cubes, recipe.product)
    if recipe.indices:
        cubes = add_indices(cubes, recipe.indices, keep_bands=recipe.bands)
    stats = reduce_parcels(
        cubes,
        parcels,
        statistics=recipe.statistics,
        pixels=recipe.pixels,
        buffer=recipe.buffer,
        percentiles=recipe.percentiles,
    )
    listed = " ".join(sorted(item.id for item in acquisition.items))
    stats = stats.assign_coords(items=("time", [listed]))
    # In this thread: the cluster is busy with other units.
    table = observation_table(stats.compute(scheduler="synchronous"))
    return table.replace_schema_metadata({_RADIOMETRY: str(stats["radiometry"].values[0])})


def _status(table: pa.Table) -> Status:
    if not table.num_rows:
        return "empty"
    seen = pc.any(pc.not_equal(table["state"], "NO_DATA")).as_py()
    return "ok" if seen else "nodata"


def _reason(error: Error) -> str:
    lines = (line.strip() for line in without_secrets(str(error)).splitlines())
    return "; ".join(line for line in lines if not line.startswith("next:"))


@functools.lru_cache(maxsize=32)
def _acquisition(store: Store, facts: str) -> Acquisition:
    told = _loads(facts)
    return acquisition_from_json(told, get_items(store, told["items"]))


@functools.lru_cache(maxsize=4)
def _group(store: Store, facts: str) -> tuple[dict[str, GeoBox], gpd.GeoDataFrame]:
    told = _loads(facts)
    return windows_from_json(told), grid_parcels(get_parcels(store, told["parcels"]))


def _loads(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


@functools.cache
def _versions() -> dict[str, str]:
    names = ("numpy", "rasterio", "exactextract", "shapely", "pyproj")
    return {"cbmcube": __version__, **{name: version(name) for name in names}}
