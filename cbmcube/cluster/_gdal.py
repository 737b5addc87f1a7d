"""What GDAL is told in every process that reads images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from cbmcube.exceptions import OptionError

GDAL_DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        # A COG stands alone: listing the folder around it costs a request for each file, and
        # GDAL 3.10 asks for the listing without the token that is meant for the host.
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

_ODC_ADDS = ("GDAL_DISABLE_READDIR_ON_OPEN", "GDAL_HTTP_MAX_RETRY", "GDAL_HTTP_RETRY_DELAY")
"""What odc-loader sets where nobody chose anything, to the values above."""

_SECRET = ("KEY", "SECRET", "TOKEN", "HEADER", "PASSWORD", "USERPWD", "SAS", "BEARER", "COOKIE")
"""Parts of the names of options whose values are secrets."""


def checked_environment(env: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the user's variables, all of them text."""
    found: dict[str, Any] = dict(env or {})
    wrong = sorted(str(key) for key, value in found.items() if not isinstance(value, str))
    if wrong:
        raise OptionError(
            "the values of environment variables must be text",
            # Only the names: a value may be a secret.
            given=", ".join(wrong),
            hint="write numbers in quotes: env={'GDAL_HTTP_TIMEOUT': '30'}",
        )
    return found


def secret_names(names: Iterable[str]) -> list[str]:
    """Return those names, sorted, whose values are secrets."""
    return sorted(name for name in names if any(part in name.upper() for part in _SECRET))


def carried_options(captured: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may travel in a task graph of the options odc-loader captured at loading.

    Parameters
    ----------
    captured
        What ``odc.loader`` found: options of ``rasterio.Env`` and of ``configure_rio``.

    Returns
    -------
    dict
        The options the user chose. What odc-loader adds where nobody chose is left out,
        since it would win over the environment of a worker.

    Raises
    ------
    OptionError
        An option is a secret: a graph is seen by the scheduler, its logs and its pages.

    Examples
    --------
    >>> from cbmcube.cluster import carried_options
    >>> carried_options({"GDAL_HTTP_TIMEOUT": 30})
    {'GDAL_HTTP_TIMEOUT': 30}
    """
    found = {name: value for name, value in captured.items() if value is not None}
    aws = found.get("_aws") or {}
    names = [*found, *(f"aws={{{name!r}: ...}}" for name in aws)]
    secret = secret_names(names)
    if secret:
        raise OptionError(
            "options of rasterio or odc-loader hold secrets, which would enter the task graph",
            given=", ".join(secret),
            hint="pass them to prepare_workers(client, s3=..., bearer=...) or, without a "
            "cluster, to worker_environment; and leave configure_rio and rasterio.Env without",
        )
    return {} if found == {name: GDAL_DEFAULTS[name] for name in _ODC_ADDS} else found


def read_options(carried: Mapping[str, Any]) -> dict[str, Any]:
    """Return the complete options of a read: the carried ones, and defaults for the others.

    An option that was not carried and that the process has in its environment is left out, so
    that the environment decides.

    Examples
    --------
    >>> from cbmcube.cluster import read_options
    >>> read_options({"GDAL_HTTP_TIMEOUT": 30})["GDAL_HTTP_TIMEOUT"]
    30
    """
    # The cache is one for all threads; to set it for a read would empty it for the others.
    ours = {k: v for k, v in GDAL_DEFAULTS.items() if k != "GDAL_CACHEMAX"}
    return {k: v for k, v in ours.items() if k not in os.environ} | dict(carried)
