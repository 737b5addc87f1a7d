"""Cube x parcels -> vector cube: pixel index, kernels, Dask graph."""

from cbmcube.zonal._assign import Assignment
from cbmcube.zonal._coverage import PixelRule
from cbmcube.zonal._reduce import Percentiles, reduce_parcels, require_valid
from cbmcube.zonal._statistics import DEFAULT_STATISTICS, Statistic, plan_statistics

__all__ = [
    "DEFAULT_STATISTICS",
    "Assignment",
    "Percentiles",
    "PixelRule",
    "Statistic",
    "plan_statistics",
    "reduce_parcels",
    "require_valid",
]
