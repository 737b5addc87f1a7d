"""Cube x parcels -> vector cube: pixel index, kernels, Dask graph."""

from cbmcube.zonal._assign import Assignment
from cbmcube.zonal._coverage import PixelRule
from cbmcube.zonal._reduce import (
    PERCENTILES,
    Percentiles,
    parcel_buffers,
    reduce_parcels,
    require_valid,
)
from cbmcube.zonal._statistics import DEFAULT_STATISTICS, Statistic, plan_statistics
from cbmcube.zonal._vector_cube import with_parcels

__all__ = [
    "DEFAULT_STATISTICS",
    "PERCENTILES",
    "Assignment",
    "Percentiles",
    "PixelRule",
    "Statistic",
    "parcel_buffers",
    "plan_statistics",
    "reduce_parcels",
    "require_valid",
    "with_parcels",
]
