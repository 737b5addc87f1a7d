"""From a job to what it names: catalogue, product and parcels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import geopandas as gpd
import pandas as pd

from cbmcube.catalog import AccessPolicy, Catalog, open_catalog
from cbmcube.exceptions import OptionError, ParcelsError
from cbmcube.parcels import prepare_parcels, read_parcels
from cbmcube.products import Product, list_products
from cbmcube.scripting._job import Job
from cbmcube.scripting._problems import meant


def value_of(variable: str) -> str:
    """Return the value of an environment variable that a job names.

    Raises
    ------
    OptionError
        It is not set, or empty.
    """
    value = os.environ.get(variable, "")
    if not value:
        raise OptionError(
            "the environment lacks a variable that the job names",
            given=variable,
            hint=f"set it before the command: export {variable}=…",
        )
    return value


def require_variables(variables: Iterable[str]) -> None:
    """Refuse an environment that lacks one of the variables."""
    for variable in variables:
        value_of(variable)


def job_product(job: Job) -> Product:
    """Return the product of a job."""
    return next(one for one in list_products() if one.name == job.product.name)


def job_catalog(job: Job) -> Catalog:
    """Open the catalogue of a job."""
    table = job.catalog
    access = None
    if table.access is not None:
        access = AccessPolicy(
            schemes=table.access.schemes,
            hosts=table.access.hosts,
            roots=table.access.roots,
            prefer=table.access.prefer,
        )
    href: Any = table.url if table.url is not None else table.path
    headers = {name: value_of(variable) for name, variable in table.headers}
    return open_catalog(href, access=access, headers=headers or None)


def job_parcels(job: Job) -> gpd.GeoDataFrame:
    """Read and prepare the parcels of a job, and keep those it asks for.

    Raises
    ------
    ParcelsError
        A column of ``where`` is missing, or no parcel is left.
    """
    table = job.parcels
    ids = table.id[0] if table.id is not None and len(table.id) == 1 else table.id
    with _password(table.password):
        parcels = read_parcels(
            table.path,
            id=ids,
            crop=table.crop,
            layer=table.layer,
            table=table.table,
            sql=table.sql,
        )
    prepared = prepare_parcels(parcels, buffer=table.buffer, resolutions=table.resolutions)
    kept = pd.Series(data=True, index=prepared.index)
    for column, condition in table.where:
        kept &= _meets(_column(prepared, column), column, condition)
    if not kept.any():
        raise ParcelsError(
            "no parcel is left",
            given=", ".join(f"{column}: {condition}" for column, condition in table.where),
            allowed=f"{len(prepared)} parcels were read",
            hint="ask for less under [parcels] where",
        )
    return prepared[kept.to_numpy()]


@contextmanager
def _password(variable: str | None) -> Iterator[None]:
    """Hand the password to PostgreSQL's library the way it asks for it."""
    if variable is None:
        yield
        return
    before = os.environ.get("PGPASSWORD")
    os.environ["PGPASSWORD"] = value_of(variable)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PGPASSWORD"]
        else:
            os.environ["PGPASSWORD"] = before


def _column(parcels: gpd.GeoDataFrame, name: str) -> pd.Series[Any]:
    table = pd.DataFrame(parcels.drop(columns=parcels.active_geometry_name)).reset_index()
    if name not in table:
        near = meant(name, map(str, table))
        raise ParcelsError(
            f"the parcels have no column {name!r}",
            given="[parcels] where",
            allowed=", ".join(map(str, table)),
            hint=f"did you mean {near!r}?" if near else None,
        )
    return table[name].set_axis(parcels.index)


def _meets(column: pd.Series[Any], name: str, condition: tuple[Any, ...]) -> pd.Series[bool]:
    limits = dict(condition) if isinstance(condition[0], tuple) else None
    if limits is None:
        return column.isin(list(condition))
    if not pd.api.types.is_numeric_dtype(column):
        raise ParcelsError(
            f"the column {name!r} holds no numbers",
            given=f"{column.dtype}, with limits",
            hint="name the values instead",
        )
    return column.between(limits.get("min", -float("inf")), limits.get("max", float("inf")))
