"""The tables of a job file: every key, its kind, its default and what it means."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cbmcube.indices import INDICES
from cbmcube.products import list_products
from cbmcube.scripting._kinds import (
    ADDRESS,
    BUFFER,
    CONDITIONS,
    FLAG,
    PARCELS,
    PART,
    PATH,
    PERIOD,
    PREFER,
    SCALARS,
    SIZE,
    STATISTIC,
    STORE,
    TEXT,
    TEXTS,
    VARIABLE,
    VARIABLES,
    WORKERS,
    Kind,
    choice,
    number,
    several,
    whole,
)
from cbmcube.zonal import DEFAULT_STATISTICS, Percentiles, PixelRule

_PIXEL_INDICES = [name for name, index in INDICES.items() if not index.of_means]

# Each field carries its meaning as data, because the reference in docs/scripting.md is held
# against it; so no field has a docstring of its own.


def _key(kind: Kind | type, meaning: str, default: Any = MISSING) -> Any:
    return field(default=default, metadata={"kind": kind, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTable:
    """``[catalog.access]``: where items may point at."""

    schemes: tuple[str, ...] = _key(
        several(TEXT), "Schemes of addresses that items may have.", ("https", "http", "s3")
    )
    hosts: tuple[str, ...] | None = _key(
        several(TEXT), "Hosts and buckets, with `*`; by default every public one.", None
    )
    roots: tuple[Path, ...] = _key(several(PATH), "Folders whose files items may name.", ())
    prefer: tuple[str, ...] | Literal["auto"] = _key(
        PREFER, "Which of several addresses of an asset is taken.", ()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogTable:
    """``[catalog]``: where scenes are searched."""

    url: str | None = _key(ADDRESS, "Address of a STAC API; this or `path`.", None)
    path: Path | None = _key(  # noqa: RUF009  # it is a field
        PATH, "A frozen catalogue: `.json`, `.geojson`, `.parquet`.", None
    )
    period: str | None = _key(PERIOD, 'Such as `"2024-03/2024-10"`; by default all.', None)
    filter: str | None = _key(TEXT, "A condition on items, CQL2 text.", None)
    headers: tuple[tuple[str, str], ...] = _key(
        VARIABLES, "Headers for the API and the variables that hold their values.", ()
    )
    access: AccessTable | None = _key(  # noqa: RUF009  # it is a field
        AccessTable, "See `[catalog.access]`.", None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductTable:
    """``[product]``: what is measured."""

    name: str = _key(choice(*(one.name for one in list_products())), "Name of the product.")
    bands: tuple[str, ...] | None = _key(several(TEXT), "Bands; by default all.", None)
    indices: tuple[str, ...] = _key(
        several(choice(*_PIXEL_INDICES)),
        "Indices over pixels; with them, only class bands are kept by default.",
        (),
    )
    mask: bool = _key(FLAG, "Leave out pixels by the product's own rule.", True)
    offset: float | None = _key(
        number(), "Reflectance offset, where items do not say and you know it.", None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelsTable:
    """``[parcels]``: where is measured."""

    path: str = _key(PARCELS, "A file of parcels, or `postgresql://user@host/database`.")
    id: tuple[str, ...] | None = _key(several(TEXT), "Column, or columns, of the ids.", None)
    crop: str | None = _key(TEXT, "Column of the crop codes.", None)
    layer: str | None = _key(TEXT, "Layer of a file that has several.", None)
    table: str | None = _key(TEXT, "Table of a database.", None)
    sql: str | None = _key(TEXT, "Query of a database.", None)
    password: str | None = _key(VARIABLE, "Variable that holds the database's password.", None)
    where: tuple[tuple[str, Any], ...] = _key(
        CONDITIONS, "Keep parcels whose column has one of some values, or lies in limits.", ()
    )
    buffer: float | Literal["half_pixel"] = _key(
        BUFFER, "Metres by which parcels grow, or shrink if negative.", 0.0
    )
    resolutions: tuple[float, ...] = _key(
        several(number(above=0)), "Pixel sizes that `half_pixel` stands for, metres.", (10.0, 20.0)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeTable:
    """``[recipe]``: how pixels become numbers."""

    statistics: tuple[str, ...] = _key(
        several(STATISTIC),
        "What is computed for each parcel, scene and band.",
        DEFAULT_STATISTICS,
    )
    pixels: PixelRule = _key(  # noqa: RUF009  # it is a field
        choice("exact", "centre", "all_touched", "inside"), "Which pixels count.", "exact"
    )
    percentiles: Percentiles = _key(  # noqa: RUF009  # it is a field
        choice("weighted", "exactextract"), "Which definition of percentiles.", "weighted"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTable:
    """``[store]``: where results are kept."""

    url: str = _key(STORE, "A folder, or `s3://bucket/prefix`.")
    endpoint: str | None = _key(ADDRESS, "Address of an object store other than Amazon's.", None)
    region: str | None = _key(TEXT, "Region of the object store.", None)
    environment: tuple[str, ...] = _key(
        several(VARIABLE), "Variables with the store's keys; workers get them.", ()
    )
    records_per_unit: int = _key(whole(1, 10_000_000), "Most records of one unit of work.", 50_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Table:
    """``[[cluster.s3]]``: keys of an object store that scenes are read from."""

    endpoint: str | None = _key(ADDRESS, "Address of the object store.", None)
    bucket: str | None = _key(TEXT, "The one bucket this is for; by default all.", None)
    region: str | None = _key(TEXT, "Region.", None)
    key: str | None = _key(VARIABLE, "Variable with the key's id; none reads unsigned.", None)
    secret: str | None = _key(VARIABLE, "Variable with the secret key.", None)
    token: str | None = _key(VARIABLE, "Variable with the session token.", None)
    requester_pays: bool = _key(FLAG, "Accept that you pay for reading.", False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTable:
    """``[cluster]``: what computes."""

    kind: str = _key(
        choice("threads", "local", "address", "gateway"),
        "This process; processes here; a running Dask cluster; a new one of a Dask Gateway.",
        "threads",
    )
    workers: int | tuple[int, int] | None = _key(
        WORKERS, "Workers; `[least, most]` adapts (gateway).", None
    )
    threads_per_worker: int | None = _key(whole(1, 1024), "Threads of a worker (local).", None)
    memory_limit: str | None = _key(SIZE, "Memory of a worker (local).", None)
    address: str | None = _key(TEXT, "Address of the scheduler, or of the gateway.", None)
    proxy: str | None = _key(
        TEXT, "Address of the gateway's proxy for schedulers, where it is another.", None
    )
    install: bool = _key(FLAG, "Install with pip what the gateway's image lacks.", False)
    options: tuple[tuple[str, Any], ...] = _key(SCALARS, "Options of the gateway's clusters.", ())
    auth: str | None = _key(
        choice("jupyterhub", "kerberos", "basic"), "How the gateway knows you.", None
    )
    username: str | None = _key(TEXT, "User name at the gateway (basic).", None)
    password: str | None = _key(VARIABLE, "Variable with the gateway's password.", None)
    timeout: float | None = _key(
        number(above=0), "Seconds to wait for the first worker (address, gateway).", None
    )
    env: tuple[tuple[str, str], ...] = _key(TEXTS, "Environment of the workers; no secrets.", ())
    bearer: tuple[tuple[str, str], ...] = _key(
        VARIABLES, "Hosts and the variables that hold their tokens.", ()
    )
    s3: tuple[S3Table, ...] = _key(S3Table, "See `[[cluster.s3]]`.", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """``[run]``: how it is run."""

    retries: int = _key(
        whole(0, 100), "How often what may pass, such as a busy server, is tried again.", 3
    )
    timeout: float = _key(number(above=0), "Seconds after which a unit counts as stuck.", 1800.0)
    part: tuple[int, int] | None = _key(PART, 'Only a part of the units, such as `"1/4"`.', None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesTable:
    """``[prices]``: what a plan's costs are computed from."""

    core_hour: float = _key(number(least=0), "Price of one core for one hour.", 0.0)
    gigabyte: float = _key(number(least=0), "Price of keeping one gigabyte of results.", 0.0)


TABLES: dict[str, type] = {
    "catalog": CatalogTable,
    "product": ProductTable,
    "parcels": ParcelsTable,
    "recipe": RecipeTable,
    "store": StoreTable,
    "cluster": ClusterTable,
    "run": RunTable,
    "prices": PricesTable,
}
"""The tables by name."""
