"""The main job on the demo's country: what a user's own script looks like."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import xarray as xr

from cbmcube.catalog import SearchReport, freeze, open_catalog, report, search
from cbmcube.cube import load_native, mask
from cbmcube.demo._country import Country
from cbmcube.indices import add_indices
from cbmcube.observations import (
    open_observations,
    plan,
    to_observations,
    write_observations,
    write_vector_cube,
)
from cbmcube.parcels import prepare_parcels, read_parcels
from cbmcube.plotting import profile
from cbmcube.products import CARD_2A, CARD_BS, CARD_COH6, Product
from cbmcube.reporting import season_report
from cbmcube.warnings import RepairedParcelsWarning
from cbmcube.zonal import reduce_parcels

BANDS: dict[str, list[str]] = {
    "CARD-2A": ["B04", "B08", "SCL"],
    "CARD-BS": ["VV", "VH"],
    "CARD-COH6": ["VV", "VH"],
}
"""Bands that the job reads."""

INDICES = {"CARD-2A": ["NDVI"]}
"""Indices that the job adds, pixel by pixel, before it reduces."""

FILTERS = {
    "CARD-2A": "platform LIKE 'sentinel-2%' AND sat:relative_orbit = 22",
    "CARD-BS": "platform IN ('sentinel-1a', 'sentinel-1b')",
    "CARD-COH6": "insar:temporal_baseline = 6",
}
"""CQL2 filters of the job, by product."""


@dataclass(frozen=True, slots=True)
class ProductRun:
    """What the job did for one product."""

    product: str
    """Name of the product."""
    search: SearchReport
    """What the search found and left out."""
    stats: xr.Dataset
    """The vector cube, in the workers' memory."""
    records: int
    """Rows of the observation table."""
    seconds: float
    """Time from search to written files."""
    files: tuple[Path, ...]
    """What was written."""


def demo_parcels(country: Country) -> gpd.GeoDataFrame:
    """Read and prepare the parcels of the country; its invalid ones are repaired."""
    declared = read_parcels(country.parcels, id="field_id", crop="crop")
    with warnings.catch_warnings():
        # The country has invalid outlines on purpose; the summary counts them.
        warnings.simplefilter("ignore", RepairedParcelsWarning)
        return prepare_parcels(declared)


def run_product(
    country: Country,
    product: Product,
    parcels: gpd.GeoDataFrame,
    out: Path,
    *,
    watch: Callable[[xr.Dataset], xr.Dataset],
) -> ProductRun:
    """Go the whole way for one product: search, load, mask, reduce, write.

    `watch` starts the computation on the cluster and shows its progress.
    """
    begin = time.perf_counter()
    items = search(
        open_catalog(country.catalogue),
        product,
        aoi=parcels,
        period=country.period,
        filter=FILTERS[product.name],
    )
    cubes = mask(load_native(items, product, bands=BANDS[product.name]), product)
    if product.name in INDICES:
        cubes = add_indices(cubes, INDICES[product.name])
    stats = watch(reduce_parcels(cubes, parcels))
    table = to_observations(stats)
    files = (
        freeze(items, out / f"{product.name}.items.parquet"),
        write_vector_cube(stats, out / f"{product.name}.zarr"),
        write_observations(table, out / f"{product.name}.parquet"),
    )
    seconds = time.perf_counter() - begin
    return ProductRun(product.name, report(items), stats, len(table), seconds, files)


def run_products(
    country: Country, out: Path, *, watch: Callable[[xr.Dataset], xr.Dataset]
) -> list[ProductRun]:
    """Run the job for CARD-2A, CARD-BS and CARD-COH6."""
    parcels = demo_parcels(country)
    return [
        run_product(country, product, parcels, out, watch=watch)
        for product in (CARD_2A, CARD_BS, CARD_COH6)
    ]


def draw_profile(country: Country, runs: list[ProductRun], out: Path) -> Path:
    """Draw the season of the parcel with the richest story, with its true events."""
    events = pd.read_csv(country.events, parse_dates=["date"])
    parcels = demo_parcels(country)
    parcel = _telling_parcel(parcels, events)
    stats = {run.product: run.stats for run in runs}
    figure: Any = profile(stats, parcel, events=events[events["field_id"] == parcel])
    path = out / "profile.png"
    figure.savefig(path, dpi=130)
    return path


def report_season(country: Country, out: Path) -> tuple[Path, Path]:
    """Do the optical season once more as a plan with a store, and write its report.

    Plans compute on the cluster that is open; what an earlier demo left is not done again.
    Returned are the report and the store.
    """
    name = CARD_2A.name
    store = out / f"{name}.season"
    season = plan(
        open_catalog(country.catalogue),
        CARD_2A,
        demo_parcels(country),
        store=store,
        period=country.period,
        filter=FILTERS[name],
        indices=INDICES[name],
    )
    season.run(progress=False)
    return season_report(open_observations(store), out / "season-report.html"), store


def _telling_parcel(parcels: gpd.GeoDataFrame, events: pd.DataFrame) -> str:
    """Return a large grassland parcel with many mowings, else the one with most events."""
    counts = events.groupby("field_id").size()
    mown = events[events["event"] == "mowing"].groupby("field_id").size()
    ranked = pd.DataFrame({"events": counts, "mowings": mown}).fillna(0)
    ranked = ranked.join(parcels[["area_m2"]], how="inner")
    ranked = ranked.sort_values(["mowings", "events", "area_m2"], ascending=False, kind="stable")
    return str(ranked.index[0])
