"""What the tests of this folder read from the tiny country."""

from __future__ import annotations

import numpy as np
import pystac
import pytest
import rasterio

from cbmcube.demo import Country


@pytest.fixture(scope="session")
def items(country: Country) -> list[pystac.Item]:
    return list(pystac.ItemCollection.from_file(str(country.catalogue)))


@pytest.fixture(scope="session")
def read(country: Country):
    """Read one band of an item as it is stored."""

    def read_band(item: pystac.Item, band: str) -> np.ndarray:
        with rasterio.open(country.folder / item.assets[band].href) as source:
            return source.read(1)

    return read_band
