"""Blocks keep graphs small and memory bounded, and never change a number."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta

import dask
import numpy as np
import pystac
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer

import cbmcube as cbm
from cbmcube.cube.grids import _blocks
from cbmcube.cube.grids._blocks import Blocks
from cbmcube.cube.grids._sources import Source
from cbmcube.exceptions import OptionError


def season(*, tiles=12, dates=60, bands=("B04", "B08", "B8A")):
    """Items of a season over `tiles` neighbouring tiles of 10980 pixels; files need not exist."""
    to_degrees = Transformer.from_crs(32632, 4326, always_xy=True)
    items = []
    for tile in range(tiles):
        west, north = 399_960 + 100_000 * (tile % 4), 6_400_020 - 100_000 * (tile // 4)
        grid = {
            "proj:code": "EPSG:32632",
            "proj:shape": [10980, 10980],
            "proj:transform": [10, 0, west, 0, -10, north],
        }
        centre = list(to_degrees.transform(west + 54_900, north - 54_900))
        for date in range(dates):
            item = pystac.Item(
                f"{date:02}_{tile:02}",
                {"type": "Point", "coordinates": centre},
                centre * 2,
                datetime(2024, 3, 1, 10, 30, tile, tzinfo=UTC) + timedelta(days=5 * date),
                {"platform": "sentinel-2a", "sat:relative_orbit": 22, "grid:code": f"MGRS-{tile}",
                 "s2:processing_baseline": "05.10"},
                collection="CARD-2A",
            )  # fmt: skip
            for band in bands:
                href = f"/data/{item.id}/{band}.tif"
                item.add_asset(band, pystac.Asset(href, roles=["data"], extra_fields=dict(grid)))
            items.append(item)
    return items


@pytest.mark.trap("T42")
def test_a_season_of_a_country_is_planned_in_few_tasks_and_seconds():
    """720 items, 12 tiles, 60 dates, 3 bands: 31k x 41k pixels; two seconds on a quiet core."""
    items = season()
    start = time.process_time()
    cubes = cbm.load_native(items, cbm.CARD_2A, bands=["B04", "B08", "B8A"])
    spent = time.process_time() - start
    cube = cubes["EPSG32632_10m"].to_dataset()
    assert cube.sizes == {"time": 60, "y": 30_980, "x": 40_980}
    blocks = cube.B04.data.npartitions
    assert blocks == math.ceil(60 / 5) * 16 * 21 == 4032
    assert len(cube.B04.data.dask) < 10_000
    (merged,) = dask.optimize(cube)
    # One task for each block, one for each file, and the few that all share.
    assert len(merged.__dask_graph__()) <= 3 * (blocks + len(items)) + 10
    assert spent < 10


def test_a_block_of_a_small_cube_holds_one_date():
    cubes = cbm.load_native(season(tiles=1, dates=7), cbm.CARD_2A, bands="B04")
    assert cubes["EPSG32632_10m"].B04.data.chunksize == (1, 2048, 2048)


def test_dates_of_a_block_stop_at_the_memory_of_a_task(monkeypatch):
    """Ten float32 bands of 2048 x 2048 pixels take 168 MB for each date: three fit 512 MiB."""
    monkeypatch.setattr(_blocks, "MANY_BLOCKS", 1)
    names = [band.name for band in cbm.CARD_2A.bands if band.kind != "classes"]
    items = season(tiles=1, dates=7, bands=names)
    cube = cbm.load_native(items, cbm.CARD_2A, bands=names)["EPSG32632_10m"].to_dataset()
    dates, rows, columns = cube.B04.data.chunksize
    assert dates == 3
    assert dates * rows * columns * 4 * len(names) <= 512 * 2**20


def test_grids_of_one_crs_are_cut_at_the_same_dates_and_places(monkeypatch, scenes):
    monkeypatch.setattr(_blocks, "MANY_BLOCKS", 20)
    # Not quite for five dates of both grids: 16 x 16 pixels of 4 bytes and 8 x 8 of one.
    monkeypatch.setattr(_blocks, "BLOCK_BYTES", 5 * (16 * 16 * 4 + 8 * 8) - 1)
    fine, coarse = np.ones((40, 60), "uint16"), np.full((20, 30), 4, "uint8")
    items = [
        scenes.item(f"{day}", {"B04": fine, "SCL": coarse}, day=day, steps={"SCL": (20, -20)})
        for day in range(0, 50, 5)
    ]
    cubes = cbm.load_native(items, cbm.CARD_2A, bands=["B04", "SCL"], block=16)
    assert cubes["EPSG32632_10m"].B04.chunks == ((4, 4, 2), (16, 16, 8), (16, 16, 16, 12))
    assert cubes["EPSG32632_20m"].SCL.chunks == ((4, 4, 2), (8, 8, 4), (8, 8, 8, 6))


@pytest.mark.parametrize("block", [0, -1, 2.5, "2048", None])
def test_a_block_that_is_no_number_of_pixels_is_refused(block):
    with pytest.raises(OptionError, match="block must be a number of pixels"):
        cbm.load_native(season(tiles=1, dates=1), cbm.CARD_2A, bands="B04", block=block)


@pytest.fixture
def patchwork(scenes):
    """Six items of three dates, overlapping, two baselines, no data here and there."""
    rng = np.random.default_rng(11)
    items = []
    for number in range(6):
        values = rng.integers(0, 4, (23, 31)).astype("uint16") * 1000
        items.append(
            scenes.item(
                f"i{number}",
                {"B04": values, "B08": values[::-1]},
                day=5 * (number // 2),
                origin=(500_000 + 110 * number, 5_400_000 - 70 * (number % 3)),
                s2__processing_baseline="05.10" if number % 2 else "03.01",
            )
        )
    return items, cbm.load(items, cbm.CARD_2A, bands=["B04", "B08"]).compute()


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    block=st.integers(9, 90),
    many=st.integers(1, 60),
    budget=st.sampled_from([1, 10_000, 512 * 2**20]),
    order=st.permutations(range(6)),
)
def test_blocks_never_change_a_number(patchwork, block, many, budget, order):
    items, expected = patchwork
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_blocks, "MANY_BLOCKS", many)
        patch.setattr(_blocks, "BLOCK_BYTES", budget)
        cube = cbm.load([items[n] for n in order], cbm.CARD_2A, bands=["B04", "B08"], block=block)
    xr.testing.assert_identical(cube.compute(scheduler="synchronous"), expected)


@given(
    column=st.integers(-40, 140),
    row=st.integers(-40, 140),
    rows=st.integers(1, 90),
    columns=st.integers(1, 90),
    side=st.integers(1, 50),
    flip=st.booleans(),
)
def test_a_source_meets_exactly_the_blocks_it_has_pixels_in(column, row, rows, columns, side, flip):
    """Brute force: the numbers of the blocks under each of the source's pixels."""
    step = 10 if flip else -10
    base = GeoBox((97, 103), _affine(500_000, 5_400_000, step), "EPSG:32632")
    own = _affine(500_000 + 10 * column, 5_400_000 + step * row, step)
    source = GeoBox((rows, columns), own, "EPSG:32632")
    item = pystac.Item("scene", None, None, datetime(2024, 3, 5, tzinfo=UTC), {})
    profile, band = cbm.CARD_2A.profiles[0], cbm.CARD_2A.band("B04")
    met = Blocks(base, side).met_by(Source(item, "B04", band, profile, source))
    pixels = [(y, x) for y in range(max(row, 0), min(row + rows, 97))
              for x in range(max(column, 0), min(column + columns, 103))]  # fmt: skip
    assert sorted(met) == sorted({(y // side, x // side) for y, x in pixels})


def _affine(west, north, step):
    from affine import Affine

    return Affine(10, 0, west, 0, step, north)
