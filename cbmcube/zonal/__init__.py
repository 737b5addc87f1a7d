"""Cube x parcels -> vector cube: pixel index, kernels, Dask graph."""

from cbmcube.zonal._assign import Assignment, block_parcels
from cbmcube.zonal._cache import cached_index
from cbmcube.zonal._coverage import PixelRule
from cbmcube.zonal._index import Block, BlockIndex, Lattice
from cbmcube.zonal._node import Node, read_nodes
from cbmcube.zonal._parcels import BlockParcels
from cbmcube.zonal._reduce import (
    PERCENTILES,
    Percentiles,
    parcel_buffers,
    reduce_parcels,
    require_overlap,
    require_valid,
)
from cbmcube.zonal._statistics import DEFAULT_STATISTICS, Statistic, plan_statistics
from cbmcube.zonal._vector_cube import with_parcels

__all__ = [
    "DEFAULT_STATISTICS",
    "PERCENTILES",
    "Assignment",
    "Block",
    "BlockIndex",
    "BlockParcels",
    "Lattice",
    "Node",
    "Percentiles",
    "PixelRule",
    "Statistic",
    "block_parcels",
    "cached_index",
    "parcel_buffers",
    "plan_statistics",
    "read_nodes",
    "reduce_parcels",
    "require_overlap",
    "require_valid",
    "with_parcels",
]
