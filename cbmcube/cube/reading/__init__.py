"""Files read on workers: opened with care, held against what was promised, or a reason why not."""

from cbmcube.cube.reading._checksum import Promise, require_verify
from cbmcube.cube.reading._failure import failure_kind
from cbmcube.cube.reading._fill import Filling, band_array
from cbmcube.cube.reading._header import header_geobox
from cbmcube.cube.reading._order import OnError, ReadOrder, Verify
from cbmcube.cube.reading._reader import CardDriver
from cbmcube.cube.reading._unread import (
    COULD_NOT_BE_READ,
    FAILED,
    failed_code,
    require_free_code,
    require_on_error,
)

__all__ = [
    "COULD_NOT_BE_READ",
    "FAILED",
    "CardDriver",
    "Filling",
    "OnError",
    "Promise",
    "ReadOrder",
    "Verify",
    "band_array",
    "failed_code",
    "failure_kind",
    "header_geobox",
    "require_free_code",
    "require_on_error",
    "require_verify",
]
