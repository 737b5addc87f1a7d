"""One snapshot of a store: plan, units, bands, columns; each read when it is first needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cbmcube.exceptions import StoreCorruptError
from cbmcube.observations._schema import observation_schema
from cbmcube.observations.reading._facts import Facts, utc
from cbmcube.observations.reading._parts import Wanted, read_unit
from cbmcube.observations.reading._plan import PlanView
from cbmcube.observations.reading._selection import Members
from cbmcube.observations.reading._units import Units
from cbmcube.observations.store import Snapshot, Store


@lru_cache(maxsize=8)
def _shared(_place: tuple[Any, ...], holder: _Holder) -> Source:
    return Source(holder.snapshot)


def shared_source(snapshot: Snapshot) -> Source:
    """Return the one source of a snapshot in this process, so that tasks share what was read."""
    place = (snapshot.store.url, snapshot.number, snapshot.index, snapshot.plan)
    return _shared(place, _Holder(snapshot))


@dataclass(frozen=True)
class _Holder:
    """A snapshot that counts as equal to any other; what tells them apart is compared beside."""

    snapshot: Snapshot = field(compare=False)


@dataclass(frozen=True)
class Source:
    """What readers know of one snapshot; it can be sent to workers."""

    snapshot: Snapshot
    cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return shared_source, (self.snapshot,)

    @property
    def store(self) -> Store:
        """The store."""
        return self.snapshot.store

    @cached_property
    def plan(self) -> PlanView:
        """The plan of the season."""
        return PlanView(self.snapshot.plan, self.store.get_blob)

    @cached_property
    def units(self) -> Units:
        """The committed units."""
        return Units.read(self.snapshot.parts)

    @property
    def facts(self) -> Facts:
        """What is known of acquisitions without reading a part."""
        return Facts(self.plan, self.units)

    @cached_property
    def _columns(self) -> tuple[pa.Schema, tuple[str, ...]]:
        """Schema and bands, from the first part there is."""
        units = self.units
        found = np.flatnonzero(units.has_rows & (units.rows > 0))
        if not len(found):
            return self._planned()
        counts = np.array([int(group["count"]) for group in self.plan.groups], dtype=np.int64)
        unit = int(found[0])
        per_parcel = int(units.rows[unit]) // int(counts[units.group[unit]])
        wrong = found[units.rows[found] != counts[units.group[found]] * per_parcel]
        if len(wrong) or not per_parcel:
            unit = int(wrong[0]) if len(wrong) else unit
            raise StoreCorruptError(
                f"{units.file[unit]} has {units.rows[unit]:,} rows for "
                f"{counts[units.group[unit]]:,} parcels",
                given=self.store.url,
                allowed="the same number of rows for each parcel of all units",
                hint="verify(store) lists all that is damaged",
            )
        table, schema = read_unit(self.store, self.wanted(unit, np.arange(per_parcel)), ["band"])
        return schema.remove_metadata(), tuple(table["band"].to_pylist())

    def _planned(self) -> tuple[pa.Schema, tuple[str, ...]]:
        """Return what the recipe promises, where no unit has rows yet."""
        recipe = self.store.recipe
        schema = observation_schema(
            self.plan.parcels.schema.field("parcel").type,
            statistics=recipe.get("statistics", ()),
            classes=(),
            coherence=False,
        )
        made = (index["name"] for index in recipe.get("indices", ()))
        return schema, (*recipe.get("bands", ()), *made)

    @property
    def schema(self) -> pa.Schema:
        """Columns of the table."""
        return self._columns[0]

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands with statistics, in the order of rows."""
        return self._columns[1]

    @property
    def statistics(self) -> tuple[str, ...]:
        """Names of the statistics, in the order of the recipe."""
        return tuple(self.store.recipe["statistics"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Columns with the share of a class, such as ``SCL_4``; they follow ``items``."""
        names = self.schema.names
        return tuple(names[names.index("items") + 1 :])

    @cached_property
    def pending(self) -> pd.DataFrame:
        """Units of the plan that are not in the snapshot: ``acquisition`` (position), ``group``."""
        planned = self.plan.units.select(["key", "acquisition", "group"])
        done = pc.is_in(planned["key"], value_set=self.units.index["key"].combine_chunks())
        return planned.filter(pc.invert(done)).drop_columns("key").to_pandas()

    def pending_groups(self) -> dict[int, list[int]]:
        """Return the groups of pending units by time step, where a step has other units."""
        units = self.units
        found: dict[int, list[int]] = {}
        if self.pending.empty:
            return found
        known = {
            (time, name): int(step)
            for time, name, step in zip(units.time, units.acquisition, units.step, strict=True)
        }
        for acquisition, group in self.pending.itertuples(index=False):
            facts = self.plan.acquisitions[acquisition]
            time = np.datetime64(utc(facts["time"]).replace(tzinfo=None), "us")
            step = known.get((time, facts["acquisition"]))
            if step is not None:
                found.setdefault(step, []).append(int(group))
        return found

    def rows_of(self, members: Members, bands: tuple[str, ...]) -> NDArray[np.int64]:
        """Return where the rows of some parcels and bands stand in a unit, ascending."""
        numbers = np.array([self.bands.index(name) for name in bands], dtype=np.int64)
        return np.asarray((members.position[:, None] * len(self.bands) + numbers).ravel())

    def totals(self, group: int) -> NDArray[np.int64]:
        """Return ``n_total`` of all rows of a group, -1 where nothing in the store tells it."""
        key = ("totals", group)
        if key not in self.cache:
            self.cache[key] = self._totals(group)
        found: NDArray[np.int64] = self.cache[key]
        return found

    def _totals(self, group: int) -> NDArray[np.int64]:
        units = self.units
        size = int(self.plan.groups[group]["count"]) * len(self.bands)
        told = np.flatnonzero((units.group == group) & units.has_rows & (units.rows == size))
        if not len(told):
            return np.full(size, -1, dtype=np.int64)
        unit = int(told[0])
        wanted = self.wanted(unit, np.arange(size))
        column = read_unit(self.store, wanted, ["n_total"])[0]["n_total"]
        return np.asarray(pc.fill_null(column, -1).to_numpy(), dtype=np.int64)

    def wanted(self, unit: int, row: NDArray[np.int64]) -> Wanted:
        """Return the request for some rows of a unit."""
        units = self.units
        return Wanted(
            unit=unit,
            group=int(units.group[unit]),
            file=str(units.file[unit]),
            first_row=int(units.first_row[unit]),
            row=row,
        )
