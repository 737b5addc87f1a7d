"""Observations in other forms: a database, CF-encoded Zarr, one Parquet file."""

from cbmcube.observations.export._parquet import to_parquet
from cbmcube.observations.export._postgis import to_postgis
from cbmcube.observations.export._zarr import to_zarr

__all__ = ["to_parquet", "to_postgis", "to_zarr"]
