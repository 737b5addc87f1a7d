"""A web server for the tests: byte ranges, tokens, signed addresses, faults, and its log."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.services.processes import MissingServiceError, free_port, running

# Words in place of the signs that mean something to Python and to the server.
_CONFIG = """
daemon off;
user root;
worker_processes 1;
pid FOLDER/pid;
error_log FOLDER/error.log;
events { worker_connections 256; }
http {
  log_format tests '$request_method $server_port $uri $status $body_bytes_sent "$http_range" '
                   '"$http_authorization" "$http_user_agent"';
  access_log FOLDER/access.log tests;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi;
  scgi_temp_path FOLDER/scgi;
  server {
    listen 127.0.0.1:PORT;
    location = /healthz { access_log off; return 200 "ok"; }
    location /public/ { alias FOLDER/data/; }
    location /private/ {
      if ($http_authorization != "Bearer TOKEN") { return 401; }
      alias FOLDER/data/;
    }
    location /signed/ {
      if ($arg_sig = "") { return 403; }
      if (!-f FOLDER/signatures/$arg_sig) { return 403; }
      alias FOLDER/data/;
    }
    location /shaky/ {
      if (-f FOLDER/busy) { return 503; }
      alias FOLDER/data/;
    }
    location ~ ^/private-away/(.*)$ {
      if ($http_authorization != "Bearer TOKEN") { return 401; }
      return 302 http://127.0.0.1:ELSEWHERE/public/$1;
    }
    location ~ ^/private-bucket/(.*)$ {
      if ($http_authorization != "Bearer TOKEN") { return 401; }
      return 302 http://127.0.0.1:ELSEWHERE/public/$1?X-Amz-Signature=abc&X-Amz-Expires=600;
    }
  }
  server {
    listen 127.0.0.1:ELSEWHERE;
    location /public/ { alias FOLDER/data/; }
  }
}
"""
_ENTRY = re.compile(r'(\w+) (\d+) (\S+) (\d+) (\d+) "([^"]*)" "([^"]*)" "([^"]*)"')


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was answered."""

    method: str
    port: int
    path: str
    status: int
    sent: int
    """Bytes of the body."""
    range: str
    authorization: str
    agent: str

    @property
    def by_gdal(self) -> bool:
        """Whether GDAL asked, and not a check of the library before it."""
        return self.agent.startswith("GDAL")


@dataclass(frozen=True, slots=True)
class WebServer:
    """A running server: what it serves from where, and what was asked of it."""

    port: int
    elsewhere: int
    """Port of a second host, which redirects lead to."""
    folder: Path
    token: str
    """What ``/private/`` asks for."""

    @property
    def data(self) -> Path:
        """The folder that is served."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def allow_signature(self, text: str) -> None:
        """Accept this signature, and none that was accepted before."""
        for old in (self.folder / "signatures").iterdir():
            old.unlink()
        (self.folder / "signatures" / text).touch()

    def set_busy(self, busy: bool) -> None:  # noqa: FBT001
        """Let ``/shaky/`` answer 503, or heal."""
        flag = self.folder / "busy"
        flag.touch() if busy else flag.unlink(missing_ok=True)

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[Request]]:
        """Collect, at the end of the block, what was requested in it."""
        log = self.folder / "access.log"
        start = log.stat().st_size
        found: list[Request] = []
        yield found
        time.sleep(0.05)  # an entry is written just after the answer
        with log.open(encoding="utf-8") as stream:
            stream.seek(start)
            for line in stream:
                method, port, path, status, sent, *rest = _ENTRY.match(line).groups()
                found.append(Request(method, int(port), path, int(status), int(sent), *rest))


@contextlib.contextmanager
def run_nginx(token: str) -> Iterator[WebServer]:
    """Start the server in a folder of its own; stop it and remove the folder at the end."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).is_file():
        message = "no nginx: install nginx-light"
        raise MissingServiceError(message)
    folder = Path(tempfile.mkdtemp(prefix="nginx-"))
    for name in ("data", "signatures"):
        (folder / name).mkdir()
    server = WebServer(free_port(), free_port(), folder, token)
    text = _CONFIG
    for word, value in (
        ("FOLDER", folder),
        ("PORT", server.port),
        ("ELSEWHERE", server.elsewhere),
        ("TOKEN", token),
    ):
        text = re.sub(rf"\b{word}\b", str(value), text)
    config = folder / "nginx.conf"
    config.write_text(text, encoding="utf-8")
    command = [program, "-c", str(config), "-e", str(folder / "error.log")]
    try:
        with running(command, probe=f"{server.url}/healthz", log=folder / "output.log"):
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
