"""A file server in a process of its own, that answers by range, refuses, redirects and keeps a log.

GDAL holds Python's lock while it opens a file: a server in the same process would wait for ever.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class FileServer:
    """A running server."""

    url: str
    folder: Path
    log: Path

    def requests(self):
        """Return the lines of the log so far: method, path with query, range."""
        return self.log.read_text().splitlines()

    def forget(self):
        """Empty the log."""
        self.log.write_text("")

    def redirect(self, target):
        """Return an address that redirects to `target`."""
        return f"{self.url}/redirect/{target}"


@contextmanager
def serve_files(folder: Path, log: Path) -> Iterator[FileServer]:
    """Serve a folder on a free port of the loopback interface.

    ``/redirect/TARGET`` redirects, ``/refuse/NAME`` answers 401 until the folder holds a file
    OPEN, ``/busy/NAME`` answers 503 to the first two requests, ``/token/NAME`` answers 403
    without ``?token=right``, ``/cut/NAME`` sends the first half of the file as if it were all.
    """
    log.write_text("")
    command = [sys.executable, __file__, str(folder), str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip()
        try:
            yield FileServer(f"http://127.0.0.1:{port}", folder, log)
        finally:
            process.kill()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    log: Path
    busy = 0

    def do_GET(self):
        parts = urlsplit(self.path)
        with self.log.open("a") as log:
            log.write(f"{self.command} {self.path} {self.headers.get('Range', '-')}\n")
        kind, _, name = parts.path[1:].partition("/")
        if kind == "redirect":
            return self.answer(302, location=unquote(self.path[len("/redirect/") :]))
        if kind == "refuse" and not (self.folder / "OPEN").exists():
            return self.answer(401)
        if kind == "token" and parts.query != "token=right":
            return self.answer(403)
        if kind == "busy" and Handler.busy < 2:
            Handler.busy += 1
            return self.answer(503)
        special = kind in ("refuse", "token", "busy", "cut")
        path = self.folder / unquote(name if special else parts.path[1:])
        if not path.is_file():
            return self.answer(404)
        content = path.read_bytes()
        return self.send(content[: len(content) // 2] if kind == "cut" else content)

    do_HEAD = do_GET  # noqa: N815  # the name that http.server looks for

    def send(self, content):
        wanted = self.headers.get("Range")
        if not wanted:
            return self.answer(200, content)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or len(content)), len(content) - 1) + 1
        if start >= len(content):
            return self.answer(416)
        return self.answer(206, content[start:stop], f"bytes {start}-{stop - 1}/{len(content)}")

    def answer(self, status, content=b"", part=None, location=None):
        self.send_response(status)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content)))
        if part:
            self.send_header("Content-Range", part)
        if location:
            self.send_header("Location", location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Handler.folder, Handler.log = Path(sys.argv[1]), Path(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)  # noqa: T201  # how the parent learns the port
    server.serve_forever()
