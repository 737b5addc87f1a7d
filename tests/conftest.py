"""Settings and fixtures that every test shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", max_examples=40, deadline=None)
settings.register_profile(
    "ci",
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of openly licensed real data, or a skip that says how to get it."""
    default = Path(__file__).parents[2] / "shared" / "realdata"
    folder = Path(os.environ.get("CBMCUBE_REALDATA", default))
    if not folder.is_dir():
        pytest.skip("no real data: set CBMCUBE_REALDATA to the folder that holds it")
    return folder
