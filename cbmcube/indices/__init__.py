"""Indices: over pixels before the reduction, and of radar over parcel means after it."""

from cbmcube.indices._add import add_indices
from cbmcube.indices._bare_soil import (
    BARE_SOIL_FEATURES,
    BareSoilModel,
    BareSoilRule,
    add_bare_soil,
)
from cbmcube.indices._catalogue import from_spyndex
from cbmcube.indices._count import count_bad
from cbmcube.indices._index import Index
from cbmcube.indices._radar import radar_indices
from cbmcube.indices._table import INDICES, choose_indices, list_indices

__all__ = [
    "BARE_SOIL_FEATURES",
    "INDICES",
    "BareSoilModel",
    "BareSoilRule",
    "Index",
    "add_bare_soil",
    "add_indices",
    "choose_indices",
    "count_bad",
    "from_spyndex",
    "list_indices",
    "radar_indices",
]
