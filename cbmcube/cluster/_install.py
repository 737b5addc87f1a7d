"""Bring what is missing to the scheduler and workers of a cluster, with pip."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from distributed import Client
from distributed.diagnostics.plugin import InstallPlugin

from cbmcube.cluster._check import ClusterReport, check_cluster, survey_cluster
from cbmcube.exceptions import OptionError


def install_on_workers(
    client: Client,
    *,
    packages: Sequence[str] | None = None,
    wheel: str | Path | None = None,
    pip_options: Sequence[str] = (),
    restart: bool = False,
) -> ClusterReport:
    """Install packages on the scheduler and on all workers, also those that join later.

    It lengthens the start of each worker. An image that has the packages is better for work
    that is repeated; it needs pip there, and a package index or wheels.

    Parameters
    ----------
    client
        Connected to the cluster.
    packages
        Requirements as pip reads them. By default what `check_cluster` finds missing, in the
        versions of the client.
    wheel
        A wheel on this computer, such as cbmcube's own, sent along and installed as well.
        Whatever of it is in `packages` is then left out.
    pip_options
        Options of ``pip install``, such as ``["--no-deps"]``. They are not secret.
    restart
        Start the workers anew afterwards: needed where another version of a package was
        already imported.

    Returns
    -------
    ClusterReport
        What `check_cluster` finds afterwards; it warns of what still differs.

    Raises
    ------
    OptionError
        `wheel` is not a wheel.
    RuntimeError
        pip failed somewhere; the message has what it said.

    Examples
    --------
    >>> from cbmcube.cluster import gateway_cluster, install_on_workers
    >>> with gateway_cluster("https://dask.example.org") as client:  # doctest: +SKIP
    ...     print(install_on_workers(client, packages=["geopandas==1.1.1"]))
    2 workers and their scheduler compared with the client: nothing differs
    """
    own, name = _wheel(wheel)
    if packages is None:
        lacking = (one for one in survey_cluster(client).differences if one.missing)
        packages = [f"{one.name}=={one.client}" for one in lacking]
    wanted = [text for text in packages if _plain(text.split("==")[0]) != name]
    if own or wanted:
        client.register_plugin(
            InstallPlugin(installer(own, wanted, pip_options), restart_workers=restart)
        )
    return check_cluster(client, strict=False)


def installer(
    wheels: dict[str, bytes], packages: Sequence[str], options: Sequence[str]
) -> Callable[[], None]:
    """Return a function that installs where it runs; it travels as code."""
    wanted, settings = list(packages), list(options)

    def install() -> None:
        import fcntl  # noqa: PLC0415  # Windows has none

        shared = sha256(sys.prefix.encode()).hexdigest()[:16]
        lock = Path(tempfile.gettempdir()) / f"cbmcube-install-{shared}.lock"
        # Workers of one computer share an environment, which pip must not change twice at once.
        with lock.open("w") as held, tempfile.TemporaryDirectory() as folder:
            fcntl.flock(held, fcntl.LOCK_EX)
            paths = []
            for name, content in wheels.items():
                path = Path(folder) / name
                path.write_bytes(content)
                paths.append(str(path))
            command = [sys.executable, "-m", "pip", "install", "--quiet", *settings]
            done = subprocess.run(  # noqa: S603  # the user's own requirements
                [*command, *paths, *wanted], capture_output=True, text=True, check=False
            )
        if done.returncode:
            message = f"pip install failed: {done.stderr.strip()[-2000:]}"
            raise RuntimeError(message)
        importlib.invalidate_caches()

    return install


def _wheel(path: str | Path | None) -> tuple[dict[str, bytes], str]:
    """Return a wheel's name and content, and the package in it."""
    if path is None:
        return {}, ""
    path = Path(path)
    if path.suffix != ".whl" or not path.is_file():
        raise OptionError("wheel is not a wheel file", given=path, hint="make one: pip wheel .")
    return {path.name: path.read_bytes()}, _plain(path.name.split("-")[0])


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_")
