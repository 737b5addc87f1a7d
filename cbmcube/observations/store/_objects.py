"""The objects of a store: what is read and written, and what happens to damaged ones."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cbmcube.exceptions import StoreCorruptError
from cbmcube.observations.store._address import Address
from cbmcube.observations.store._backend import Backend, open_backend
from cbmcube.observations.store._commits import Commit
from cbmcube.observations.store._failpoints import failpoint
from cbmcube.observations.store._names import blob_name, commit_name, sha256
from cbmcube.observations.store._probe import honours_conditions

THREADS = 16
"""Requests at once: an object store answers each after some 30 ms."""

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")


class Objects:
    """What the modules of this folder do with a store's objects."""

    def __init__(self, address: Address) -> None:
        self.address = address

    @property
    def backend(self) -> Backend:
        """The place of the store, opened once for each process."""
        return open_backend(self.address)

    @property
    def safe_writers(self) -> bool:
        """Whether several writers are kept apart."""
        return honours_conditions(self.backend, self.address)

    def create(self, name: str, data: bytes, what: str) -> bool:
        """Write an object unless there is one of its name; False if there is."""
        if self.safe_writers:
            return self.backend.create(name, data, what)
        if self.backend.entry(name) is not None:
            return False
        self.backend.put(name, data, what)
        return True

    def read(self, name: str) -> bytes:
        """Return an object that must be there."""
        try:
            return self.backend.read(name)
        except FileNotFoundError:
            raise self.damaged(name, "is missing") from None

    def put_blob(self, kind: str, data: bytes, suffix: str, what: str) -> str:
        """Write an input unless it is there and sound; return its name."""
        name = f"{sha256(data)}.{suffix}"
        path = blob_name(kind, name)
        try:
            same = self.backend.read(path) == data
        except FileNotFoundError:
            same = False
        if same:
            # gc goes by age: what is wanted again must not count as old.
            self.backend.touch(path)
        else:
            self.backend.put(path, data, what)
        return name

    def get_blob(self, kind: str, name: str) -> bytes:
        """Return an input, its bytes checked."""
        data = self.read(blob_name(kind, name))
        if sha256(data) != name.partition(".")[0]:
            raise self.damaged(blob_name(kind, name), "has other bytes than its name says")
        return data

    def read_commit(self, key: str) -> Commit | None:
        """Return the commit of a unit; StoreCorruptError if it is torn."""
        try:
            data = self.backend.read(commit_name(key))
        except FileNotFoundError:
            return None
        return Commit.from_json(data, key)

    def set_aside(self, key: str) -> None:
        """Take back a commit; its record stays readable in ``runs/set-aside``."""
        failpoint("withdraw", "begin")
        try:
            data = self.backend.read(commit_name(key))
        except FileNotFoundError:
            return
        self.backend.put(f"runs/set-aside/{key}-{sha256(data)[:16]}.json", data, "log")
        failpoint("withdraw", "kept")
        with contextlib.suppress(FileNotFoundError):
            # Another process may have put a sound record there since.
            if self.backend.read(commit_name(key)) == data:
                self.backend.delete(commit_name(key))
        failpoint("withdraw", "end")

    def damaged(self, name: str, what: str) -> StoreCorruptError:
        """Return the error for an object that is not as it should be."""
        return StoreCorruptError(
            f"{name} {what}",
            given=self.address.url,
            hint="verify(store) lists all that is damaged, and repair(store) has it made again",
        )

    def map(self, function: Callable[[_Given], _Found], given: Iterable[_Given]) -> list[_Found]:
        """Call a function that waits for the store, for several at once; keep the order."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(function, given))
