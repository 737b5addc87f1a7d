"""A Dask Gateway server on this machine, for the tests: its clusters are processes here."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.services.processes import MissingServiceError, free_port, skip_or_fail, wait_for

# The server reads this file. Fast heartbeats, so that what dies is noticed within a test.
_CONFIG = """
import os

from dask_gateway_server.options import Float, Integer, Mapping, Options, Select

c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.address = "127.0.0.1:" + os.environ["GW_API_PORT"]
if os.environ["GW_HUB"]:
    c.DaskGateway.authenticator_class = "dask_gateway_server.auth.JupyterHubAuthenticator"
    c.JupyterHubAuthenticator.jupyterhub_api_url = os.environ["GW_HUB"]
    c.JupyterHubAuthenticator.jupyterhub_api_token = "of-the-service"
else:
    c.DaskGateway.authenticator_class = "dask_gateway_server.auth.SimpleAuthenticator"
    c.SimpleAuthenticator.password = os.environ["GW_PASSWORD"]
c.Proxy.address = "127.0.0.1:" + os.environ["GW_HTTP_PORT"]
c.Proxy.tcp_address = "127.0.0.1:" + os.environ["GW_TCP_PORT"]
c.UnsafeLocalBackend.db_url = "sqlite:///gateway.sqlite"
c.UnsafeLocalBackend.cluster_heartbeat_period = 1
c.UnsafeLocalBackend.cluster_heartbeat_timeout = 20
c.UnsafeLocalBackend.cluster_status_period = 2
c.UnsafeLocalBackend.worker_status_period = 2
c.UnsafeLocalBackend.sigint_timeout = 3
c.UnsafeLocalBackend.clusters_directory = os.getcwd()
c.ClusterConfig.scheduler_cmd = [os.environ["GW_PYTHON"], "-m", "dask", "scheduler"]
c.ClusterConfig.worker_cmd = [os.environ["GW_PYTHON"], "-m", "dask", "worker"]
c.ClusterConfig.worker_cores = 1
c.ClusterConfig.worker_memory = "2 G"
c.ClusterConfig.scheduler_memory = "2 G"
c.ClusterConfig.cluster_max_workers = 3
c.ClusterConfig.adaptive_period = 0.5


def _options(options):
    found = {
        "worker_cores": options.worker_cores,
        "worker_memory": int(options.worker_memory * 2**30),
        "environment": options.environment,
    }
    if options.image == "broken":
        found["scheduler_cmd"] = ["false"]
    if options.image == "stuck":
        found["worker_cmd"] = ["sh", "-c", "exec sleep 1000"]
    if options.image == "failing":
        found["worker_cmd"] = ["false"]
    return found


c.Backend.cluster_options = Options(
    Integer("worker_cores", default=1, min=1, max=2),
    Float("worker_memory", default=2, min=0.5, max=4),
    Select("image", ["good", "broken", "failing", "stuck"], default="good"),
    Mapping("environment", default={"FROM_SERVER": "1"}),
    handler=_options,
)
"""


@dataclass
class GatewayServer:
    """A gateway that can be stopped and started again, and remembers its clusters."""

    folder: Path
    python: Path
    ports: tuple[int, int, int]
    password: str = field(repr=False)
    key: str = field(repr=False)
    hub: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports[1]}"

    @property
    def proxy_address(self) -> str:
        return f"tls://127.0.0.1:{self.ports[2]}"

    @property
    def log(self) -> Path:
        return self.folder / "gateway.log"

    def login(self, user: str = "ada") -> dict[str, Any]:
        """Return what `gateway_cluster` and its like take."""
        from dask_gateway import BasicAuth

        return {
            "address": self.address,
            "proxy_address": self.proxy_address,
            "auth": BasicAuth(user, self.password),
        }

    def start(self) -> None:
        names = ("GW_API_PORT", "GW_HTTP_PORT", "GW_TCP_PORT")
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            **dict(zip(names, map(str, self.ports), strict=True)),
            "GW_HUB": self.hub,
            "GW_PASSWORD": self.password,
            "GW_PYTHON": str(self.python),
            "DASK_GATEWAY_ENCRYPT_KEYS": self.key,
        }
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dask_gateway_server", "-f", "gateway_config.py"],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        wait_for(f"{self.address}/api/health", self.process)

    def stop(self) -> None:
        """Let the server end in good order, which ends its clusters."""
        self.process.terminate()
        self.process.wait(timeout=40)

    def kill(self) -> None:
        """End the server as a crash does: its clusters go on."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)

    def clusters(self, status: str | None = None) -> list[str]:
        """Return the names of clusters as the server itself tells them."""
        query = f"?status={status}" if status else ""
        request = urllib.request.Request(f"{self.address}/api/v1/clusters/{query}")  # noqa: S310  # loopback
        login = base64.b64encode(f"ada:{self.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return list(json.load(answer))

    def processes(self) -> list[psutil.Process]:
        """Return the schedulers and workers of this server that run."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                url = process.environ().get("DASK_GATEWAY_API_URL", "")
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and url.startswith(f"{self.address}/"):
                    found.append(process)
        return found

    def wait_until_empty(self, seconds: float = 30) -> None:
        """Wait until no cluster and no process of one is left."""
        end = time.monotonic() + seconds
        while self.clusters() or self.processes():
            if time.monotonic() > end:
                message = f"left behind: {self.clusters()}, {self.processes()}"
                raise AssertionError(message)
            time.sleep(0.1)


def gateway_or_skip(**options: Any) -> Iterator[GatewayServer]:
    """Yield a server for a fixture; skip where the programs are missing."""
    try:
        with run_gateway(**options) as server:
            yield server
    except MissingServiceError as missing:
        skip_or_fail(missing)


@contextlib.contextmanager
def run_gateway(python: str | Path = sys.executable, hub: str = "") -> Iterator[GatewayServer]:
    """Start a server whose clusters run with an interpreter; stop all of it at the end.

    With the address of a hub's API, users log in with tokens of that hub.
    """
    for name in ("dask_gateway", "dask_gateway_server", "sqlalchemy"):
        if importlib.util.find_spec(name) is None:
            message = f"no {name}: pip install dask-gateway 'dask-gateway-server[local]'"
            raise MissingServiceError(message)
    folder = Path(tempfile.mkdtemp(prefix="gateway-"))
    (folder / "gateway_config.py").write_text(_CONFIG)
    server = GatewayServer(
        folder=folder,
        python=Path(python),
        ports=(free_port(), free_port(), free_port()),
        password=f"c4n4ry-{secrets.token_hex(8)}",
        key=base64.b64encode(secrets.token_bytes(32)).decode(),
        hub=hub,
    )
    try:
        server.start()
        yield server
    except BaseException:
        lines = server.log.read_text(encoding="utf-8", errors="replace").splitlines()
        sys.stderr.write("\n".join(lines[-20:]) + "\n")
        raise
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            if server.process is not None and server.process.poll() is None:
                server.stop()
        for process in server.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)
