"""A season of the small country, planned in small units."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pystac
import pytest

import cbmcube as cbm
from cbmcube.demo import Country
from cbmcube.observations.season import Plan, plan

PERIOD = "2024-03-01/2024-03-14"
"""A fortnight: a handful of passes of each satellite."""


@pytest.fixture(scope="session")
def fields(country: Country) -> gpd.GeoDataFrame:
    """The country's parcels, prepared, with buffers of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cbm.warnings.RepairedParcelsWarning)
        return cbm.prepare_parcels(cbm.read_parcels(country.parcels, id="field_id"), buffer=-4.0)


@pytest.fixture(scope="session")
def scenes(country: Country, fields: gpd.GeoDataFrame) -> list[pystac.Item]:
    """The items of backscatter in the period."""
    catalogue = cbm.open_catalog(country.catalogue)
    return list(cbm.search(catalogue, cbm.CARD_BS, aoi=fields, period=PERIOD))


@pytest.fixture
def own_country(country: Country, tmp_path: Path) -> Path:
    """A copy of the country's files, to be damaged."""
    return Path(shutil.copytree(country.catalogue.parent, tmp_path / "country"))


@pytest.fixture
def make_plan(country: Country, fields: gpd.GeoDataFrame, tmp_path: Path) -> Callable[..., Plan]:
    """Plan backscatter of the country into a store of its own; any argument can be changed."""

    def make(name: str = "store", **changes: Any) -> Plan:
        arguments: dict[str, Any] = {
            "source": cbm.open_catalog(country.catalogue),
            "product": cbm.CARD_BS,
            "parcels": fields,
            "store": tmp_path / name,
            "records_per_unit": 40,
            **changes,
        }
        if not isinstance(arguments["source"], list):
            arguments.setdefault("period", PERIOD)
        return plan(
            arguments.pop("source"), arguments.pop("product"), arguments.pop("parcels"), **arguments
        )

    return make
