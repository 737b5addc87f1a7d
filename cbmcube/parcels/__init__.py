"""Parcels in: read, validate, prepare."""

from cbmcube.parcels._check import check_parcels
from cbmcube.parcels._limits import ReadLimits
from cbmcube.parcels._postgis import hide_password, postgis_url, quote_name
from cbmcube.parcels._prepare import prepare_parcels
from cbmcube.parcels._read import read_parcels
from cbmcube.parcels._report import ParcelsReport, parcels_report
from cbmcube.parcels._source import PolygonSource

__all__ = [
    "ParcelsReport",
    "PolygonSource",
    "ReadLimits",
    "check_parcels",
    "hide_password",
    "parcels_report",
    "postgis_url",
    "prepare_parcels",
    "quote_name",
    "read_parcels",
]
