"""The one door to a STAC API: its own host only, patient, and never more than can be held."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

import requests
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO

from cbmcube.catalog.access._access import show
from cbmcube.exceptions import CatalogError

MAX_BYTES = 512 * 2**20
"""Bytes of one answer, unpacked: a page of a thousand items has a few MB."""

ATTEMPTS = 5
"""How often a request is sent when the server says that it is busy."""

LONGEST_WAIT = 120.0
"""Seconds that are waited at most before a request is sent again."""

TIMEOUT = (30.0, 300.0)
"""Seconds for a connection, and for a server to begin or go on with its answer."""

_BUSY = frozenset({429, 502, 503, 504})
_FIRST_WAIT = 0.5
_BLOCK = 2**16
_PORTS = {"http": 80, "https": 443}


class Door(StacApiIO):
    """Sends every request of one API.

    Headers go to the API's own host and nowhere else: neither a link nor a redirect takes them
    to another one, nor from https to http. Busy answers (429, 502, 503, 504) are waited out, as
    long as ``Retry-After`` asks for or twice as long each time. Nothing is logged: headers may
    hold secrets.
    """

    def __init__(self, href: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(max_retries=None)
        self.session.headers.update(headers or {})
        self.timeout = TIMEOUT
        self._href = href

    def update(self, *_: Any, **__: Any) -> None:
        """Do nothing: a client that opens through this door would undo its settings."""

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """Send a request and return the text of its answer."""
        method = (method or "GET").upper()
        body, query = (parameters, None) if method == "POST" else (None, parameters)
        request = requests.Request(
            method, self.at_home(href), headers=headers, json=body, params=query
        )
        waits = _waits()
        while True:
            answer = self._send(request)
            if answer.status_code not in _BUSY:
                break
            time.sleep(_pause(answer, next(waits, None)))
        text = _read(answer)
        if not answer.ok:
            raise _refused(text, answer)
        return text

    def at_home(self, href: str) -> str:
        """Return an address of the API; one that forgot its ``https`` gets it back.

        Raises
        ------
        APIError
            If it lies on another host.
        """
        href = mend(href, self._href)
        if not same_host(href, self._href):
            raise APIError(f"the STAC API leads to another host: {urlsplit(href).hostname}")
        return href

    def _send(self, request: requests.Request) -> requests.Response:
        prepared = self.session.prepare_request(request)
        settings = self.session.merge_environment_settings(self._href, {}, True, None, None)
        for _ in range(ATTEMPTS):
            try:
                answer = self.session.send(
                    prepared, timeout=self.timeout, allow_redirects=False, **settings
                )
            except requests.RequestException as error:
                raise APIError(str(error)) from error
            if not answer.is_redirect:
                return answer
            target = urljoin(prepared.url or "", answer.headers["location"])
            # the same request again: a search that is sent on as GET would lose its filter
            prepared.url = self.at_home(target)
            answer.close()
        raise APIError("the STAC API redirects without end")


def mend(href: str, own: str) -> str:
    """Give an address the ``https`` by which its host was reached.

    Servers behind a proxy often do not know that they are asked by https.
    """
    asked, home = urlsplit(href), urlsplit(own)
    if (asked.scheme, home.scheme) != ("http", "https") or asked.port not in (None, 80, home.port):
        return href
    return urlunsplit(asked._replace(scheme="https", netloc=asked.netloc.removesuffix(":80")))


def check_home(asked: str, home: str, *, mended: bool) -> None:
    """Refuse to follow a STAC API to another host, which must not get its credentials.

    Raises
    ------
    CatalogError
        If `asked` does not lie on the host of `home`, or is less protected.
    """
    if same_host(mend(asked, home) if mended else asked, home):
        return
    raise CatalogError(
        "the STAC API leads to another host",
        given=f"{show(asked)} instead of {show(home)}",
        hint="credentials must not go there; open that API itself if you trust it",
    )


def same_host(href: str, own: str) -> bool:
    """Tell whether `href` lies on the host of `own`, and is not less protected."""
    asked, home = urlsplit(href), urlsplit(own)
    if home.scheme == "http" and asked.scheme == "https":
        return asked.hostname == home.hostname
    return (asked.scheme, *_host(asked)) == (home.scheme, *_host(home))


def _host(parts: SplitResult) -> tuple[str, int | None]:
    return (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme)


def _waits() -> Iterator[float]:
    yield from (_FIRST_WAIT * 2**number for number in range(ATTEMPTS - 1))


def _pause(answer: requests.Response, wait: float | None) -> float:
    """Return how long to wait; raise if that was tried often enough, or is too long."""
    asked = _retry_after(answer.headers.get("Retry-After"))
    answer.close()
    if wait is None:
        raise _refused(f"busy after {ATTEMPTS} attempts", answer)
    if asked is not None and asked > LONGEST_WAIT:
        raise _refused(f"busy; it asks to come back in {asked:.0f} seconds", answer)
    return wait if asked is None else asked


def _retry_after(text: str | None) -> float | None:
    """Read the header: seconds, or a date."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _read(answer: requests.Response) -> str:
    """Read an answer to its end, or to the largest size that is taken."""
    content = bytearray()
    try:
        for block in answer.iter_content(_BLOCK):
            content += block
            if len(content) > MAX_BYTES:
                raise APIError(f"an answer of more than {MAX_BYTES // 2**20} MiB")
        return content.decode("utf-8")
    except (requests.RequestException, UnicodeDecodeError) as error:
        raise APIError(str(error)) from error
    finally:
        answer.close()


def _refused(text: str, answer: requests.Response) -> APIError:
    try:
        content = json.loads(text)
        text = str(content.get("description") or content.get("detail") or text)
    except (ValueError, AttributeError):
        pass
    error = APIError(text)
    error.status_code = answer.status_code
    return error
