"""The bytes of a file held against what its item says of them: ``file:size``, ``file:checksum``."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import rasterio
import rasterio._env
import rasterio.errors
from rasterio.session import DummySession

from cbmcube._text import without_secrets
from cbmcube.cluster import forget_reads
from cbmcube.cube.reading._multihash import Digest, parse_checksum
from cbmcube.cube.reading._order import Verify
from cbmcube.cube.reading._safety import gdal_path, is_remote
from cbmcube.exceptions import OptionError, ReadError

Outcome = Literal["nothing", "size", "checksum"]
"""What was found to be as the item says."""

_CHUNK = 2**22
_REMEMBERED = 4096
_FAILURE_SECONDS = 600.0
"""How long a remote file that failed is not asked for again: as long as all its blocks take."""

_ZIPPED = re.compile(r"/vsizip/\{(?P<archive>[^{}]+)\}/.+")
_LOG = logging.getLogger(__name__)

Key = tuple[str, object, "Promise"]
_lock = threading.Lock()
_busy: dict[Key, threading.Lock] = {}
_verified: dict[Key, Outcome] = {}
_failed: dict[Key, tuple[float, str]] = {}


@dataclass(frozen=True, slots=True)
class Promise:
    """What an item says of the bytes of a file."""

    size: int | None = None
    """Bytes."""
    checksum: str | None = None
    """A multihash in hexadecimal digits, or a bare MD5, SHA-1, SHA-256 or SHA-512."""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Promise:
        """Return what the fields of an asset (or alternate) say; nonsense counts as nothing.

        Examples
        --------
        >>> Promise.of({"file:size": 12, "file:checksum": "d50110" + 16 * "0f"})
        Promise(size=12, checksum='d501100f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f')
        """
        size, checksum = fields.get("file:size"), fields.get("file:checksum")
        sound = isinstance(size, int) and not isinstance(size, bool) and size >= 0
        return cls(
            size if sound else None,
            checksum.strip() if isinstance(checksum, str) and checksum.strip() else None,
        )


def require_promised_bytes(
    href: str, promise: Promise, *, verify: Verify = "checksum", known_as: str | None = None
) -> Outcome:
    """Refuse a file whose bytes are not those that its item speaks of.

    A checksum costs reading the whole file, once for each file and process (for a local file,
    again when it has changed); a size costs nothing that opening the file does not. What happens
    to a remote file after it was read once is not seen. Of a member in an archive, either the
    member or the archive must be what was promised, since catalogues mean either.

    Parameters
    ----------
    href
        Absolute path, address, or ``/vsizip/{archive}/member``, as `open_raster` takes it.
    promise
        What the item says.
    verify
        ``"checksum"`` reads and hashes the file where the item states a checksum, ``"size"``
        compares the size only, ``"none"`` nothing.
    known_as
        Address without a signature, by which the file is remembered. Default: `href` without
        its query.

    Returns
    -------
    str
        What was compared: ``"checksum"``, ``"size"`` or ``"nothing"``; a checksum of unknown
        form is logged and counts as none.

    Raises
    ------
    ReadError
        If size or checksum differ; the message has both.
    rasterio.errors.RasterioIOError
        If the file cannot be opened or read to its end.

    Examples
    --------
    >>> import hashlib
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.bin")
    ...     _ = path.write_bytes(b"pixels")
    ...     promise = Promise(6, "1220" + hashlib.sha256(b"pixels").hexdigest())
    ...     require_promised_bytes(str(path), promise)
    'checksum'
    """
    require_verify(verify)
    digest = None
    if verify == "checksum" and promise.checksum is not None:
        digest = parse_checksum(promise.checksum)
        if digest is None:
            _LOG.warning("a checksum of unknown form is not checked: %.80s", promise.checksum)
    if verify == "none" or (digest is None and promise.size is None):
        return "nothing"
    plain = without_secrets(known_as or href)
    key = (plain, _state(href), Promise(promise.size, promise.checksum if digest else None))
    with _lock:
        # One thread reads; the others wait for what it finds.
        turn = _busy.setdefault(key, threading.Lock())
    with turn:
        return _remembered(key) or _look(key, href, promise, digest)


def require_verify(given: str) -> None:
    """Refuse what is no way to verify a file.

    Examples
    --------
    >>> from cbmcube.cube import require_verify
    >>> require_verify("checksum")
    >>> require_verify("crc")
    Traceback (most recent call last):
    cbmcube.exceptions.OptionError: there is no such way to verify files...
    """
    if given not in get_args(Verify):
        raise OptionError(
            "there is no such way to verify files",
            given=f"verify={given!r}",
            allowed=", ".join(map(repr, get_args(Verify))),
            hint='"checksum" finds every changed byte and reads each file whole',
        )


def _state(href: str) -> object:
    """Return what changes when a local file does."""
    zipped = _ZIPPED.fullmatch(href)
    path = zipped["archive"] if zipped else href
    if is_remote(href):
        return None
    try:
        found = os.stat(path)  # noqa: PTH116  # a path that GDAL gets as text
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev


def _remembered(key: Key) -> Outcome | None:
    if key in _failed:
        when, failure = _failed[key]
        if key[1] is not None or time.monotonic() - when < _FAILURE_SECONDS:
            raise ReadError(failure)
    return _verified.get(key)


def _look(key: Key, href: str, promise: Promise, digest: Digest | None) -> Outcome:
    try:
        problem = _problem(href, promise, digest)
        if problem is not None and is_remote(href):
            # What came over a network may be right the second time.
            forget_reads()
            problem = _problem(href, promise, digest)
    finally:
        with _lock:
            for memory in (_busy, _verified, _failed):
                if len(memory) >= _REMEMBERED:
                    memory.clear()
    if problem is not None:
        _failed[key] = time.monotonic(), str(problem)
        raise problem
    _failed.pop(key, None)
    _verified[key] = "size" if digest is None else "checksum"
    return _verified[key]


def _problem(href: str, promise: Promise, digest: Digest | None) -> ReadError | None:
    zipped = _ZIPPED.fullmatch(href)
    problems = []
    for path in [href, zipped["archive"]] if zipped else [href]:
        with _opened(gdal_path(path)) as (size, chunks):
            if promise.size not in (None, size):
                problems.append(_broken("size", f"{size:,} bytes", f"{promise.size:,} bytes"))
                continue
            if digest is None:
                return None
            found = digest.new()
            for chunk in chunks:
                found.update(chunk)
            if found.digest() == digest.value:
                return None
            given = (found.hexdigest(), digest.value.hex())
            problems.append(_broken(f"checksum ({digest.name})", *given))
    return problems[0]


def _broken(what: str, held: str, promised: str) -> ReadError:
    return ReadError(
        f"the {what} of the file is not what its item says",
        given=f"{held} of the file, {promised} in the item",
        hint="the file is damaged or was replaced: fetch or search it again, or leave it out",
    )


@contextmanager
def _opened(path: str) -> Iterator[tuple[int, Iterator[memoryview]]]:
    """Open any file as GDAL does, with the keys and tokens it has for its place."""
    gdal = _library()
    with rasterio.Env(session=DummySession()):
        file = gdal.VSIFOpenL(path.encode(), b"rb")
        if not file:
            raise _unread(gdal, path, "cannot be opened")
        try:
            gdal.VSIFSeekL(file, 0, os.SEEK_END)
            size = int(gdal.VSIFTellL(file))
            gdal.VSIFSeekL(file, 0, os.SEEK_SET)
            yield size, _chunks(gdal, file, path, size)
        finally:
            gdal.VSIFCloseL(file)


def _chunks(gdal: Any, file: int, path: str, size: int) -> Iterator[memoryview]:
    buffer = ctypes.create_string_buffer(min(_CHUNK, max(size, 1)))
    left = size
    while left:
        wanted = min(left, len(buffer))
        if gdal.VSIFReadL(buffer, 1, wanted, file) != wanted:
            raise _unread(gdal, path, f"ends {left:,} bytes before its end")
        left -= wanted
        yield memoryview(buffer)[:wanted]


def _unread(gdal: Any, path: str, what: str) -> rasterio.errors.RasterioIOError:
    why = gdal.CPLGetLastErrorMsg() or gdal.VSIGetLastErrorMsg() or b""
    text = f"'{path}' {what}: {why.decode(errors='replace')}"
    return rasterio.errors.RasterioIOError(without_secrets(text))


@functools.cache
def _library() -> Any:
    """Return the GDAL that rasterio is linked to; rasterio cannot read bytes through it."""
    try:
        gdal = ctypes.CDLL(rasterio._env.__file__)  # noqa: SLF001  # as cluster/_vsi.py does
        signatures = {
            "VSIFOpenL": (ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]),
            "VSIFSeekL": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int]),
            "VSIFTellL": (ctypes.c_uint64, [ctypes.c_void_p]),
            "VSIFCloseL": (ctypes.c_int, [ctypes.c_void_p]),
            "CPLGetLastErrorMsg": (ctypes.c_char_p, []),
            "VSIGetLastErrorMsg": (ctypes.c_char_p, []),
            "VSIFReadL": (
                ctypes.c_size_t,
                [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p],
            ),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(gdal, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise OptionError(
            "GDAL's own file functions cannot be reached on this system",
            allowed="rasterio on Linux or macOS",
            hint='load with verify="none", and compare checksums in another way',
        ) from error
    return gdal
