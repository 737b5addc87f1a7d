"""Small COGs and items of every kind the cube layer must read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer

START = datetime(2024, 3, 5, 10, 10, 21, tzinfo=UTC)


class Scenes:
    """Writes rasters below a folder and describes them as items of the card profile."""

    def __init__(self, folder):
        self.folder = folder

    def item(
        self,
        name,
        bands,
        *,
        day=0.0,
        epsg=32632,
        origin=(500_000, 5_400_000),
        steps=None,
        collection="CARD-2A",
        extra=None,
        offset=None,
        **properties,
    ):
        """Write one raster per band and return their item.

        `steps` gives (x, y) pixel steps for each band; 10 m north-up by default.
        """
        facts = {
            "platform": "sentinel-2a",
            "sat:relative_orbit": 22,
            "sat:orbit_state": "descending",
            "s2:processing_baseline": "03.01",
        } | {key.replace("__", ":"): value for key, value in properties.items()}
        where = list(Transformer.from_crs(epsg, 4326, always_xy=True).transform(*origin))
        item = pystac.Item(
            id=name,
            geometry={"type": "Point", "coordinates": where},
            bbox=where * 2,
            datetime=START + timedelta(days=day),
            properties={key: value for key, value in facts.items() if value is not None},
            collection=collection,
        )
        for band, values in bands.items():
            step_x, step_y = (steps or {}).get(band, (10, -10))
            transform = Affine(step_x, 0, origin[0], 0, step_y, origin[1])
            declared = (extra or {}).get(band, {}).get("nodata")
            path = self.write(f"{name}_{band}.tif", values, transform, epsg, declared)
            fields = {
                "proj:code": f"EPSG:{epsg}",
                "proj:transform": list(transform[:6]),
                "proj:shape": list(np.shape(values)),
            }
            if offset is not None and band != "SCL":
                fields |= {"raster:scale": 0.0001, "raster:offset": offset}
            fields |= (extra or {}).get(band, {})
            item.add_asset(band, pystac.Asset(str(path), roles=["data"], extra_fields=fields))
        return item

    def write(self, name, values, transform, epsg, nodata=None):
        values = np.asarray(values)
        if nodata is None:
            nodata = np.nan if values.dtype.kind == "f" else 0
        path = self.folder / name
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=values.shape[0],
            width=values.shape[1],
            count=1,
            dtype=values.dtype,
            crs=f"EPSG:{epsg}",
            transform=transform,
            nodata=nodata,
        ) as target:
            target.write(values, 1)
        return path


@pytest.fixture
def scenes(tmp_path):
    return Scenes(tmp_path)


@pytest.fixture
def digital_numbers():
    """40 x 60 reflectance numbers, with no data in a corner."""
    values = np.random.default_rng(0).integers(1, 9000, (40, 60)).astype("uint16")
    values[:5, :7] = 0
    return values


@pytest.fixture(scope="session")
def reflectance():
    """Float32 reflectance of digital numbers, as NumPy computes it."""

    def convert(numbers, offset=0):
        numbers = np.asarray(numbers).astype("float32")
        return np.where(numbers == 0, np.nan, (numbers + np.float32(offset)) * np.float32(1e-4))

    return convert


@pytest.fixture(scope="session")
def real_items(realdata):
    """A function that returns the recorded items of one file, by a unique part of its name."""

    def read(part):
        if part.endswith("parquet"):
            from cbmcube.catalog import open_catalog

            (path,) = (realdata / "stac-items").glob(f"*{part}")
            return [
                pystac.Item.from_dict(feature.json, migrate=False)
                for feature in open_catalog(path).features
            ]
        (path,) = (realdata / "stac-items").glob(f"*{part}*.json")
        shell = {"type": "Feature", "links": [], "geometry": None, "stac_version": "1.0.0"}
        return [
            pystac.Item.from_dict(shell | feature, migrate=False)
            for feature in json.loads(path.read_text())["features"]
        ]

    return read
