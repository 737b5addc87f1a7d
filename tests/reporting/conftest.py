"""A season with holes, and its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import cbmcube as cbm
from cbmcube.reporting import season_report
from tests.observations.reading.conftest import HOLES, Case, make_case
from tests.reporting.pages import Page, read_page


@pytest.fixture(scope="session")
def holed(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Failed, empty and pending units, one that lost a file, and a parcel outside every grid."""
    holes = HOLES | {(8, 0): "torn"}
    return make_case(tmp_path_factory.mktemp("holed") / "s", "CARD-2A", holes)


@pytest.fixture(scope="session")
def page(holed: Case, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of that season."""
    return _write(holed.store, tmp_path_factory.mktemp("page") / "page.html")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Page]:
    """Write the page of a store and read it."""

    def make(store: object, **options: object) -> Page:
        return _write(store, tmp_path / "page.html", **options)

    return make


def _write(store: object, path: Path, **options: object) -> Page:
    # The first snapshot: compaction publishes another, with the same numbers.
    obs = cbm.open_observations(store, snapshot=1)
    return read_page(season_report(obs, path, **options))
