"""JupyterLab for tests: on loopback, with settings of its own, and a notebook to run."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from tests.services.browser import Browser
from tests.services.processes import MissingServiceError, free_port, running


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    address: str
    token: str
    folder: Path
    """What it shows, and where its kernels begin."""

    def write(self, name: str, cells: Sequence[str]) -> str:
        """Write a notebook; return its address."""
        notebook = nbformat.v4.new_notebook()
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        nbformat.write(notebook, self.folder / name)
        return f"{self.address}/lab/tree/{name}?token={self.token}&reset"


@contextlib.contextmanager
def run_lab(folder: Path) -> Iterator[Lab]:
    """Start JupyterLab on a folder, and end it with the block."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingServiceError("jupyterlab is not installed")
    lab = Lab(f"http://127.0.0.1:{free_port()}", secrets.token_hex(16), folder / "notebooks")
    lab.folder.mkdir()
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": lab.address.rpartition(":")[2],
        "ServerApp.port_retries": 0,
        "ServerApp.allow_root": True,
        "ServerApp.root_dir": lab.folder,
        "ServerApp.open_browser": False,
        "IdentityProvider.token": lab.token,
        "LabApp.expose_app_in_browser": True,
        # Neither news nor newer versions are asked for.
        "LabApp.news_url": "None",
        "LabApp.check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
    }
    own = {f"JUPYTER_{part}_DIR": str(folder / part) for part in ("CONFIG", "DATA", "RUNTIME")}
    own |= {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "PYTHONPATH": os.pathsep.join([*sys.path[1:], str(Path.cwd())]),
    }
    command = [sys.executable, "-m", "jupyterlab", *(f"--{k}={v}" for k, v in options.items())]
    probe = f"{lab.address}/api?token={lab.token}"
    with running(command, probe=probe, log=folder / "lab.log", environment=own):
        yield lab


def wait(browser: Browser, script: str, seconds: float = 60) -> Any:
    """Wait until a script in the page returns something true, and return that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(Exception):  # a page that is not there yet has nothing to ask
            if found := browser.run(script):
                return found
        time.sleep(0.1)
    message = f"waited in vain for: {script}"
    raise TimeoutError(message)


def run_cell(browser: Browser, number: int, code: str | None = None) -> None:
    """Run a cell of the notebook that is shown, with other code if given, until its end."""
    kernel = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    wait(browser, f"return {kernel}.status === 'idle'")
    browser.run(
        "const notebook = jupyterapp.shell.currentWidget.content; window.ran = false;"
        "notebook.activeCellIndex = arguments[0];"
        "if (arguments[1]) notebook.activeCell.model.sharedModel.setSource(arguments[1]);"
        "jupyterapp.commands.execute('notebook:run-cell').then(() => { window.ran = true; });",
        number,
        code,
    )
    wait(browser, "return window.ran", 120)
