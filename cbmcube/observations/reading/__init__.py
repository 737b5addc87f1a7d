"""Reading stores of observations: lazily, over one snapshot."""

from cbmcube.observations.reading._coverage import Coverage
from cbmcube.observations.reading._observations import Observations
from cbmcube.observations.reading._open import open_observations
from cbmcube.observations.reading._stac import stac_collection, write_stac

__all__ = [
    "Coverage",
    "Observations",
    "open_observations",
    "stac_collection",
    "write_stac",
]
