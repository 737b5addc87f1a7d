"""Time and memory of every figure, at the size of a country.

Run as ``python -m benchmarks.pictures``; prints a table, writes it to docs/plotting-scenes.md
with ``--page``, and the figures to a folder with ``--save``. Each is drawn in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import dask.array as da
import geopandas
import numpy as np
import pystac
import shapely
import xarray as xr
import xvec
from odc.geo.xr import assign_crs
from shapely.geometry import box, mapping

from benchmarks.markers.page import paragraph, replace_between, table
from benchmarks.measure import MARK, ONE_THREAD, ROOT, _forget_peak, _status
from cbmcube import compare, plotting
from cbmcube.testing import vector_cube

PARCELS, DATES, KINDS = 500_000, 24, 1000
"""Parcels and dates of a cube, and how many of its parcels differ."""
TILES, PASSES = 20, 150
WALL_SECONDS, PEAK_MB = 30.0, 2000.0
"""What each figure must keep to."""

Draw = Callable[[], Any]
STATISTICS = ("count", "mean", "std", "p25", "p75")
CRS = "EPSG:32632"


def cube(dates: int, *, parcels: int = PARCELS, seed: int = 0) -> xr.Dataset:
    """Return a vector cube whose values do not exist before they are computed, date by date."""
    few = vector_cube(parcels=KINDS, days=max(200, 3 * dates), statistics=STATISTICS, seed=seed)
    days = np.linspace(0, few.sizes["time"] - 1, dates).astype(int)
    few = few.isel(time=days).drop_vars("geometry")
    copies = -(-parcels // KINDS)
    wide = few.isel(parcel=np.arange(parcels) % KINDS).coords
    made = xr.Dataset(coords=wide, attrs=few.attrs)
    for name, one in few.data_vars.items():
        made[name] = one.dims, _widened(one, copies, parcels), one.attrs
    names = np.array([f"P{number}" for number in range(parcels)], dtype=object)
    made = made.assign_coords(parcel=names, geometry=("parcel", _squares(parcels)))
    return made.set_xindex("geometry", xvec.GeometryIndex, crs=CRS)


def _widened(one: xr.DataArray, copies: int, parcels: int) -> Any:
    axis = one.dims.index("parcel")
    if "time" not in one.dims:
        return np.concatenate([one.to_numpy()] * copies, axis).take(range(parcels), axis)
    lazy = one.variable.chunk({"time": 1}).data
    chunks = [parcels if k == axis else lazy.chunks[k] for k in range(lazy.ndim)]
    return da.map_blocks(
        lambda block: np.concatenate([block] * copies, axis).take(range(parcels), axis),
        lazy,
        chunks=tuple(chunks),
        dtype=one.dtype,
        meta=np.empty((0,) * one.ndim, one.dtype),
    )


def _squares(parcels: int) -> np.ndarray:
    side = int(np.ceil(np.sqrt(parcels)))
    number = np.arange(parcels)
    x, y = 4e5 + 200.0 * (number % side), 5.8e6 + 200.0 * (number // side)
    size = np.random.default_rng(1).uniform(60, 190, parcels)
    return shapely.box(x, y, x + size, y + size)


def scenes(tiles: int, passes: int) -> pystac.ItemCollection:
    """Return the items of a search: tiles of one track, two satellites, one pass every 5 days."""
    made = []
    for number, tile in product(range(passes), range(tiles)):
        if (7 * number + tile) % 11 == 0:
            continue
        when = datetime(2023, 1, 1, 10, 10) + timedelta(days=2.5 * number)  # noqa: DTZ001
        row, column = divmod(tile, 5)
        facts = {
            "platform": f"sentinel-2{'ab'[number // 2 % 2]}",
            "sat:relative_orbit": (22, 65)[number % 2],
            "sat:orbit_state": "descending",
            "grid:code": f"MGRS-33U{chr(65 + row)}{chr(65 + column)}",
        }
        place = mapping(box(6 + column, 51 + row, 7.2 + column, 52.1 + row))
        made.append(pystac.Item(f"s{number:03d}-{tile:02d}", place, None, when, facts))
    return pystac.ItemCollection(made)


def pixels(dates: int) -> tuple[xr.Dataset, geopandas.GeoDataFrame]:
    """Return a lazy cube of one tile, 10,980 x 10,980 pixels, and a parcel of 3 ha in it."""
    size, block = 10_980, 1024
    few = vector_cube(parcels=1, days=3 * dates).isel(time=slice(dates))
    names = ("time", "acquisition", "platform", "relative_orbit", "orbit_state")
    coords = {name: few[name] for name in names}
    x, y = 4e5 + 10.0 * np.arange(size) + 5, 5.9e6 - 10.0 * np.arange(size) - 5
    noise = da.random.default_rng(0).normal(
        0.1, 0.03, (len(few.time), size, size), (1, block, block)
    )
    made = xr.Dataset(
        {name: (("time", "y", "x"), noise.astype("float32")) for name in ("B04", "B03", "B02")},
        coords={**coords, "x": x, "y": y},
    )
    place = box(4.5e5, 5.85e6, 4.5e5 + 200, 5.85e6 + 150)
    return assign_crs(made, CRS), geopandas.GeoDataFrame(geometry=[place], crs=CRS)


def labels(parcels: int = PARCELS, *, classes: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Return declared and predicted crops, of which few are common and most rare."""
    rng = np.random.default_rng(2)
    names = np.array([f"crop {number:02d}" for number in range(classes)], dtype=object)
    true = (classes * rng.random(parcels) ** 2.5).astype(int)
    wrong = rng.random(parcels) < 0.15
    return names[true], names[np.where(wrong, rng.integers(0, classes, parcels), true)]


def _map() -> Draw:
    kinds = np.array(["wheat", "grass", "maize", "beet"])[np.arange(PARCELS) % 4]
    ndvi = np.random.default_rng(3).uniform(0.1, 0.9, PARCELS)
    fields = geopandas.GeoDataFrame(
        {"NDVI_mean": ndvi, "crop": kinds}, geometry=_squares(PARCELS), crs=CRS
    )
    return lambda: plotting.choropleth(fields, "NDVI_mean")


def _footprints() -> Draw:
    items = scenes(TILES, PASSES)
    fields = geopandas.GeoDataFrame(geometry=_squares(PARCELS), crs=CRS)
    return lambda: plotting.footprints(items, parcels=fields)


def _agreement() -> Draw:
    result = compare(cube(6), cube(6, seed=1), variable="NDVI")
    return lambda: plotting.agreement(result, "NDVI")


def _confusion() -> Draw:
    true, taken = labels()
    return lambda: plotting.confusion(true, predicted=taken)


def _calendar(dates: int) -> Draw:
    lazy, parcel = pixels(dates)
    return lambda: plotting.calendar(lazy, parcel, bands=["B04", "B03", "B02"])


def _scenes(tiles: int, passes: int) -> Draw:
    items = scenes(tiles, passes)
    return lambda: plotting.scene_calendar(items)


def _of_cube(dates: int, draw: Callable[[xr.Dataset], Any]) -> Draw:
    stats = cube(dates)
    return lambda: draw(stats)


def _profile(stats: xr.Dataset) -> Any:
    return plotting.profile(stats, "P77", bands="NDVI")


def _profile_of_crop(stats: xr.Dataset) -> Any:
    return plotting.profile(stats, "P77", bands="NDVI", crop_mean=True, composite="10D")


def _histograms(stats: xr.Dataset) -> Any:
    return plotting.histograms(stats, bands=["B04", "B08", "NDVI"])


DRAWINGS: dict[str, Callable[[], Draw]] = {
    "choropleth": _map,
    "footprints, 2,700 items": _footprints,
    "profile, 24 dates": lambda: _of_cube(24, _profile),
    "profile with its crop, 6 dates": lambda: _of_cube(6, _profile_of_crop),
    "profile with its crop, 24 dates": lambda: _of_cube(24, _profile_of_crop),
    "histograms of 3 bands, 6 dates": lambda: _of_cube(6, _histograms),
    "histograms of 3 bands, 24 dates": lambda: _of_cube(24, _histograms),
    "scatter_red_nir, 6 dates": lambda: _of_cube(6, plotting.scatter_red_nir),
    "scatter_red_nir, 24 dates": lambda: _of_cube(24, plotting.scatter_red_nir),
    "agreement": _agreement,
    "confusion, 90 classes": _confusion,
    "calendar of a parcel, 24 dates": lambda: _calendar(24),
    "calendar of a parcel, 150 dates": lambda: _calendar(150),
    "scene_calendar, 2,700 items": lambda: _scenes(TILES, PASSES),
    "scene_calendar, 14,500 items": lambda: _scenes(80, 200),
}


def run(name: str, folder: Path | None) -> dict[str, float]:
    """Measure in a new process."""
    command = [sys.executable, "-m", "benchmarks.pictures", "--one", name]
    done = subprocess.run(  # noqa: S603  # this module, with arguments made here
        command + (["--save", str(folder)] if folder else []),
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD, "MPLBACKEND": "Agg"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    return json.loads(lines[-1].removeprefix(MARK))


def measure(name: str, folder: Path | None) -> dict[str, float]:
    """Measure in this process, which must be a fresh one; with what a picture of it takes."""
    plotting.scatter_red_nir(vector_cube(parcels=2, days=10)).canvas.draw()  # imports, fonts
    draw = DRAWINGS[name]()
    gc.collect()
    bare = _status("VmRSS")
    _forget_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    figure = draw()
    figure.canvas.draw()
    found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    found["peak"] = _status("VmHWM") - bare
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / f"{name.replace(',', '').replace(' ', '-')}.png")
    return found


def render(results: dict[str, dict[str, float]], load: float) -> list[str]:
    """Return the table and what it is of, as Markdown."""
    rows = [
        [
            re.sub(r"^\w+", r"`\g<0>`", name),
            f"{one['wall']:.1f}",
            f"{one['cpu']:.1f}",
            f"{one['peak']:,.0f}",
        ]
        for name, one in results.items()
    ]
    return [
        *table(["figure", "seconds", "CPU s", "peak MB"], rows),
        "",
        *paragraph(
            f"{PARCELS:,} parcels on lazy cubes, whose values are made when they are computed,",
            "up to the drawn picture of 100 dpi, on a machine with",
            f"{os.cpu_count()} cores and a load average of {load:.1f} before it. Peak is over the",
            "process with its input. Each must take at most",
            f"{WALL_SECONDS:.0f} s and {PEAK_MB:,.0f} MB.",
        ),
    ]


def main() -> None:
    """Measure what the command line asks for."""
    options = _options()
    if options.one:
        print(MARK + json.dumps(measure(options.one, options.save)), flush=True)
        return
    results, load = {}, os.getloadavg()[0]
    for name in DRAWINGS:
        if options.only is None or options.only in name:
            results[name] = run(name, options.save)
            print(f"{name}: {results[name]}", flush=True)
    lines = render(results, load)
    print("\n".join(lines))
    if options.page:
        text = options.page.read_text(encoding="utf-8")
        options.page.write_text(replace_between(text, "figures", lines), encoding="utf-8")
    late = [one["wall"] > WALL_SECONDS or one["peak"] > PEAK_MB for one in results.values()]
    sys.exit(1 if any(late) else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.pictures", description=__doc__)
    parser.add_argument("--only", help="draw only figures whose row has this text")
    parser.add_argument("--page", type=Path, help="write the table to this page")
    parser.add_argument("--save", type=Path, help="save the figures in this folder")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
