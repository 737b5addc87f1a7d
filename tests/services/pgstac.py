"""A STAC API with CQL2 for the tests: PostgreSQL, PostGIS, pgstac and stac-fastapi-pgstac."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS = 60
LOG_LINES = 20


class MissingServiceError(Exception):
    """A program that the service needs is not installed."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the programs of the service lie."""

    python: Path
    postgres: Path

    def script(self, name: str) -> str:
        return str(self.python.parent / name)

    def server(self, name: str) -> str:
        return str(self.postgres / name)


@dataclass(frozen=True, slots=True)
class StacApi:
    """A running API: its address, its log, and how to fill it."""

    url: str
    port: int
    log_path: Path
    tools: Tools
    environment: Mapping[str, str]

    def load(self, collections: Iterable[dict], items: Iterable[dict]) -> None:
        """Store collections, then items, through pgstac's own loader."""
        for table, rows in (("collections", collections), ("items", items)):
            path = self.log_path.parent / f"{table}.ndjson"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            command = [self.tools.script("pypgstac"), "load", table, str(path)]
            _run([*command, "--method", "insert"], self.environment)


def find_tools() -> Tools:
    """Find the programs, or say in one line which is missing."""
    default = Path(__file__).parents[2] / ".venv-stac" / "bin" / "python"
    python = Path(os.environ.get("CBMCUBE_STAC_PYTHON", default))
    if not (python.parent / "pypgstac").is_file():
        message = f"no pypgstac beside {python}: set CBMCUBE_STAC_PYTHON to a Python that has it"
        raise MissingServiceError(message)
    on_path = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folders += [Path(on_path).resolve().parent] if on_path else []
    needed = ("initdb", "pg_ctl", "createdb")
    for folder in folders:
        if all((folder / name).is_file() for name in needed) and _has_postgis(folder):
            return Tools(python, folder)
    message = "no PostgreSQL server with PostGIS: install postgresql-15-postgis-3"
    raise MissingServiceError(message)


def _has_postgis(folder: Path) -> bool:
    """Return whether the extension lies where the server below `folder` looks for it."""
    shared = (folder.parent / "share", Path("/usr/share/postgresql") / folder.parent.name)
    return any((place / "extension" / "postgis.control").is_file() for place in shared)


@contextlib.contextmanager
def run_pgstac(tools: Tools) -> Iterator[StacApi]:
    """Start the service in a folder of its own; stop it and remove the folder at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pgstac-"))
    # The database runs as another user, who must be able to pass through.
    folder.chmod(0o711)
    try:
        with _database(tools, folder) as environment, _api(tools, folder, environment) as api:
            yield api
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _database(tools: Tools, folder: Path) -> Iterator[dict[str, str]]:
    data, log, port = folder / "pg" / "data", folder / "pg" / "log", free_port()
    data.parent.mkdir(mode=0o700)
    prefix: list[str] = []
    if os.geteuid() == 0:  # initdb refuses to run as root
        shutil.chown(data.parent, "postgres", "postgres")
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    control = [*prefix, tools.server("pg_ctl"), "-D", str(data), "-w", "-s"]
    settings = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' "
        "-c fsync=off -c full_page_writes=off -c shared_buffers=128MB"
    )
    initdb = [*prefix, tools.server("initdb"), "-D", str(data), "-U", "postgres"]
    _run([*initdb, "-A", "trust", "-E", "UTF8", "--no-sync"])
    _run([*control, "-l", str(log), "-o", settings, "start"])
    try:
        names = {"HOST": "127.0.0.1", "PORT": str(port), "USER": "postgres", "DATABASE": "stac"}
        environment = {f"PG{name}": text for name, text in names.items()}
        environment["PGPASSWORD"] = "unused"  # authentication is by trust
        _run([tools.server("createdb"), "stac"], environment)
        _run([tools.script("pypgstac"), "migrate"], environment)
        yield environment
    finally:
        _run([*control, "-m", "fast", "stop"])


@contextlib.contextmanager
def _api(tools: Tools, folder: Path, environment: dict[str, str]) -> Iterator[StacApi]:
    port, log = free_port(), folder / "api.log"
    command = [tools.script("uvicorn"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--factory", "stac_fastapi.pgstac.app:create_app"]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=stream, stderr=stream, cwd=folder
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/_mgmt/health", process, log)
        yield StacApi(url, port, log, tools, environment)
    except BaseException:
        sys.stderr.write("\n".join(_tail(log)) + "\n")
        raise
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(url, timeout=2).read()  # noqa: S310  # loopback
            return
        time.sleep(0.05)
    message = f"no answer from {url}\n" + "\n".join(_tail(log))
    raise RuntimeError(message)


def _tail(log: Path) -> Sequence[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    # A file, not a pipe: the database server keeps the descriptor open after pg_ctl ends.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            cwd="/",  # a user without rights to the current folder would complain
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
        output.seek(0)
        if done.returncode:
            message = f"{' '.join(command)} failed:\n{output.read()}"
            raise RuntimeError(message)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
