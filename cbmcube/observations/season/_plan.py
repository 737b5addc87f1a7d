"""A plan: units of work with a store, to look at, to run, to bring up to date."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cached_property
from threading import Event
from typing import Any

import geopandas as gpd
import pandas as pd
import pystac
from distributed import Client

from cbmcube.catalog import REPORT_KEY, AccessPolicy, search
from cbmcube.observations.season._blobs import get_items, get_parcels, get_table
from cbmcube.observations.season._estimate import Estimate, Prices, describe, describe_html, expect
from cbmcube.observations.season._journal import note_search
from cbmcube.observations.season._make import Filter, Source, Terms, find_items, make_plan
from cbmcube.observations.season._progress import Watch
from cbmcube.observations.season._recipe import Recipe
from cbmcube.observations.season._report import RunReport
from cbmcube.observations.season._run import run_plan
from cbmcube.observations.season._work import Unit
from cbmcube.observations.store import Store


class Plan:
    """A season in units of work, as `plan` and `open_plan` return it.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(3)
    >>> store = getfixture("tmp_path") / "season"
    >>> season = cbm.plan(
    ...     cbm.open_catalog(country.catalogue),
    ...     cbm.CARD_BS,
    ...     parcels,
    ...     period="2024-03-01/2024-03-08",
    ...     store=store,
    ... )

    >>> season.records, len(season.left())  # rows that it will have, units to do
    (12, 2)
    """

    def __init__(self, store: Store, recipe: Recipe, name: str) -> None:
        self.store = store
        """Where results go."""
        self.recipe = recipe
        """How items and parcels become numbers."""
        self.name = name
        """Name of the plan in the store."""

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the store keeps of the plan: groups of parcels, acquisitions, names of tables."""
        found: dict[str, Any] = json.loads(self.store.get_blob("plans", self.name))
        return found

    @cached_property
    def units(self) -> pd.DataFrame:
        """One row for each unit: ``key, acquisition, group`` (positions), ``records, pixels``."""
        return get_table(self.store, self.facts["units"])

    @property
    def records(self) -> int:
        """Rows that the finished table has."""
        return int(self.units["records"].sum())

    @property
    def outside(self) -> int:
        """Parcels that no item shows, or that have no geometry; they have no rows."""
        return int(self.facts["outside"])

    def parcels(self) -> gpd.GeoDataFrame:
        """Return the parcels as they were given."""
        return get_parcels(self.store, self.facts["all_parcels"])

    def items(self) -> list[pystac.Item]:
        """Return the items of the plan, as they were found; signatures are not kept."""
        names = (one["items"] for one in self.facts["acquisitions"])
        return [item for name in names for item in get_items(self.store, name)]

    def left(self) -> pd.DataFrame:
        """Return the units that are not committed yet."""
        done = self.store.committed()
        return self.units[~self.units["key"].isin(done)]

    def tasks(self, units: pd.DataFrame) -> list[Unit]:
        """Return what workers are told of units, in the order in which they are best done.

        Units of one group follow each other, because they share a pixel index; the groups
        with most work come first.
        """
        work = units.groupby("group")["pixels"].transform("sum")
        order = units.assign(work=work).sort_values(
            ["work", "group", "acquisition"], ascending=[False, True, True], kind="stable"
        )
        groups = [json.dumps(one) for one in self.facts["groups"]]
        passes = [json.dumps(one) for one in self.facts["acquisitions"]]
        verify = self.facts["verify"]
        columns = (order[name] for name in ("key", "acquisition", "group", "items"))
        return [
            Unit(key, passes[acquisition], groups[group], tuple(map(int, items)), verify)
            for key, acquisition, group, items in zip(*columns, strict=True)
        ]

    def run(
        self,
        client: Client | None = None,
        *,
        progress: bool | Watch = True,
        part: tuple[int, int] | None = None,
        tries: int = 4,
        timeout: float = 1800.0,
        stop: Event | Callable[[], bool] | None = None,
    ) -> RunReport:
        """Compute what is left, and publish a snapshot of what is there then.

        Workers read, reduce, write and commit; only counts come back. A run that is killed,
        anywhere, is finished by the next one, with the same bytes. Several runs may work on
        one store.

        Parameters
        ----------
        client
            A Dask client. Without one, or with none in use, the threads of this process
            do the work.
        progress
            Whether to show it, or a function that is called with each `Progress`.
        part
            ``(i, n)``: only the i-th of n parts of the units, counted from 1.
        tries
            How often what may pass, such as a busy server, is tried within a unit.
        timeout
            Seconds after which a unit counts as stuck; its worker is restarted.
        stop
            Ends the run early once it is set, or returns true; nothing is lost.

        Returns
        -------
        RunReport
            Units and records done, and each unit that failed, with the reason.

        Raises
        ------
        MemoryLimitError
            If a unit needs more memory than the workers have; says what would fit.
        StoreError
            If the store cannot be written, or holds another result for a unit.
        """
        return run_plan(
            self, client, progress=progress, part=part, tries=tries, timeout=timeout, stop=stop
        )

    def update(
        self,
        source: Source,
        *,
        period: str | None = None,
        filter: Filter = None,  # noqa: A002  # as in search
        again: Iterable[str] = (),
        access: AccessPolicy | None = None,
    ) -> Plan:
        """Return a plan that takes in new and reprocessed items.

        What is computed stays; new acquisitions add units, items that changed replace theirs.
        Readers see it once a run has published it.

        Parameters
        ----------
        source, period, filter, access
            As in `plan`. Items that are not found again stay in the plan.
        again
            Statuses of committed units that are to be computed anew, such as ``["corrupt"]``
            after files were mended.
        """
        parcels = self.parcels()
        found = find_items(source, self.recipe.product, parcels, period, filter)
        merged = {item.id: item for item in self.items()} | {item.id: item for item in found}
        items = list(search(pystac.ItemCollection(merged.values()), self.recipe.product))
        attempts = dict(self.facts["attempts"])
        wanted = set(again)
        if wanted:
            own = set(self.units["key"]) & self.store.committed()
            redone = {one.key for one in self.store.commits(own) if one.status in wanted}
            named = self.units.set_index("key")["origin"]
            for key in redone:
                origin = str(named[key])
                attempts[origin] = attempts.get(origin, 0) + 1
        terms = Terms(int(self.facts["records_per_unit"]), self.facts["verify"], attempts)
        name = make_plan(self.store, self.recipe, parcels, items, terms, access)
        told = found.extra_fields.get(REPORT_KEY)
        note_search(self.store, name, told, after=None if name == self.name else self.name)
        return Plan(self.store, self.recipe, name)

    def expect(
        self, client: Client | None = None, *, probe: int = 2, prices: Prices | None = None
    ) -> Estimate:
        """Estimate time, memory, size and cost of what is left, from a short probe.

        Parameters
        ----------
        client
            Where a run would be; without one, this process.
        probe
            Units that are computed, and not kept, to measure the rate; 0 for none.
        prices
            What a core-hour and a gigabyte cost.
        """
        return expect(self, client, probe=probe, prices=prices)

    def to_dict(self) -> dict[str, Any]:
        """Return what the repr says, ready for JSON."""
        return {
            "store": self.store.url,
            "plan": self.name,
            "product": self.recipe.product.name,
            "acquisitions": len(self.facts["acquisitions"]),
            "items": int(self.facts["items"]),
            "grids": sorted({name for g in self.facts["groups"] for name in g["windows"]}),
            "groups": len(self.facts["groups"]),
            "parcels": int(self.facts["parcel_count"]),
            "outside": self.outside,
            "units": len(self.units),
            "left": len(self.left()),
            "records": self.records,
            **expect(self, None, probe=0).to_dict(),
        }

    def __repr__(self) -> str:
        return describe(self.to_dict())

    def _repr_html_(self) -> str:
        return describe_html(self.to_dict())
