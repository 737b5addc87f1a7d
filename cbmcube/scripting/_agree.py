"""Keys of a job file that are right alone and wrong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cbmcube.exceptions import UnknownBandError
from cbmcube.products import list_products
from cbmcube.scripting._problems import Problem, meant, shown
from cbmcube.scripting._tables import (
    CatalogTable,
    ClusterTable,
    ParcelsTable,
    ProductTable,
    StoreTable,
)

_BY_KIND = {
    "threads": {"env", "bearer", "s3"},
    "local": {"workers", "threads_per_worker", "memory_limit", "env", "bearer", "s3"},
    "address": {"address", "timeout", "env", "bearer", "s3"},
    "gateway": {
        *(
            "address",
            "proxy",
            "install",
            "workers",
            "options",
            "auth",
            "username",
            "password",
            "timeout",
        ),
        *("env", "bearer", "s3"),
    },
}
"""Keys of ``[cluster]`` that a kind of cluster can use."""


def disagreements(tables: dict[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong between keys, for the tables that could be read."""
    checks: dict[str, Callable[[Any], Iterator[Problem]]] = {
        "catalog": _catalog,
        "product": _product,
        "parcels": _parcels,
        "store": _store,
        "cluster": _cluster,
    }
    for name, check in checks.items():
        if tables[name] is not None:
            yield from check(tables[name])


def _catalog(table: CatalogTable) -> Iterator[Problem]:
    if (table.url is None) == (table.path is None):
        both = "both are given" if table.url else "neither is given"
        yield Problem(
            "[catalog] url",
            f"a catalogue has an address or a path, and {both}",
            hint="give url for a STAC API, or path for a frozen catalogue",
        )
    elif table.headers and table.url is None:
        yield Problem("[catalog] headers", "a file is read without headers", hint="leave them out")


def _product(table: ProductTable) -> Iterator[Problem]:
    product = next(one for one in list_products() if one.name == table.name)
    for band in table.bands or ():
        try:
            product.band(band)
        except UnknownBandError:
            near = meant(band, product.band_names)
            yield Problem(
                "[product] bands",
                f"{product.name} has no such band",
                shown(band),
                ", ".join(product.band_names),
                f"did you mean {near!r}?" if near else None,
            )


def _parcels(table: ParcelsTable) -> Iterator[Problem]:
    database = "://" in table.path
    only = ("layer",) if database else ("table", "sql", "password")
    for name in only:
        if getattr(table, name) is not None:
            other = "a file" if database else "a database"
            yield Problem(f"[parcels] {name}", f"this is for {other} only", hint="leave it out")
    if database and (table.table is None) == (table.sql is None):
        yield Problem("[parcels] table", "a database needs a table or a query, one of them")


def _store(table: StoreTable) -> Iterator[Problem]:
    if table.url.startswith("s3://"):
        return
    for name in ("endpoint", "region", "environment"):
        if getattr(table, name):
            yield Problem(
                f"[store] {name}", "a folder needs none", hint="leave it out, or use s3://…"
            )


def _cluster(table: ClusterTable) -> Iterator[Problem]:
    default = ClusterTable()
    usable = _BY_KIND[table.kind]
    for name in sorted(set().union(*_BY_KIND.values()) - usable):
        if getattr(table, name) != getattr(default, name):
            kinds = [kind for kind, keys in _BY_KIND.items() if name in keys]
            yield Problem(
                f"[cluster] {name}",
                f"kind = {table.kind!r} has no use for this",
                allowed=f"with kind = {' or '.join(map(repr, kinds))}",
                hint="leave it out, or choose another kind",
            )
    if table.kind == "address" and table.address is None:
        yield Problem(
            "[cluster] address", "this key is missing", allowed='such as "tcp://scheduler:8786"'
        )
    if table.kind == "local" and isinstance(table.workers, tuple):
        yield Problem("[cluster] workers", "only clusters of a gateway adapt", hint="give a number")
    if table.auth != "basic" and (table.username or table.password):
        yield Problem(
            "[cluster] auth", "user name and password are for basic", hint='set auth = "basic"'
        )
    for one in table.s3:
        if (one.key is None) != (one.secret is None):
            yield Problem("[cluster.s3] key", "key and secret belong together", hint="name both")
