"""cbmcube: per-parcel time series from STAC catalogues of Copernicus analysis-ready data."""

from cbmcube._version import __version__
from cbmcube.cube import load, load_native, mask
from cbmcube.observations import (
    open_vector_cube,
    read_observations,
    to_geodataframe,
    to_observations,
    write_observations,
    write_vector_cube,
)
from cbmcube.products import CARD_2A, CARD_BS, CARD_COH6
from cbmcube.zonal import reduce_parcels

__all__ = [
    "CARD_2A",
    "CARD_BS",
    "CARD_COH6",
    "__version__",
    "load",
    "load_native",
    "mask",
    "open_vector_cube",
    "read_observations",
    "reduce_parcels",
    "to_geodataframe",
    "to_observations",
    "write_observations",
    "write_vector_cube",
]
