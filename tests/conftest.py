"""Settings and fixtures that every test shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import dask
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", max_examples=40, deadline=None)
settings.register_profile("quick", max_examples=10, deadline=None)
settings.register_profile(
    "ci",
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs servers where that is run apart, as the gate does."""
    if os.environ.get("CBMCUBE_SERVICES") != "apart":
        return
    apart = pytest.mark.skip(reason="CBMCUBE_SERVICES=apart: servers have a run of their own")
    for item in items:
        if any(item.get_closest_marker(name) for name in ("services", "service_stac")):
            item.add_marker(apart)


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of openly licensed real data, or a skip that says how to get it."""
    default = Path(__file__).parents[2] / "shared" / "realdata"
    folder = Path(os.environ.get("CBMCUBE_REALDATA", default))
    if not folder.is_dir():
        pytest.skip("no real data: set CBMCUBE_REALDATA to the folder that holds it")
    return folder


@contextmanager
def _nothing_computes() -> Iterator[None]:
    def refuse(*_args: object, **_options: object) -> None:
        raise AssertionError("something was computed that should stay lazy")

    with dask.config.set(scheduler=refuse):
        yield


@pytest.fixture
def nothing_computes() -> AbstractContextManager[None]:
    """A context in which any Dask computation fails the test."""
    return _nothing_computes()
