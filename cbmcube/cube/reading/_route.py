"""Redirects of web servers: followed step by step before GDAL, which follows them anywhere."""

from __future__ import annotations

import os
import re
import threading
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

from cbmcube._text import without_secrets
from cbmcube.catalog import is_inside, leads_inside
from cbmcube.cluster import request_headers
from cbmcube.exceptions import AccessError

MAX_HOPS = 5
"""Redirects that are followed; archives need one, to their object store."""

TRUSTED = "CBMCUBE_REDIRECT_HOSTS"
"""Environment variable of workers: hosts, parted by commas, that a redirect may lead to."""

_TIMEOUT = (10.0, 30.0)
_WEB = re.compile(r"https?://[^{}]+", flags=re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_REMEMBERED = 4096

_safe: dict[str, None] = {}
"""Addresses, without their queries, that were followed to a safe end by this process."""
_local = threading.local()


def require_safe_route(href: str) -> None:
    """Refuse a web address that redirects to this computer or into a private network.

    Costs one HEAD request for each file and process. Other addresses cost nothing. A server
    that answers GDAL otherwise than this request is not found out: that is for the network
    around the workers to prevent.

    Parameters
    ----------
    href
        Address of a file, or ``/vsizip/{archive}/member``.

    Raises
    ------
    AccessError
        If a redirect leads inside, from https to http, to another kind of address, or on
        without end.
    """
    found = _WEB.search(href)
    if found is None:
        return
    plain = found[0].partition("?")[0]
    if plain in _safe:
        return
    if _follow(found[0]):
        if len(_safe) >= _REMEMBERED:
            _safe.clear()
        _safe[plain] = None


def _follow(address: str) -> bool:
    """Return whether the end was reached; a server that does not answer is left to GDAL."""
    for _ in range(MAX_HOPS + 1):
        try:
            # requests itself looks at where it is sent to, also where it does not go there
            answer = _session().head(
                address,
                # without the token, the server would say 401 and not where it leads
                headers=request_headers(address),
                allow_redirects=False,
                timeout=_TIMEOUT,
            )
            if not answer.is_redirect:
                return True
            target = urljoin(address, answer.headers["location"])
            problem = _problem(urlsplit(address), urlsplit(target))
        except (requests.ConnectionError, requests.Timeout):
            return False
        except (requests.RequestException, ValueError):
            target, problem = address, "which cannot be read"
        if problem:
            raise _refused(target, problem)
        address = target
    raise _refused(address, "after too many others")


def _session() -> requests.Session:
    """Return the session of this thread: sessions keep connections and are not to be shared."""
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    session: requests.Session = _local.session
    return session


def _problem(here: SplitResult, there: SplitResult) -> str | None:
    """Say what is wrong with a redirect from one address to another."""
    host = (there.hostname or "").rstrip(".")
    if there.scheme not in _PORTS or not host:
        return "which is no web address"
    if (here.scheme, there.scheme) == ("https", "http"):
        return "without encryption"
    if _place(here) == _place(there) or host in os.environ.get(TRUSTED, "").split(","):
        return None
    return "which is not public" if is_inside(host) or leads_inside(host) else None


def _place(parts: SplitResult) -> tuple[str | None, int | None]:
    """Return host and port; the usual ports of http and https are one place."""
    usual = _PORTS[parts.scheme]
    return parts.hostname, None if parts.port in (None, usual) else parts.port


def _refused(address: str, why: str) -> AccessError:
    return AccessError(
        f"the server redirects to another address, {why}",
        given=without_secrets(address)[:200],
        allowed=f"at most {MAX_HOPS} redirects, all to public hosts",
        hint=f"set {TRUSTED} on the workers to the host, if you trust it",
    )
