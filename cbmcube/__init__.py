"""cbmcube: per-parcel time series from STAC catalogues of Copernicus analysis-ready data."""

from cbmcube._version import __version__
from cbmcube.products import CARD_2A, CARD_BS, CARD_COH6

__all__ = ["CARD_2A", "CARD_BS", "CARD_COH6", "__version__"]
