"""Log lines and warnings on the standard error, without secrets."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cbmcube.scripting._secrets import redact

LEVELS = ("debug", "info", "warning", "error")
"""Levels of the log, the most talkative first."""


class RedactingFormatter(logging.Formatter):
    """Writes a record, its traceback included, without secrets.

    Examples
    --------
    >>> import logging
    >>> record = logging.LogRecord("a", 20, "", 0, "GET https://x.org/?sig=%s", ("1",), None)
    >>> RedactingFormatter("%(message)s").format(record)
    'GET https://x.org/'
    """

    def __init__(self, form: str, secrets: Sequence[str] = ()) -> None:
        super().__init__(form)
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return redact(super().format(record), self._secrets)


@contextmanager
def logged(level: str | None, *, command: str, secrets: Sequence[str] = ()) -> Iterator[None]:
    """Write the library's log and warnings to the standard error inside the block.

    Parameters
    ----------
    level
        One of `LEVELS`, or None for no log.
    command
        What each warning begins with.
    secrets
        Values that must not be seen.

    Examples
    --------
    >>> import warnings
    >>> from cbmcube.scripting import logged
    >>> with logged("info", command="run", secrets=["abc"]):
    ...     pass  # warnings inside begin with "cbmcube run:" and hide the secret
    """
    logger, before = logging.getLogger("cbmcube"), logging.getLogger("cbmcube").level
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", secrets)
    )

    def show(message: Warning | str, category: type[Warning], *_place: Any, **_more: Any) -> None:
        text = f"cbmcube {command}: {category.__name__}: {message}"
        sys.stderr.write(f"{redact(text, secrets)}\n")

    shown = warnings.showwarning
    if level is not None:
        logger.addHandler(handler)
        logger.setLevel(level.upper())
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = shown
        logger.removeHandler(handler)
        logger.setLevel(before)
