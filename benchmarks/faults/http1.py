"""As much of HTTP/1.1 as a proxy needs: heads, bodies, and connections that are reset."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from dataclasses import dataclass

_BUFFER = 65_536
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class BrokenExchangeError(Exception):
    """An exchange that ends in a reset, on purpose or because the upstream broke it."""


@dataclass(frozen=True, slots=True)
class Head:
    """First line and headers of a request or an answer."""

    line: str
    """First line, without its end."""
    headers: tuple[tuple[str, str], ...]
    """Names as sent, and values."""

    @property
    def method(self) -> str:
        """Method of a request."""
        return self.line.split(" ", 1)[0]

    @property
    def target(self) -> str:
        """Path and query of a request."""
        return self.line.split(" ")[1]

    @property
    def status(self) -> int:
        """Status of an answer."""
        return int(self.line.split(" ")[1])

    @property
    def asked_range(self) -> str:
        """The range of a request, empty without one."""
        return self.value("range")

    @property
    def is_conditional_put(self) -> bool:
        """Whether something is to be created only if it is absent."""
        return self.method == "PUT" and self.value("if-none-match") == "*"

    @property
    def bytes(self) -> bytes:
        """The head as it is sent."""
        lines = [self.line, *(f"{name}: {value}" for name, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def value(self, name: str) -> str:
        """Return a header, empty if it is absent; `name` in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def without(self, *names: str) -> Head:
        """Return this head without some headers; `names` in lower case."""
        kept = tuple(header for header in self.headers if header[0].lower() not in names)
        return Head(self.line, kept)

    def plus(self, name: str, value: str) -> Head:
        """Return this head with one more header."""
        return Head(self.line, (*self.headers, (name, value)))

    def claiming(self, asked: str) -> Head:
        """Return an answer that claims to hold the range that was asked for."""
        told = self.value("content-range")
        if not told or not asked:
            return self
        claim = f"{asked.replace('=', ' ')}/{told.rpartition('/')[2]}"
        return self.without("content-range").plus("Content-Range", claim)


def shifted(head: Head) -> Head:
    """Return a request for a range that begins further on, by at most 4 KiB."""
    found = _RANGE.fullmatch(head.asked_range)
    if found is None:
        return head
    by = min(int(found[2]) - int(found[1]) + 1, 4096)
    wrong = f"bytes={int(found[1]) + by}-{int(found[2]) + by}"
    return head.without("range").plus("Range", wrong)


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """Return the next head of a connection, None at its end."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise
        return None
    except asyncio.LimitOverrunError as error:
        raise BrokenExchangeError from error
    line, *rest = text.removesuffix("\r\n\r\n").lstrip("\r\n").split("\r\n")
    headers = [tuple(part.strip() for part in one.split(":", 1)) for one in rest]
    return Head(line, tuple((name, value) for name, value in headers))


async def read_body(
    head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    """Return the body of a request as it was sent, chunks with their frames."""
    if head.value("expect").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    if head.value("transfer-encoding").lower() == "chunked":
        return b"".join([part async for part in _chunks(reader)])
    length = int(head.value("content-length") or 0)
    return await reader.readexactly(length) if length else b""


async def _chunks(reader: asyncio.StreamReader):  # noqa: ANN202  # an async generator of bytes
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";", 1)[0], 16)
        yield line + await reader.readexactly(size + 2)
        if size == 0:
            return


async def copy_body(
    head: Head,
    answer: Head,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    cut: bool,
) -> tuple[int, bool]:
    """Pass on the body of an answer, or its first half.

    Returns
    -------
    int
        Bytes that were passed on.
    bool
        Whether the client can tell where the body ends, so that its connection may go on.
    """
    if head.method == "HEAD" or answer.status in (204, 304):
        await writer.drain()
        return 0, True
    if answer.value("transfer-encoding").lower() == "chunked":
        passed = 0
        async for part in _chunks(reader):
            writer.write(part)
            passed += len(part)
            await writer.drain()
            if cut:
                break
        return passed, True
    told = answer.value("content-length")
    left = int(told) if told else 2**63
    left = left // 2 if cut and told else left
    passed = 0
    while left and (part := await reader.read(min(left, _BUFFER))):
        writer.write(part)
        await writer.drain()
        passed, left = passed + len(part), left - len(part)
    if told and left:
        raise BrokenExchangeError
    return passed, bool(told)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset instead of an orderly end."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        # Lingering for no time discards what is unsent and sends RST.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport = writer.transport
    if transport is not None:
        transport.abort()
