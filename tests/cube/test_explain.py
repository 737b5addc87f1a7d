"""What is told before a computation is what the computation does."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

import cbmcube as cbm
from cbmcube.cube import explain
from cbmcube.exceptions import GridMismatchError, MissingCRSError, OptionError


@pytest.fixture
def items(scenes):
    """Two dates of one tile and one of its neighbour; bands of 10 m and classes of 20 m."""
    rng = np.random.default_rng(9)
    return [
        scenes.item(
            name,
            {"B04": rng.integers(1, 9000, (40, 60)).astype("uint16"),
             "SCL": np.full((20, 30), 4, "uint8")},
            day=day,
            origin=(500_000 + shift, 5_400_000),
            steps={"SCL": (20, -20)},
            s2__processing_baseline=baseline,
        )
        for name, day, shift, baseline in (
            ("a", 0, 0, "05.10"), ("b", 5, 0, "03.01"), ("c", 5, 600, "03.01"),
        )
    ]  # fmt: skip


@pytest.fixture
def cubes(items):
    return cbm.load_native(items, cbm.CARD_2A, bands=["B04", "SCL"], block=32)


def fields(*boxes, crs=32632):
    return gpd.GeoDataFrame(geometry=[shapely.box(*box) for box in boxes], crs=crs)


def test_grids_blocks_and_bytes_are_those_of_the_files(cubes, nothing_computes):
    with nothing_computes:
        told = explain(cubes)
    assert told.product == "CARD-2A"
    fine, coarse = told.grids
    assert (fine.name, fine.crs, fine.pixel) == ("EPSG32632_10m", "EPSG:32632", (10, -10))
    assert (fine.shape, fine.dates, fine.items) == ((40, 120), 2, 3)
    assert fine.period == ("2024-03-05", "2024-03-10")
    assert (fine.block, fine.blocks) == ((1, 32, 32), 2 * 2 * 4)
    assert fine.block_bytes == 32 * 32 * 4
    assert fine.read_bytes == 3 * 40 * 60 * 2
    assert coarse.bands == ("SCL",)
    assert coarse.read_bytes == 3 * 20 * 30 * 1
    assert told.read_bytes == fine.read_bytes + coarse.read_bytes
    assert fine.tasks == len(dict(cubes["EPSG32632_10m"].to_dataset().__dask_graph__()))
    assert told.tasks == fine.tasks + coarse.tasks


def test_decisions_are_grouped(cubes):
    assert dict(explain(cubes).grids[0].radiometry) == {
        "scale 0.0001, offset -0.1 (rule 4: processing baseline 05.10)": 1,
        "scale 0.0001, offset 0 (rule 4: processing baseline 03.01)": 1,
    }


def test_no_more_is_read_than_was_told(cubes, monkeypatch):
    """Counted at the door: pixels that are decoded, times their stored size."""
    from cbmcube.cube.reading import _reader

    read = []
    real = _reader.calibrate
    monkeypatch.setattr(
        _reader,
        "calibrate",
        lambda numbers, *rest: read.append(numbers.nbytes) or real(numbers, *rest),
    )
    cubes["EPSG32632_10m"].B04.data.compute(scheduler="synchronous")
    assert 0 < sum(read) <= explain(cubes).grids[0].read_bytes


def test_items_are_explained_without_a_file(items, nothing_computes, cubes):
    for item in items:
        for asset in item.assets.values():
            asset.href += ".gone"
    with nothing_computes:
        told = explain(items, cbm.CARD_2A, bands=["B04", "SCL"], block=32)
    assert told == explain(cubes)


def test_masks_slices_and_other_grids_are_explained(cubes, items):
    masked = explain(cbm.mask(cubes, cbm.CARD_2A))
    assert masked.grids[0].mask.startswith("SCL in {0, 1, 3")
    assert masked.grids[0].bands == ("B04",)
    assert masked.grids[0].block_bytes == 32 * 32 * (4 + 1)
    part = explain(
        cubes["EPSG32632_10m"].to_dataset().isel(time=[0], x=slice(0, 10), y=slice(0, 8))
    )
    assert part.grids[0].read_bytes == 10 * 8 * 2
    coarse = cbm.load(items, cbm.CARD_2A, bands=["B04", "SCL"], resolution=40, on_error="record")
    (grid,) = explain(coarse).grids
    assert grid.resampling == "B04: average; SCL: nearest"
    assert grid.on_error == "record"
    assert grid.read_bytes == 3 * (40 * 60 * 2 + 20 * 30)


def test_parcels_and_the_blocks_they_meet_are_counted(cubes):
    """Blocks of 320 m: one parcel in one block, one across a corner of four, one outside."""
    parcels = fields(
        (500_010, 5_399_900, 500_050, 5_399_950),
        (500_300, 5_399_650, 500_330, 5_399_700),
        (490_000, 5_399_650, 490_030, 5_399_700),
    )
    fine, coarse = explain(cubes, parcels=parcels).grids
    assert (fine.parcels, fine.parcel_blocks) == (2, 4)
    assert (coarse.parcels, coarse.parcel_blocks) == (2, 4)
    one = explain(cubes, parcels=parcels.iloc[:1].to_crs(4326)).grids[0]
    assert (one.parcels, one.parcel_blocks) == (1, 1)
    assert one.read_bytes == 3 * 32 * 32 * 2
    edge = explain(cubes, parcels=fields((500_300, 5_399_900, 500_320, 5_399_950))).grids[0]
    assert edge.parcel_blocks == 1
    with pytest.raises(MissingCRSError):
        explain(cubes, parcels=parcels.set_crs(None, allow_override=True))


def test_blocks_of_parcels_agree_with_brute_force(cubes):
    rng = np.random.default_rng(1)
    corner = np.stack([rng.uniform(499_900, 501_250, 30), rng.uniform(5_399_550, 5_400_050, 30)], 1)
    boxes = np.concatenate([corner, corner + rng.uniform(5, 200, (30, 2))], axis=1)
    parcels = fields(*boxes)
    grid = explain(cubes, parcels=parcels).grids[0]
    west, south, east, north = 500_000, 5_399_600, 501_200, 5_400_000
    blocks = [
        shapely.box(x, max(y - 320, south), min(x + 320, east), y)
        for x in range(west, east, 320)
        for y in (north, north - 320)
    ]
    whole = shapely.box(west, south, east, north)
    inside = [field for field in parcels.geometry if field.intersection(whole).area > 0]
    assert grid.parcels == len(inside)
    hit = [any(field.intersection(block).area > 0 for field in inside) for block in blocks]
    assert grid.parcel_blocks == sum(hit)


def test_it_prints_what_it_knows(cubes):
    told = explain(cubes, parcels=fields((500_010, 5_399_900, 500_050, 5_399_950)))
    text = repr(told)
    for part in ("CARD-2A: 2 grids", "EPSG32632_10m", "16 per band, 1 x 32 x 32", "6.14 kB",
                 "1 in 1 blocks", "offset -0.1 (rule 4", "no: native grid"):  # fmt: skip
        assert part in text
    table = told._repr_html_()
    assert table.count("<table>") == 2
    assert "<script" not in table


def test_what_makes_no_sense_is_refused(cubes, items):
    with pytest.raises(OptionError, match="items need a product"):
        explain(items)
    with pytest.raises(OptionError, match="a cube was loaded already(.|\n)*bands"):
        explain(cubes, bands="B04")
    with pytest.raises(GridMismatchError, match="carries no regular grid"):
        explain(cubes["EPSG32632_10m"].to_dataset().drop_vars(["x", "y", "spatial_ref"]))
