"""A reducer that reads no image: rows drawn from the key of a unit, as large as real ones.

Everything else of a unit is real: the plan, items and parcels out of the store, the commit.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from distributed import Worker, WorkerPlugin
from numpy.typing import NDArray

from cbmcube.observations._schema import observation_schema
from cbmcube.observations.season import _work
from cbmcube.observations.season._recipe import Recipe
from cbmcube.observations.season._work import Unit
from cbmcube.observations.store import Store

STATISTICS = ("count", "mean", "std", "min", "max", "p25", "p50", "p75")
_SPREAD = {"mean": 1.0, "std": 0.23, "min": 0.45, "max": 1.9, "p25": 0.83, "p50": 0.97, "p75": 1.14}
"""Statistics of a field's backscatter over its mean, about."""


class Synthetic(WorkerPlugin):
    """Lets the units of a worker process make up their rows."""

    name = "synthetic"

    def setup(self, worker: Worker) -> None:  # noqa: ARG002  # the plugin needs nothing of it
        """Replace the one function of a unit that reads images."""
        install()


def install() -> None:
    """Let the units of this process make up their rows."""
    _work.compute_unit = synthetic_rows  # type: ignore[assignment]  # keywords differ in type


def synthetic_rows(store: Store, recipe: Recipe, unit: Unit, **_options: Any) -> pa.Table:
    """Return rows that depend on the unit's key alone; parcels outside its image have no data."""
    acquisition = _work._acquisition(store, unit.acquisition)  # noqa: SLF001  # the real path
    labels, middles, sizes = _group(store, unit.group, recipe.bands)
    footprints = [shapely.geometry.shape(acquisition.items[i].geometry) for i in unit.items]
    seen = np.zeros(len(middles), np.bool_)
    for footprint in footprints:
        shapely.prepare(footprint)
        seen |= shapely.contains_xy(footprint, *middles.T)
    rows = np.repeat(seen, len(recipe.bands))
    names = [name for name in STATISTICS if name in recipe.statistics]
    numbers = _numbers(unit.key, np.repeat(sizes, len(recipe.bands)), rows, names)
    listed = " ".join(sorted(item.id for item in acquisition.items))
    facts: dict[str, Any] = {
        "time": acquisition.time,
        "acquisition": acquisition.id,
        "platform": acquisition.platform,
        "relative_orbit": acquisition.relative_orbit,
        "orbit_state": acquisition.orbit_state,
        "items": listed,
    }
    schema = observation_schema(
        labels["parcel"].type, statistics=names, classes=(), coherence=False
    )
    columns = {
        **{
            name: pa.repeat(pa.scalar(facts[name], schema.field(name).type), rows.size)
            for name in facts
        },
        **labels,
        **numbers,
    }
    schema = schema.with_metadata({_work._RADIOMETRY: "made up"})  # noqa: SLF001  # as of real rows
    return pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)


def _numbers(
    key: str, sizes: NDArray[np.float64], seen: NDArray[np.bool_], names: list[str]
) -> dict[str, pa.Array]:
    rng = np.random.Generator(np.random.Philox(key=int(key[:32], 16)))
    level = 10 ** (rng.normal(-1.3, 0.25, seen.size))
    found = {
        name: pa.array(
            (level * _SPREAD[name] * rng.normal(1.0, 0.03, seen.size)).astype("float32"),
            mask=~seen,
        )
        for name in names
        if name != "count"
    }
    whole = np.where(seen, np.ceil(sizes * 1.2), 0).astype("int32")
    found["count"] = pa.array(np.where(seen, sizes, 0.0).astype("float32"))
    found["n_valid"] = pa.array(whole)
    found["n_total"] = pa.array(np.ceil(sizes * 1.2).astype("int32"))
    found["observed"] = pa.array(seen.astype("float32"))
    found["state"] = pa.DictionaryArray.from_arrays(
        pa.array(seen.astype("int8")), pa.array(["NO_DATA", "OK"])
    )
    return found


@functools.lru_cache(maxsize=4)
def _group(
    store: Store, facts: str, bands: tuple[str, ...]
) -> tuple[dict[str, pa.Array], NDArray[np.float64], NDArray[np.float64]]:
    """Return labels of the rows, and middle (degrees) and size (pixels) of each parcel."""
    _, parcels = _work._group(store, facts)  # noqa: SLF001  # the real path
    shapes = parcels.geometry
    middles = shapes.centroid.to_crs("EPSG:4326")
    labels = {
        "parcel": pa.array(np.repeat(parcels.index.to_numpy(), len(bands))),
        "band": pa.array(np.tile(np.array(bands, dtype=object), len(parcels))),
    }
    points = np.stack([middles.x.to_numpy(), middles.y.to_numpy()], axis=1)
    return labels, points, shapes.area.to_numpy() / 100.0
