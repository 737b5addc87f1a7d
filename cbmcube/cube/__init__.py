"""Items to lazy cubes on their native grids: grids, radiometry, load, mask."""

from cbmcube.cube._load import load, load_native
from cbmcube.cube._mask import mask

__all__ = ["load", "load_native", "mask"]
