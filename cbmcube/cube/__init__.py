"""Items to lazy cubes on their native grids: grids, radiometry, load, mask, explain."""

from cbmcube.cube._checksum import require_verify
from cbmcube.cube._classify import Classification, classify
from cbmcube.cube._explain import explain
from cbmcube.cube._explanation import Explanation, GridExplanation
from cbmcube.cube._failure import failure_kind
from cbmcube.cube._load import load, load_native
from cbmcube.cube._mask import mask
from cbmcube.cube._nest import covering_blocks
from cbmcube.cube._order import OnError, Verify
from cbmcube.cube._resample import source_bounds
from cbmcube.cube._sources import CubeGrid
from cbmcube.cube._unread import FAILED
from cbmcube.cube._window import find_grids, load_window, overlap, source_extent

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
