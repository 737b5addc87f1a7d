"""What a process of a cluster has, asked with functions that need nothing but Python there."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from distributed import Client

ABSENT = "not installed"


def workers_without(client: Client, module: str) -> list[str]:
    """Return the addresses of the workers that cannot import a module."""
    found = client.run(finder([module]))
    return sorted(address for address, missing in found.items() if missing)


def processes_without(client: Client, module: str) -> list[str]:
    """Return ``"scheduler"`` and the addresses of workers, where they cannot import a module."""
    scheduler, workers = ask_all(client, finder([module]))
    return [*(["scheduler"] if scheduler else []), *sorted(a for a, no in workers.items() if no)]


def finder(modules: Sequence[str]) -> Callable[[], list[str]]:
    """Return a function that lists which of `modules` the process that runs it lacks."""

    # Inner functions travel as code: a process that lacks cbmcube can run them.
    def missing() -> list[str]:
        return [name for name in modules if find_spec(name) is None]

    return missing


def surveyor(packages: Sequence[str]) -> Callable[[], dict[str, str]]:
    """Return a function that tells the versions of Python, GDAL and `packages` where it runs.

    A package whose files are not where Python looks for them counts as not installed.
    """
    absent = ABSENT

    def survey() -> dict[str, str]:
        def installed(name: str) -> str:
            module = name.replace("-", "." if name.startswith("odc-") else "_")
            try:
                return version(name) if find_spec(module) else absent
            except (PackageNotFoundError, ImportError):
                return absent

        def gdal() -> str:
            try:
                return str(import_module("rasterio").__gdal_version__)
            except ImportError:
                return absent

        first = {"python": platform.python_version(), "GDAL": gdal()}
        return first | {name: installed(name) for name in packages}

    return survey


def ask_all(client: Client, question: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """Return what the scheduler answers, and what each worker answers, by its address."""
    return client.run_on_scheduler(question), dict(client.run(question))
