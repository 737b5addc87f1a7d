"""Where pixels lie: native grids, the sources on them, their blocks, and how grids nest."""

from cbmcube.cube.grids._blocks import DEFAULT_BLOCK, Blocks, BlockSize, block_sizes
from cbmcube.cube.grids._grid import Bounds, geobox_bounds, grid_key, require_size
from cbmcube.cube.grids._nest import covering_blocks, nested_blocks, repeat_pixels
from cbmcube.cube.grids._refuse import require_projected
from cbmcube.cube.grids._resample import (
    Like,
    Resampling,
    asked_geobox,
    choose_resampling,
    source_bounds,
)
from cbmcube.cube.grids._sources import CubeGrid, Source, item_profile, item_sources, native_grids

__all__ = [
    "DEFAULT_BLOCK",
    "BlockSize",
    "Blocks",
    "Bounds",
    "CubeGrid",
    "Like",
    "Resampling",
    "Source",
    "asked_geobox",
    "block_sizes",
    "choose_resampling",
    "covering_blocks",
    "geobox_bounds",
    "grid_key",
    "item_profile",
    "item_sources",
    "native_grids",
    "nested_blocks",
    "repeat_pixels",
    "require_projected",
    "require_size",
    "source_bounds",
]
