"""Where the items of a catalogue may point at."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from cbmcube.exceptions import AccessError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_VIRTUAL = re.compile(r"/+(vsi[a-z0-9_]*)", flags=re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\!]")
"""Control characters, ``\\`` and ``!``, which programs that open addresses read differently."""
_WEB = ("https", "http")


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Where the items of a catalogue may point at.

    Without one, items may name any public web host and any bucket. The items of a remote
    catalogue may also name the catalogue's own host, and never a local file. The items of a
    catalogue opened from a local file may name files below its folder. Host names are compared
    as they are written: they are not looked up, and redirects are not followed.

    Examples
    --------
    >>> from cbmcube.catalog import AccessPolicy
    >>> AccessPolicy(roots=("/data/copernicus",)).schemes
    ('https', 'http', 's3')
    """

    schemes: tuple[str, ...] = ("https", "http", "s3")
    """Allowed URL schemes, lower case. A GDAL prefix counts as one: ``"vsizip"``."""
    hosts: tuple[str, ...] | None = None
    """Allowed hosts and buckets, ``*`` as wildcard; ``None`` allows every public one."""
    roots: tuple[str | Path, ...] = ()
    """Folders below which local files are allowed, after symbolic links are followed."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A policy in force for one catalogue."""

    policy: AccessPolicy
    """The user's policy, or the default."""
    base: str | None
    """Address or absolute path of the catalogue; relative hrefs start from it."""
    any_file: bool = False
    """Whether every local file is allowed: for items that were never in a file."""

    def resolve(self, href: object, self_href: object = None) -> str:
        """Return the absolute form of `href`.

        Raises
        ------
        AccessError
            If the policy does not allow it, or nothing says what it is relative to.
        """
        if not isinstance(href, str) or not href.strip():
            raise AccessError("it has no href")
        if href.startswith("$"):
            raise AccessError(f"its href is an unfilled placeholder: {show(href)}")
        if _UNSAFE.search(href):
            raise AccessError(f"its href has characters that are not allowed: {show(href)!r}")
        virtual, scheme = _VIRTUAL.match(href), _SCHEME.match(href)
        if virtual or scheme:
            return self._address(href, (virtual or scheme)[1].lower())  # type: ignore[index]
        base = self._base(self_href)
        if not href.startswith("/") and base is not None and _is_web(base):
            return self._address(urljoin(base, href), urlsplit(base).scheme.lower())
        if not href.startswith("/") and base is None:
            raise AccessError(f"its href is relative to nothing: {show(href)}")
        return self._file(os.path.join(os.path.dirname(base or "/"), href))  # noqa: PTH118, PTH120

    def _base(self, self_href: object) -> str | None:
        if isinstance(self_href, str) and (
            _is_web(self_href) or (self.any_file and self_href.startswith("/"))
        ):
            return self_href
        return self.base

    def _address(self, href: str, scheme: str) -> str:
        try:
            parts = urlsplit(href)
        except ValueError as error:
            raise AccessError(f"its href cannot be read: {error}") from error
        if scheme == "file" and parts.netloc.lower() in ("", "localhost"):
            return self._file(unquote(parts.path))
        if scheme not in self.policy.schemes:
            raise AccessError(f"scheme {scheme!r} is not allowed: {show(href)}")
        if scheme in (*_WEB, "s3"):
            self._check_host(parts, scheme, href)
        return href

    def _check_host(self, parts: SplitResult, scheme: str, href: str) -> None:
        host = (parts.hostname or "").lower().rstrip(".")
        if not host or "@" in parts.netloc:
            raise AccessError(f"its href names a user, or no host: {show(href)}")
        if self.policy.hosts is not None:
            if not any(fnmatchcase(host, allowed.lower()) for allowed in self.policy.hosts):
                raise AccessError(f"host {host!r} is not allowed: {show(href)}")
        elif scheme in _WEB and _is_private(host) and host != self._own_host():
            raise AccessError(f"host {host!r} is not public: {show(href)}")

    def _own_host(self) -> str | None:
        return urlsplit(self.base or "").hostname if _is_web(self.base) else None

    def _file(self, path: str) -> str:
        real = os.path.realpath(path)
        if self.any_file or any(Path(real).is_relative_to(root) for root in self._roots()):
            return real
        raise AccessError(f"local files are not allowed there: {show(path)}")

    def _roots(self) -> Iterator[str]:
        yield from (os.path.realpath(root) for root in self.policy.roots)
        if self.base is not None and not _is_web(self.base):
            yield os.path.dirname(os.path.realpath(self.base))  # noqa: PTH120


def show(href: str) -> str:
    """Return an address without its query and user, which may hold secrets."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return "an unreadable address"
    if not parts.netloc:
        return href.split("?", maxsplit=1)[0][:200]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))[:200]


def _is_web(href: str | None) -> bool:
    return href is not None and href.lower().startswith(("http://", "https://"))


def _is_private(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        pass
    try:  # 127.1, 0x7f000001 and 2130706433 are addresses to a web client too
        return not ipaddress.ip_address(socket.inet_aton(host)).is_global
    except OSError:
        return False
