"""What a store asks of the place it lies in, be it a folder or a bucket."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from cbmcube.observations.store._address import Address


class NoConditionsError(Exception):
    """The place cannot create an object only if there is none of its name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object, as a listing shows it."""

    name: str
    size: int
    modified: float
    """Seconds since 1970."""


class Backend(Protocol):
    """A place for objects that are written whole or not at all.

    `what` is the step's name for failpoints. Names are checked by `_names.checked`.
    """

    def read(self, name: str) -> bytes:
        """Return an object; FileNotFoundError if there is none."""

    def put(self, name: str, data: bytes, what: str) -> None:
        """Write an object, replacing one of its name."""

    def create(self, name: str, data: bytes, what: str) -> bool:
        """Write an object unless there is one of its name; return whether it was written."""

    def entry(self, name: str) -> Entry | None:
        """Return what a listing shows of one object."""

    def entries(self, folder: str) -> Iterator[Entry]:
        """List the objects below a folder."""

    def top(self) -> set[str]:
        """Return the first parts of all names, those of strangers too."""

    def touch(self, name: str) -> None:
        """Make an object as new as if it had been written now."""

    def delete(self, name: str) -> None:
        """Remove an object; one that is absent is no error."""

    def leftovers(self) -> Iterator[Entry]:
        """List what interrupted writers left; to be removed with `drop_leftover`."""

    def drop_leftover(self, name: str) -> None:
        """Remove one of `leftovers`."""

    def filesystem(self) -> Any:
        """Return a pyarrow file system whose paths are names of objects."""


def open_backend(address: Address) -> Backend:
    """Return the back end for an address, one for each process and set of keys."""
    if address.bucket is None:
        return _open(address, 0)
    keys = [os.environ.get(name) for name in sorted(os.environ) if name.startswith("AWS_")]
    return _open(address, hash(tuple(keys)))


@functools.lru_cache(maxsize=32)
def _open(address: Address, _keys: int) -> Backend:
    if address.bucket is None:
        from cbmcube.observations.store._local import LocalBackend  # noqa: PLC0415 - one of two

        return LocalBackend(address.path)
    from cbmcube.observations.store._s3 import S3Backend  # noqa: PLC0415 - needs an extra

    return S3Backend(address)


# Connections must not be shared by two processes.
os.register_at_fork(after_in_child=_open.cache_clear)
