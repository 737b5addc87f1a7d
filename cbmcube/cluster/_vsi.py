"""GDAL's options for one address alone, and its memory of what it read."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import rasterio._env

from cbmcube.exceptions import OptionError


def set_option(prefix: str, name: str, value: str) -> None:
    """Give an option to all files whose GDAL path begins with `prefix`, and to no other.

    Such an option wins over those of rasterio, of the thread and of the environment, in every
    thread of the process, and does not depend on when GDAL was loaded
    (https://gdal.org/api/cpl.html, ``VSISetPathSpecificOption``, GDAL 3.6).
    """
    _function("VSISetPathSpecificOption", 3)(prefix.encode(), name.encode(), value.encode())


def clear_options(prefix: str) -> None:
    """Forget the options of `prefix`."""
    _function("VSIClearPathSpecificOptions", 1)(prefix.encode())


def forget_reads() -> None:
    """Make GDAL ask servers again for what it remembers of remote files in this process.

    GDAL remembers what it read, and also that a server refused a file or did not have it:
    a file that was refused once stays refused in that process. `prepare_workers` and
    `worker_environment` call this, so that a token that arrives late is tried.

    Examples
    --------
    >>> from cbmcube.cluster import forget_reads
    >>> forget_reads()
    """
    _function("VSICurlClearCache", 0)()


@functools.cache
def _function(name: str, arguments: int) -> Any:
    """Return a function of the GDAL library that rasterio uses; rasterio has none for these."""
    try:
        # Names are looked up in what the module is linked to, whichever file that is.
        found = getattr(ctypes.CDLL(rasterio._env.__file__), name)  # noqa: SLF001
    except (OSError, AttributeError) as error:
        raise OptionError(
            f"{name} of rasterio's GDAL cannot be reached on this system",
            allowed="GDAL 3.6 or newer, on Linux or macOS",
            hint="pass keys as environment variables instead: env={'AWS_ACCESS_KEY_ID': ...}",
        ) from error
    found.argtypes, found.restype = [ctypes.c_char_p] * arguments, None
    return found
