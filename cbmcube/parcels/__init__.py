"""Parcels in: read, validate, prepare."""

from cbmcube.parcels._check import check_parcels
from cbmcube.parcels._prepare import prepare_parcels
from cbmcube.parcels._read import read_parcels
from cbmcube.parcels._source import PolygonSource

__all__ = ["PolygonSource", "check_parcels", "prepare_parcels", "read_parcels"]
