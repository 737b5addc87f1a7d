"""Fixtures that the tests of the store share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cbmcube.observations.store import Store, create_store
from tests.observations.store.units import RECIPE


@pytest.fixture
def ram() -> Iterator[Path]:
    """A folder in memory where the system has one: tests that only kill need no disk."""
    memory = "/dev/shm"  # noqa: S108  # a folder of its own in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def store(ram) -> Store:
    return create_store(ram / "store", RECIPE)
