"""Text that looks like a secret: refused in job files, left out of what is printed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

_SECRET = re.compile(
    r"""
      \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                          # key id of Amazon
    | \beyJ[\w-]{8,}\.[\w-]{4,}                              # JSON web token
    | \b(?:gh[pousr]|glpat|xox[abp]|sk)[-_][A-Za-z0-9_-]{16,}  # tokens of well-known services
    | -----BEGIN[ ]
    | (?i:\b(?:bearer|basic)\s+(?!%)[\w.~+/=-]{8,})
    | :\/\/[^\s/?#@:]*:[^\s/?#@]+@                           # a password in an address
    """,
    re.VERBOSE,
)
_QUERY = re.compile(r"[?&;](?:[\w.-]*[-_.])?(\w+)=([^&\s;#'\"]+)", re.IGNORECASE)
_NAME = re.compile(
    r"(?:^|[-_.])(?:api_?key|apikey|auth|authorization|credential|credentials|key|passwd|password|"
    r"pwd|secret|sig|signature|token)(?:$|[-_.])",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s/?#@]*@)?([^\s?#'\"<>]*)[^\s'\"<>]*")
_HIDDEN = "***"


def is_secret_name(name: str) -> bool:
    """Tell whether a key, header or variable is named as if it held a secret.

    Examples
    --------
    >>> [is_secret_name(name) for name in ("AWS_SECRET_ACCESS_KEY", "X-Api-Key", "worker_cores")]
    [True, True, False]
    """
    return _NAME.search(name) is not None


def looks_secret(text: str) -> bool:
    """Tell whether a text holds what looks like a key, a token, or an address with one.

    Examples
    --------
    >>> looks_secret("https://stac.example.org/?token=abcdef"), looks_secret("CDSE_TOKEN")
    (True, False)
    """
    if _SECRET.search(text):
        return True
    return any(is_secret_name(name) for name, _ in _QUERY.findall(text))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text for the eyes of others: addresses without user and query, no secrets.

    Parameters
    ----------
    text
        What would be printed.
    secrets
        Values that must not be seen, such as those of `secret_values`.

    Examples
    --------
    >>> redact("GET https://me:pw@example.org/a.tif?sig=1 failed", ["failed"])
    'GET https://example.org/a.tif ***'
    """
    # Longest first: a secret may be part of another one.
    for secret in sorted(set(secrets), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return _SECRET.sub(_HIDDEN, _ADDRESS.sub(r"\1\2", text))


def secret_values(variables: Iterable[str] = ()) -> tuple[str, ...]:
    """Return values of the environment for `redact`: of these variables, and by name.

    Parameters
    ----------
    variables
        Variables that hold secrets whatever their names, such as those of a job.

    Examples
    --------
    >>> from cbmcube.scripting import secret_values
    >>> getfixture("monkeypatch").setenv("ARCHIVE", "open sesame")
    >>> "open sesame" in secret_values(["ARCHIVE"])
    True
    """
    named = [os.environ.get(name, "") for name in variables]
    guessed = [value for name, value in os.environ.items() if is_secret_name(name)]
    # Very short values are parts of ordinary words; what is only guessed must be longer.
    return (
        *(value for value in named if len(value) > 3),
        *(value for value in guessed if len(value) > 7),
    )
