"""JupyterLab for tests: on loopback, with settings of its own, and a notebook to run."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services.browser import Browser
from tests.services.processes import MissingServiceError, free_port, running

PYTHON = os.environ.get("CBMCUBE_LAB_PYTHON", sys.executable)
"""Runs JupyterLab and its kernels: cbmcube[explore] and jupyterlab are installed beside it."""


def find_package(name: str) -> Path:
    """Return the folder of a package that is installed where JupyterLab is."""
    code = "import importlib.util, sys; found = importlib.util.find_spec(sys.argv[1])\n"
    code += "print(found.origin if found else '')"
    asked = [PYTHON, "-c", code, name]
    found = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    if not found:
        raise MissingServiceError(f"no {name} beside {PYTHON}: set CBMCUBE_LAB_PYTHON")
    return Path(found).parent


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    address: str
    token: str
    folder: Path
    """What it shows, and where its kernels begin."""

    def write(self, name: str, cells: Sequence[str]) -> str:
        """Write a notebook; return its address."""
        empty = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        notebook = {
            "cells": [{**empty, "id": f"cell-{k}", "source": cell} for k, cell in enumerate(cells)],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.folder / name).write_text(json.dumps(notebook), encoding="utf-8")
        return f"{self.address}/lab/tree/{name}?token={self.token}&reset"


@contextlib.contextmanager
def run_lab(folder: Path) -> Iterator[Lab]:
    """Start JupyterLab on a folder, and end it with the block."""
    find_package("jupyterlab")
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
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [PYTHON, "-m", "jupyterlab", *(f"--{k}={v}" for k, v in options.items())]
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
