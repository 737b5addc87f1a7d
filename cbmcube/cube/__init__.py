"""Items to lazy cubes on their native grids: grids, radiometry, load, mask, explain."""

from cbmcube.cube._classify import Classification, classify
from cbmcube.cube._explain import explain
from cbmcube.cube._explanation import Explanation, GridExplanation
from cbmcube.cube._load import load, load_native
from cbmcube.cube._mask import mask

__all__ = [
    "Classification",
    "Explanation",
    "GridExplanation",
    "classify",
    "explain",
    "load",
    "load_native",
    "mask",
]
