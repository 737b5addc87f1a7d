"""Where a store lies: a folder or a bucket, spelled without secrets."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cbmcube.exceptions import OptionError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z0-9._\-=+/]*", re.ASCII)
_HOST = re.compile(r"(?:[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?", re.ASCII)
_ALLOWED = "a folder, file:///folder, or s3://bucket/prefix"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store lies; it never holds a key, so that it may be shown and sent."""

    path: str
    """Absolute path of a folder, or the prefix in a bucket, without slashes at its ends."""
    bucket: str | None = None
    endpoint: str | None = None
    """Address of an object store with its scheme; ``None`` for what the environment says."""
    region: str | None = None

    @property
    def url(self) -> str:
        """Return the address as users write it."""
        return self.path if self.bucket is None else f"s3://{self.bucket}/{self.path}"


def parse_address(
    url: str | os.PathLike[str], *, endpoint: str | None = None, region: str | None = None
) -> Address:
    """Read an address; one that carries keys is refused without showing them.

    Examples
    --------
    >>> parse_address("s3://season/dk-2018", endpoint="http://127.0.0.1:9000").url
    's3://season/dk-2018'
    """
    text = os.fspath(url)
    parts = urlsplit(text) if re.match(r"[A-Za-z][A-Za-z0-9+.\-]+:", text) else None
    if parts is None or parts.scheme == "file":
        if endpoint is not None or region is not None:
            raise OptionError("a folder has no endpoint or region", allowed="with s3://bucket only")
        return Address(_folder(text, parts.path if parts else None, parts and parts.netloc))
    if parts.scheme != "s3":
        raise OptionError(
            "a store lies in a folder or in a bucket of S3",
            given=f"{parts.scheme}://…",
            allowed=_ALLOWED,
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise OptionError(
            "the address of a store must not carry keys or options",
            given=f"{parts.scheme}://…@{parts.hostname or ''}{parts.path}",
            allowed="s3://bucket/prefix",
            hint="give keys by the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)",
        )
    prefix = parts.path.strip("/")
    plain = _PREFIX.fullmatch(prefix) and not {"", ".", ".."} & set(prefix.split("/"))
    if not _BUCKET.fullmatch(parts.netloc) or not plain:
        raise OptionError(
            "this is no bucket and prefix for a store",
            given=repr(f"s3://{parts.netloc}{parts.path}"),
            allowed="s3://bucket/prefix, the prefix of letters, digits and . _ - = +",
        )
    return Address(prefix, parts.netloc, _endpoint(endpoint), region)


def _folder(text: str, path: str | None, host: str | None) -> str:
    if host not in (None, "", "localhost"):
        raise OptionError("file:// reaches this computer only", given=host, allowed=_ALLOWED)
    folder = unquote(path) if path is not None else text
    if not folder or "\0" in folder:
        raise OptionError("a store needs a folder", given=repr(text), allowed=_ALLOWED)
    return str(Path(folder).expanduser().absolute())


def _endpoint(endpoint: str | None) -> str | None:
    if endpoint is None:
        return None
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc) or parts.query:
        raise OptionError(
            "endpoint must be an address with a scheme, without keys",
            given=repr(parts.hostname or ""),
            allowed="https://host, or http://host:port",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
