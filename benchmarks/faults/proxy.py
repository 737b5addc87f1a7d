"""A proxy that breaks a share of what passes through it, in a process of its own.

``python -m benchmarks.faults.proxy http://127.0.0.1:9000`` forwards HTTP and S3 to that address.
`run_proxy` starts such a process and hands out a `FaultProxy`, by which rates change at run time.
Never run it in a process that reads rasters: GDAL holds Python's lock while it opens a file.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.faults.dice import Dice, Faults
from benchmarks.faults.http1 import (
    BrokenExchangeError,
    Head,
    copy_body,
    read_body,
    read_head,
    reset,
    shifted,
)

ROOT = Path(__file__).parents[2]
_READY = 30.0
_UPSTREAM_SECONDS = 120.0


class Proxy:
    """Forwards requests to one address, and breaks those that the dice say."""

    def __init__(self, upstream: str, faults: Faults, seed: int) -> None:
        parts = urlsplit(upstream)
        self.place = parts.hostname or "127.0.0.1", parts.port or 80
        self.faults, self.seed = faults, seed
        self.forget()

    def forget(self) -> None:
        """Count from nothing, and throw the dice as at the start."""
        self.dice = Dice(self.seed)
        self.counts: Counter[str] = Counter()
        self.outage_ends = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await read_head(reader):
                if not await self._exchange(head, reader, writer):
                    break
            writer.close()
        except (BrokenExchangeError, OSError, asyncio.IncompleteReadError):
            reset(writer)
        except asyncio.CancelledError:
            reset(writer)

    async def _exchange(
        self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Pass on one request and its answer; return whether the connection may go on."""
        kind = "commit" if head.is_conditional_put else head.method
        self.counts["requests"] += 1
        self.counts[f"requests {kind}"] += 1
        if time.monotonic() < self.outage_ends:
            self._count("outage", kind)
            raise BrokenExchangeError
        fault = self.dice.throw(head, self.faults)
        if fault == "reset":
            self._count(fault, kind)
            raise BrokenExchangeError
        if fault == "stall":
            self._count(fault, kind)
            await asyncio.sleep(self.faults.stall_seconds)
            raise BrokenExchangeError
        body = await read_body(head, reader, writer)
        if fault == "error":
            self._count(fault, kind)
            text = b"the proxy is unwell"
            writer.write(
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\n"
                b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(text)
            )
            writer.write(b"" if head.method == "HEAD" else text)
            await writer.drain()
            return True
        return await self._forward(head, body, writer, fault)

    async def _forward(
        self, head: Head, body: bytes, writer: asyncio.StreamWriter, fault: str | None
    ) -> bool:
        self.counts["forwarded"] += 1
        sent = head
        if fault == "wrong_range":
            self._count(fault, head.method)
            sent = shifted(head)
        up_reader, up_writer = await asyncio.open_connection(*self.place)
        try:
            up_writer.write(sent.without("connection", "expect").plus("Connection", "close").bytes)
            up_writer.write(body)
            async with asyncio.timeout(_UPSTREAM_SECONDS):
                answer = await read_head(up_reader)
                while answer is not None and answer.status == 100:
                    answer = await read_head(up_reader)
            if answer is None:
                raise BrokenExchangeError
            self.counts[f"answers {answer.status}"] += 1
            if self.dice.loses(head, answer, self.faults):
                self._count("lost", "commit" if head.is_conditional_put else head.method)
                raise BrokenExchangeError
            if fault == "wrong_range" and not self.faults.honest_ranges:
                answer = answer.claiming(head.asked_range)
            writer.write(answer.without("connection").bytes)
            cut = fault == "truncate"
            if cut:
                self._count(fault, head.method)
            passed, framed = await copy_body(head, answer, up_reader, writer, cut=cut)
            self.counts["bytes"] += passed
            if cut:
                # What was sent shall arrive: a reset would throw away what is under way.
                writer.close()
            return framed and not cut
        finally:
            up_writer.close()

    def _count(self, fault: str, kind: str) -> None:
        self.counts[f"fault {fault}"] += 1
        self.counts[f"fault {fault} {kind}"] += 1

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell the counts, or take new rates, on a port that nobody else is told."""
        with contextlib.suppress(BrokenExchangeError, OSError, asyncio.IncompleteReadError):
            head = await read_head(reader)
            if head is not None:
                order = json.loads(await read_body(head, reader, writer) or b"{}")
                self._obey(order)
                text = json.dumps({"counts": self.counts, "faults": asdict(self.faults)}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(text))
                writer.write(b"Connection: close\r\n\r\n" + text)
                await writer.drain()
        writer.close()

    def _obey(self, order: dict[str, Any]) -> None:
        if order.get("forget"):
            self.forget()
        if "outage" in order:
            self.outage_ends = time.monotonic() + order["outage"]
        if "faults" in order:
            self.faults = Faults(**order["faults"])


@dataclass(frozen=True, slots=True)
class FaultProxy:
    """A running proxy."""

    url: str
    """Address to use in place of the upstream's."""
    control: str
    """Address that takes orders."""

    def set(self, **rates: Any) -> None:
        """Break at these rates from now on; what is not named is not broken any more."""
        self._ask({"faults": asdict(Faults(**rates))})

    def outage(self, seconds: float) -> None:
        """Reset every connection for some time; 0 ends it."""
        self._ask({"outage": seconds})

    def forget(self) -> None:
        """Count from nothing, and draw the same random numbers again."""
        self._ask({"forget": True})

    def counts(self) -> Counter[str]:
        """Return how many requests, answers and faults of each kind there were."""
        return Counter(self._ask({})["counts"])

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  # loopback
            self.control, data=json.dumps(order).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # loopback
            return json.load(answer)


@contextlib.contextmanager
def run_proxy(upstream: str, *, seed: int = 0, **rates: Any) -> Iterator[FaultProxy]:
    """Run a proxy before `upstream` in a process of its own, until the block ends."""
    command = [sys.executable, "-m", "benchmarks.faults.proxy", upstream, "--seed", str(seed)]
    command += ["--faults", json.dumps(rates)]
    with subprocess.Popen(  # noqa: S603  # this module, with arguments made here
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield FaultProxy(**json.loads(line))
        finally:
            process.kill()


async def _main(upstream: str, faults: Faults, seed: int) -> None:
    proxy = Proxy(upstream, faults, seed)
    servers = [
        await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
        for serve in (proxy.serve, proxy.control)
    ]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    print(json.dumps({"url": urls[0], "control": urls[1]}), flush=True)
    # The end of the standard input is the end of who started this.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Run the proxy that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("upstream", help="address that is forwarded to, http only")
    parser.add_argument("--seed", type=int, default=0, help="seed of the faults")
    names = ", ".join(field.name for field in fields(Faults))
    parser.add_argument("--faults", default="{}", help=f"JSON of {names}")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(given.upstream, Faults(**json.loads(given.faults)), given.seed))


if __name__ == "__main__":
    main()
