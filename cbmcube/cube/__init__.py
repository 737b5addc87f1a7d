"""Items to lazy cubes on their native grids: grids, radiometry, load, mask, explain."""

from cbmcube.cube._classify import Classification, classify
from cbmcube.cube._explain import explain
from cbmcube.cube._explanation import Explanation, GridExplanation
from cbmcube.cube._load import load, load_native
from cbmcube.cube._mask import mask
from cbmcube.cube._window import find_grids, load_window, overlap, source_extent
from cbmcube.cube.grids import CubeGrid, covering_blocks, source_bounds
from cbmcube.cube.reading import FAILED, OnError, Verify, failure_kind, require_verify

__all__ = [
    "FAILED",
    "Classification",
    "CubeGrid",
    "Explanation",
    "GridExplanation",
    "OnError",
    "Verify",
    "classify",
    "covering_blocks",
    "explain",
    "failure_kind",
    "find_grids",
    "load",
    "load_native",
    "load_window",
    "mask",
    "overlap",
    "require_verify",
    "source_bounds",
    "source_extent",
]
