"""The command ``cbmcube demo``: the country, a cluster, the job, and what came out."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import xarray as xr
from distributed import Client, futures_of, progress

from cbmcube.cluster import local_cluster
from cbmcube.demo._country import Country, make_country, open_country
from cbmcube.demo._job import ProductRun, draw_profile, report_season, run_products


def run_demo(
    out: str | Path = "cbmcube-demo",
    *,
    size: str = "medium",
    workers: int | None = None,
    keep: bool = False,
) -> list[ProductRun]:
    """Run the main job on a synthetic country and print what happens.

    Parameters
    ----------
    out
        Folder for the results: per product the items (``.items.parquet``), the vector
        cube (``.zarr``) and the observation table (``.parquet``); ``profile.png``; the optical
        season as a store, and its report (``season-report.html``).
    size
        Size of the country: ``tiny``, ``long``, ``small`` or ``medium``.
    workers
        Worker processes of the local cluster; by default one for each core.
    keep
        Keep the country's files in ``out/country``, to look at and to use again;
        otherwise they are removed at the end.

    Returns
    -------
    list of ProductRun
        What was done, for each product.

    Examples
    --------
    >>> from cbmcube.demo import run_demo
    >>> runs = run_demo("cbmcube-demo", size="tiny")  # doctest: +SKIP
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    country = _country(out / "country", size)
    with local_cluster(workers=workers) as client:
        print(f"Dask cluster {_describe(client)}")
        runs = run_products(country, out, watch=_persist)
        print("CARD-2A once more, as a season with a store and a report")
        others = (draw_profile(country, runs, out), *report_season(country, out))
    print(_summary(country, runs, others))
    if not keep:
        shutil.rmtree(country.folder)
    return runs


def _country(folder: Path, size: str) -> Country:
    """Open the country that an earlier run kept, or make it."""
    country = open_country(folder, size=size)
    if country is not None:
        print(f"Reusing {country}")
        return country
    begin = time.perf_counter()
    country = make_country(folder, size=size, progress=_Line())
    print(f"Made {country} in {time.perf_counter() - begin:.0f} s")
    return country


class _Line:
    """Progress on one line of a terminal; a line for every quarter elsewhere."""

    def __init__(self) -> None:
        self._quarter = -1

    def __call__(self, done: int, total: int, label: str) -> None:
        if sys.stdout.isatty():
            end = "\n" if done == total else ""
            print(f"\rMaking the country: {done}/{total} {label:<50.50}", end=end, flush=True)
        elif 4 * done // total > self._quarter:
            self._quarter = 4 * done // total
            print(f"Making the country: {done}/{total}", flush=True)


def _describe(client: Client) -> str:
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    return f"of {workers} workers; dashboard: {client.dashboard_link or 'needs bokeh'}"


def _persist(stats: xr.Dataset) -> xr.Dataset:
    """Compute the vector cube in the cluster's memory, showing Dask's progress bar."""
    print(f"{stats.attrs['product']}: {stats.sizes['parcel']} parcels, {stats.sizes['time']} dates")
    kept = stats.persist()
    progress(futures_of(kept), notebook=False)
    print()
    return kept


def _summary(country: Country, runs: list[ProductRun], others: Iterable[Path]) -> str:
    lines = ["", f"{'':10}  scenes  dropped  gaps  dates  records  records/s"]
    for run in runs:
        found = run.search
        lines.append(
            f"{run.product:10}  {found.kept:6}  {len(found.dropped):7}  {len(found.gaps):4}"
            f"  {run.stats.sizes['time']:5}  {run.records:7}  {run.records / run.seconds:9.0f}"
        )
    lines += ["", f"{country.n_parcels} parcels"]
    lines += [f"{run.product}: {one}" for run in runs for one in _particulars(run)]
    lines += ["", "Written:"]
    lines += [f"  {path}" for run in runs for path in run.files]
    lines += [f"  {path}" for path in others]
    return "\n".join(lines)


def _particulars(run: ProductRun) -> list[str]:
    dropped = [f"left out {one.id}: {one.reason}" for one in run.search.dropped]
    gaps = [
        f"not found {gap.time:%Y-%m-%d %H:%M} {gap.platform} orbit {gap.relative_orbit}"
        f" {gap.orbit_state}, expected from the repeat cycle"
        for gap in run.search.gaps
    ]
    return dropped + gaps
