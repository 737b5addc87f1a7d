"""What stored numbers mean: no data, scale, offset and form of each item and band."""

from cbmcube.cube.radiometry._nodata import (
    nodata_number,
    one_nodata,
    require_no_guess,
    stated_number,
    stored_dtype,
)
from cbmcube.cube.radiometry._planes import time_coords
from cbmcube.cube.radiometry._radiometry import Radiometry, calibrate, decide

__all__ = [
    "Radiometry",
    "calibrate",
    "decide",
    "nodata_number",
    "one_nodata",
    "require_no_guess",
    "stated_number",
    "stored_dtype",
    "time_coords",
]
