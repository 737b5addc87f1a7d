"""Where the items of a catalogue may point at."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from cbmcube.catalog.access._hosts import is_inside, leads_inside
from cbmcube.exceptions import AccessError, OptionError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-_]*):")
_VIRTUAL = re.compile(r"/+(vsi[a-z0-9_]*)", flags=re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\!<>]")
"""Control characters and others that programs which open addresses read differently."""
_HOST = re.compile(r"([\w.\-]+|\[[0-9A-Fa-f:.]+\])(:\d*)?")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]*")
_WEB = ("https", "http")


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Where the items of a catalogue may point at.

    Without one, items may name any public web host and any bucket. The items of a remote
    catalogue may also name the catalogue's own host, and never a local file. The items of a
    catalogue opened from a local file may name files below its folder. Names of web hosts are
    looked up where items are searched or loaded, and one that leads to this computer or to a
    private network is refused.

    Examples
    --------
    >>> from cbmcube.catalog import AccessPolicy
    >>> AccessPolicy(roots=("/data/copernicus",), prefer=("local", "s3")).schemes
    ('https', 'http', 's3')
    """

    schemes: tuple[str, ...] = ("https", "http", "s3")
    """Allowed URL schemes, lower case."""
    hosts: tuple[str, ...] | None = None
    """Allowed hosts and buckets, ``*`` as wildcard; ``None`` allows every public one.

    A host that is named here may lie in a private network. ``"*"`` names none.
    """
    roots: tuple[str | Path, ...] = ()
    """Folders below which local files are allowed, after symbolic links are followed."""
    prefer: tuple[str, ...] | Literal["auto"] = ()
    """Which address of an asset is used, where it has several and they are allowed.

    ``"local"``, a scheme, or the name of an alternate, the most wanted first; then the others
    in the order of the item. ``"auto"``: local files if the workers of the Dask client in use,
    or this computer without one, see the first of them.
    """

    def __post_init__(self) -> None:
        for name in ("schemes", "hosts", "roots", "prefer"):
            value = getattr(self, name)
            if isinstance(value, str) and (name, value) != ("prefer", "auto"):
                raise OptionError(
                    f"{name} of an AccessPolicy takes a tuple",
                    given=repr(value),
                    hint=f"write {name}=({value!r},)",
                )
        virtual = [one for one in self.schemes if one.lower().startswith("vsi")]
        if virtual:
            raise OptionError(
                "GDAL's virtual paths lead anywhere, so no policy can allow them",
                given=", ".join(virtual),
                allowed="URL schemes such as https, s3",
                hint="members of ZIP archives are found by archive:href in an item",
            )


@dataclass(frozen=True, slots=True)
class Gate:
    """A policy in force for one catalogue."""

    policy: AccessPolicy
    """The user's policy, or the default."""
    base: str | None
    """Address or absolute path of the catalogue; relative hrefs start from it."""
    any_file: bool = False
    """Whether every local file is allowed: for items that were never in a file."""
    opened: bool = True
    """Whether the user opened `base`, so that its host is trusted wherever it lies."""

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
        _refuse_virtual(href)
        scheme = _SCHEME.match(href)
        if scheme:
            return self._address(href, scheme[1].lower())
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
        if not (_BUCKET if scheme == "s3" else _HOST).fullmatch(parts.netloc):
            raise AccessError(f"its href names no usable host or bucket: {show(href)}")
        named = False
        if self.policy.hosts is not None:
            matching = [one for one in self.policy.hosts if fnmatchcase(host, one.lower())]
            if not matching:
                raise AccessError(f"host {host!r} is not allowed: {show(href)}")
            named = any(one.strip("*?.") for one in matching)
        if scheme in _WEB and not named and host != self._own_host():
            self._check_public(host, href)

    def _check_public(self, host: str, href: str) -> None:
        if is_inside(host):
            raise AccessError(f"host {host!r} is not public: {show(href)}")
        if leads_inside(host):
            raise AccessError(
                f"host {host!r} leads to a private network: {show(href)}; "
                f"if you trust it, name it in AccessPolicy(hosts=…)"
            )

    def _own_host(self) -> str | None:
        known = self.opened and _is_web(self.base)
        return urlsplit(self.base or "").hostname if known else None

    def _file(self, path: str) -> str:
        real = os.path.realpath(path)
        _refuse_virtual(real)
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


def _refuse_virtual(path: str) -> None:
    """Refuse a path that GDAL would not take for a file; the library makes such paths itself."""
    virtual = _VIRTUAL.match(path)
    if virtual:
        raise AccessError(
            f"GDAL's virtual path {virtual[1].lower()!r} is not allowed: {show(path)}"
        )
