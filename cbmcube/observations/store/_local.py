"""Stores in a folder: local disks and network disks that behave like them."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from pyarrow import fs

from cbmcube.exceptions import StoreAccessError, StoreFullError, StoreUnavailableError
from cbmcube.observations.store._backend import Entry, NoConditionsError
from cbmcube.observations.store._failpoints import failpoint
from cbmcube.observations.store._names import checked

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalBackend:
    """Objects as files below one folder.

    A file gets its name when its bytes are on disk, and a name is on disk before the next
    step: a power cut may lose the last step, and never leaves half of one.
    """

    def __init__(self, root: str) -> None:
        self._root = Path(root)
        self._known: set[Path] = set()

    def read(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            self._translate(error, "read")

    def put(self, name: str, data: bytes, what: str) -> None:
        failpoint(what, "begin")
        final = self._path(name)
        try:
            temporary = self._write_temporary(data, what)
            self._make_folder(final.parent)
            temporary.replace(final)
            failpoint(what, "renamed")
            _sync_folder(final.parent)
        except OSError as error:
            self._translate(error, "write")
        failpoint(what, "end")

    def create(self, name: str, data: bytes, what: str) -> bool:
        failpoint(what, "begin")
        final = self._path(name)
        try:
            self._make_folder(final.parent)
            temporary = self._write_temporary(data, what)
            try:
                created = _link(temporary, final)
                failpoint(what, "linked")
                # Also where another writer was first: what it did must outlive a power cut
                # before this one relies on it.
                _sync_folder(final.parent)
            except Exception:
                temporary.unlink(missing_ok=True)
                raise
            temporary.unlink(missing_ok=True)
        except OSError as error:
            self._translate(error, "write")
        failpoint(what, "end")
        return created

    def entry(self, name: str) -> Entry | None:
        try:
            found = self._path(name).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._translate(error, "read")
        return Entry(name, found.st_size, found.st_mtime)

    def entries(self, folder: str) -> Iterator[Entry]:
        try:
            yield from self._walk(folder)
        except OSError as error:
            self._translate(error, "list")

    def top(self) -> set[str]:
        try:
            return {entry.name for entry in os.scandir(self._root)}
        except FileNotFoundError:
            return set()
        except OSError as error:
            self._translate(error, "list")

    def touch(self, name: str) -> None:
        try:
            os.utime(self._path(name))
        except OSError as error:
            self._translate(error, "write")

    def delete(self, name: str) -> None:
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            self._translate(error, "delete from")

    def leftovers(self) -> Iterator[Entry]:
        yield from self.entries("tmp")

    def drop_leftover(self, name: str) -> None:
        try:
            (self._root / "tmp" / Path(name).name).unlink(missing_ok=True)
        except OSError as error:
            self._translate(error, "delete from")

    def filesystem(self) -> Any:
        return fs.SubTreeFileSystem(str(self._root), fs.LocalFileSystem())

    def _path(self, name: str) -> Path:
        return self._root / checked(name)

    def _walk(self, folder: str) -> Iterator[Entry]:
        try:
            found = list(os.scandir(self._root / folder))
        except FileNotFoundError:
            return
        for entry in found:
            name = f"{folder}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(name)
                continue
            # Another process may have removed it since it was listed.
            with contextlib.suppress(FileNotFoundError):
                facts = entry.stat(follow_symlinks=False)
                yield Entry(name, facts.st_size, facts.st_mtime)

    def _write_temporary(self, data: bytes, what: str) -> Path:
        folder = self._root / "tmp"
        self._make_folder(folder)
        path = folder / uuid.uuid4().hex
        try:
            with path.open("xb", buffering=0) as file:
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]
                failpoint(what, "temp")
                os.fsync(file.fileno())
                failpoint(what, "synced")
        except Exception:  # a kill leaves the file, and gc finds it
            path.unlink(missing_ok=True)
            raise
        return path

    def _make_folder(self, folder: Path) -> None:
        if folder in self._known:
            return
        if not folder.is_dir():
            if folder != self._root and self._root in folder.parents:
                self._make_folder(folder.parent)
                folder.mkdir(exist_ok=True)
            else:
                folder.mkdir(parents=True, exist_ok=True)
            _sync_folder(folder.parent)
        self._known.add(folder)

    def _translate(self, error: OSError, verb: str) -> NoReturn:
        place = f"the store {self._root}"
        if error.errno in _FULL:
            raise StoreFullError(
                f"no space is left for {place}",
                given=error.strerror,
                hint="free space and run again; what is committed stays, and nothing is torn",
            ) from error
        if error.errno in _REFUSED:
            raise StoreAccessError(
                f"the system refuses to {verb} {place}",
                given=error.strerror,
                hint="check the rights of the folder, and that it is not mounted read-only",
            ) from error
        raise StoreUnavailableError(
            f"{place} cannot be reached at present",
            given=error.strerror or type(error).__name__,
            hint="check the disk or its network, then run again",
        ) from error


def _link(temporary: Path, final: Path) -> bool:
    """Give the file its name unless the name is taken: the one atomic step of a commit."""
    try:
        os.link(temporary, final)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _NO_LINKS:
            raise NoConditionsError(error.strerror) from error
        raise
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network disks cannot: their server does it, or nobody can.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)
