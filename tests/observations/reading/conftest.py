"""Stores that the tests of reading share: whole and compacted, with and without holes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from cbmcube.observations.reading import Observations, open_observations
from cbmcube.observations.store import Store, compact
from cbmcube.testing import vector_cube
from cbmcube.warnings import UnfinishedSeasonWarning
from tests.observations.reading.stores import Holes, expected_table, make_store

GROUPS = ([0, 2, 5], [7, 1, 6, 3])
"""Parcel 4 lies outside every grid; the second group's order is not the user's."""

HOLES = {
    (1, 0): "corrupt",
    (2, 1): "nodata",
    (3, 0): "pending",
    (4, 1): "beyond",
    (5, 0): "refused",
    (5, 1): "empty",
    (6, 0): "pending",
    (6, 1): "pending",
}


@dataclass(frozen=True)
class Case:
    """A store, what was put into it, and what must come out."""

    store: Store
    stats: xr.Dataset
    groups: tuple[list[int], ...]
    holes: Holes
    table: pd.DataFrame

    def open(self, *, compacted: bool = False) -> Observations:
        numbers = self.store.snapshots()
        return open_observations(self.store, snapshot=numbers[-1 if compacted else 0])


def make_case(folder: Path, product: str, holes: Holes | None = None, parcels: object = 8) -> Case:
    stats = vector_cube(product, parcels=parcels, days=40).compute()
    # Tables keep microseconds, as items do.
    stats = stats.assign_coords(time=stats.time.values.astype("M8[us]").astype("M8[ns]"))
    store = make_store(folder, stats, GROUPS, holes)
    compact(store, acquisitions=5)
    return Case(store, stats, GROUPS, holes or {}, expected_table(stats, GROUPS, holes))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("whole") / "s", "CARD-2A")


@pytest.fixture(scope="session")
def holed(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("holed") / "s", "CARD-2A", HOLES)


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Case:
    ids = list(range(100, 108))
    return make_case(tmp_path_factory.mktemp("pairs") / "s", "CARD-COH6", parcels=ids)


@contextmanager
def unfinished() -> Iterator[None]:
    """What is asked for may touch units that are not committed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnfinishedSeasonWarning)
        yield
