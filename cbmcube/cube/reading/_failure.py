"""Errors of reading: which item, which file and why, without the secrets of an address."""

from __future__ import annotations

import logging
import re
from typing import Literal

from cbmcube._text import without_secrets
from cbmcube.cube.reading._order import ReadOrder
from cbmcube.exceptions import Error, ReadError

_REFUSED = re.compile(
    r"response code: 40[13]|access ?denied|access key|signature|AWS_SECRET_ACCESS_KEY|credential",
    flags=re.IGNORECASE,
)
_LASTING = re.compile(
    r"response code: 4(?!08|29)\d\d|not recognized as being|no such file", flags=re.IGNORECASE
)
_BUSY = re.compile(
    r"response code: (5\d\d|408|429)|curl error|timed? ?out|connection|reset by|broken pipe"
    r"|could ?n[o']t resolve|temporarily|range downloading",
    flags=re.IGNORECASE,
)
_LOGGERS = (
    "rasterio._base",
    "rasterio._env",
    "rasterio._err",
    "rasterio._io",
    "rasterio._warp",
    "urllib3.connectionpool",
)


def could_not_read(error: BaseException, order: ReadOrder, href: str) -> ReadError:
    """Return the error that names item, asset and file, and that may be shown and sent.

    Parameters
    ----------
    error
        What went wrong.
    order
        How the file was to be read.
    href
        Its address, without a signature that was added for reading.
    """
    why = without_secrets(str(error))
    hint: str | None = "check that the file exists and that the workers may read it"
    if _REFUSED.search(why):
        hint = (
            "the server refuses the workers: give them its keys or token with "
            "cbmcube.cluster.prepare_workers, then compute again"
        )
    elif isinstance(error, Error):
        hint = None  # it has its own
    return ReadError(
        f"item {order.item!r}, asset {order.asset!r} could not be read",
        given=f"{without_secrets(href)}: {why}",
        hint=hint,
    )


def may_pass(error: BaseException) -> bool:
    """Whether trying again later may help, as it may with a server that is busy."""
    return not _LASTING.search(str(error))


def failure_kind(error: BaseException) -> Literal["busy", "refused", "lasting"]:
    """Say what an error of reading calls for.

    Returns
    -------
    str
        ``"busy"``: the way to the file failed, and may work later. ``"refused"``: the server
        wants keys or a token, and the file may be good. ``"lasting"``: the file itself cannot be
        read, or is not there.

    Examples
    --------
    >>> failure_kind(OSError("HTTP response code: 503"))
    'busy'
    """
    text = str(error)
    if _REFUSED.search(text):
        return "refused"
    return "busy" if _BUSY.search(text) else "lasting"


class SecretFilter(logging.Filter):
    """Takes the secrets of addresses out of what other libraries log while they read them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record."""
        text = record.getMessage()
        if "?" in text or "@" in text:
            record.msg, record.args = without_secrets(text), ()
        return True


def protect_logs() -> None:
    """Let the loggers that repeat addresses leave out their secrets, once for the process."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, SecretFilter) for one in logger.filters):
            logger.addFilter(SecretFilter())
