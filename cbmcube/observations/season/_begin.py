"""Plan a season of all parcels, or open the plan that a store has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import geopandas as gpd

from cbmcube.catalog import REPORT_KEY, AccessPolicy
from cbmcube.cube import Verify, require_verify
from cbmcube.exceptions import OptionError, StoreExistsError
from cbmcube.indices import Index, choose_indices
from cbmcube.observations.season._journal import latest_plan, note_search
from cbmcube.observations.season._make import Filter, Source, Terms, find_items, make_plan
from cbmcube.observations.season._plan import Plan
from cbmcube.observations.season._recipe import Recipe, check_statistics, recipe_from_json
from cbmcube.observations.store import Store, create_store, open_store
from cbmcube.parcels import check_parcels
from cbmcube.products import Product
from cbmcube.zonal import DEFAULT_STATISTICS, Percentiles, PixelRule, Statistic, require_valid

RECORDS = 50_000
"""Records of a unit: large enough that few tasks do a season and few windows share an edge, which
each of them decodes; small enough to lose."""


def plan(  # noqa: PLR0913  # each is one thing that a user may say
    source: Source,
    product: Product,
    parcels: gpd.GeoDataFrame,
    *,
    store: str | os.PathLike[str] | Store,
    period: str | None = None,
    filter: Filter = None,  # noqa: A002  # as in search
    bands: Sequence[str] | str | None = None,
    indices: Iterable[str | Index] | str | Index = (),
    mask: bool = True,
    statistics: Iterable[Statistic] | Statistic = DEFAULT_STATISTICS,
    pixels: PixelRule = "exact",
    buffer: float | None = None,
    percentiles: Percentiles = "weighted",
    offset: float | None = None,
    records_per_unit: int = RECORDS,
    verify: Verify = "none",
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
        Bands whose statistics are kept; by default all of the product, or, if there are indices,
        its class bands alone.
    indices
        Indices over pixels, by name or your own, whose statistics are kept as well: see
        `cbmcube.indices.add_indices`. What they need is read, and kept only if it is in `bands`.
    mask
        Whether the product's mask rule is applied.
    statistics, pixels, buffer, percentiles
        As in `reduce_parcels`; no functions of your own.
    offset
        As in `load_native`.
    records_per_unit
        Most rows of a unit.
    verify
        As in `load_native`: whether files are held against the size or checksum that their items
        state. It decides which files count as corrupt, and no number.
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
    asked = [indices] if isinstance(indices, str | Index) else [*indices]
    chosen = choose_indices(asked, of_means=False) if asked else ()
    recipe = Recipe(
        product=product,
        bands=_kept(product, bands, chosen),
        mask=bool(mask) and product.mask_rule is not None,
        statistics=check_statistics(statistics),
        pixels=pixels,
        buffer=None if buffer is None else float(buffer),
        percentiles=percentiles,
        offset=None if offset is None else float(offset),
        parcel_crs=_crs_text(parcels),
        indices=chosen,
    )
    _require_sense(recipe, records_per_unit)
    require_verify(verify)
    terms = Terms(records_per_unit, verify)
    items = find_items(source, product, parcels, period, filter)
    home = store if isinstance(store, Store) else create_store(store, recipe.to_json())
    if home.recipe != recipe.to_json():
        raise StoreExistsError(
            "the store holds the numbers of another recipe",
            given=home.url,
            hint="plan into a store of its own, so that old and new numbers stay apart",
        )
    name = make_plan(home, recipe, parcels, list(items), terms, access)
    note_search(home, name, items.extra_fields.get(REPORT_KEY))
    return Plan(home, recipe, name)


def open_plan(
    store: str | os.PathLike[str] | Store,
    *,
    product: Product | None = None,
    plan: str | None = None,
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

    >>> cbm.open_plan(store).records == season.records
    True
    """
    home = store if isinstance(store, Store) else open_store(store)
    name = plan or latest_plan(home)
    if name is None:
        raise OptionError(
            "the store has no plan", given=home.url, hint="make one with cbmcube.plan(..., store=)"
        )
    return Plan(home, recipe_from_json(home.recipe, product), name)


def _kept(
    product: Product, bands: Sequence[str] | str | None, indices: Sequence[Index]
) -> tuple[str, ...]:
    """Return the bands whose statistics are kept; beside indices these may be none."""
    if indices and bands is None:
        return tuple(name for name in product.band_names if _is_classes(product, name))
    if indices and not bands:
        return ()
    return tuple(band.name for band in product.select_bands(bands))


def _is_classes(product: Product, band: str) -> bool:
    return product.band(band).kind == "classes"


def _require_sense(recipe: Recipe, size: int) -> None:
    rule = recipe.product.mask_rule
    if recipe.mask and rule is not None and rule.band not in recipe.read:
        raise OptionError(
            f"the mask of {recipe.product.name} needs the band {rule.band}",
            given=", ".join(recipe.read),
            hint=f"add {rule.band} to the bands, or pass mask=False",
        )
    for index in recipe.indices:
        for name in index.bands:
            if name in recipe.product.band_names and _is_classes(recipe.product, name):
                raise OptionError(
                    f"{index.name} cannot be computed from codes of classes",
                    given=index.formula,
                    hint="use bands with numbers",
                )
    taken = [index.name for index in recipe.indices if index.name in recipe.product.band_names]
    if taken:
        raise OptionError(
            f"{recipe.product.name} has a band of this name",
            given=", ".join(taken),
            hint="give the index another name: Index(name, formula)",
        )
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


def _crs_text(parcels: gpd.GeoDataFrame) -> str:
    code = parcels.crs.to_authority()
    return str(parcels.crs.to_wkt()) if code is None else ":".join(code)
