"""The services that tests talk to, each started once for the whole run."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    """Import a module beside this one; the tests are not a package."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"cbmcube_services_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stac_api() -> Iterator[object]:
    """A STAC API over an empty pgstac database."""
    pgstac = _load("pgstac")
    try:
        tools = pgstac.find_tools()
    except pgstac.MissingServiceError as missing:
        if os.environ.get("CBMCUBE_REQUIRE_SERVICES") == "1":
            raise
        pytest.skip(str(missing))
    with pgstac.run_pgstac(tools) as api:
        yield api
