"""Worker processes give the same bits as this process."""

from __future__ import annotations

import numpy as np
import xarray as xr

import cbmcube as cbm
from tests.zonal.conftest import make_cube, make_parcels, random_polygons


def test_processes_give_the_same_bits():
    values = np.random.default_rng(1).normal(5, 2, (3, 300, 400)).astype("float32")
    parcels = make_parcels(random_polygons(60, bounds=(500_300, 5_397_300, 503_700, 5_399_700)))
    stats = cbm.reduce_parcels(make_cube(values), parcels)
    expected = stats.compute(scheduler="synchronous")
    with cbm.local_cluster(workers=2, dashboard=False) as client:
        assert len({*client.run(lambda: __import__("os").getpid()).values()}) == 2
        xr.testing.assert_identical(stats.compute(), expected)
