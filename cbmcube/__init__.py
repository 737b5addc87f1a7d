"""cbmcube: per-parcel time series from STAC catalogues of Copernicus analysis-ready data."""

from cbmcube import learning, markers, plotting
from cbmcube._version import __version__
from cbmcube.agreement import compare
from cbmcube.catalog import AccessPolicy, freeze, open_catalog, search
from cbmcube.cluster import local_cluster, show_versions
from cbmcube.cube import load, load_native, mask
from cbmcube.observations import (
    open_vector_cube,
    read_observations,
    report,
    to_geodataframe,
    to_observations,
    write_observations,
    write_vector_cube,
)
from cbmcube.parcels import prepare_parcels, read_parcels
from cbmcube.products import CARD_2A, CARD_BS, CARD_COH6
from cbmcube.series import composite
from cbmcube.zonal import reduce_parcels

__all__ = [
    "CARD_2A",
    "CARD_BS",
    "CARD_COH6",
    "AccessPolicy",
    "__version__",
    "compare",
    "composite",
    "freeze",
    "learning",
    "load",
    "load_native",
    "local_cluster",
    "markers",
    "mask",
    "open_catalog",
    "open_vector_cube",
    "plotting",
    "prepare_parcels",
    "read_observations",
    "read_parcels",
    "reduce_parcels",
    "report",
    "search",
    "show_versions",
    "to_geodataframe",
    "to_observations",
    "write_observations",
    "write_vector_cube",
]
