"""Cube x parcels -> vector cube: pixel index, kernels, Dask graph."""

from cbmcube.zonal._reduce import reduce_parcels
from cbmcube.zonal._statistics import DEFAULT_STATISTICS

__all__ = ["DEFAULT_STATISTICS", "reduce_parcels"]
