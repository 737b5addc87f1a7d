"""Plan a season: what will be read and computed, in units that can be done in any order."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from threading import Event
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
from distributed import Client

from cbmcube.catalog import (
    AccessPolicy,
    ApiCatalog,
    Condition,
    FrozenCatalog,
    group_acquisitions,
    search,
)
from cbmcube.cube import find_grids
from cbmcube.exceptions import NoOverlapError, OptionError
from cbmcube.observations.season._blobs import (
    acquisition_to_json,
    get_items,
    get_parcels,
    get_table,
    group_to_json,
    positions,
    put_items,
    put_parcels,
    put_table,
)
from cbmcube.observations.season._estimate import Estimate, Prices, describe, describe_html, expect
from cbmcube.observations.season._groups import Group, group_parcels
from cbmcube.observations.season._journal import latest_plan, note_plan
from cbmcube.observations.season._progress import Watch
from cbmcube.observations.season._recipe import (
    Recipe,
    check_statistics,
    recipe_from_json,
)
from cbmcube.observations.season._report import RunReport
from cbmcube.observations.season._run import run_plan
from cbmcube.observations.season._units import make_units
from cbmcube.observations.season._work import Unit
from cbmcube.observations.store import Store, canonical_json, create_store, open_store
from cbmcube.parcels import check_parcels
from cbmcube.products import Product
from cbmcube.zonal import DEFAULT_STATISTICS, Percentiles, PixelRule, Statistic, require_valid

RECORDS = 25_000
"""Records of a unit: large enough that few tasks do a season, small enough to lose."""
FORMAT = 1
"""Format of a plan."""

Source = ApiCatalog | FrozenCatalog | pystac.ItemCollection | Iterable[pystac.Item]


def plan(  # noqa: PLR0913  # each is one thing that a user may say
    source: Source,
    product: Product,
    parcels: gpd.GeoDataFrame,
    *,
    store: str | os.PathLike[str] | Store,
    period: str | None = None,
    filter: str | Mapping[str, Any] | Condition | None = None,  # noqa: A002  # as in search
    bands: Sequence[str] | str | None = None,
    mask: bool = True,
    statistics: Iterable[Statistic] | Statistic = DEFAULT_STATISTICS,
    pixels: PixelRule = "exact",
    buffer: float | None = None,
    percentiles: Percentiles = "weighted",
    offset: float | None = None,
    records_per_unit: int = RECORDS,
    access: AccessPolicy | None = None,
) -> Plan:
    """Plan the statistics of all parcels in a season, as units of work with a store.

    Nothing is read but metadata. What is planned is written to the store: the recipe, the exact
    items, the parcels; so a run needs nothing but the store, and can be repeated.

    Parameters
    ----------
    source
        A catalogue to search, or items.
    product
        What the items hold.
    parcels
        Polygons with a CRS; the index names them.
    store
        Folder or ``s3://bucket/prefix``. One that exists is taken if its recipe is the same.
    period, filter
        As in `search`; only with a catalogue.
    bands
        Bands to read; all of the product by default.
    mask
        Whether the product's mask rule is applied.
    statistics, pixels, buffer, percentiles
        As in `reduce_parcels`; no functions of your own.
    offset
        As in `load_native`.
    records_per_unit
        Most rows of a unit.
    access
        Where items may point at.

    Returns
    -------
    Plan
        Its repr says what a run will do; `Plan.run` does it.

    Raises
    ------
    StoreExistsError
        If the store holds another recipe.
    NoOverlapError
        If no item shows a parcel.
    Error
        As in `search`, `load_native` and `reduce_parcels`.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(20)
    >>> season = cbm.plan(
    ...     cbm.open_catalog(country.catalogue),
    ...     cbm.CARD_BS,
    ...     parcels,
    ...     store=getfixture("tmp_path") / "bs",
    ... )
    >>> season.run(progress=False).ok
    True
    """
    parcels = check_parcels(parcels)
    require_valid(parcels)
    wanted = product.select_bands(bands)
    recipe = Recipe(
        product=product,
        bands=tuple(band.name for band in wanted),
        mask=bool(mask) and product.mask_rule is not None,
        statistics=check_statistics(statistics),
        pixels=pixels,
        buffer=None if buffer is None else float(buffer),
        percentiles=percentiles,
        offset=None if offset is None else float(offset),
        parcel_crs=_crs_text(parcels),
    )
    _require_sense(recipe, records_per_unit)
    items = _items(source, product, parcels, period, filter)
    home = store if isinstance(store, Store) else create_store(store, recipe.to_json())
    return _plan(home, recipe, parcels, items, records_per_unit, access, {})


def open_plan(
    store: str | os.PathLike[str] | Store, *, product: Product | None = None, plan: str | None = None
) -> Plan:
    """Open the plan of a store, to run what is left of it.

    Parameters
    ----------
    store
        Folder or ``s3://bucket/prefix``.
    product
        The product, if it is not one of the library's.
    plan
        Name of a plan in the store; the one made last by default.

    Raises
    ------
    StoreNotFoundError
        If there is no store.
    OptionError
        If it has no plan, or the product is not that of the store.
    """
    home = store if isinstance(store, Store) else open_store(store)
    name = plan or latest_plan(home)
    if name is None:
        raise OptionError(
            "the store has no plan", given=home.url, hint="make one with cbmcube.plan(..., store=)"
        )
    return Plan(home, recipe_from_json(home.recipe, product), name)


class Plan:
    """A season in units of work, as `plan` and `open_plan` return it."""

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
        columns = (order[name] for name in ("key", "acquisition", "group", "items"))
        return [
            Unit(key, passes[acquisition], groups[group], tuple(int(i) for i in items))
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
        filter: str | Mapping[str, Any] | Condition | None = None,  # noqa: A002
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
        found = _items(source, self.recipe.product, parcels, period, filter)
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
        size = int(self.facts["records_per_unit"])
        return _plan(self.store, self.recipe, parcels, items, size, access, attempts)

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


def _plan(
    store: Store,
    recipe: Recipe,
    parcels: gpd.GeoDataFrame,
    items: Sequence[pystac.Item],
    size: int,
    access: AccessPolicy | None,
    attempts: Mapping[str, int],
) -> Plan:
    grids = find_grids(items, recipe.product, bands=recipe.bands, access=access)
    known = {source.item.id: source.item for grid in grids for source in grid.sources}
    acquisitions = group_acquisitions(known.values())
    most = max(1, size // recipe.rows_per_parcel)
    groups = group_parcels(parcels, grids, _widen(parcels, recipe.buffer), most_parcels=most)
    units = make_units(acquisitions, grids, groups, recipe, attempts)
    if units.empty:
        raise NoOverlapError(
            "no item shows a parcel",
            given=f"{len(items)} items, {len(parcels)} parcels",
            hint="search with aoi=parcels, and check that the parcels' CRS is the true one",
        )
    facts = _freeze(store, parcels, acquisitions, groups, units)
    facts |= {
        "format": FORMAT,
        "recipe": store.recipe_hash,
        "attempts": dict(attempts),
        "items": len(items),
        "records_per_unit": size,
    }
    name = store.put_blob("plans", canonical_json(facts), "json")
    note_plan(store, name)
    return Plan(store, recipe, name)


def _freeze(
    store: Store,
    parcels: gpd.GeoDataFrame,
    acquisitions: Sequence[Any],
    groups: list[Group],
    units: pd.DataFrame,
) -> dict[str, Any]:
    """Write items and parcels to the store, and return what a plan says of them."""
    used = set(units["acquisition"])
    return {
        "groups": [group_to_json(g, parcels, put_parcels(store, parcels, g)) for g in groups],
        "acquisitions": [
            acquisition_to_json(one, put_items(store, one) if number in used else "")
            for number, one in enumerate(acquisitions)
        ],
        "units": put_table(store, units),
        "parcels": put_table(store, positions(parcels, groups)),
        "all_parcels": put_parcels(store, parcels),
        "parcel_count": len(parcels),
        "outside": len(parcels) - sum(g.members.size for g in groups),
    }


def _items(
    source: Source,
    product: Product,
    parcels: gpd.GeoDataFrame,
    period: str | None,
    condition: str | Mapping[str, Any] | Condition | None,
) -> list[pystac.Item]:
    if isinstance(source, ApiCatalog | FrozenCatalog):
        return list(search(source, product, aoi=parcels, period=period, filter=condition))
    if period is not None or condition is not None:
        raise OptionError(
            "items were found already",
            given="period= or filter=",
            allowed="these with a catalogue only",
            hint="search with them, or leave them out",
        )
    return list(source)


def _require_sense(recipe: Recipe, size: int) -> None:
    if recipe.rows_per_parcel == 0:
        raise OptionError(
            "class bands alone give no rows",
            given=", ".join(recipe.bands),
            allowed="at least one band that is not a class band",
            hint="add a band with numbers",
        )
    if size < recipe.rows_per_parcel:
        raise OptionError(
            "records_per_unit counts rows",
            given=size,
            allowed=f"{recipe.rows_per_parcel} or more: one parcel with all bands",
        )


def _widen(parcels: gpd.GeoDataFrame, buffer: float | None) -> np.ndarray[Any, Any]:
    if buffer is None and "buffer_m" in parcels:
        return np.asarray(parcels["buffer_m"].fillna(0.0), dtype=float)
    return np.full(len(parcels), buffer or 0.0)


def _crs_text(parcels: gpd.GeoDataFrame) -> str:
    code = parcels.crs.to_authority()
    return str(parcels.crs.to_wkt()) if code is None else ":".join(code)
