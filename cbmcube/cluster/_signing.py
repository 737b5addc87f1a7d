"""Addresses that get their signature where and when they are read."""

from __future__ import annotations

import re
from collections.abc import Callable

from cbmcube.exceptions import AccessError

Signer = Callable[[str], str]
"""Takes the address of a file and returns the address to read it from."""

_REMOTE = re.compile(r"https?://|s3://|/vsis3/", re.IGNORECASE)
_ZIPPED = re.compile(r"/vsizip/\{(?P<curl>/vsicurl/)?(?P<archive>[^{}]+)\}(?P<member>/.*)")

_signers: list[tuple[str, Signer]] = []
"""The signers of this process with the names they were added under; the last one signs."""


def signed(href: str) -> str:
    """Return the address to read `href` from, now and on this process.

    Parameters
    ----------
    href
        Address of a file, or GDAL's path of a member of a ZIP archive.

    Returns
    -------
    str
        What the signer of this process makes of it; `href` itself where no signer was
        registered (`cbmcube.cluster.prepare_workers`), and for local files.

    Raises
    ------
    AccessError
        The signer failed, or returned no text. What it said is not repeated, since it may
        hold a secret.

    Examples
    --------
    >>> from cbmcube.cluster import signed, worker_environment
    >>> signed("https://data.example.org/a.tif")
    'https://data.example.org/a.tif'
    >>> with worker_environment(signer=lambda href: f"{href}?token=abc"):
    ...     signed("https://data.example.org/a.tif")
    'https://data.example.org/a.tif?token=abc'
    """
    if not _signers:
        return href
    zipped = _ZIPPED.fullmatch(href)
    if zipped:
        archive = zipped["archive"]
        return f"/vsizip/{{{zipped['curl'] or ''}{_sign(archive)}}}{zipped['member']}"
    return _sign(href)


def _sign(href: str) -> str:
    if not _REMOTE.match(href):
        return href
    _, signer = _signers[-1]
    problem = ""
    answer: object = None
    try:
        answer = signer(href)
    except Exception as error:  # noqa: BLE001  # whatever it is, its text may hold a secret
        problem = f"it raised {type(error).__name__}"
    if isinstance(answer, str) and answer:
        return answer
    # Outside of the except block, so that the signer's error does not travel with this one.
    raise _failed(href, problem or f"it returned {type(answer).__name__}")


def _failed(href: str, why: str) -> AccessError:
    return AccessError(
        "an address could not be signed",
        given=f"{href.partition('?')[0]}: {why}",
        allowed="a signer that takes an address and returns an address",
        hint="call the signer with this address on a worker: client.run(signer, address)",
    )


def add_signer(name: str, signer: Signer) -> None:
    """Let `signer` sign from now on, until it is removed or another is added."""
    remove_signer(name)
    _signers.append((name, signer))


def remove_signer(name: str) -> None:
    """Forget the signer of this name; the one added before it signs again."""
    _signers[:] = [one for one in _signers if one[0] != name]
