"""Fixtures that tests and the examples in docstrings share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from cbmcube.demo import Country, make_country

# What ignores signals hands that down, as nohup and shells in the background do; the tests of
# interrupted runs, and the processes they start, need what a terminal gives.
for _number, _usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGTERM, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _usual)


@pytest.fixture(scope="session")
def country(tmp_path_factory: pytest.TempPathFactory) -> Country:
    """Make the demo's synthetic country at its smallest size."""
    return make_country(tmp_path_factory.mktemp("country"), size="tiny")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the cache of pixel indexes out of the user's home, also in worker processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CBMCUBE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _name_country(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """Let examples speak of ``country`` without making it each time."""
    if isinstance(request.node, pytest.DoctestItem) and "country" in request.node.dtest.docstring:
        doctest_namespace["country"] = request.getfixturevalue("country")
