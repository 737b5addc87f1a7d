"""The task graph: few tasks, each read once, nothing kept."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
import shapely
import xarray as xr

import cbmcube as cbm
from tests.zonal.conftest import make_cube, make_parcels, random_polygons

INNER = (500_300, 5_397_300, 503_700, 5_399_700)


def counting_cube(values, names, reads):
    """A cube whose blocks count how often each is read."""

    def read(block_info=None):
        where = block_info[None]["array-location"]
        reads.append(tuple(where))
        return values[tuple(slice(*span) for span in where)]

    cube = make_cube(values, name=names[0])
    shape_chunks = cube[names[0]].chunks
    for name in names:
        blocks = da.map_blocks(
            read,
            chunks=shape_chunks,
            dtype=values.dtype,
            meta=np.empty((0, 0, 0), values.dtype),
            name=f"read-{name}-{id(reads)}",
        )
        cube[name] = cube[names[0]].copy(data=blocks)
    return cube


def test_a_block_is_read_once_and_within_the_task_that_reduces_it(noise):
    reads = []
    cube = counting_cube(noise, ["A", "B", "C"], reads)
    parcels = make_parcels(random_polygons(200, bounds=INNER, seed=1))
    stats = cbm.reduce_parcels(cube, parcels)
    (optimised,) = dask.optimize(stats)
    tasks = dict(optimised.__dask_graph__())
    loaded = 3 * len([key for key in tasks if str(key[0]).startswith("block-")])
    assert loaded == 3 * 3 * 25
    assert not [key for key in tasks if str(key).startswith("('read-")]
    assert len(tasks) <= 0.7 * loaded
    stats.compute(scheduler="synchronous")
    assert len(reads) == loaded


def test_derived_bands_are_computed_within_the_same_task(noise):
    """NDVI of two bands: three rasters reduced, two read, once each."""
    reads = []
    cube = counting_cube(np.abs(noise) + 1, ["B04", "B08"], reads)
    cube["NDVI"] = (cube.B08 - cube.B04) / (cube.B08 + cube.B04)
    parcels = make_parcels([shapely.box(501_000, 5_397_100, 503_000, 5_399_000)])
    stats = cbm.reduce_parcels(cube, parcels, statistics="mean").compute(scheduler="synchronous")
    assert len(reads) == len(set(reads)) * 2
    assert float(np.abs(stats.NDVI).max()) < 1e-6  # both bands hold the same numbers


def test_a_persisted_cube_is_not_read_again(noise):
    reads = []
    cube = counting_cube(noise, ["B"], reads).persist(scheduler="synchronous")
    before = len(reads)
    parcels = make_parcels(random_polygons(30, bounds=INNER, seed=2))
    kept = cbm.reduce_parcels(cube, parcels).compute(scheduler="synchronous")
    assert len(reads) == before
    plain = cbm.reduce_parcels(make_cube(noise), parcels).compute(scheduler="synchronous")
    xr.testing.assert_identical(kept, plain)


def test_a_cube_persisted_on_a_cluster_is_used_where_it_lies(noise):
    parcels = make_parcels(random_polygons(30, bounds=INNER, seed=3))
    expected = cbm.reduce_parcels(make_cube(noise), parcels).compute(scheduler="synchronous")
    with cbm.local_cluster(workers=1, dashboard=False):
        cube = make_cube(noise).persist()
        xr.testing.assert_identical(cbm.reduce_parcels(cube, parcels).compute(), expected)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_no_bit(noise, workers):
    parcels = make_parcels(random_polygons(60, bounds=INNER, seed=4))
    stats = cbm.reduce_parcels(make_cube(noise), parcels)
    expected = stats.compute(scheduler="synchronous")
    with cbm.local_cluster(workers=workers, dashboard=False) as client:
        assert len(client.scheduler_info()["workers"]) == workers
        xr.testing.assert_identical(stats.compute(), expected)
