"""What GDAL is told in every worker process."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cbmcube.exceptions import OptionError

GDAL_DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        # A COG stands alone: listing the folder around it costs a request for each file.
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        # Busy servers answer 429 or 503 for a while; a season must not end there.
        "GDAL_HTTP_MAX_RETRY": "10",
        "GDAL_HTTP_RETRY_DELAY": "0.5",
        # Without a limit, a connection that has died holds a worker for ever.
        "GDAL_HTTP_CONNECTTIMEOUT": "10",
        "GDAL_HTTP_TIMEOUT": "120",
        # Blocks are read once; the usual 5 % of the memory, times all workers, is lost.
        "GDAL_CACHEMAX": "256",
    }
)
"""Environment variables of worker processes, seconds and megabytes where they are amounts.

Retries and the listing of folders are those of odc-loader. An environment reaches every
read of a worker, whereas options set in the client's process stay there.
"""


def worker_environment(env: Mapping[str, Any] | None) -> dict[str, str]:
    """Return `GDAL_DEFAULTS` with the user's variables, which win."""
    merged: dict[str, Any] = {**GDAL_DEFAULTS, **(env or {})}
    wrong = sorted(str(key) for key, value in merged.items() if not isinstance(value, str))
    if wrong:
        raise OptionError(
            "the values of environment variables must be text",
            # Only the names: a value may be a secret.
            given=", ".join(wrong),
            hint="write numbers in quotes: env={'GDAL_HTTP_TIMEOUT': '30'}",
        )
    return merged
