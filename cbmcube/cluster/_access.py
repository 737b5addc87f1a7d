"""What opens an object store or a web host: keys and tokens that never show themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cbmcube.exceptions import OptionError

PathOption = tuple[str, str, str]
"""Beginning of a GDAL path, and the name and value of an option for it."""

HEADERS = "GDAL_HTTP_HEADERS"
"""GDAL's option for headers of requests."""

_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
_BUCKET = re.compile(r"[A-Za-z0-9._\-]+")


@dataclass(frozen=True, slots=True)
class S3Access:
    """How an S3 object store is reached. Keys are left out of its repr.

    Examples
    --------
    >>> from cbmcube.cluster import S3Access
    >>> S3Access(endpoint="https://eodata.example.org", key="K", secret="S")
    S3Access(endpoint='https://eodata.example.org', bucket=None)
    """

    endpoint: str | None = None
    """Address of the store with its scheme; ``None`` for Amazon's."""
    key: str | None = field(default=None, repr=False)
    """Access key id. Without it, requests are not signed: the bucket must be public."""
    secret: str | None = field(default=None, repr=False)
    """Secret access key."""
    token: str | None = field(default=None, repr=False)
    """Session token, for keys that expire."""
    region: str | None = field(default=None, repr=False)
    """Region; ``None`` for that of the store."""
    bucket: str | None = None
    """The one bucket this is for; ``None`` for every bucket that has none of its own."""
    virtual_hosting: bool | None = field(default=None, repr=False)
    """Whether the bucket is part of the host's name; by default only at Amazon."""
    requester_pays: bool = field(default=False, repr=False)
    """Accept that the owner of `key` pays for reading."""

    def __post_init__(self) -> None:
        if (self.key is None) != (self.secret is None):
            raise OptionError("key and secret of S3Access belong together", given="one of them")
        if self.bucket is not None and not _BUCKET.fullmatch(self.bucket):
            raise OptionError("bucket of S3Access must be a bucket's name", given=repr(self.bucket))
        if self.endpoint is not None:
            parts = urlsplit(self.endpoint)
            if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc):
                raise OptionError(
                    "endpoint of S3Access must be an address with a scheme",
                    given=repr(parts.hostname or parts.path),
                    allowed="https://host, or http://host:port",
                )

    def options(self) -> list[PathOption]:
        """Return what GDAL must know, for the paths of the bucket or of all buckets."""
        prefix = f"/vsis3/{self.bucket}/" if self.bucket else "/vsis3/"
        virtual = self.endpoint is None if self.virtual_hosting is None else self.virtual_hosting
        found = {"AWS_VIRTUAL_HOSTING": "TRUE" if virtual else "FALSE"}
        if self.endpoint is not None:
            parts = urlsplit(self.endpoint)
            found["AWS_S3_ENDPOINT"] = parts.netloc + parts.path.rstrip("/")
            found["AWS_HTTPS"] = "YES" if parts.scheme == "https" else "NO"
        # Both, so that an open bucket beside a closed one, or the reverse, is not confused.
        found["AWS_NO_SIGN_REQUEST"] = "YES" if self.key is None else "NO"
        found["AWS_ACCESS_KEY_ID"] = self.key or ""
        found["AWS_SECRET_ACCESS_KEY"] = self.secret or ""
        found["AWS_SESSION_TOKEN"] = self.token or ""
        if self.region:
            found["AWS_REGION"] = self.region
        if self.requester_pays:
            found["AWS_REQUEST_PAYER"] = "requester"
        return [(prefix, name, value) for name, value in found.items()]


def s3_options(s3: S3Access | Sequence[S3Access]) -> list[PathOption]:
    """Return the options of one access or of several."""
    accesses = [s3] if isinstance(s3, S3Access) else list(s3)
    if not all(isinstance(access, S3Access) for access in accesses):
        # Not the value: it may be a dict of keys.
        kinds = sorted({type(access).__name__ for access in accesses})
        raise OptionError("s3 must be S3Access", given=", ".join(kinds), allowed="one or several")
    names = [access.bucket for access in accesses]
    if len(names) != len(set(names)):
        raise OptionError(
            "two accesses of s3 are for one bucket", given=[name or "all" for name in names]
        )
    return [option for access in accesses for option in access.options()]


def bearer_options(bearer: Mapping[str, str]) -> list[PathOption]:
    """Return a header for each host alone: a global one would be sent to every host."""
    found = []
    for place, given in bearer.items():
        token: object = given
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise OptionError(
                f"the token for {place!r} is not one line of visible characters",
                hint="pass the token alone, without 'Authorization: Bearer'",
            )
        header = f"Authorization: Bearer {token}"
        found.append((f"/vsicurl/{_origin(place)}/", HEADERS, header))
    return found


def _origin(place: str) -> str:
    """Return scheme and host, lower case; a bare host is only told over https."""
    parts = urlsplit(place if "://" in place else f"https://{place}")
    rest = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in ("https", "http") or rest or not _HOST.fullmatch(parts.netloc):
        raise OptionError(
            "a bearer token belongs to a host",
            given=repr(parts.hostname),
            allowed="'host', 'host:port' or 'https://host'; 'http://host' sends it unencrypted",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"
